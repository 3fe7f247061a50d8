// A warp per token keeps the probabilities in registers and takes the best few
// by shuffles.
#include "targets/gpu/kernels/ChooseExperts.h"
#include <limits>

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

/// In place of the probability of an expert that a token has chosen already, or
/// that there is not.
static constexpr double kTaken = -2.0;

/// The lane's probabilities: of experts lane, lane + lanes, ...
static SmallVector<V> softmax(DeviceBuilder &k, const GroupsLayout &layout,
                              V row) {
  int64_t lanes = k.machine.lanes;
  V none = k.f32(-std::numeric_limits<double>::infinity());
  SmallVector<V> p;
  V best = none;
  for (int64_t first = 0; first < layout.experts; first += lanes) {
    V e = k.lane() + first;
    bool whole = first + lanes <= layout.experts;
    V value = whole ? k.load(k.f32(), row, e * 4)
                    : k.select(e < layout.experts,
                               k.load(k.f32(), row,
                                      k.min(e, k.i64(layout.experts - 1)) * 4),
                               none);
    p.push_back(value);
    best = k.max(best, value);
  }
  best = k.warpMax(best);
  V sum = k.f32(0);
  for (V &value : p) {
    value = k.exp(value - best);
    sum = sum + value;
  }
  sum = k.warpSum(sum);
  for (auto [i, value] : llvm::enumerate(p)) {
    V e = k.lane() + int64_t(i) * lanes;
    value = k.select(e < layout.experts, value / sum, k.f32(kTaken));
  }
  return p;
}

static void chooseFor(DeviceBuilder &k, const GroupsLayout &layout,
                      const RouterLogits &logits, V token,
                      const ChosenExperts &to) {
  int64_t lanes = k.machine.lanes, topK = layout.perToken - layout.shared;
  V row = logits.data + token * logits.stride;
  SmallVector<V> p = softmax(k, layout, row);
  SmallVector<V> values, places;
  V total = k.f32(0);
  for (int64_t j = 0; j < topK; ++j) {
    // The lane's best, then the warp's; of equal ones the first expert. No
    // number at all leaves -1, and then the first expert.
    V best = k.f32(-1), place = k.i32(std::numeric_limits<int32_t>::max());
    for (auto [i, value] : llvm::enumerate(p)) {
      V better = value > best;
      V e = k.truncate(k.lane() + int64_t(i) * lanes, k.i32());
      best = k.select(better, value, best);
      place = k.select(better, e, place);
    }
    for (int64_t mask = lanes / 2; mask > 0; mask /= 2) {
      V otherBest = k.shuffleXor(best, mask);
      V otherPlace = k.shuffleXor(place, mask);
      V better =
          (otherBest > best) | ((otherBest == best) & (otherPlace < place));
      best = k.select(better, otherBest, best);
      place = k.select(better, otherPlace, place);
    }
    V nowhere = place == int64_t(std::numeric_limits<int32_t>::max());
    place = k.select(nowhere, k.i32(0), place);
    for (auto [i, value] : llvm::enumerate(p)) {
      V e = k.truncate(k.lane() + int64_t(i) * lanes, k.i32());
      value = k.select(e == place, k.f32(kTaken), value);
    }
    values.push_back(best);
    places.push_back(place);
    total = total + best;
  }
  V gate;
  if (layout.shared)
    gate = k.sigmoid(k.load(k.f32(), row, logits.gateColumn * 4));
  V base = token * layout.perToken;
  k.ifThen(k.lane() == 0, [&] {
    auto keep = [&](int64_t j, V expert, V weight) {
      k.store(expert, to.experts, (base + j) * 4);
      k.store(weight, to.weights, (base + j) * 4);
    };
    for (int64_t j = 0; j < topK; ++j)
      keep(j, places[j], logits.renormalize ? values[j] / total : values[j]);
    for (int64_t s = 0; s < layout.shared; ++s)
      keep(topK + s, k.i32(layout.experts + s), gate);
  });
}

void quartet::gpu::chooseExperts(DeviceBuilder &k, const GroupsLayout &layout,
                                 const RouterLogits &logits, V first, V count,
                                 const ChosenExperts &to) {
  k.forWarps(count, [&](V i) { chooseFor(k, layout, logits, first + i, to); });
}
