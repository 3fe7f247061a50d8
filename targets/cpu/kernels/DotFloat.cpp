// Dot products of f32, bf16, f16 and fp8 panels with f32 rows.
#include "targets/cpu/kernels/DotParts.h"
#include "targets/cpu/kernels/DotUnpack.h"

using namespace quartet;
using namespace quartet::cpu;
using llvm::SmallVector;

/// Columns whose products are added up before they join the others. Short
/// chains of additions are independent of each other, so that one token keeps
/// the multipliers busy; and they lose less to rounding than a long one.
static constexpr int64_t kBlockColumns = 16;

/// For each token, the products of the 16 columns that begin at \p line and at
/// the pointers \p rows, in ascending order.
static SmallVector<V> blockSums(KernelBuilder &k, const DotBlock &block, V line,
                                llvm::ArrayRef<V> rows) {
  int64_t lineColumns = columnsPerLine(block.format.value);
  SmallVector<V> sums(block.tokens);
  for (int64_t column = 0; column < kBlockColumns; column += lineColumns) {
    V place = line + column / lineColumns * kPanelAlign;
    prefetchAhead(k, block, place);
    SmallVector<V> weights = unpackFloats(k, block.format.value, place);
    for (auto [i, weight] : llvm::enumerate(weights))
      for (int t = 0; t < block.tokens; ++t) {
        V x = k.splat(k.load(k.f32(), rows[t], (column + int64_t(i)) * 4),
                      kPanelRows);
        sums[t] = sums[t] ? k.fma(weight, x, sums[t]) : weight * x;
      }
  }
  return sums;
}

void cpu::emitFloatDot(KernelBuilder &k, const DotBlock &block) {
  const PackedFormat &format = block.format;
  PanelOffsets offsets(k, format, block.columns);
  int64_t blockBytes =
      kBlockColumns / columnsPerLine(format.value) * kPanelAlign;
  SmallVector<V> rows;
  for (int t = 0; t < block.tokens; ++t)
    rows.push_back(stagedRow(block, t));
  SmallVector<V> zeros(block.tokens, k.zero(k.vec(kPanelRows, k.f32())));

  /// Adds the blocks from \p first to \p last to \p totals.
  auto addBlocks = [&](V first, V last, llvm::ArrayRef<V> totals) {
    return k.fold(first, last, 1, totals, [&](V i, llvm::ArrayRef<V> totals) {
      SmallVector<V> at, next;
      for (V row : rows)
        at.push_back(row + i * (kBlockColumns * 4));
      V line = block.panel + offsets.values + i * blockBytes;
      for (auto [total, sum] : llvm::zip(totals, blockSums(k, block, line, at)))
        next.push_back(total + sum);
      return next;
    });
  };

  SmallVector<V> totals;
  if (!format.group) {
    totals = addBlocks(k.i64(0), block.columns / kBlockColumns, zeros);
  } else {
    int64_t perGroup = format.group / kBlockColumns;
    int64_t step = kPanelRows * scaleBytes(format.scale);
    totals = k.fold(
        k.i64(0), offsets.groups, 1, zeros, [&](V g, llvm::ArrayRef<V> totals) {
          V first = g * perGroup;
          SmallVector<V> sums = addBlocks(first, first + perGroup, zeros);
          V scale = loadScales(k, format.scale, block.panel + g * step);
          SmallVector<V> next;
          for (auto [total, sum] : llvm::zip(totals, sums))
            next.push_back(k.fma(sum, scale, total));
          return next;
        });
  }
  double factor = unpackFactor(format.value);
  for (int t = 0; t < block.tokens; ++t) {
    V result = factor == 1 ? totals[t] : totals[t] * factor;
    k.store(result, block.out + block.outStride * int64_t(t));
  }
}
