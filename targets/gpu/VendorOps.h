// The ops of the upstream gpu dialect that kernels use, in terms of one
// vendor's dialect. Which ones there are, and what is asked of them, is the
// same for all.
#ifndef QUARTET_TARGETS_GPU_VENDOROPS_H
#define QUARTET_TARGETS_GPU_VENDOROPS_H
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "targets/gpu/GpuFacts.h"
#include <optional>

namespace quartet::gpu {

/// What one vendor has for each op. Values are those of the LLVM dialect; the
/// builder stands at the op.
class VendorOps {
public:
  VendorOps(const GpuFacts &facts) : facts(facts) {}
  virtual ~VendorOps() = default;

  // Where the thread is, along x; i32.
  virtual mlir::Value threadIndex(mlir::ImplicitLocOpBuilder &b) = 0;
  virtual mlir::Value blockIndex(mlir::ImplicitLocOpBuilder &b) = 0;
  virtual mlir::Value blockCount(mlir::ImplicitLocOpBuilder &b) = 0;
  /// Orders shared and device memory between the threads of the block.
  virtual void barrier(mlir::ImplicitLocOpBuilder &b) = 0;
  /// The same in front of a word that one thread tells other blocks for all,
  /// and behind one that it was told (kBarrierOrderAttr).
  virtual void releaseBarrier(mlir::ImplicitLocOpBuilder &b) { barrier(b); }
  virtual void acquireBarrier(mlir::ImplicitLocOpBuilder &b) { barrier(b); }
  /// Of lane `lane ^ mask`, in a whole warp; \p value is i32 or f32, \p mask a
  /// constant below the lanes.
  virtual mlir::Value shuffleXor(mlir::ImplicitLocOpBuilder &b,
                                 mlir::Value value, int32_t mask) = 0;
  /// Of lane \p lane (i32), in a whole warp.
  virtual mlir::Value shuffleIndex(mlir::ImplicitLocOpBuilder &b,
                                   mlir::Value value, mlir::Value lane) = 0;
  /// Says that \p kernel is one.
  virtual void mark(mlir::LLVM::LLVMFuncOp kernel) = 0;
  /// Says what a function that kernels call has to know of them.
  virtual void markPhase(mlir::LLVM::LLVMFuncOp) {}

protected:
  /// Blocks of \p kernel that shall share a unit.
  int64_t blocksPerUnit(mlir::LLVM::LLVMFuncOp kernel) const;

  const GpuFacts &facts;
};

/// Replaces the gpu ops of \p module, whose kernels are llvm.funcs with the
/// attribute quartet.kernel, and marks those. An op that no vendor has, or one
/// for y or z, is an error.
mlir::LogicalResult lowerGpuOps(mlir::ModuleOp module, const GpuFacts &facts,
                                VendorOps &vendor);

/// An i32 constant.
mlir::Value constantI32(mlir::ImplicitLocOpBuilder &b, int64_t value);

} // namespace quartet::gpu
#endif
