// What kernels of all vendors have in common is lowered as on CPUs.
#include "mlir/Pass/PassManager.h"
#include "targets/cpu/KernelLowering.h"
#include "targets/gpu/TileToGpu.h"

void quartet::gpu::addDeviceLoweringPasses(mlir::OpPassManager &pm) {
  cpu::addKernelLoweringPasses(pm);
}
