// Rows of few tokens: each lane loads what it needs of them itself.
#include "targets/gpu/kernels/SplitRow.h"
#include "targets/gpu/kernels/TileRows.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

LaneRows::LaneRows(DeviceBuilder &k, const MatrixUnit &unit,
                   const ColumnPlan &plan, int parts, bool split)
    : k(k), unit(unit), plan(plan),
      row(plan.format.activationGroup(), plan.layout.paddedColumns),
      parts(parts), split(split) {}

/// The unit of columns that the lane reads.
V LaneRows::unitAt(V chunk, int64_t step) const {
  V number = plan.unitOf(unit, chunk, step);
  return plan.ragged ? k.min(number, k.i64(plan.units - 1)) : number;
}

/// The words of the four columns of unit \p number: [part][word].
std::vector<std::array<V, 2>> LaneRows::floatWords(V row, V number) const {
  std::vector<std::array<V, 2>> words;
  if (!split) {
    V four = k.load(k.vec(4, k.f32()), row, number * 16, 16);
    for (const std::array<V, 2> &two : bf16Words(k, four, parts))
      words.push_back(two);
    return words;
  }
  V places[2] = {splitWordPlace(k, number, 0, parts),
                 splitWordPlace(k, number, 1, parts)};
  for (int64_t part = 0; part < parts; ++part)
    words.push_back({k.load(k.i32(), row + places[0], part * kSplitBytes),
                     k.load(k.i32(), row + places[1], part * kSplitBytes)});
  return words;
}

SmallVector<SmallVector<V>> LaneRows::words(size_t tokens, V chunk) const {
  V from = operands[tokens];
  if (plan.format.isInteger()) {
    SmallVector<V> words;
    for (int64_t step = 0; step < plan.steps; ++step)
      words.append(k.loadWords(from, unitAt(chunk, step) * plan.unitColumns,
                               plan.unitWords, unsigned(plan.unitWords * 4)));
    return {words};
  }
  SmallVector<SmallVector<V>> words(parts);
  for (int64_t step = 0; step < plan.steps; ++step) {
    V inside;
    if (plan.ragged && !plan.format.group)
      inside = plan.unitOf(unit, chunk, step) < plan.units;
    for (auto [some, all] :
         llvm::zip(floatWords(from, unitAt(chunk, step)), words))
      for (V word : some)
        all.push_back(inside ? k.select(inside, word, k.i32(0)) : word);
  }
  return words;
}

V LaneRows::factor(size_t tokens, int64_t place, V chunk, int64_t group) const {
  V factor = k.load(k.f32(), result(tokens, place),
                    plan.groupOf(chunk, group) * 4 + row.scales);
  V exists = plan.isGroup(chunk, group);
  return exists ? k.select(exists, factor, k.f32(0)) : factor;
}

V LaneRows::sum(size_t tokens, int64_t place, V chunk, int64_t group) const {
  return k.load(k.i32(), result(tokens, place),
                plan.groupOf(chunk, group) * 4 + row.sums);
}
