// Loops over rows in pieces of 16 columns, with a scalar tail for the widths
// of small models.
#include "targets/cpu/kernels/Rows.h"
#include "targets/cpu/kernels/Lanes.h"
#include <limits>

using namespace mlir;
using namespace quartet::cpu;

func::FuncOp quartet::cpu::embedKernel(KernelBuilder &k, Type element) {
  int64_t size = element.getIntOrFloatBitWidth() / 8;
  std::string name = size == 4          ? "embed_f32"
                     : element.isBF16() ? "embed_bf16"
                                        : "embed_f16";
  return k.function(name, "ppiipi", [&](llvm::ArrayRef<V> a) {
    V table = a[0], ids = a[1], count = a[2], columns = a[3], out = a[4],
      outStride = a[5];
    k.loop(count, [&](V i) {
      V from = table + k.loadIndex(ids, i) * columns * size;
      V to = out + i * outStride;
      overColumns(k, columns, [&](V c, int64_t lanes) {
        V value = k.load(lanesOf(k, lanes, element), from, c * size);
        k.store(k.convert(value, lanesOf(k, lanes, k.f32())), to, c * 4);
      });
    });
  });
}

func::FuncOp quartet::cpu::copyRowsKernel(KernelBuilder &k, bool add) {
  return k.function(add ? "add_rows" : "copy_rows", "pipiii",
                    [&](llvm::ArrayRef<V> a) {
                      V rows = a[4], columns = a[5];
                      k.loop(rows, [&](V i) {
                        V from = a[0] + i * a[1], to = a[2] + i * a[3];
                        overColumns(k, columns, [&](V c, int64_t lanes) {
                          Type type = lanesOf(k, lanes, k.f32());
                          V value = k.load(type, from, c * 4);
                          if (add)
                            value = k.load(type, to, c * 4) + value;
                          k.store(value, to, c * 4);
                        });
                      });
                    });
}

func::FuncOp quartet::cpu::gatherRowsKernel(KernelBuilder &k) {
  return k.function("gather_rows", "pipip", [&](llvm::ArrayRef<V> a) {
    V rows = a[0], stride = a[1], tokens = a[2], count = a[3], out = a[4];
    Type line = k.vec(kLanes, k.f32());
    k.loop(count, [&](V i) {
      V from = rows + k.loadIndex(tokens, i) * stride;
      V to = out + i * stride;
      k.loop(k.i64(0), stride, 64, [&](V byte) {
        k.store(k.load(line, from, byte, 64), to, byte, 64);
      });
    });
  });
}

func::FuncOp quartet::cpu::addWeightedRowsKernel(KernelBuilder &k) {
  return k.function("add_weighted_rows", "pippipii", [&](llvm::ArrayRef<V> a) {
    V from = a[0], fromStride = a[1], weights = a[2], tokens = a[3];
    V count = a[4], to = a[5], toStride = a[6], columns = a[7];
    k.loop(count, [&](V i) {
      V weight = k.load(k.f32(), weights, i * 4);
      V source = from + i * fromStride;
      V target = to + k.loadIndex(tokens, i) * toStride;
      overColumns(k, columns, [&](V c, int64_t lanes) {
        Type type = lanesOf(k, lanes, k.f32());
        V factor = lanes == 1 ? weight : k.splat(weight, lanes);
        V sum = k.fma(factor, k.load(type, source, c * 4),
                      k.load(type, target, c * 4));
        k.store(sum, target, c * 4);
      });
    });
  });
}

func::FuncOp quartet::cpu::rowMaxKernel(KernelBuilder &k) {
  return k.function("row_max", "pip", [&](llvm::ArrayRef<V> a) {
    V row = a[0], count = a[1], out = a[2];
    V none = k.f32(-std::numeric_limits<double>::infinity());
    V whole = count - count % kLanes;
    Type type = k.vec(kLanes, k.f32());
    V lanes = k.fold(k.i64(0), whole, kLanes, {k.splat(none, kLanes)},
                     [&](V c, llvm::ArrayRef<V> best) {
                       return llvm::SmallVector<V>{
                           k.max(best[0], k.load(type, row, c * 4))};
                     })[0];
    V best = k.fold(whole, count, 1, {k.largest(lanes)},
                    [&](V c, llvm::ArrayRef<V> carried) {
                      return llvm::SmallVector<V>{
                          k.max(carried[0], k.load(k.f32(), row, c * 4))};
                    })[0];
    k.store(best, out);
  });
}
