// Steps of few tokens: tokens and blocks of heads one after the other. Of many:
// rows of both together.
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/AttendStream.h"
#include "targets/gpu/kernels/AttendTile.h"

using namespace quartet;
using namespace quartet::gpu;

int64_t quartet::gpu::attendRecordBytes(int64_t width) {
  return roundUp((width + 2) * 4, 64);
}

void quartet::gpu::attend(DeviceBuilder &k, int64_t width, int64_t headsPerKv,
                          mlir::Type cacheType, bool many, int64_t mostTokens,
                          const AttendArgs &args) {
  DeviceBuilder::SharedScope scope(k);
  auto sizes = AttendSizes::of(k, width, cacheType);
  if (many && sizes) {
    AttendTile tile(k, width, headsPerKv, cacheType, *sizes, args);
    // A loop around it would keep what only its beginning needs in registers.
    if (mostTokens * headsPerKv <= sizes->rows)
      return tile.run(k.i64(0));
    return k.loop(k.i64(0), args.tokens * headsPerKv, sizes->rows,
                  [&](V first) { tile.run(first); });
  }
  AttendStream stream(k, width, headsPerKv, cacheType, args);
  k.loop(args.tokens, [&](V token) {
    k.loop(0, headsPerKv, stream.heads,
           [&](V head) { stream.run(token, head); });
  });
}
