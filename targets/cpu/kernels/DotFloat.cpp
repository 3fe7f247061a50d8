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
/// Blocks of fp8 that one token adds up side by side: unpacking takes so many
/// instructions that a CPU does not look ahead to the next block by itself. For
/// other types reading in order is worth more.
static constexpr int kFp8Blocks = 4;

/// The products of \p count blocks, the first of which is at \p lines, one
/// pointer per panel, and at \p rows; [block][token][panel].
static SmallVector<V> blockSums(KernelBuilder &k, const DotBlock &block,
                                int count, llvm::ArrayRef<V> lines,
                                llvm::ArrayRef<V> rows) {
  int64_t lineColumns = unitColumns(block.format.value);
  int64_t each = block.tokens * block.panels;
  SmallVector<V> sums(count * each);
  auto addLine = [&](int64_t number, int64_t first) {
    int64_t column = number * kBlockColumns + first;
    SmallVector<SmallVector<V>> weights;
    for (V line : lines) {
      V place = line + column / lineColumns * kPanelAlign;
      prefetchAhead(k, block, place);
      weights.push_back(unpackFloats(k, block.format.value, place));
    }
    for (int64_t i = 0; i < lineColumns; ++i)
      for (int t = 0; t < block.tokens; ++t) {
        V x = k.splat(k.load(k.f32(), rows[t], (column + i) * 4), kPanelRows);
        for (int p = 0; p < block.panels; ++p) {
          V &sum = sums[number * each + t * block.panels + p];
          sum = sum ? k.fma(weights[p][i], x, sum) : weights[p][i] * x;
        }
      }
  };
  for (int64_t first = 0; first < kBlockColumns; first += lineColumns)
    for (int number = 0; number < count; ++number)
      addLine(number, first);
  return sums;
}

void cpu::emitFloatDot(KernelBuilder &k, const DotBlock &block) {
  const PackedFormat &format = block.format;
  PanelOffsets offsets(k, format, block.columns);
  int64_t blockBytes = valueBytes(format.value, kBlockColumns);
  SmallVector<V> rows = stagedRows(block), panels = panelsOf(block);
  int together = 1;
  if (format.value == ValueType::FP8)
    together = std::max(1, kFp8Blocks / (block.tokens * block.panels));
  if (format.group) // whole groups
    together = std::min<int>(together, format.group / kBlockColumns);
  SmallVector<V> zeros(block.tokens * block.panels,
                       k.zero(k.vec(kPanelRows, k.f32())));

  /// Adds \p count blocks from number \p i on to \p totals, in order.
  auto addTogether = [&](V i, int count, llvm::ArrayRef<V> totals) {
    SmallVector<V> lines, at;
    for (V panel : panels)
      lines.push_back(panel + offsets.values + i * blockBytes);
    for (V row : rows)
      at.push_back(row + i * (kBlockColumns * 4));
    SmallVector<V> next(totals);
    SmallVector<V> sums = blockSums(k, block, count, lines, at);
    for (size_t j = 0; j < sums.size(); ++j)
      next[j % totals.size()] = next[j % totals.size()] + sums[j];
    return next;
  };
  /// Adds the blocks from \p first to \p last.
  auto addBlocks = [&](V first, V last, llvm::ArrayRef<V> totals) {
    SmallVector<V> sums(totals);
    for (int count = together; count; count = count > 1 ? 1 : 0) {
      V end = first + (last - first) / int64_t(count) * int64_t(count);
      sums = k.fold(first, end, count, sums, [&](V i, llvm::ArrayRef<V> sums) {
        return addTogether(i, count, sums);
      });
      first = end;
    }
    return sums;
  };
  /// Adds group \p g, scaled, to \p totals.
  auto addGroup = [&](V g, llvm::ArrayRef<V> totals) {
    int64_t blocks = format.group / kBlockColumns;
    int64_t step = kPanelRows * scaleBytes(format.scale);
    SmallVector<V> sums = addBlocks(g * blocks, (g + 1) * blocks, zeros);
    SmallVector<V> scales, next;
    for (V panel : panels)
      scales.push_back(loadScales(k, format.scale, panel + g * step));
    for (size_t i = 0; i < sums.size(); ++i)
      next.push_back(k.fma(sums[i], scales[i % block.panels], totals[i]));
    return next;
  };

  SmallVector<V> totals =
      format.group ? k.fold(k.i64(0), offsets.groups, 1, zeros, addGroup)
                   : addBlocks(k.i64(0), block.columns / kBlockColumns, zeros);
  if (double factor = unpackFactor(format.value); factor != 1)
    for (V &total : totals)
      total = total * factor;
  storeTotals(k, block, totals);
}
