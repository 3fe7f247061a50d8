// The one place where the vendor decides which passes run.
#include "targets/gpu/VendorPasses.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "targets/codegen/KernelLowering.h"
#include "targets/gpu/VendorPass.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

namespace {
struct DevicePipelineOptions : PassPipelineOptions<DevicePipelineOptions> {
  Option<std::string> chip{
      *this, "chip", llvm::cl::desc("Name of the GPU, as in quartetc targets")};
};
} // namespace

void quartet::gpu::registerDeviceDialects(DialectRegistry &registry) {
  registerKernelDialects(registry);
  registry
      .insert<mlir::gpu::GPUDialect, NVVM::NVVMDialect, ROCDL::ROCDLDialect>();
}

void quartet::gpu::buildDevicePipeline(OpPassManager &pm,
                                       const GpuFacts &facts) {
  addKernelLoweringPasses(pm, /*expandArith=*/false);
  if (facts.vendor == Vendor::Nvidia) {
    pm.addPass(createGpuToNvvm(facts));
    // Some ops of the dialect are PTX that LLVM has no intrinsic for.
    pm.addPass(createConvertNVVMToLLVMPass());
  } else {
    pm.addPass(createGpuToRocdl(facts));
  }
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCSEPass());
}

void quartet::gpu::registerVendorPasses() {
  detail::registerGpuToNvvm();
  detail::registerGpuToRocdl();
  registerPassPipeline(
      "quartet-device-pipeline", "Kernels to the LLVM dialect of one GPU",
      [](OpPassManager &pm, StringRef text,
         llvm::function_ref<LogicalResult(const Twine &)> fail)
          -> LogicalResult {
        DevicePipelineOptions options;
        if (failed(options.parseFromString(text)))
          return failure();
        auto facts = findGpuFacts(options.chip);
        if (!facts)
          return fail(llvm::toString(facts.takeError()));
        buildDevicePipeline(pm, *facts);
        return success();
      },
      [](llvm::function_ref<void(const mlir::detail::PassOptions &)> use) {
        use(DevicePipelineOptions());
      });
}
