// The pass gpu-to-emulator: kernels become host functions whose every effect
// between threads is a call of quartet/emulator.h.
#ifndef QUARTET_TARGETS_GPU_GPUTOEMULATOR_H
#define QUARTET_TARGETS_GPU_GPUTOEMULATOR_H
#include "mlir/Pass/Pass.h"
#include <memory>

namespace quartet::gpu {

/// On a module behind addKernelLoweringPasses: kernels become external
/// functions (ptr, i64) of the host. Loads and stores stay what they are, with
/// a check in front; barriers, shuffles, atomic operations, asynchronous copies
/// and matrix instructions, of the gpu, NVVM and ROCDL dialects alike, become
/// calls. An op that the emulator has not is an error that names it.
std::unique_ptr<mlir::Pass> createGpuToEmulator();

/// Makes -gpu-to-emulator known to quartet-opt.
void registerGpuToEmulator();

/// The passes from kernels as tile-to-gpu leaves them to host functions of the
/// LLVM dialect.
void addEmulatorPasses(mlir::OpPassManager &pm);

} // namespace quartet::gpu
#endif
