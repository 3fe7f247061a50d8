// Chooses the form of the delta rule.
#include "targets/gpu/kernels/Delta.h"
#include "targets/gpu/kernels/DeltaChunked.h"
#include "targets/gpu/kernels/DeltaRecurrent.h"

using namespace quartet;
using namespace quartet::gpu;

void quartet::gpu::deltaScan(DeviceBuilder &k, const DeltaShape &shape,
                             const DeltaArgs &args, bool chunked) {
  k.barrier();
  if (chunked)
    deltaChunked(k, shape, args);
  else
    deltaRecurrent(k, shape, args);
}
