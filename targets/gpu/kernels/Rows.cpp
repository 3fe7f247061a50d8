// Loops that spread elements over threads so that neighbouring threads touch
// neighbouring addresses.
#include "targets/gpu/kernels/Rows.h"
#include <limits>

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

void quartet::gpu::overElements(DeviceBuilder &k, V rows, V columns,
                                llvm::function_ref<void(V, V)> body) {
  k.loop(rows, [&](V row) {
    k.forThreads(columns, [&](V column) { body(row, column); });
  });
}

void quartet::gpu::embedRows(DeviceBuilder &k, Type element, V table, V ids,
                             V count, int64_t columns, V out, V outStride) {
  int64_t size = element.getIntOrFloatBitWidth() / 8;
  overElements(k, count, k.i64(columns), [&](V row, V column) {
    V id = k.loadIndex(ids, row);
    V value = k.load(element, table, (id * columns + column) * size);
    k.store(k.convert(value, k.f32()), out, row * outStride + column * 4);
  });
}

/// The constant of \p values for frequency \p p: a chain of selections over
/// runs of equal values.
template <typename T>
static V lookUp(V p, ArrayRef<T> values, llvm::function_ref<V(T)> constant) {
  V value = constant(values.back());
  for (size_t i = values.size() - 1; i > 0; --i)
    if (values[i - 1] != values[i])
      value = p.k().select(p < int64_t(i), constant(values[i - 1]), value);
  return value;
}

void quartet::gpu::ropeTable(DeviceBuilder &k, ArrayRef<float> invFreq,
                             ArrayRef<int32_t> axes, float scale, V positions,
                             V axisStride, V tokens, V table, V tableStride) {
  int64_t pairs = int64_t(invFreq.size());
  // A thread takes a frequency: the constants are found once.
  k.forThreads(k.i64(pairs), [&](V p) {
    V axis = lookUp<int32_t>(p, axes, [&](int32_t a) { return k.i64(a); });
    V frequency =
        lookUp<float>(p, invFreq, [&](float f) { return k.f32(double(f)); });
    k.loop(tokens, [&](V t) {
      V position = k.load(k.i32(), positions, axis * axisStride + t * 4);
      auto [sin, cos] = k.sinCos(k.toFloat(position, k.f32()) * frequency);
      V row = table + t * tableStride + p * 4;
      k.store(cos * double(scale), row);
      k.store(sin * double(scale), row, pairs * 4);
    });
  });
}

void quartet::gpu::copyRows(DeviceBuilder &k, bool add, V from, V fromStride,
                            V to, V toStride, V rows, V columns) {
  overElements(k, rows, columns, [&](V row, V column) {
    V value = k.load(k.f32(), from, row * fromStride + column * 4);
    V target = row * toStride + column * 4;
    if (add)
      value = k.load(k.f32(), to, target) + value;
    k.store(value, to, target);
  });
}

V quartet::gpu::rowMax(DeviceBuilder &k, V row, V count) {
  V none = k.f32(-std::numeric_limits<double>::infinity());
  V best = k.fold(k.lane(), count, k.machine.lanes, {none},
                  [&](V c, ArrayRef<V> best) {
                    V value = k.load(k.f32(), row, c * 4);
                    return SmallVector<V>{k.max(best[0], value)};
                  })[0];
  return k.warpMax(best);
}
