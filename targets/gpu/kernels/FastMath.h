// Functions for many values, of instructions that run at full rate.
#ifndef QUARTET_TARGETS_GPU_KERNELS_FASTMATH_H
#define QUARTET_TARGETS_GPU_KERNELS_FASTMATH_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// exp(x) of an f32 to 2^-24 (1 + |x|) of itself, in half as many instructions
/// as DeviceBuilder::exp: 2^-100 and 2^100 stand for what is beyond, also for
/// NaN.
V fastExp(DeviceBuilder &k, V x);

/// x / (1 + exp(-x)), as good as that; a third of the instructions of
/// DeviceBuilder::silu, half of whose are a division. NaN passes through.
V fastSilu(DeviceBuilder &k, V x);

/// 1 / sqrt(x) to some units in the last place, x > 0 and normal.
V fastRsqrt(DeviceBuilder &k, V x);

} // namespace quartet::gpu
#endif
