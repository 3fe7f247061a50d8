// NVIDIA's copies to and from shared memory: cp.async and ldmatrix.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet::gpu;

static LogicalResult loadTiles(EmulatorCalls &e, NVVM::LdMatrixOp op) {
  if (op.getEltType() != NVVM::LdStMatrixEltType::B16 ||
      op.getShape().getM() != 8 || op.getShape().getN() != 8)
    return e.fail(op, "of tiles other than 8x8 of 16 bits");
  int64_t tiles = op.getNum();
  Value place = e.words(0);
  e.callAtSite("ldmatrix", nullptr,
               {place, op.getPtr(), e.constant(e.i32(), tiles),
                e.constant(e.i32(), op.getLayout() == NVVM::MMALayout::col)});
  e.replace(op, e.loadFields(op.getType(), place));
  return success();
}

Translated quartet::gpu::emulateCopies(EmulatorCalls &e, Operation *op) {
  if (auto load = dyn_cast<NVVM::LdMatrixOp>(op))
    return loadTiles(e, load);
  if (auto copy = dyn_cast<NVVM::CpAsyncOp>(op)) {
    Value bytes = e.constant(e.i32(), copy.getSize());
    Value from = copy.getCpSize() ? copy.getCpSize() : bytes;
    e.callAtSite("copy_async", nullptr,
                 {copy.getDst(), copy.getSrc(), bytes, from});
  } else if (isa<NVVM::CpAsyncCommitGroupOp>(op)) {
    e.call("commit_group", nullptr, {});
  } else if (auto wait = dyn_cast<NVVM::CpAsyncWaitGroupOp>(op)) {
    e.call("wait_group", nullptr, {e.constant(e.i32(), wait.getN())});
  } else {
    return std::nullopt;
  }
  op->erase();
  return success();
}
