// Lowers one tile.step to kernels of a GPU. A worker is a block; what a task
// does is code for all its threads. In graph mode each phase is a kernel, in
// persistent mode one kernel runs all phases and its blocks wait for each
// other.
#ifndef QUARTET_TARGETS_GPU_STEPLOWERING_H
#define QUARTET_TARGETS_GPU_STEPLOWERING_H
#include "passes/Lower/ProgramTable.h"
#include "targets/codegen/StepBase.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/TileToGpu.h"
#include "targets/gpu/kernels/Delta.h"
#include "targets/gpu/kernels/Matmul.h"

namespace quartet::gpu {

class StepLowering : public StepBase {
public:
  StepLowering(DeviceBuilder &k, tile::ProgramOp program, tile::StepOp step);

  /// Adds the step's kernels, named after \p name, and returns its bucket.
  mlir::FailureOr<ProgramBucket> lower(llvm::StringRef name, LaunchMode mode);

private:
  // The schedule (StepLowering.cpp, StepSync.cpp, StepStamps.cpp).
  /// \p alone: a unit has one block of each kernel.
  mlir::LogicalResult lowerGraph(llvm::StringRef name, bool alone,
                                 ProgramBucket &bucket);
  mlir::LogicalResult lowerPersistent(llvm::StringRef name,
                                      ProgramBucket &bucket);
  void begin(V args, V repetition);
  /// The function of \p phase for a kernel that runs several.
  mlir::FailureOr<mlir::func::FuncOp> makePhase(llvm::StringRef name,
                                                tile::PhaseOp phase);
  /// Waits until the phase can begin, and calls \p tasks.
  void enterPhase(tile::PhaseOp phase, mlir::func::FuncOp tasks);
  void lowerPrefetches(tile::PhaseOp phase);
  /// The block's part of \p phase. \p waits: others wait for it by counters.
  mlir::LogicalResult lowerTasks(tile::PhaseOp phase, bool waits);
  void lowerWait(tile::WaitOp wait);
  /// Asks for the weights of the block's first task.
  void lowerPrefetch(tile::PrefetchOp prefetch);
  /// Says that the block has finished \p finished of the \p total tasks, with
  /// \p routes one more for itself.
  void lowerSignal(tile::PhaseOp phase, V finished, V total, bool routes);
  /// Numbers the spans of a launch that runs them all, in the order in which
  /// blocks do.
  std::vector<ProgramSpan> numberSpans();
  // The block's stamps of a phase, where somebody wants them: the clock at its
  // begin, what is written when it is ready, and when each warp is at its end.
  V stampsOf(tile::PhaseOp phase); ///< where they are
  V stampBegin();
  void stampReady(tile::PhaseOp phase, V begin);
  void stampEnd(tile::PhaseOp phase, llvm::function_ref<V()> stamps);
  /// Counters of dies, where the blocks of a card are on several.
  void numberDieCounters();
  /// \p split blocks share each task: they run it with `part` 0, 1, ...
  mlir::LogicalResult runTasks(tile::PhaseOp phase, llvm::ArrayRef<Grid> grids,
                               int64_t split);
  /// Whether the products of \p phase want a unit for each block.
  bool isWide(tile::PhaseOp phase);
  /// Whether the step must be several kernels.
  bool needsLaunches();
  /// How many blocks share a task of \p phase.
  int64_t splitOf(tile::PhaseOp phase);
  /// \p bytes for this worker: shared memory while there is room, else a part
  /// of the worker's own device memory. Lives as long as \p scope of the
  /// caller.
  V localMemory(int64_t bytes);
  /// The same for the results of products of up to \p rows rows by weights of
  /// \p format: what those take of shared memory is worth more than they.
  V resultMemory(const PackedFormat &format, int64_t rows, int64_t bytes);
  /// Shared memory beside \p kept bytes for what kernels take for themselves.
  V localMemory(int64_t bytes, int64_t kept);

  // The micro-kernels (StepKernels.cpp, StepMixers.cpp, StepExperts.cpp).
  using StepBase::lower;
  int64_t rowParts() const override { return k.machine.activationParts; }
  void lower(tile::EmbedOp op) override;
  void lower(tile::RopeTableOp op) override;
  void lower(tile::ReadHiddenOp op) override;
  void lower(tile::WriteHiddenOp op) override;
  void lower(tile::StageOp op) override;
  mlir::LogicalResult lower(tile::MatmulOp op) override;
  void lower(tile::StoreOp op) override;
  void lower(tile::StoreHeadOp op) override;
  void lower(tile::StoreLogitsOp op) override;
  void lower(tile::SiluMulOp op) override;
  mlir::LogicalResult lower(tile::DeltaPrepareOp op) override;
  mlir::LogicalResult lower(tile::DeltaScanOp op) override;
  void lower(tile::AttendOp op) override;
  mlir::LogicalResult lower(tile::RouteOp op) override;
  mlir::LogicalResult lower(tile::ChooseExpertsOp op) override;
  void lower(tile::ExpertUpOp op) override;
  void lower(tile::ExpertDownOp op) override;
  mlir::LogicalResult lower(tile::ExpertPairsOp op) override;
  mlir::LogicalResult lower(tile::ExpertSumOp op) override;
  void lower(tile::SampleOp op) override;
  void beginOp(mlir::Operation &op) override;
  template <typename Op> DeltaShape deltaShape(Op op);
  template <typename Op> DeltaArgs deltaArgs(Op op, V sequence, V first);
  void setPrepared(DeltaArgs &args, llvm::StringRef name, V first);
  /// matmul, or matmulWide where the step and the kernel are made for it.
  void multiply(const PackedFormat &format, int64_t columns,
                const WeightsOperand &weights, int64_t mostPanels,
                const RowsOperand &rows, int64_t mostRows, V acc, V accStride);
  /// The same for the pairs of an expert, of which there may be much fewer than
  /// \p mostRows.
  void multiplyPairs(const PackedFormat &format, int64_t columns,
                     const WeightsOperand &weights, int64_t mostPanels,
                     const RowsOperand &rows, int64_t mostRows, V acc,
                     V accStride);
  /// f32 rows [first, first + rows) of what \p op stages, all threads together.
  void floatRows(tile::StageOp op, TokenRange tokens, V first, V rows,
                 int64_t most, llvm::function_ref<V(V row)> to);
  /// h[firstRow + i, tile `index`] = silu(gate[i]) * up[i] for the \p columns
  /// columns that there are; zero behind them.
  void siluMulRows(Tile gate, Tile up, V columns, Buffer h, V firstRow, V index,
                   int64_t tile);

  DeviceBuilder &k; ///< the base's, which here is one for GPUs
  V part;           ///< of the task that is being lowered, when it is shared
  V totals;         ///< shared: i64 [phases] tasks of each, when kernels wait
  llvm::DenseMap<mlir::Operation *, int64_t> phaseNumbers;
  /// Counters of the dies, those of a repetition side by side.
  llvm::DenseMap<mlir::Operation *, int64_t> dieCounters;
  /// First span of a phase in its launch, and how far its repetitions are
  /// apart; none where a launch has one.
  llvm::DenseMap<mlir::Operation *, std::pair<int64_t, int64_t>> spanNumbers;
  int64_t localUsed = 0;
  /// Constants that become the size of a worker's memory when it is known.
  llvm::SmallVector<mlir::Operation *> localSizes;
  /// The first counter of those that blocks which share a delta rule use.
  int64_t deltaCounters = 0;
  /// No thread uses shared memory yet, or all have met since: what is lowered
  /// next need not meet in front. Elsewhere whatever writes shared memory meets
  /// first, so that tasks need no barrier between them.
  bool freshShared = false;
};

} // namespace quartet::gpu
#endif
