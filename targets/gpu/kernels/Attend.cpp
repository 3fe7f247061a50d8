// Tokens and blocks of heads one after the other.
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/AttendStream.h"

using namespace quartet;
using namespace quartet::gpu;

int64_t quartet::gpu::attendRecordBytes(int64_t width) {
  return roundUp((width + 2) * 4, 64);
}

void quartet::gpu::attend(DeviceBuilder &k, int64_t width, int64_t headsPerKv,
                          mlir::Type cacheType, int64_t mostTokens,
                          const AttendArgs &args) {
  DeviceBuilder::SharedScope scope(k);
  AttendStream stream(k, width, headsPerKv, cacheType, args);
  k.loop(args.tokens, [&](V token) {
    k.loop(0, headsPerKv, stream.heads,
           [&](V head) { stream.run(token, head); });
  });
}
