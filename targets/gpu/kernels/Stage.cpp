// A row is spread over all threads, so that a step of one token does not wait
// for one warp; groups are spread over warps, where a shuffle finds the scale.
#include "targets/gpu/kernels/Stage.h"
#include "targets/codegen/Int8.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;
using tile::StagedRowLayout;

static V loadF32(DeviceBuilder &k, V pointer, V i) {
  return k.load(k.f32(), pointer, i * 4);
}

void quartet::gpu::rmsNormRows(DeviceBuilder &k, V rows, int64_t mostRows,
                               int64_t columns, V weight, V eps,
                               llvm::function_ref<V(V)> from,
                               llvm::function_ref<V(V)> to) {
  DeviceBuilder::SharedScope scope(k);
  int64_t warps = k.machine.warps();
  V parts = k.shared(mostRows * warps * 4);
  k.loop(rows, [&](V row) {
    V x = from(row);
    V sum = k.fold(k.thread(), k.i64(columns), k.machine.threads, {k.f32(0)},
                   [&](V c, ArrayRef<V> sum) {
                     V value = loadF32(k, x, c);
                     return SmallVector<V>{k.fma(value, value, sum[0])};
                   })[0];
    sum = k.warpSum(sum);
    k.ifThen(k.lane() == 0,
             [&] { k.store(sum, parts, (row * warps + k.warp()) * 4); });
  });
  k.barrier();
  k.loop(rows, [&](V row) {
    V total = loadF32(k, parts, row * warps);
    for (int64_t warp = 1; warp < warps; ++warp)
      total = total + loadF32(k, parts, row * warps + warp);
    V scale = k.rsqrt(total / double(columns) + eps);
    V x = from(row), out = to(row);
    k.forThreads(k.i64(columns), [&](V c) {
      V factor = loadF32(k, weight, c) + 1.0;
      k.store(loadF32(k, x, c) * scale * factor, out, c * 4);
    });
  });
}

void quartet::gpu::gatedNormHead(DeviceBuilder &k, int64_t width, V x, V gate,
                                 V weight, V eps, bool silu, V out) {
  V sum = k.fold(k.lane(), k.i64(width), k.machine.lanes, {k.f32(0)},
                 [&](V c, ArrayRef<V> sum) {
                   V value = loadF32(k, x, c);
                   return SmallVector<V>{k.fma(value, value, sum[0])};
                 })[0];
  V scale = k.rsqrt(k.warpSum(sum) / double(width) + eps);
  k.forLanes(k.i64(width), [&](V c) {
    V factor = loadF32(k, gate, c);
    factor = silu ? k.silu(factor) : k.sigmoid(factor);
    V value = loadF32(k, x, c) * scale;
    k.store(value * loadF32(k, weight, c) * factor, out, c * 4);
  });
}

void quartet::gpu::quantizeGroup(DeviceBuilder &k, int64_t group,
                                 llvm::function_ref<V(V)> value, V values,
                                 V scaleAddress, V sumAddress) {
  int64_t lanes = k.machine.lanes;
  int64_t each = (group + lanes - 1) / lanes; // elements of a lane
  // Lanes beyond a small group do what lane 0's neighbour does, and store
  // nothing: shuffles need all lanes.
  V inside = k.lane() < std::min(group, lanes);
  V first = k.select(inside, k.lane(), k.i64(0)) * each;
  SmallVector<V> elements;
  V largest = k.i32(0);
  for (int64_t i = 0; i < each; ++i) {
    elements.push_back(value(first + i));
    largest = k.max(largest, sizeBits(k, elements.back()));
  }
  Int8Scale found = int8Scale(k, k.warpMax(largest));
  V sum = k.i32(0), word = k.i32(0);
  for (int64_t i = 0; i < each; ++i) {
    V integer = roundToInt8(k, elements[i], found.factor);
    sum = sum + integer;
    if (each == 4)
      word = word | ((integer & 255) << int(8 * i));
    else
      elements[i] = k.truncate(integer, k.i8());
  }
  k.ifThen(inside, [&] {
    if (each == 4) {
      k.store(word, values, first, 4);
      return;
    }
    for (int64_t i = 0; i < each; ++i)
      k.store(elements[i], values, first + i);
  });
  sum = k.warpSum(k.select(inside, sum, k.i32(0)));
  k.ifThen(k.lane() == 0, [&] {
    k.store(found.scale, scaleAddress);
    k.store(sum, sumAddress);
  });
}

void quartet::gpu::quantizeRows(DeviceBuilder &k, int64_t group, V rows,
                                int64_t columns, llvm::function_ref<V(V)> from,
                                llvm::function_ref<V(V)> to) {
  StagedRowLayout layout(group, columns);
  int64_t groups = layout.paddedColumns / group;
  k.forWarps(rows * groups, [&](V number) {
    V row = number / groups, place = number % groups;
    V x = from(row), out = to(row), column = place * group;
    auto value = [&](V i) {
      V c = column + i;
      if (columns % group == 0)
        return loadF32(k, x, c);
      // The last group is filled up with zeros.
      V inside = c < columns;
      return k.select(inside, loadF32(k, x, k.select(inside, c, k.i64(0))),
                      k.f32(0));
    };
    quantizeGroup(k, group, value, out + column,
                  out + place * 4 + layout.scales,
                  out + place * 4 + layout.sums);
  });
}

void quartet::gpu::stageFloatRows(DeviceBuilder &k, V rows, int64_t columns,
                                  int64_t paddedColumns,
                                  llvm::function_ref<V(V)> from,
                                  llvm::function_ref<V(V)> to) {
  k.loop(rows, [&](V row) {
    V x = from(row), out = to(row);
    k.forThreads(k.i64(paddedColumns), [&](V c) {
      if (columns == paddedColumns) {
        k.store(loadF32(k, x, c), out, c * 4);
        return;
      }
      V inside = c < columns;
      V value = loadF32(k, x, k.select(inside, c, k.i64(0)));
      k.store(k.select(inside, value, k.f32(0)), out, c * 4);
    });
  });
}
