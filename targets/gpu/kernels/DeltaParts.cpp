// Each warp scales whole tokens; gates are a thread per token and head.
#include "targets/gpu/kernels/DeltaParts.h"
#include <cmath>

using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

DeltaParts::DeltaParts(DeviceBuilder &k, const DeltaShape &shape,
                       const DeltaArgs &given, int64_t group,
                       const DeltaRow &row, bool logs)
    : k(k), shape(shape), args(given), group(group), row(row),
      conv(k, shape, given), rows(k.shared(group * row.bytes)),
      keyDotQuery(k.shared(group * 4)),
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

void DeltaParts::scale(V count) {
  k.forWarps(count, [&](V token) {
    V query = queryOf(token), key = keyOf(token);
    SmallVector<V> q = loadElements(k, shape.keyDim, query);
    SmallVector<V> kk = loadElements(k, shape.keyDim, key);
    auto toUnit = [&](SmallVector<V> &values, double by) {
      V squares = k.f32(0);
      for (V value : values)
        squares = k.fma(value, value, squares);
      V factor = k.rsqrt(k.warpSum(squares) + args.qkEps) * by;
      for (V &value : values)
        value = value * factor;
    };
    toUnit(q, 1.0 / std::sqrt(static_cast<double>(shape.keyDim)));
    toUnit(kk, 1.0);
    V dot = k.f32(0);
    for (size_t i = 0; i < q.size(); ++i)
      dot = k.fma(kk[i], q[i], dot);
    dot = k.warpSum(dot);
    overElements(k, shape.keyDim, [&](V element, int64_t turn) {
      k.store(q[turn], query, element * 4);
      k.store(kk[turn], key, element * 4);
    });
    k.ifThen(k.lane() == 0, [&] { k.store(dot, keyDotQuery, token * 4); });
  });
}
