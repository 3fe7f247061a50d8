// The gated delta rule token by token, for steps of few tokens.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTARECURRENT_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTARECURRENT_H
#include "targets/gpu/kernels/Delta.h"

namespace quartet::gpu {

/// deltaScan() in its recurrent form: the state is read and written once per 16
/// tokens (fewer where their rows do not fit into shared memory).
void deltaRecurrent(DeviceBuilder &k, const DeltaShape &shape,
                    const DeltaArgs &args);

} // namespace quartet::gpu
#endif
