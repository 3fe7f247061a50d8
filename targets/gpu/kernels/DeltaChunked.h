// The gated delta rule in chunks of tokens, for steps of many tokens.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTACHUNKED_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTACHUNKED_H
#include "targets/gpu/kernels/Delta.h"

namespace quartet::gpu {

/// deltaScan() in its chunked form. Where a part has no more rows than fit into
/// shared memory with the rest (32; 16 on small devices), its state is read and
/// written once per call and stays in registers.
void deltaChunked(DeviceBuilder &k, const DeltaShape &shape,
                  const DeltaArgs &args);

} // namespace quartet::gpu
#endif
