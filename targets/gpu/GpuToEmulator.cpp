// One space of addresses, then op by op: the first part that knows an op
// replaces it. Whatever is left of a GPU's dialect is an error.
#include "targets/gpu/GpuToEmulator.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "targets/codegen/KernelLowering.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/DeviceProgram.h"
#include "targets/gpu/EmulatorCalls.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

namespace {
class GpuToEmulatorPass
    : public PassWrapper<GpuToEmulatorPass, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GpuToEmulatorPass)

  StringRef getArgument() const override { return "gpu-to-emulator"; }
  StringRef getDescription() const override {
    return "Turn kernels of a GPU into host functions that call the emulator";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect>();
  }
  void runOnOperation() override;

private:
  LogicalResult translate(EmulatorCalls &e, Operation *op);
};
} // namespace

/// All pointers become pointers of the host.
static void joinAddressSpaces(ModuleOp module) {
  AttrTypeReplacer replacer;
  replacer.addReplacement([](LLVM::LLVMPointerType type) -> Type {
    return LLVM::LLVMPointerType::get(type.getContext());
  });
  replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
  for (auto global : module.getOps<LLVM::GlobalOp>())
    global.setAddrSpace(0);
}

/// Whether \p op belongs to a GPU.
static bool isOfGpu(Operation *op) {
  return isa_and_nonnull<mlir::gpu::GPUDialect, NVVM::NVVMDialect,
                         ROCDL::ROCDLDialect>(op->getDialect()) ||
         isa<LLVM::InlineAsmOp>(op);
}

LogicalResult GpuToEmulatorPass::translate(EmulatorCalls &e, Operation *op) {
  e.at(op);
  for (auto part : {emulateMemory, emulateAtomics, emulateThreads, emulateLanes,
                    emulateCopies, emulateTransfers, emulateMatrices,
                    emulateWarpGroups, emulateByteDots, emulatePermutes})
    if (Translated done = part(e, op))
      return *done;
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op))
    if (call.getIntrin().starts_with("llvm.nvvm.") ||
        call.getIntrin().starts_with("llvm.amdgcn."))
      return op->emitError()
             << "the emulator has no '" << call.getIntrin() << "'";
  return isOfGpu(op) ? e.fail(op, "yet") : success();
}

void GpuToEmulatorPass::runOnOperation() {
  ModuleOp module = getOperation();
  for (Operation &op : module.getBody()->getOperations())
    if (op.hasAttr(kKernelAttr) && !isa<LLVM::LLVMFuncOp>(op)) {
      op.emitError() << "kernel is a " << op.getName().getStringRef()
                     << "; expected an llvm.func: lower it to the LLVM "
                        "dialect first";
      return signalPassFailure();
    }
  int64_t lanes = 0;
  if (auto program = programOf(module))
    lanes = program->device->lanes;
  else // kernels alone, in tests
    llvm::consumeError(program.takeError());
  joinAddressSpaces(module);
  EmulatorCalls e(module, lanes);
  SmallVector<Operation *> ops;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    function->removeAttr(kKernelAttr);
    function->removeAttr(kPhaseAttr);
    function->removeAttr(kSharedBytesAttr);
    function->removeAttr(kBlocksPerUnitAttr);
    function.walk([&](Operation *op) {
      if (op != function)
        ops.push_back(op);
    });
  }
  bool fine = true;
  for (Operation *op : ops)
    fine &= succeeded(translate(e, op));
  if (!fine)
    return signalPassFailure();
  if (Operation *shared = module.lookupSymbol(kSharedSymbol))
    shared->erase();
}

std::unique_ptr<Pass> quartet::gpu::createGpuToEmulator() {
  return std::make_unique<GpuToEmulatorPass>();
}

void quartet::gpu::registerGpuToEmulator() {
  PassRegistration<GpuToEmulatorPass>();
}

void quartet::gpu::addEmulatorPasses(OpPassManager &pm) {
  addKernelLoweringPasses(pm, /*expandArith=*/false);
  pm.addPass(createGpuToEmulator());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCSEPass());
}
