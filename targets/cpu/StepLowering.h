// Lowers one tile.step to one function that every worker runs: the schedule
// becomes loops over tasks claimed from counters, the micro-kernel ops become
// calls of kernels on pointers.
#ifndef QUARTET_TARGETS_CPU_STEPLOWERING_H
#define QUARTET_TARGETS_CPU_STEPLOWERING_H
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileOps.h"
#include "targets/cpu/KernelBuilder.h"
#include "targets/cpu/kernels/Route.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace quartet::cpu {

/// What the program table says about a lowered step (quartet_bucket).
struct LoweredStep {
  mlir::func::FuncOp function;
  int64_t tokens = 0, sequences = 0;
  int64_t scratchBytes = 0, scratchPageBytes = 0, localBytes = 0;
  int64_t syncCounters = 0;
};

class StepLowering {
public:
  StepLowering(KernelBuilder &k, tile::ProgramOp program, tile::StepOp step);

  /// Adds the function \p name(ptr args, i64 worker, i64 workers).
  mlir::FailureOr<LoweredStep> lower(llvm::StringRef name);

private:
  /// Rows or results that lie one after the other.
  struct Tile {
    V data, stride; ///< stride in bytes between tokens
    V count;        ///< tokens; for weights: panels
  };
  struct Buffer {
    V data;
    mlir::Type type;
    int64_t rowBytes = 0; ///< between tokens
  };
  /// A piece of a matrix, vector or state.
  struct Weight {
    mlir::Operation *op;
    V data;
  };
  /// Tokens [first, first + count) of the step.
  struct TokenRange {
    V first, count;
  };
  /// A run of tokens of one sequence.
  struct SequenceRun {
    V sequence, first, count, past, slot;
  };

  /// One tile.tasks: numbers [begin, end) of the phase's tasks.
  struct Grid {
    tile::TasksOp tasks;
    llvm::SmallVector<V> extents;
    V begin, end;
  };

  // The schedule (StepLowering.cpp).
  void readArguments(llvm::ArrayRef<V> arguments);
  mlir::LogicalResult placeBuffers();
  /// That every event waited for is signalled.
  mlir::LogicalResult checkWaits();
  void numberCounters();
  mlir::LogicalResult lowerPhase(tile::PhaseOp phase);
  void lowerWait(tile::WaitOp wait);
  void lowerPrefetch(tile::PrefetchOp prefetch);
  llvm::SmallVector<Grid> gridsOf(tile::PhaseOp phase);
  V runTasks(tile::PhaseOp phase, llvm::ArrayRef<Grid> grids, bool &failed);
  mlir::LogicalResult runTask(const Grid &grid, V task);
  V extentOf(tile::ExtentAttr extent, tile::TasksOp tasks);
  V counter(tile::PhaseOp phase, V layer, bool done);
  mlir::LogicalResult lowerBody(mlir::Block &block);

  // Where things are (StepOperands.cpp).
  V field(llvm::StringRef name);
  V element32(V array, V i); ///< an i32 of an array, as i64
  Buffer buffer(llvm::StringRef symbol);
  V weightData(llvm::StringRef symbol);
  V stateData(llvm::StringRef symbol, int64_t *entryBytes = nullptr);
  V localMemory(int64_t bytes);
  int64_t rowBytesOf(mlir::Type bufferType);
  TokenRange tokensOf(mlir::Value coordinate, int64_t tile, bool chosen);
  V coordinate(mlir::Value value);
  /// Columns (of weights: rows) of tile \p index, when \p columns are cut into
  /// tiles of \p tile: fewer in the last one.
  V columnsOfTile(V index, int64_t tile, int64_t columns);
  static GroupsLayout layoutOf(tile::RouteOp route);
  /// Calls body for each run of tokens of one sequence in \p tokens.
  void overRuns(TokenRange tokens,
                llvm::function_ref<void(SequenceRun run)> body);
  V placeOf(V token); ///< in its sequence, past tokens counted
  V rangesOf(V tokensInSequence, int64_t pages);

  // The micro-kernels (StepKernels.cpp, StepMixers.cpp, StepExperts.cpp).
  mlir::LogicalResult lowerOp(mlir::Operation &op);
  void lower(tile::EmbedOp op);
  void lower(tile::RopeTableOp op);
  void lower(tile::ReadHiddenOp op);
  void lower(tile::WriteHiddenOp op);
  void lower(tile::StageOp op);
  void lower(tile::StreamOp op);
  mlir::LogicalResult lower(tile::MatmulOp op);
  void lower(tile::StoreOp op);
  void lower(tile::StoreHeadOp op);
  void lower(tile::StoreLogitsOp op);
  void lower(tile::SiluMulOp op);
  void lower(tile::DeltaScanOp op);
  void lower(tile::AttendOp op);
  void lower(tile::RouteOp op);
  void lower(tile::RecallOp op);
  void lower(tile::ExpertUpOp op);
  void lower(tile::ExpertDownOp op);
  void lower(tile::SampleOp op);
  /// h[firstRow + i, tile `index`] = silu(gate[i]) * up[i] for the \p panels
  /// panels of results that there are; zero behind them.
  void siluMulRows(Tile gate, Tile up, V panels, Buffer h, V firstRow, V index,
                   int64_t tile);

  KernelBuilder &k;
  tile::ProgramOp program;
  tile::StepOp step;
  LoweredStep result;

  V args, worker, workers, scratch, local, sync, numTokens, numSequences,
      numRows, tableWidth;
  V layer; ///< repetition of the layers; 0 outside
  llvm::StringMap<unsigned> weightPlaces, statePlaces;
  llvm::StringMap<int64_t> bufferOffsets;
  llvm::DenseMap<mlir::Operation *, int64_t> counterBase; ///< of phases
  llvm::DenseMap<mlir::Operation *, V> totals; ///< slot with a phase's tasks
  llvm::StringMap<tile::PhaseOp> signaller;    ///< by event
  llvm::DenseMap<mlir::Value, Tile> tiles;
  llvm::DenseMap<mlir::Value, V> groupData;
  llvm::DenseMap<mlir::Value, V> coordinates;
  /// Local memory: at its start what routing leaves for later phases.
  int64_t keptLocal = 0, localUsed = 0;
};

} // namespace quartet::cpu
#endif
