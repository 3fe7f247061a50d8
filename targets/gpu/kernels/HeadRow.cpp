// A lane has the same elements of the row throughout; partners of the rotation
// come from the lanes that have them.
#include "targets/gpu/kernels/HeadRow.h"
#include "targets/codegen/Int8.h"
#include "targets/gpu/kernels/MixerRows.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

/// values[turn] of the element \p distance behind the lane's own (in front of
/// it, when negative is set): element = lane + turn * lanes.
static V partner(DeviceBuilder &k, llvm::ArrayRef<V> values, int64_t turn,
                 int64_t pairs) {
  int64_t lanes = k.machine.lanes;
  int64_t most = static_cast<int64_t>(values.size());
  if (pairs % lanes == 0) {
    int64_t other =
        turn * lanes < pairs ? turn + pairs / lanes : turn - pairs / lanes;
    return values[std::min(other, most - 1)];
  }
  V element = k.lane() + turn * lanes;
  V other = k.select(element < pairs, element + pairs, element - pairs);
  V from = other & (lanes - 1);
  V result;
  for (int64_t t = 0; t < most && t * lanes < 2 * pairs; ++t) {
    V theirs = k.shuffleIndex(values[t], from);
    result = result ? k.select(other >= t * lanes, theirs, result) : theirs;
  }
  return result;
}

void quartet::gpu::headRow(DeviceBuilder &k, int64_t width, int64_t pairs,
                           V row, V norm, V eps, V ropeRow, V out) {
  int64_t lanes = k.machine.lanes;
  SmallVector<V> values = loadElements(k, width, row);
  if (norm) {
    V squares = k.f32(0);
    for (V value : values)
      squares = k.fma(value, value, squares);
    V factor = k.rsqrt(k.warpSum(squares) / double(width) + eps);
    SmallVector<V> weights = loadElements(k, width, norm);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = values[i] * factor * (weights[i] + 1.0);
  }
  SmallVector<V> rotated = values;
  for (int64_t turn = 0; ropeRow && turn * lanes < 2 * pairs; ++turn) {
    V element = k.lane() + turn * lanes;
    V first = element < pairs, inside = element < 2 * pairs;
    V pair = k.select(first, element, element - pairs);
    pair = k.select(inside, pair, k.i64(0)) * 4;
    V cos = k.load(k.f32(), ropeRow, pair);
    V sin = k.load(k.f32(), ropeRow, pair + pairs * 4);
    V other = partner(k, values, turn, pairs);
    V low = values[turn] * cos - other * sin;
    V high = values[turn] * cos + other * sin;
    rotated[turn] = k.select(inside, k.select(first, low, high), values[turn]);
  }
  overElements(k, width, [&](V element, int64_t turn) {
    k.store(rotated[turn], out, element * 4);
  });
}

void quartet::gpu::storeHead(DeviceBuilder &k, int64_t width,
                             mlir::Type cacheType, V row, V to, V scale) {
  SmallVector<V> values = loadElements(k, width, row);
  int64_t bytes = byteWidth(cacheType);
  if (!cacheType.isInteger(8)) {
    overElements(k, width, [&](V element, int64_t turn) {
      k.store(k.convert(values[turn], cacheType), to, element * bytes);
    });
    return;
  }
  V largest = k.i32(0);
  for (V value : values)
    largest = k.max(largest, sizeBits(k, value));
  auto [step, factor] = int8Scale(k, k.warpMax(largest));
  for (V &value : values)
    value = k.truncate(roundToInt8(k, value, factor), k.i8());
  overElements(k, width, [&](V element, int64_t turn) {
    k.store(values[turn], to, element);
  });
  V made = step;
  k.ifThen(k.lane() == 0, [&] { k.store(made, scale, int64_t(0), 1); });
}
