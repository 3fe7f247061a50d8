// The tile instructions of AMX, on tiles of 16 rows. LLVM assigns the eight
// tile registers and configures them.
#ifndef QUARTET_TARGETS_CPU_KERNELS_AMXTILES_H
#define QUARTET_TARGETS_CPU_KERNELS_AMXTILES_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

constexpr int64_t kTileRows = 16, kTileRowBytes = 64;
constexpr int64_t kTileBytes = kTileRows * kTileRowBytes;

struct Tiles {
  KernelBuilder &k;

  mlir::Type type() {
    return mlir::LLVM::LLVMX86AMXType::get(k.b.getContext());
  }
  /// 16 rows of 64 bytes, all zero.
  V zero() {
    return k.intrinsic("llvm.x86.tilezero.internal", type(),
                       {size(kTileRows), size(kTileRowBytes)});
  }
  /// \p rows rows of \p bytes bytes, \p stride bytes apart.
  V load(int64_t rows, int64_t bytes, V from, V stride) {
    return k.intrinsic("llvm.x86.tileloadd64.internal", type(),
                       {size(rows), size(bytes), from, stride});
  }
  /// 16 rows of 64 bytes, one after the other.
  V load(V from) {
    return load(kTileRows, kTileRowBytes, from, k.i64(kTileRowBytes));
  }
  void store(V tile, V to, V stride) {
    mlir::Value arguments[] = {size(kTileRows), size(kTileRowBytes), to, stride,
                               tile};
    mlir::LLVM::CallIntrinsicOp::create(
        k.b, k.b.getStringAttr("llvm.x86.tilestored64.internal"),
        mlir::ValueRange(arguments));
  }
  /// sum + signed x * unsigned weights over \p columns columns: \p x is 16 rows
  /// of activations, \p weights 16 rows of a matrix, four columns to a row of
  /// the tile.
  V multiplyBytes(int64_t columns, V sum, V x, V weights) {
    return multiply("llvm.x86.tdpbsud.internal", columns, sum, x, weights);
  }
  /// The same with 32 columns of bf16, two to a row of \p weights; sums are
  /// f32.
  V multiplyFloats(V sum, V x, V weights) {
    return multiply("llvm.x86.tdpbf16ps.internal", kTileRowBytes, sum, x,
                    weights);
  }

private:
  V size(int64_t value) { return k.constant(k.i16(), value); }
  V multiply(llvm::StringRef name, int64_t bytes, V sum, V x, V weights) {
    return k.intrinsic(
        name, type(),
        {size(kTileRows), size(kTileRowBytes), size(bytes), sum, x, weights});
  }
};

} // namespace quartet::cpu
#endif
