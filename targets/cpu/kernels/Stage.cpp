// Norms sum in 16 lanes in the order of columns, then the lanes by halving:
// one order for all CPUs.
#include "targets/cpu/kernels/Stage.h"
#include "targets/cpu/kernels/Lanes.h"

using namespace mlir;
using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Lane i of the result is x[column + i] for column + i < columns, else zero.
static V tailLanes(KernelBuilder &k, V x, V column, V columns) {
  Type type = k.vec(kLanes, k.f32());
  return k.fold(
      k.i64(0), columns - column, 1, {k.zero(type)},
      [&](V i, ArrayRef<V> lanes) {
        V value = k.load(k.f32(), x, (column + i) * 4);
        SmallVector<int32_t> numbers;
        for (int32_t lane = 0; lane < kLanes; ++lane)
          numbers.push_back(lane);
        V here = k.i32s(numbers) == k.splat(k.truncate(i, k.i32()), kLanes);
        return SmallVector<V>{k.select(here, k.splat(value, kLanes), lanes[0])};
      })[0];
}

/// The sum of squares of \p columns f32 at \p x.
static V sumOfSquares(KernelBuilder &k, V x, V columns) {
  Type type = k.vec(kLanes, k.f32());
  V whole = columns - columns % kLanes;
  V lanes = k.fold(k.i64(0), whole, kLanes, {k.zero(type)},
                   [&](V c, ArrayRef<V> sum) {
                     V value = k.load(type, x, c * 4);
                     return SmallVector<V>{k.fma(value, value, sum[0])};
                   })[0];
  lanes = k.ifElse(
      whole < columns,
      [&] {
        V value = tailLanes(k, x, whole, columns);
        return SmallVector<V>{k.fma(value, value, lanes)};
      },
      [&] { return SmallVector<V>{lanes}; })[0];
  return k.sum(lanes);
}

static V spread(KernelBuilder &k, V scalar, int64_t lanes) {
  return lanes == 1 ? scalar : k.splat(scalar, lanes);
}

func::FuncOp quartet::cpu::rmsNormRow(KernelBuilder &k) {
  return k.function("rms_norm", "ppfip", [&](ArrayRef<V> a) {
    V x = a[0], weight = a[1], eps = a[2], columns = a[3], out = a[4];
    V mean = sumOfSquares(k, x, columns) / k.toFloat(columns, k.f32());
    V scale = k.rsqrt(mean + eps);
    overColumns(k, columns, [&](V c, int64_t lanes) {
      Type type = lanesOf(k, lanes, k.f32());
      V factor = k.load(type, weight, c * 4) + 1.0;
      V value = k.load(type, x, c * 4) * spread(k, scale, lanes);
      k.store(value * factor, out, c * 4);
    });
  });
}

func::FuncOp quartet::cpu::gatedNormRow(KernelBuilder &k, bool silu) {
  return k.function(
      silu ? "gated_norm_silu" : "gated_norm_sigmoid", "pppfiip",
      [&](ArrayRef<V> a) {
        V eps = a[3], heads = a[4], width = a[5];
        k.loop(heads, [&](V head) {
          V offset = head * width * 4;
          V x = a[0] + offset, z = a[1] + offset, out = a[6] + offset;
          V mean = sumOfSquares(k, x, width) / k.toFloat(width, k.f32());
          V scale = k.rsqrt(mean + eps);
          overColumns(k, width, [&](V c, int64_t lanes) {
            Type type = lanesOf(k, lanes, k.f32());
            V gate = k.load(type, z, c * 4);
            gate = silu ? k.silu(gate) : k.sigmoid(gate);
            V value = k.load(type, x, c * 4) * spread(k, scale, lanes);
            k.store(value * k.load(type, a[2], c * 4) * gate, out, c * 4);
          });
        });
      });
}

func::FuncOp quartet::cpu::siluMulRow(KernelBuilder &k) {
  return k.function("silu_mul", "ppip", [&](ArrayRef<V> a) {
    Type type = k.vec(kLanes, k.f32());
    k.loop(k.i64(0), a[2], kLanes, [&](V c) {
      V gate = k.load(type, a[0], c * 4);
      k.store(k.silu(gate) * k.load(type, a[1], c * 4), a[3], c * 4);
    });
  });
}

func::FuncOp quartet::cpu::stageFloatRow(KernelBuilder &k) {
  return k.function("stage_row", "pip", [&](ArrayRef<V> a) {
    V x = a[0], columns = a[1], out = a[2];
    V whole = columns - columns % kLanes;
    Type type = k.vec(kLanes, k.f32());
    k.loop(k.i64(0), whole, kLanes,
           [&](V c) { k.store(k.load(type, x, c * 4), out, c * 4); });
    k.ifThen(whole < columns,
             [&] { k.store(tailLanes(k, x, whole, columns), out, whole * 4); });
  });
}

/// Quantizes the group whose values are \p lanes.
static void quantizeGroup(KernelBuilder &k, ArrayRef<V> lanes, V values,
                          V scaleAddress, V sumAddress) {
  auto [scale, factor] = int8Scale(k, lanes);
  V sum = k.zero(k.vec(kLanes, k.i32()));
  for (auto [i, value] : llvm::enumerate(lanes)) {
    V integer = roundToInt8(k, value, factor);
    sum = sum + integer;
    k.store(k.truncate(integer, k.vec(kLanes, k.i8())), values,
            int64_t(i) * kLanes);
  }
  k.store(scale, scaleAddress);
  k.store(k.sum(sum), sumAddress);
}

func::FuncOp quartet::cpu::quantizeGroups(KernelBuilder &k, int64_t group) {
  return k.function(
      "quantize_groups_" + std::to_string(group), "pippp", [&](ArrayRef<V> a) {
        V x = a[0], columns = a[1];
        Type type = k.vec(kLanes, k.f32());
        k.loop(k.i64(0), columns, group, [&](V c) {
          SmallVector<V> lanes;
          for (int64_t i = 0; i < group; i += kLanes)
            lanes.push_back(k.load(type, x, (c + i) * 4));
          V place = c / group * 4;
          quantizeGroup(k, lanes, a[2] + c, a[3] + place, a[4] + place);
        });
      });
}

func::FuncOp quartet::cpu::quantizeRow(KernelBuilder &k, int64_t group) {
  return k.function(
      "quantize_row_" + std::to_string(group), "pip", [&](ArrayRef<V> a) {
        V x = a[0], columns = a[1], out = a[2];
        V whole = columns - columns % group;
        V padded = (columns + (group - 1)) / group * group;
        V scales = out + (padded + 63) / 64 * 64;
        V sums = scales + (padded / group * 4 + 63) / 64 * 64;
        k.call(quantizeGroups(k, group), {x, whole, out, scales, sums});
        k.ifThen(whole < columns, [&] {
          // The last group, filled up with zeros.
          V last = k.stack(group * 4);
          k.clear(last, k.i64(group * 4));
          k.copy(last, x + whole * 4, (columns - whole) * 4);
          V place = whole / group * 4;
          k.call(quantizeGroups(k, group), {last, k.i64(group), out + whole,
                                            scales + place, sums + place});
        });
      });
}
