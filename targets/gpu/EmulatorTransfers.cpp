// Bulk copies and their barriers.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

Translated quartet::gpu::emulateTransfers(EmulatorCalls &e, Operation *op) {
  if (auto init = dyn_cast<NVVM::MBarrierInitOp>(op)) {
    if (init.getPredicate())
      return e.fail(op, "with a predicate");
    e.callAtSite("transfer_begin", nullptr, {init.getAddr(), init.getCount()});
  } else if (auto end = dyn_cast<NVVM::MBarrierInvalOp>(op)) {
    e.callAtSite("transfer_end", nullptr, {end.getAddr()});
  } else if (auto expect = dyn_cast<NVVM::MBarrierArriveExpectTxOp>(op)) {
    if (expect.getPredicate() || expect.getRelaxed() ||
        expect.getNumResults() > 0)
      return e.fail(op, "with a predicate, a state or without order");
    e.callAtSite("transfer_expect", nullptr,
                 {expect.getAddr(), expect.getTxcount()});
  } else if (auto copy =
                 dyn_cast<NVVM::CpAsyncBulkGlobalToSharedClusterOp>(op)) {
    if (copy.getMulticastMask())
      return e.fail(op, "to several blocks");
    e.callAtSite(
        "transfer_copy", nullptr,
        {copy.getDstMem(), copy.getSrcMem(), copy.getMbar(), copy.getSize()});
  } else if (auto wait = dyn_cast<NVVM::MBarrierTryWaitParityOp>(op)) {
    e.callAtSite("transfer_wait", nullptr, {wait.getAddr(), wait.getPhase()});
  } else {
    return std::nullopt;
  }
  op->erase();
  return success();
}
