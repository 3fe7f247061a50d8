// One walk; each op is replaced where it stands.
#include "targets/gpu/VendorOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Matchers.h"
#include "targets/gpu/DeviceBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

Value quartet::gpu::constantI32(ImplicitLocOpBuilder &b, int64_t value) {
  return LLVM::ConstantOp::create(b, b.getI32Type(),
                                  b.getI32IntegerAttr(int32_t(value)));
}

int64_t VendorOps::blocksPerUnit(LLVM::LLVMFuncOp kernel) const {
  auto own = kernel->getAttrOfType<IntegerAttr>(kBlocksPerUnitAttr);
  return own ? own.getInt() : facts.blocksPerUnit;
}

namespace {
class Lowering {
public:
  Lowering(const GpuFacts &facts, VendorOps &vendor)
      : facts(facts), vendor(vendor) {}
  LogicalResult lower(Operation *op);

private:
  LogicalResult index(Operation *op, mlir::gpu::Dimension dimension,
                      Value (VendorOps::*make)(ImplicitLocOpBuilder &));
  LogicalResult shuffle(mlir::gpu::ShuffleOp op);
  LogicalResult barrier(mlir::gpu::BarrierOp op);

  const GpuFacts &facts;
  VendorOps &vendor;
};
} // namespace

/// The op's result has the type index, and all who want an integer cast it.
LogicalResult
Lowering::index(Operation *op, mlir::gpu::Dimension dimension,
                Value (VendorOps::*make)(ImplicitLocOpBuilder &)) {
  if (dimension != mlir::gpu::Dimension::x)
    return op->emitOpError()
           << "is for " << mlir::gpu::stringifyDimension(dimension)
           << "; expected x, the only dimension of blocks";
  ImplicitLocOpBuilder b(op->getLoc(), op);
  Value wide = LLVM::ZExtOp::create(b, b.getI64Type(), (vendor.*make)(b));
  auto cast = UnrealizedConversionCastOp::create(b, b.getIndexType(), wide);
  op->replaceAllUsesWith(cast);
  op->erase();
  return success();
}

LogicalResult Lowering::shuffle(mlir::gpu::ShuffleOp op) {
  APInt width, mask;
  if (!matchPattern(op.getWidth(), m_ConstantInt(&width)) ||
      width != uint64_t(facts.lanes))
    return op.emitOpError() << "has another width than the " << facts.lanes
                            << " lanes of a warp";
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value result;
  switch (op.getMode()) {
  case mlir::gpu::ShuffleMode::XOR:
    if (!matchPattern(op.getOffset(), m_ConstantInt(&mask)) ||
        mask.uge(uint64_t(facts.lanes)))
      return op.emitOpError()
             << "takes a constant below " << facts.lanes << " as mask";
    result = vendor.shuffleXor(b, op.getValue(), int32_t(mask.getZExtValue()));
    break;
  case mlir::gpu::ShuffleMode::IDX:
    result = vendor.shuffleIndex(b, op.getValue(), op.getOffset());
    break;
  default:
    return op.emitOpError()
           << "has mode " << mlir::gpu::stringifyShuffleMode(op.getMode())
           << "; expected xor or idx";
  }
  Value valid = LLVM::ConstantOp::create(b, b.getI1Type(), b.getBoolAttr(true));
  op->replaceAllUsesWith(ValueRange{result, valid});
  op->erase();
  return success();
}

LogicalResult Lowering::barrier(mlir::gpu::BarrierOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto order = op->getAttrOfType<StringAttr>(kBarrierOrderAttr);
  if (!order)
    vendor.barrier(b);
  else if (order == "release")
    vendor.releaseBarrier(b);
  else if (order == "acquire")
    vendor.acquireBarrier(b);
  else
    return op.emitOpError() << "has " << kBarrierOrderAttr << " " << order
                            << "; expected \"release\" or \"acquire\"";
  op->erase();
  return success();
}

LogicalResult Lowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](mlir::gpu::ThreadIdOp id) {
        return index(op, id.getDimension(), &VendorOps::threadIndex);
      })
      .Case([&](mlir::gpu::BlockIdOp id) {
        return index(op, id.getDimension(), &VendorOps::blockIndex);
      })
      .Case([&](mlir::gpu::GridDimOp size) {
        return index(op, size.getDimension(), &VendorOps::blockCount);
      })
      .Case([&](mlir::gpu::ShuffleOp shuffled) { return shuffle(shuffled); })
      .Case([&](mlir::gpu::BarrierOp meeting) { return barrier(meeting); })
      .Default([](Operation *other) {
        return other->emitOpError() << "has no lowering for kernels";
      });
}

LogicalResult quartet::gpu::lowerGpuOps(ModuleOp module, const GpuFacts &facts,
                                        VendorOps &vendor) {
  SmallVector<Operation *> found;
  module.walk([&](Operation *op) {
    if (isa<mlir::gpu::GPUDialect>(op->getDialect()))
      found.push_back(op);
  });
  Lowering lowering(facts, vendor);
  for (Operation *op : found)
    if (failed(lowering.lower(op)))
      return failure();
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function->hasAttr(kKernelAttr))
      vendor.mark(function);
    else if (function->hasAttr(kPhaseAttr))
      vendor.markPhase(function);
  }
  return success();
}
