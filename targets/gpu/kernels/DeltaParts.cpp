// The state's decay and the strength of what is written to it.
#include "targets/gpu/kernels/DeltaParts.h"

using namespace quartet;
using namespace quartet::gpu;

DeltaParts::DeltaParts(DeviceBuilder &k, const DeltaShape &shape,
                       const DeltaArgs &args)
    : k(k), shape(shape), args(args),
      firstRow(shape.parts == 1 ? k.i64(0) : args.part * shape.rows()),
      firstHead(args.head * shape.perKey()) {}

/// Log of the decay, -exp(aLog) * softplus(a + dtBias), but not below -110,
/// where the decay is zero in f32 anyway.
static V logDecay(DeviceBuilder &k, V a, V aLog, V dtBias) {
  V rate = k.neg(k.exp(aLog));
  return k.max(rate * k.softplus(a + dtBias), k.f32(-110));
}

DeltaGate quartet::gpu::deltaGate(DeviceBuilder &k, const DeltaArgs &args,
                                  V token, V head) {
  V row = token * args.controlStride;
  V a = k.load(k.f32(), args.a + row, head * 4);
  V b = k.load(k.f32(), args.b + row, head * 4);
  V aLog = k.load(k.f32(), args.aLog, head * 4);
  V dtBias = k.load(k.f32(), args.dtBias, head * 4);
  return {logDecay(k, a, aLog, dtBias), k.sigmoid(b)};
}
