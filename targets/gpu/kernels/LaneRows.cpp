// Rows of few tokens: each lane loads what it needs of them itself.
#include "targets/gpu/kernels/TileRows.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

LaneRows::LaneRows(DeviceBuilder &k, const MatrixUnit &unit,
                   const ColumnPlan &plan, int parts)
    : k(k), unit(unit), plan(plan),
      row(plan.format.activationGroup(), plan.layout.paddedColumns),
      parts(parts) {}

/// Byte offset of a unit's columns in an array of \p bytesEach for each column.
V LaneRows::columnsAt(V chunk, int64_t step, int64_t bytesEach) const {
  V number = plan.unitOf(unit, chunk, step);
  if (plan.ragged)
    number = k.min(number, k.i64(plan.units - 1));
  return number * (plan.unitColumns * bytesEach);
}

SmallVector<SmallVector<V>> LaneRows::words(size_t tokens, V chunk) const {
  V from = operands[tokens];
  if (plan.format.isInteger()) {
    SmallVector<V> words;
    for (int64_t step = 0; step < plan.steps; ++step)
      words.append(k.loadWords(from, columnsAt(chunk, step, 1), plan.unitWords,
                               unsigned(plan.unitWords * 4)));
    return {words};
  }
  SmallVector<SmallVector<V>> words(parts);
  for (int64_t step = 0; step < plan.steps; ++step) {
    V four = k.load(k.vec(4, k.f32()), from, columnsAt(chunk, step, 4), 16);
    if (plan.ragged && !plan.format.group)
      four = k.select(plan.unitOf(unit, chunk, step) < plan.units, four,
                      k.zero(four.type()));
    for (auto [some, all] : llvm::zip(bf16Words(k, four, parts), words))
      all.append(some.begin(), some.end());
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
