// How fast the matrix units of a card are: what measurements are compared with.
#ifndef QUARTET_TARGETS_GPU_KERNELS_MATRIXPEAK_H
#define QUARTET_TARGETS_GPU_KERNELS_MATRIXPEAK_H
#include "passes/Lower/ProgramTable.h"
#include "targets/gpu/DeviceBuilder.h"
#include <vector>

namespace quartet::gpu {

/// Adds the kernels of quartet_device.peaks: matrix instructions of int8, then
/// of bf16, from registers (with warp groups: tokens from shared memory), as
/// many as a quartet_peak asks for.
std::vector<ProgramLaunch> addMatrixPeaks(DeviceBuilder &k);

} // namespace quartet::gpu
#endif
