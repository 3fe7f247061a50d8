// Makes weights up where they are used: measurements without a weight file need
// no copy from the host.
#ifndef QUARTET_TARGETS_GPU_KERNELS_FILLWEIGHTS_H
#define QUARTET_TARGETS_GPU_KERNELS_FILLWEIGHTS_H
#include "passes/Lower/ProgramTable.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// Adds the kernel that writes what a quartet_fill says: quartet_device.fill.
/// The runtime writes the same for CPUs (engine/WeightFill.cpp).
ProgramLaunch addFillWeights(DeviceBuilder &k);

} // namespace quartet::gpu
#endif
