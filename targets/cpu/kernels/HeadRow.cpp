// Norm and rotation of one head, and the table of rotations of a step.
#include "targets/cpu/kernels/HeadRow.h"
#include "targets/cpu/kernels/Lanes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// A name for the table's constants: two tables of a module may differ.
static std::string tableName(ArrayRef<float> invFreq, ArrayRef<int32_t> axes,
                             float scale) {
  SmallVector<uint8_t> bytes;
  auto add = [&](const void *data, size_t size) {
    auto *from = static_cast<const uint8_t *>(data);
    bytes.append(from, from + size);
  };
  add(invFreq.data(), invFreq.size() * sizeof(float));
  add(axes.data(), axes.size() * sizeof(int32_t));
  add(&scale, sizeof(scale));
  return "rope_table_" + llvm::utohexstr(llvm::xxh3_64bits(bytes));
}

mlir::func::FuncOp quartet::cpu::ropeTableKernel(KernelBuilder &k,
                                                 ArrayRef<float> invFreq,
                                                 ArrayRef<int32_t> axes,
                                                 float scale) {
  assert(invFreq.size() == axes.size() && "one axis per frequency");
  auto pairs = static_cast<int64_t>(invFreq.size());
  std::string name = tableName(invFreq, axes, scale);
  return k.function(name, "piipi", [&](ArrayRef<V> a) {
    V positions = a[0], axisStride = a[1], tokens = a[2], table = a[3],
      tableStride = a[4];
    // The constants, where a loop can index them.
    V frequencies = k.stack(pairs * 4), which = k.stack(pairs * 4);
    k.store(k.f32s(invFreq), frequencies);
    k.store(k.i32s(axes), which);
    k.loop(tokens, [&](V t) {
      k.loop(k.i64(pairs), [&](V p) {
        V axis = k.loadIndex(which, p);
        V position = k.load(k.i32(), positions + axis * axisStride, t * 4);
        V angle =
            k.toFloat(position, k.f32()) * k.load(k.f32(), frequencies, p * 4);
        V row = table + t * tableStride + p * 4;
        V cos = k.intrinsic("llvm.cos.f32", k.f32(), {angle});
        V sin = k.intrinsic("llvm.sin.f32", k.f32(), {angle});
        k.store(cos * double(scale), row);
        k.store(sin * double(scale), row, pairs * 4);
      });
    });
  });
}

mlir::func::FuncOp quartet::cpu::headRowKernel(KernelBuilder &k, int64_t width,
                                               int64_t pairs) {
  std::string name =
      "head_row_" + std::to_string(width) + "_" + std::to_string(pairs);
  return k.function(name, "ppfpp", [&](ArrayRef<V> a) {
    V x = a[0], weight = a[1], eps = a[2], cosSin = a[3], out = a[4];
    auto lanesOf = [](int64_t begin, int64_t end) {
      return std::min(kLanes, end - begin);
    };
    SmallVector<V> parts;
    V squares = k.zero(k.vec(kLanes, k.f32()));
    for (int64_t d = 0; d < width; d += kLanes) {
      parts.push_back(loadLanes(k, x, 4 * d, lanesOf(d, width)));
      squares = k.fma(parts.back(), parts.back(), squares);
    }
    V mean = k.sum(squares) / double(width);
    V factor = k.splat(k.rsqrt(mean + eps), kLanes);
    for (int64_t d = 0; d < width; d += kLanes) {
      int64_t count = lanesOf(d, width);
      V scaled = parts[d / kLanes] * factor;
      V w = loadLanes(k, weight, 4 * d, count) + 1.0;
      storeLanes(k, scaled * w, out, 4 * d, count);
    }
    for (int64_t p = 0; p < pairs; p += kLanes) {
      int64_t count = lanesOf(p, pairs), second = 4 * (p + pairs);
      V low = loadLanes(k, out, 4 * p, count);
      V high = loadLanes(k, out, second, count);
      V cos = loadLanes(k, cosSin, 4 * p, count);
      V sin = loadLanes(k, cosSin, second, count);
      storeLanes(k, low * cos - high * sin, out, 4 * p, count);
      storeLanes(k, high * cos + low * sin, out, second, count);
    }
  });
}

mlir::func::FuncOp quartet::cpu::storeHeadKernel(KernelBuilder &k,
                                                 int64_t width,
                                                 mlir::Type cacheType) {
  std::string name =
      "store_head_" + std::to_string(width) + "_" + typeName(cacheType);
  return k.function(name, "pp", [&](ArrayRef<V> a) {
    for (int64_t d = 0; d < width; d += kLanes) {
      int64_t count = std::min(kLanes, width - d);
      storeLanes(k, loadLanes(k, a[0], 4 * d, count), a[1],
                 d * byteWidth(cacheType), count, cacheType);
    }
  });
}

mlir::func::FuncOp quartet::cpu::storeHeadInt8Kernel(KernelBuilder &k,
                                                     int64_t width) {
  std::string name = "store_head_" + std::to_string(width) + "_i8";
  return k.function(name, "ppp", [&](ArrayRef<V> a) {
    SmallVector<V> parts;
    for (int64_t d = 0; d < width; d += kLanes)
      parts.push_back(loadLanes(k, a[0], 4 * d, std::min(kLanes, width - d)));
    auto [scale, factor] = int8Scale(k, parts);
    for (int64_t d = 0; d < width; d += kLanes) {
      int64_t count = std::min(kLanes, width - d);
      V integers = roundToInt8(k, parts[d / kLanes], factor);
      V bytes = k.truncate(integers, k.vec(kLanes, k.i8()));
      k.store(count == kLanes ? bytes : k.slice(bytes, 0, count), a[1], d);
    }
    k.store(scale, a[2], int64_t(0), /*align=*/1);
  });
}
