// What every lowering of a tile.step to code shares, whatever runs it: where
// things are in memory, which tokens a task's coordinates mean, and which tasks
// a phase has. CPUs and GPUs derive from it and say what the micro-kernels do.
#ifndef QUARTET_TARGETS_CODEGEN_STEPBASE_H
#define QUARTET_TARGETS_CODEGEN_STEPBASE_H
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileOps.h"
#include "runtime/include/quartet/abi.h"
#include "targets/codegen/CodeBuilder.h"
#include "targets/codegen/GroupsLayout.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace quartet {

/// What the program table says about a lowered step (quartet_bucket).
struct LoweredStep {
  mlir::func::FuncOp function; ///< null on devices, which have kernels
  int64_t tokens = 0, sequences = 0;
  int64_t scratchBytes = 0, scratchPageBytes = 0, localBytes = 0;
  int64_t syncCounters = 0;
};

/// Distance of two counters of quartet_step_args.sync, in bytes.
constexpr int64_t kCounterBytes = QUARTET_SYNC_STRIDE * 4;

class StepBase {
public:
  /// \p globalSpace: LLVM's address space of memory that all workers share.
  /// \p machines: who runs it ("GPUs"), for messages.
  StepBase(CodeBuilder &k, tile::ProgramOp program, tile::StepOp step,
           unsigned globalSpace, llvm::StringRef machines);
  virtual ~StepBase() = default;

protected:
  /// Rows or results that lie one after the other.
  struct Tile {
    V data, stride;    ///< stride in bytes between tokens
    V count;           ///< tokens; for weights: panels
    int64_t parts = 0; ///< as of Buffer
  };
  struct Buffer {
    V data;
    mlir::Type type;
    int64_t rowBytes = 0; ///< between tokens
    int64_t parts = 0;    ///< bf16 that floats of staged rows are; 0: f32
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

  /// The two addresses of attention and what it works on: a run of tokens of
  /// one sequence over a range of its pages, for one KV head.
  struct AttendRun {
    V q;                         ///< of the run's first token
    V qTokenStride, qHeadStride; ///< bytes
    V keys, values, pageStride;  ///< of the KV head in page 0
    V pages;                     ///< the sequence's row of the page table
    V page0, page1;
    V place, tokens;
    V records, recordTokenStride, recordHeadStride;
  };
  /// Where a head's row goes in the KV cache.
  struct CacheRow {
    mlir::Type type;
    V row, scale; ///< scale: of i8, else null
  };
  /// Pairs [first, first + count) of one expert: a block of the groups.
  struct ExpertPairs {
    V expert, first, count;
  };

  // The micro-kernels that a target lowers: a port is these.
  virtual void lower(tile::EmbedOp op) = 0;
  virtual void lower(tile::RopeTableOp op) = 0;
  virtual void lower(tile::ReadHiddenOp op) = 0;
  virtual void lower(tile::WriteHiddenOp op) = 0;
  virtual void lower(tile::StageOp op) = 0;
  virtual mlir::LogicalResult lower(tile::MatmulOp op) = 0;
  virtual void lower(tile::StoreOp op) = 0;
  virtual void lower(tile::StoreHeadOp op) = 0;
  virtual void lower(tile::StoreLogitsOp op) = 0;
  virtual void lower(tile::SiluMulOp op) = 0;
  virtual mlir::LogicalResult lower(tile::DeltaScanOp op) = 0;
  virtual void lower(tile::AttendOp op) = 0;
  virtual mlir::LogicalResult lower(tile::RouteOp op) = 0;
  virtual void lower(tile::ExpertUpOp op) = 0;
  virtual void lower(tile::ExpertDownOp op) = 0;
  virtual void lower(tile::SampleOp op) = 0;
  // Of schedules with TaskSizes::chooseAhead, downByExpert and prepareAhead;
  // errors where a target has none.
  virtual mlir::LogicalResult lower(tile::ChooseExpertsOp op);
  virtual mlir::LogicalResult lower(tile::ExpertPairsOp op);
  virtual mlir::LogicalResult lower(tile::ExpertSumOp op);
  virtual mlir::LogicalResult lower(tile::DeltaPrepareOp op);
  /// Before each op of a task.
  virtual void beginOp(mlir::Operation &op) {}
  // What needs no code of a target's own.
  void lower(tile::StreamOp op);
  void lower(tile::RecallOp op);
  /// bf16 that rows kept in parts are the sums of; 0: there are none.
  virtual int64_t rowParts() const { return 0; }
  mlir::LogicalResult noLowering(mlir::Operation *op) const;
  mlir::LogicalResult lowerBody(mlir::Block &block);

  // The schedule.
  /// \p arguments: of a function (args, worker, workers).
  void readArguments(llvm::ArrayRef<V> arguments);
  mlir::LogicalResult placeBuffers();
  /// That every event waited for is signalled.
  mlir::LogicalResult checkWaits();
  void numberCounters();
  llvm::SmallVector<Grid> gridsOf(tile::PhaseOp phase);
  mlir::LogicalResult runTask(const Grid &grid, V task);
  V extentOf(tile::ExtentAttr extent, tile::TasksOp tasks);
  V counter(tile::PhaseOp phase, V layer, bool done);
  /// How often a phase runs in a step.
  static int64_t repetitions(tile::PhaseOp phase);
  /// Calls emit with the phase that \p wait waits for and its repetition, where
  /// there is one.
  void overWait(tile::WaitOp wait,
                llvm::function_ref<void(tile::PhaseOp, V repetition)> emit);

  // Where things are.
  /// What the program declares as \p symbol.
  template <typename Declaration> Declaration declared(llvm::StringRef symbol) {
    return llvm::cast<Declaration>(
        mlir::SymbolTable::lookupSymbolIn(program.getOperation(), symbol));
  }
  V field(llvm::StringRef name); ///< of quartet_step_args
  V element32(V array, V i);     ///< an i32 of an array, as i64
  /// Of the field's pointer number \p place, as `weights` and `states` hold.
  V addressIn(llvm::StringRef table, unsigned place);
  Buffer buffer(llvm::StringRef symbol);
  V weightData(llvm::StringRef symbol);
  V stateData(llvm::StringRef symbol, int64_t *entryBytes = nullptr);
  int64_t rowBytesOf(mlir::Type bufferType);
  TokenRange tokensOf(mlir::Value coordinate, int64_t tile, bool chosen);
  V coordinate(mlir::Value value);
  /// Columns (of weights: rows) of tile \p index, when \p columns are cut into
  /// tiles of \p tile: fewer in the last one.
  V columnsOfTile(V index, int64_t tile, int64_t columns);
  static GroupsLayout layoutOf(tile::RouteOp route);
  ExpertPairs pairsOf(V groups, const GroupsLayout &layout, V block);
  CacheRow cacheRow(tile::StoreHeadOp op, V token, V head);
  /// Calls body for each run of tokens of the task that reaches its range.
  void overAttendRuns(tile::AttendOp op,
                      llvm::function_ref<void(const AttendRun &)> body);
  /// The routing that \p groups comes from, here or in an earlier phase.
  static tile::RouteOp routeOf(mlir::Value groups);
  /// Calls body for each run of tokens of one sequence in \p tokens.
  void overRuns(TokenRange tokens,
                llvm::function_ref<void(SequenceRun run)> body);
  V placeOf(V token); ///< in its sequence, past tokens counted
  V rangesOf(V tokensInSequence, int64_t pages);

  CodeBuilder &k;
  tile::ProgramOp program;
  tile::StepOp step;
  mlir::Type pointer; ///< to memory that all workers share
  LoweredStep result;

  V local; ///< memory of this worker alone
  V args, worker, workers, scratch, sync, numTokens, numSequences, numRows,
      tableWidth;
  V layer; ///< repetition of the layers; 0 outside
  llvm::StringMap<unsigned> weightPlaces, statePlaces;
  llvm::StringMap<int64_t> bufferOffsets;
  llvm::DenseMap<mlir::Operation *, int64_t> counterBase; ///< of phases
  llvm::StringMap<tile::PhaseOp> signaller;               ///< by event
  llvm::DenseMap<mlir::Value, Tile> tiles;
  llvm::DenseMap<mlir::Value, V> groupData;
  llvm::DenseMap<mlir::Value, V> coordinates;
  /// Bytes that routing leaves in local memory for later phases.
  int64_t keptLocal = 0;

private:
  mlir::LogicalResult lowerOp(mlir::Operation &op);

  llvm::StringRef machines;
};

} // namespace quartet
#endif
