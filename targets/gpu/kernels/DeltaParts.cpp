// Gates are a thread per token and head.
#include "targets/gpu/kernels/DeltaParts.h"

using namespace quartet;
using namespace quartet::gpu;

DeltaParts::DeltaParts(DeviceBuilder &k, const DeltaShape &shape,
                       const DeltaArgs &given, int64_t group,
                       const DeltaRow &row, bool logs)
    : k(k), shape(shape), args(given), group(group), row(row),
      conv(k, shape, given), rows(k.shared(group * row.bytes)),
      decay(k.shared(group * shape.perKey() * 4)),
      beta(k.shared(group * shape.perKey() * 4)),
      firstRow(shape.parts == 1 ? k.i64(0) : args.part * shape.rows()),
      firstHead(args.head * shape.perKey()), logs(logs) {
  if (!args.place)
    args.place = k.i64(0);
}

/// Log of the decay, -exp(aLog) * softplus(a + dtBias), but not below -110,
/// where the decay is zero in f32 anyway.
static V logDecay(DeviceBuilder &k, V a, V aLog, V dtBias) {
  V rate = k.neg(k.exp(aLog));
  return k.max(rate * k.softplus(a + dtBias), k.f32(-110));
}

void DeltaParts::gates(V first, V count) {
  int64_t perKey = shape.perKey();
  k.forThreads(count * perKey, [&](V i) {
    V head = firstHead + i % perKey;
    V token = (first + i / perKey) * args.controlStride;
    V a = k.load(k.f32(), args.a + token, head * 4);
    V b = k.load(k.f32(), args.b + token, head * 4);
    V aLog = k.load(k.f32(), args.aLog, head * 4);
    V dtBias = k.load(k.f32(), args.dtBias, head * 4);
    V log = logDecay(k, a, aLog, dtBias);
    k.store(logs ? log : k.exp(log), decay, i * 4);
    k.store(k.sigmoid(b), beta, i * 4);
  });
}

void DeltaParts::convolve(V first, V count) {
  k.barrier(); // whoever still reads the group before
  if (logs) {
    // The few warps that have gates wait for them while others are busy.
    gates(first, count);
    conv.runChunk(first, count, group, rows, row);
  } else {
    conv.run(first, count, rows, row);
    gates(first, count);
  }
  k.barrier();
}
