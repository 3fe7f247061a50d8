// Lowers one tile.step to one function that every worker runs: the schedule
// becomes loops over tasks claimed from counters, the micro-kernel ops become
// calls of kernels on pointers.
#ifndef QUARTET_TARGETS_CPU_STEPLOWERING_H
#define QUARTET_TARGETS_CPU_STEPLOWERING_H
#include "targets/codegen/StepBase.h"
#include "targets/cpu/KernelBuilder.h"
#include "targets/cpu/kernels/Route.h"

namespace quartet::cpu {

class StepLowering : public StepBase {
public:
  StepLowering(KernelBuilder &k, tile::ProgramOp program, tile::StepOp step);

  /// Adds the function \p name(ptr args, i64 worker, i64 workers).
  mlir::FailureOr<LoweredStep> lower(llvm::StringRef name);

private:
  // The schedule (StepLowering.cpp).
  mlir::LogicalResult lowerPhase(tile::PhaseOp phase);
  void lowerWait(tile::WaitOp wait);
  void lowerPrefetch(tile::PrefetchOp prefetch);
  V runTasks(tile::PhaseOp phase, llvm::ArrayRef<Grid> grids, bool &failed);
  V localMemory(int64_t bytes);

  // The micro-kernels (StepKernels.cpp, StepMixers.cpp, StepExperts.cpp).
  using StepBase::lower;
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
  mlir::LogicalResult lower(tile::DeltaScanOp op) override;
  void lower(tile::AttendOp op) override;
  mlir::LogicalResult lower(tile::RouteOp op) override;
  void lower(tile::ExpertUpOp op) override;
  void lower(tile::ExpertDownOp op) override;
  void lower(tile::SampleOp op) override;
  /// Whether products with \p format take split rows (kernels/DotTiles.h): in
  /// steps of many tokens, so that the bits of a kind of steps agree.
  bool splitsRows(const PackedFormat &format);
  /// \p rows of \p columns columns in \p memory, of splitRowsBytes.
  Tile split(Tile rows, int64_t columns, V memory);
  /// out = rows * panels, by the kernel that \p format wants; \p rows are split
  /// where splitsRows. \p next: see matmulKernel; may be null.
  void multiply(const PackedFormat &format, Tile panels, Tile rows,
                int64_t paddedColumns, V out, V outStride, V next = V());
  /// h[firstRow + i, tile `index`] = silu(gate[i]) * up[i] for the \p panels
  /// panels of results that there are; zero behind them.
  void siluMulRows(Tile gate, Tile up, V panels, Buffer h, V firstRow, V index,
                   int64_t tile);

  KernelBuilder &k; ///< the base's, which here is one for CPUs
  llvm::DenseMap<mlir::Operation *, V> totals; ///< slot with a phase's tasks
  /// Local memory: at its start what routing leaves for later phases.
  int64_t localUsed = 0;
};

} // namespace quartet::cpu
#endif
