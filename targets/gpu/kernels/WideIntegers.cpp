// Integers of many tokens: A from registers, where weights are unpacked to
// bytes; what a group of columns adds up to is exact, then scaled.
#include "targets/gpu/kernels/WeightFragments.h"
#include "targets/gpu/kernels/WideProduct.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace {
class WideIntegers : public WideProduct {
public:
  WideIntegers(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
               const WeightsOperand &weights, const RowsOperand &rows,
               int64_t tokens, V acc, V accStride)
      : WideProduct(k, MatrixElement::Int8, format, columns, weights, rows,
                    tokens, acc, accStride) {}

private:
  SmallVector<V> multiplySlab(V number, V stage,
                              ArrayRef<V> before) const override;
  void multiplyGroup(V stage, int64_t chunk, int64_t group, ArrayRef<V> words,
                     SmallVector<V> &totals) const;
  V quadAt(V stage, int64_t at, int64_t panelBytes, int64_t group,
           int64_t bytes) const;
};
} // namespace

/// The lane's four scales (or mins) of a group of the slab.
V WideIntegers::quadAt(V stage, int64_t at, int64_t panelBytes, int64_t group,
                       int64_t bytes) const {
  V from = stage + warpPanel * panelBytes + unit.rowQuad * (4 * bytes);
  return fourScales(k, format.scale, [&](Type type) {
    return k.load(type, from, at + group * kPanelRows * bytes,
                  unsigned(4 * bytes));
  });
}

/// Adds the products of one group of columns; \p words are the lane's of the
/// chunk that it is in.
void WideIntegers::multiplyGroup(V stage, int64_t chunk, int64_t group,
                                 ArrayRef<V> words,
                                 SmallVector<V> &totals) const {
  SmallVector<V> own(words);
  if (plan.chunkGroups > 1) {
    // In a step of several groups the others' columns are multiplied by 0.
    V laneGroup = unit.kLane * plan.unitColumns >>
                  int(llvm::Log2_64(uint64_t(format.group)));
    for (V &word : own)
      word = k.select(laneGroup == group, word, k.zero(word.type()));
  }
  int64_t number = chunk * plan.chunkGroups + group; // in the slab
  int64_t count = int64_t(own.size()) / unit.kWords; // of instructions
  int64_t bytes = scaleBytes(format.scale);
  V scale = quadAt(stage, slab.scalesAt, slab.scales, number, bytes), zero;
  if (byteMultiple(format) > 1)
    scale = scale * (1.0 / double(byteMultiple(format)));
  if (format.zero == ZeroKind::Min)
    zero = quadAt(stage, slab.zerosAt, slab.zeros, number, bytes);
  if (format.zero == ZeroKind::Point) {
    V from = stage + warpPanel * slab.zeros + unit.rowQuad * 4;
    zero = k.zeroExtend(
        k.load(k.vec(4, k.i8()), from, slab.zerosAt + number * kPanelRows, 4),
        k.vec(4, k.i32()));
    zero = k.constant(zero.type(), int64_t(128)) - zero * byteMultiple(format);
  }
  // Of two tokens of eight.
  auto pair = [&](Type type, int64_t at, int64_t block) {
    V from = stage + unit.kLane * 8;
    return k.load(k.vec(2, type), from, at + (number * tokens + block * 8) * 4,
                  8);
  };
  auto add = [&](int64_t half, int64_t block, ArrayRef<V> sums) {
    V factors = pair(k.f32(), slab.factorsAt, block), rowSums;
    if (zero)
      rowSums = pair(k.i32(), slab.sumsAt, block);
    for (int64_t i = 0; i < 4; ++i) {
      int64_t place = 2 * half + i / 2, token = i % 2;
      V &total = totals[(half * blocks() + block) * 4 + i];
      V factor = k.extract(factors, token), sum = sums[i], rowSum;
      if (zero)
        rowSum = k.extract(rowSums, token);
      if (format.zero == ZeroKind::Point)
        sum = sum + k.extract(zero, place) * rowSum;
      if (format.zero == ZeroKind::Min)
        sum = sum + rowSum * int64_t(128);
      total = k.fma(k.toFloat(sum, k.f32()), k.extract(scale, place) * factor,
                    total);
      if (format.zero == ZeroKind::Min)
        total = k.fma(k.extract(zero, place),
                      factor * k.toFloat(rowSum, k.f32()), total);
    }
  };
  auto operand = [&](int64_t half, int64_t i) {
    return unit.operandA(half,
                         ArrayRef<V>(own).slice(i * unit.kWords, unit.kWords));
  };
  int64_t firstByte = chunk * count * 32;
  if (k.machine.wgmma) {
    V descriptor = groupDescriptor(k, stage);
    SmallVector<int64_t> offsets;
    for (int64_t i = 0; i < count; ++i)
      offsets.push_back((firstByte + i * 32) / 16);
    for (int64_t half = 0; half < unit.together; ++half) {
      SmallVector<V> a;
      for (int64_t i = 0; i < count; ++i)
        a.append(operand(half, i));
      SmallVector<V> sums =
          groupMultiply(k, MatrixElement::Int8, tokens, a, descriptor, offsets);
      for (int64_t block = 0; block < blocks(); ++block)
        add(half, block, ArrayRef<V>(sums).slice(block * 4, 4));
    }
    return;
  }
  for (int64_t block = 0; block < blocks(); ++block) {
    SmallVector<MatrixUnit::Sum> sums(unit.together, unit.zero());
    for (int64_t i = 0; i < count; ++i) {
      SmallVector<V> b;
      for (int64_t word = 0; word < unit.kWords; ++word) {
        V byte = unit.kLane * 4 + (firstByte + i * 32 + word * 16);
        b.push_back(k.load(k.i32(), stage + groupRowOffset(unit.token, byte),
                           block * 8 * kGroupRowBytes, 4));
      }
      for (int64_t half = 0; half < unit.together; ++half)
        sums[half] = unit.multiply(operand(half, i), b, sums[half]);
    }
    for (int64_t half = 0; half < unit.together; ++half)
      add(half, block, sums[half]);
  }
}

SmallVector<V> WideIntegers::multiplySlab(V, V stage,
                                          ArrayRef<V> before) const {
  SmallVector<V> totals(before);
  int64_t unitBytes = plan.unitLines * kPanelAlign;
  V values = stage + warpPanel * slab.values + unit.rowQuad * 16 +
             unit.kLane * unitBytes;
  for (int64_t chunk = 0; chunk < slab.columns / plan.chunkColumns; ++chunk) {
    SmallVector<V> words;
    for (int64_t step = 0; step < plan.steps; ++step) {
      SmallVector<V> lines;
      int64_t first = (chunk * plan.steps + step) * plan.kLanes * unitBytes;
      for (int64_t line = 0; line < plan.unitLines; ++line)
        lines.push_back(k.load(k.vec(4, k.i32()), values,
                               slab.valuesAt + first + line * kPanelAlign, 16));
      words.append(weightWords(k, plan, lines)[0]);
    }
    for (int64_t group = 0; group < plan.chunkGroups; ++group)
      multiplyGroup(stage, chunk, group, words, totals);
  }
  return totals;
}

std::unique_ptr<WideProduct>
quartet::gpu::makeWideIntegers(DeviceBuilder &k, const PackedFormat &format,
                               int64_t columns, const WeightsOperand &weights,
                               const RowsOperand &rows, int64_t tokens, V acc,
                               V accStride) {
  return std::make_unique<WideIntegers>(k, format, columns, weights, rows,
                                        tokens, acc, accStride);
}
