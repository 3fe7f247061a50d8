// NVIDIA's registers, barriers and shuffles.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/VendorOps.h"
#include "targets/gpu/VendorPass.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

namespace {
class NvvmOps : public VendorOps {
public:
  using VendorOps::VendorOps;

  Value threadIndex(ImplicitLocOpBuilder &b) override {
    return NVVM::ThreadIdXOp::create(b, b.getI32Type());
  }
  Value blockIndex(ImplicitLocOpBuilder &b) override {
    return NVVM::BlockIdXOp::create(b, b.getI32Type());
  }
  Value blockCount(ImplicitLocOpBuilder &b) override {
    return NVVM::GridDimXOp::create(b, b.getI32Type());
  }
  void barrier(ImplicitLocOpBuilder &b) override {
    NVVM::Barrier0Op::create(b);
  }
  Value shuffleXor(ImplicitLocOpBuilder &b, Value value,
                   int32_t mask) override {
    return shuffle(b, value, constantI32(b, mask), NVVM::ShflKind::bfly);
  }
  Value shuffleIndex(ImplicitLocOpBuilder &b, Value value,
                     Value lane) override {
    return shuffle(b, value, lane, NVVM::ShflKind::idx);
  }
  void mark(LLVM::LLVMFuncOp kernel) override {
    Builder b(kernel.getContext());
    kernel->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    b.getUnitAttr());
    kernel->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                    b.getDenseI32ArrayAttr({int32_t(facts.threads)}));
    kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                    b.getI32IntegerAttr(int32_t(blocksPerUnit(kernel))));
  }

private:
  Value shuffle(ImplicitLocOpBuilder &b, Value value, Value offset,
                NVVM::ShflKind kind) {
    return NVVM::ShflOp::create(b, value.getType(), constantI32(b, -1), value,
                                offset, constantI32(b, facts.lanes - 1), kind,
                                /*return_value_and_is_valid=*/nullptr);
  }
};
} // namespace

/// LLVM's code generator gives PTX's atom no order (only cas): fences around a
/// relaxed one have the same meaning.
static void orderByFences(LLVM::AtomicRMWOp op) {
  using LLVM::AtomicOrdering;
  AtomicOrdering order = op.getOrdering();
  StringRef scope = op.getSyncscope().value_or("");
  OpBuilder b(op);
  if (order == AtomicOrdering::release || order >= AtomicOrdering::acq_rel)
    LLVM::FenceOp::create(
        b, op.getLoc(),
        order == AtomicOrdering::seq_cst ? order : AtomicOrdering::release,
        scope);
  b.setInsertionPointAfter(op);
  if (order == AtomicOrdering::acquire || order >= AtomicOrdering::acq_rel)
    LLVM::FenceOp::create(b, op.getLoc(), AtomicOrdering::acquire, scope);
  op.setOrdering(AtomicOrdering::monotonic);
}

static void replaceByPtx(Operation *op, ValueRange operands, StringRef ptx,
                         StringRef constraints) {
  OpBuilder b(op);
  MLIRContext *context = op->getContext();
  LLVM::InlineAsmOp::create(
      b, op->getLoc(), TypeRange(), operands, b.getStringAttr(ptx),
      b.getStringAttr(constraints), /*has_side_effects=*/b.getUnitAttr(),
      /*is_align_stack=*/UnitAttr(),
      LLVM::TailCallKindAttr::get(context, LLVM::TailCallKind::None),
      LLVM::AsmDialectAttr::get(context, LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
  op->erase();
}

/// LLVM selects prefetch for sm_90 and later only; PTX has it for all.
static void prefetchByPtx(NVVM::PrefetchOp op) {
  auto pointer = cast<LLVM::LLVMPointerType>(op.getAddr().getType());
  if (!op.getCacheLevel() || op.getUniform() || op.getTensormap() ||
      op.getEvictPriority() || op.getPredicate() ||
      pointer.getAddressSpace() != kGlobalSpace)
    return;
  bool first = *op.getCacheLevel() == NVVM::PrefetchCacheLevel::L1;
  replaceByPtx(op, op.getAddr(),
               first ? "prefetch.global.L1 [$0];" : "prefetch.global.L2 [$0];",
               "l");
}

/// LLVM knows the form for a block's own memory, which needs PTX 8.6; the one
/// for a cluster's is as old as the chip, and a block is a cluster of its own.
static void copyByPtx(NVVM::CpAsyncBulkGlobalToSharedClusterOp op) {
  auto pointer = cast<LLVM::LLVMPointerType>(op.getDstMem().getType());
  if (op.getMulticastMask() || op.getL2CacheHint() ||
      pointer.getAddressSpace() != kSharedSpace)
    return;
  replaceByPtx(op, {op.getDstMem(), op.getSrcMem(), op.getSize(), op.getMbar()},
               "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
               "bytes [$0], [$1], $2, [$3];",
               "l,l,r,l,~{memory}");
}

/// The dialect's loop says that all threads go the same way (bra.uni), which
/// nobody promises: each asks for itself, and some see the phase end earlier.
static void waitByPtx(NVVM::MBarrierTryWaitParityOp op) {
  auto pointer = cast<LLVM::LLVMPointerType>(op.getAddr().getType());
  if (pointer.getAddressSpace() != kSharedSpace)
    return;
  // Labels are known within the braces only.
  replaceByPtx(op, {op.getAddr(), op.getPhase(), op.getTicks()},
               "{\n.reg .pred done;\nagain:\n"
               "mbarrier.try_wait.parity.shared.b64 done, [$0], $1, $2;\n"
               "@!done bra again;\n}",
               "l,r,r,~{memory}");
}

/// A name of PTX as the code generator copies it: letters, digits, _ and $.
static LogicalResult checkName(LLVM::LLVMFuncOp kernel) {
  StringRef name = kernel.getSymName();
  if (name.find_if_not([](char c) {
        return llvm::isAlnum(c) || c == '_' || c == '$';
      }) == StringRef::npos &&
      !llvm::isDigit(name.front()))
    return success();
  return kernel.emitOpError() << "is a kernel whose name PTX does not allow; "
                                 "expected letters, digits, '_' and '$'";
}

namespace {
class GpuToNvvmPass : public VendorPass<GpuToNvvmPass> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GpuToNvvmPass)
  using VendorPass::VendorPass;

  StringRef getArgument() const override { return "gpu-to-nvvm"; }
  StringRef getDescription() const override {
    return "Lower the gpu ops of kernels to the NVVM dialect";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect, NVVM::NVVMDialect>();
  }
  static constexpr Vendor kVendor = Vendor::Nvidia;
  LogicalResult lower(ModuleOp module, const GpuFacts &facts) {
    NvvmOps ops(facts);
    if (failed(lowerGpuOps(module, facts, ops)))
      return failure();
    for (auto kernel : module.getOps<LLVM::LLVMFuncOp>())
      if (kernel->hasAttr(kKernelAttr) && failed(checkName(kernel)))
        return failure();
    module.walk(orderByFences);
    module.walk(prefetchByPtx);
    module.walk(copyByPtx);
    module.walk(waitByPtx);
    return success();
  }
};
} // namespace

std::unique_ptr<Pass> quartet::gpu::createGpuToNvvm(GpuFacts facts) {
  return std::make_unique<GpuToNvvmPass>(std::move(facts));
}

void quartet::gpu::detail::registerGpuToNvvm() {
  PassRegistration<GpuToNvvmPass>();
}
