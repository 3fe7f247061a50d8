// A running maximum over the ranges, as inside attend.
#include "targets/cpu/kernels/Merge.h"
#include "targets/cpu/kernels/Lanes.h"

using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

mlir::func::FuncOp quartet::cpu::mergeKernel(KernelBuilder &k, int64_t width,
                                             bool gated) {
  std::string name = "merge_" + std::to_string(width) + (gated ? "_gated" : "");
  return k.function(name, gated ? "piipp" : "piip", [&](ArrayRef<V> a) {
    V records = a[0], rangeStride = a[1], ranges = a[2], out = a.back();
    int64_t parts = ceilDiv(width, kLanes);
    auto lanesOf = [&](int64_t p) {
      return std::min(kLanes, width - p * kLanes);
    };
    auto part = [&](V record, int64_t p) {
      return loadLanes(k, record, p * 64, lanesOf(p));
    };
    // Carried: largest, sum of weights, sums of values.
    SmallVector<V> state{k.load(k.f32(), records, width * 4),
                         k.load(k.f32(), records, width * 4 + 4)};
    for (int64_t p = 0; p < parts; ++p)
      state.push_back(part(records, p));
    state = k.fold(k.i64(1), ranges, 1, state, [&](V i, ArrayRef<V> so) {
      V record = records + i * rangeStride;
      V theirs = k.load(k.f32(), record, width * 4);
      V largest = k.max(so[0], theirs);
      V shrink = k.exp(so[0] - largest), weight = k.exp(theirs - largest);
      V sum = k.load(k.f32(), record, width * 4 + 4);
      SmallVector<V> next{largest, k.fma(weight, sum, so[1] * shrink)};
      V shrinks = k.splat(shrink, kLanes), weights = k.splat(weight, kLanes);
      for (int64_t p = 0; p < parts; ++p)
        next.push_back(k.fma(weights, part(record, p), so[2 + p] * shrinks));
      return next;
    });
    V sum = k.splat(state[1], kLanes);
    for (int64_t p = 0; p < parts; ++p) {
      V mean = state[2 + p] / sum;
      if (gated)
        mean = mean * k.sigmoid(part(a[3], p));
      storeLanes(k, mean, out, p * 64, lanesOf(p));
    }
  });
}
