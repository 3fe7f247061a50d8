// Ops of the NVVM dialect, which has them all.
#include "targets/gpu/BulkCopies.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

/// How long a thread may sleep before it looks again, in nanoseconds.
static constexpr int64_t kSleep = 10000000;

bool quartet::gpu::hasBulkCopies(const GpuFacts &machine) {
  return machine.copy == CopyEngine::Bulk;
}

void quartet::gpu::beginTransfers(DeviceBuilder &k, V barrier,
                                  int64_t arrivals) {
  NVVM::MBarrierInitOp::create(k.b, barrier.get(), k.i32(arrivals).get(),
                               /*predicate=*/Value());
}

void quartet::gpu::endTransfers(DeviceBuilder &k, V barrier) {
  NVVM::MBarrierInvalOp::create(k.b, barrier.get());
}

void quartet::gpu::expectBytes(DeviceBuilder &k, V barrier, int64_t bytes) {
  NVVM::MBarrierArriveExpectTxOp::create(
      k.b, TypeRange(), barrier.get(), k.i32(bytes).get(),
      NVVM::MemScopeKind::CTA, /*relaxed=*/false, /*predicate=*/Value());
}

void quartet::gpu::copyBulk(DeviceBuilder &k, V to, V from, int64_t bytes,
                            V barrier) {
  NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
      k.b, to.get(), from.get(), barrier.get(), k.i32(bytes).get(),
      /*multicastMask=*/Value(), /*l2CacheHint=*/Value());
}

void quartet::gpu::awaitTransfer(DeviceBuilder &k, V barrier, V parity) {
  NVVM::MBarrierTryWaitParityOp::create(k.b, barrier.get(),
                                        k.truncate(parity, k.i32()).get(),
                                        k.i32(kSleep).get());
}
