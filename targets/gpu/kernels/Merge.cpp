// First the largest score of all ranges, which lanes look for together; then
// the weighted sum, some ranges at a time so that their loads overlap.
#include "targets/gpu/kernels/Merge.h"
#include "targets/gpu/kernels/MixerRows.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Ranges whose records are in flight at once.
static constexpr int64_t kTogether = 4;

void quartet::gpu::mergeRecords(DeviceBuilder &k, int64_t width, V records,
                                V recordBytes, V ranges, V gate, V out) {
  auto largestOf = [&](V range) {
    return k.load(k.f32(), records, range * recordBytes + width * 4);
  };
  V largest = k.fold(k.lane(), ranges, k.machine.lanes, {k.f32(-3.0e38)},
                     [&](V range, ArrayRef<V> so) -> SmallVector<V> {
                       return {k.max(so[0], largestOf(range))};
                     })[0];
  largest = k.warpMax(largest);
  // Sum of weights, sums of values.
  SmallVector<V> state(1 + ceilDiv(width, k.machine.lanes), k.f32(0));
  state =
      k.fold(k.i64(0), ranges, kTogether, state, [&](V first, ArrayRef<V> so) {
        SmallVector<V> scores, weights;
        SmallVector<SmallVector<V>> values;
        for (int64_t i = 0; i < kTogether; ++i) {
          V range = k.min(first + i, ranges - 1);
          scores.push_back(largestOf(range));
          weights.push_back(
              k.load(k.f32(), records, range * recordBytes + (width * 4 + 4)));
          values.push_back(
              loadElements(k, width, records + range * recordBytes));
        }
        SmallVector<V> next(so.begin(), so.end());
        for (int64_t i = 0; i < kTogether; ++i) {
          V weight = k.exp(scores[i] - largest);
          weight = k.select(first + i < ranges, weight, k.f32(0));
          next[0] = k.fma(weight, weights[i], next[0]);
          for (size_t j = 0; j < values[i].size(); ++j)
            next[1 + j] = k.fma(weight, values[i][j], next[1 + j]);
        }
        return next;
      });
  overElements(k, width, [&](V element, int64_t turn) {
    V mean = state[1 + turn] / state[0];
    if (gate)
      mean = mean * k.sigmoid(k.load(k.f32(), gate, element * 4));
    k.store(mean, out, element * 4);
  });
}
