// Rows as vectors of 16 lanes, and what is done with many of them at once.
#include "targets/cpu/kernels/Lanes.h"

using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

std::string quartet::cpu::typeName(mlir::Type type) {
  return type.isBF16()       ? "bf16"
         : type.isF16()      ? "f16"
         : type.isInteger(8) ? "i8"
                             : "f32";
}

int64_t quartet::cpu::byteWidth(mlir::Type type) {
  return type.getIntOrFloatBitWidth() / 8;
}

mlir::Type quartet::cpu::lanesOf(KernelBuilder &k, int64_t lanes,
                                 mlir::Type element) {
  return lanes == 1 ? element : mlir::Type(k.vec(lanes, element));
}

void quartet::cpu::overColumns(
    KernelBuilder &k, V columns,
    llvm::function_ref<void(V column, int64_t lanes)> body) {
  V whole = columns - columns % kLanes;
  k.loop(k.i64(0), whole, kLanes, [&](V c) { body(c, kLanes); });
  k.loop(whole, columns, 1, [&](V c) { body(c, 1); });
}

V quartet::cpu::loadLanes(KernelBuilder &k, V pointer, int64_t offset,
                          int64_t count, mlir::Type element) {
  if (!element)
    element = k.f32();
  V value = k.load(k.vec(count, element), pointer, offset);
  if (element.isInteger(8))
    value = k.toFloat(k.signExtend(value, k.vec(count, k.i32())),
                      k.vec(count, k.f32()));
  else
    value = k.convert(value, k.vec(count, k.f32()));
  if (count == kLanes)
    return value;
  SmallVector<int64_t> mask;
  for (int64_t i = 0; i < kLanes; ++i)
    mask.push_back(i < count ? i : count);
  return k.shuffle(value, k.zero(value.type()), mask);
}

void quartet::cpu::storeLanes(KernelBuilder &k, V value, V pointer,
                              int64_t offset, int64_t count,
                              mlir::Type element) {
  if (!element)
    element = k.f32();
  if (count != kLanes)
    value = k.slice(value, 0, count);
  k.store(k.convert(value, k.vec(count, element)), pointer, offset);
}

Int8Scale quartet::cpu::int8Scale(KernelBuilder &k, ArrayRef<V> vectors) {
  V largest = k.zero(k.vec(kLanes, k.i32()));
  for (V value : vectors)
    largest = k.max(largest, sizeBits(k, value));
  return quartet::int8Scale(k, k.largest(largest));
}

V quartet::cpu::roundToInt8(KernelBuilder &k, V value, V factor) {
  return quartet::roundToInt8(k, value, k.splat(factor, kLanes));
}

/// Lanes of \p a whose bit \p distance is clear plus their partners at that
/// distance, and those of \p b where it is set.
static V combine(KernelBuilder &k, V a, V b, int64_t distance, int64_t lanes) {
  SmallVector<int64_t> same, partner;
  for (int64_t i = 0; i < lanes; ++i) {
    int64_t from = i & distance ? lanes : 0;
    same.push_back(from + i);
    partner.push_back(from + (i ^ distance));
  }
  return k.shuffle(a, b, same) + k.shuffle(a, b, partner);
}

V quartet::cpu::sumEach(KernelBuilder &k, ArrayRef<V> vectors) {
  SmallVector<V> level(vectors.begin(), vectors.end());
  while (level.size() & (level.size() - 1))
    level.push_back(k.zero(vectors[0].type()));
  int64_t lanes = kLanes;
  // Too few vectors to fill the lanes: halve each one by itself first.
  for (; lanes > static_cast<int64_t>(level.size()); lanes /= 2)
    for (V &v : level)
      v = k.slice(v, 0, lanes / 2) + k.slice(v, lanes / 2, lanes / 2);
  for (int64_t distance = lanes / 2; distance > 0; distance /= 2) {
    for (int64_t i = 0; i < distance; ++i)
      level[i] = combine(k, level[i], level[i + distance], distance, lanes);
    level.resize(distance);
  }
  return level[0];
}

void quartet::cpu::transpose16(KernelBuilder &k,
                               llvm::MutableArrayRef<V> rows) {
  // Exchanges one bit of the row number with the same bit of the lane number
  // at a time.
  for (int64_t bit = kLanes / 2; bit > 0; bit /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < kLanes; ++i) {
      low.push_back(i & bit ? kLanes + (i ^ bit) : i);
      high.push_back(i & bit ? kLanes + i : i ^ bit);
    }
    for (int64_t i = 0; i < kLanes; ++i) {
      if (i & bit)
        continue;
      V a = rows[i], b = rows[i | bit];
      rows[i] = k.shuffle(a, b, low);
      rows[i | bit] = k.shuffle(a, b, high);
    }
  }
}

void quartet::cpu::pieces(KernelBuilder &k, int64_t size, int64_t step,
                          llvm::function_ref<void(V, int64_t)> body) {
  int64_t full = size / step * step;
  if (full == step)
    body(k.i64(0), step);
  else if (full > 0)
    k.loop(0, full, step, [&](V at) { body(at, step); });
  if (full < size)
    body(k.i64(full), size - full);
}

Tile quartet::cpu::zeroTile(KernelBuilder &k, int64_t rows, int64_t vectors) {
  V zero = k.zero(k.vec(kLanes, k.f32()));
  return {rows, vectors, SmallVector<V>(rows * vectors, zero)};
}

void quartet::cpu::multiplyTile(KernelBuilder &k, Tile &tile, LeftOperand left,
                                RightOperand right, V steps) {
  tile.sums =
      k.fold(k.i64(0), steps, 1, tile.sums, [&](V step, ArrayRef<V> carried) {
        Tile next{tile.rows, tile.vectors,
                  SmallVector<V>(carried.begin(), carried.end())};
        V from = right.pointer + step * right.stepBytes;
        V column = left.pointer + step * left.stepBytes;
        SmallVector<V> vectors;
        for (int64_t j = 0; j < tile.vectors; ++j)
          vectors.push_back(k.load(k.vec(kLanes, k.f32()), from, j * 64));
        for (int64_t i = 0; i < tile.rows; ++i) {
          V scalar = k.load(k.f32(), column, i * left.rowBytes);
          V factor = k.splat(scalar, kLanes);
          for (int64_t j = 0; j < tile.vectors; ++j)
            next.at(i, j) = k.fma(factor, vectors[j], next.at(i, j));
        }
        return next.sums;
      });
}
