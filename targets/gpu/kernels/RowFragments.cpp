#include "targets/gpu/kernels/RowFragments.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

RowFragments::RowFragments(DeviceBuilder &k)
    : k(k), unit(k, MatrixElement::BF16),
      lanePieces(std::max<int64_t>(1, unit.kWords / 4)),
      stepPieces(lanePieces * unit.kLanes), parts(k.machine.activationParts) {}

V RowFragments::operandRow(int64_t i) const {
  return unit.rowPanel * 4 + unit.rowQuad + 8 * i;
}

V RowFragments::resultRow(int64_t i) const {
  if (unit.rowsPerLane > 1)
    return operandRow(i / unit.tokenPlaces);
  MatrixUnit::Place place = unit.rowPlace(i);
  return place.panel * 4 + place.quad;
}

MatrixUnit::Sum RowFragments::scaled(const MatrixUnit::Sum &sum,
                                     ArrayRef<V> factors) const {
  MatrixUnit::Sum next;
  if (sum.size() == 1)
    return {sum[0] * k.splat(factors[0], results())};
  for (int64_t i = 0; i < results(); ++i)
    next.push_back(sum[i] * factors[placeOf(i)]);
  return next;
}

SmallVector<V> RowFragments::words(V place, int64_t stride, V step) const {
  V from = place + step * (stepPieces * stride);
  SmallVector<V> all;
  for (int64_t i = 0; i < lanePieces; ++i) {
    V four = k.load(k.vec(4, k.i32()), from, i * stride, 16);
    for (int64_t word = 0; word < 4; ++word)
      all.push_back(k.extract(four, word));
  }
  return all;
}

SmallVector<SmallVector<V>> RowFragments::partWords(V place, int64_t stride,
                                                    V step) const {
  SmallVector<SmallVector<V>> all;
  for (int64_t part = parts - 1; part >= 0; --part)
    all.push_back(words(place + part * 16, stride, step));
  return all;
}

MatrixUnit::Sum RowFragments::multiply(ArrayRef<SmallVector<V>> a,
                                       ArrayRef<V> b,
                                       const MatrixUnit::Sum &sum) const {
  MatrixUnit::Sum next = sum;
  for (size_t first = 0; first < b.size(); first += unit.kWords) {
    SmallVector<V> left; // [word][row of the lane]
    for (int64_t word = 0; word < unit.kWords; ++word)
      for (const SmallVector<V> &row : a)
        left.push_back(row[first + word]);
    next = unit.multiply(left, b.slice(first, unit.kWords), next);
  }
  return next;
}

void quartet::gpu::storeParts(DeviceBuilder &k, V low, V high, V to,
                              int parts) {
  auto first = bf16Words(k, low, parts), second = bf16Words(k, high, parts);
  for (int64_t part = 0; part < parts; ++part) {
    V words = k.zero(k.vec(4, k.i32()));
    for (int64_t i = 0; i < 2; ++i) {
      words = k.insert(first[part][i], words, i);
      words = k.insert(second[part][i], words, 2 + i);
    }
    k.store(words, to, part * 16, 16);
  }
}
