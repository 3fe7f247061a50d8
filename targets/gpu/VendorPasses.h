// From kernels to a vendor's dialect: the passes gpu-to-nvvm and gpu-to-rocdl,
// and the pipelines that end with them.
#ifndef QUARTET_TARGETS_GPU_VENDORPASSES_H
#define QUARTET_TARGETS_GPU_VENDORPASSES_H
#include "mlir/Pass/Pass.h"
#include "targets/gpu/GpuFacts.h"
#include <memory>

namespace mlir {
class DialectRegistry;
}

namespace quartet::gpu {

/// The dialects that kernels of GPUs are written in: those of any kernel, gpu,
/// and the vendors'.
void registerDeviceDialects(mlir::DialectRegistry &registry);

/// Lower the gpu ops of kernels in the LLVM dialect, and what of that dialect
/// means something else to the vendor's code generator: orders and scopes of
/// atomic operations.
std::unique_ptr<mlir::Pass> createGpuToNvvm(GpuFacts facts);
std::unique_ptr<mlir::Pass> createGpuToRocdl(GpuFacts facts);

/// Kernels as tile-to-gpu leaves them -> the LLVM dialect with the vendor's.
void buildDevicePipeline(mlir::OpPassManager &pm, const GpuFacts &facts);

/// As -gpu-to-nvvm="chip=sm_90a", -gpu-to-rocdl="chip=gfx942" and
/// -quartet-device-pipeline="chip=sm_90a".
void registerVendorPasses();

} // namespace quartet::gpu
#endif
