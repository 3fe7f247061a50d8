// Dot products of int8, int6 and int4 panels with rows that were quantized to
// int8.
#include "targets/cpu/kernels/ByteDot.h"
#include "targets/cpu/kernels/DotParts.h"
#include "targets/cpu/kernels/DotUnpack.h"

using namespace quartet;
using namespace quartet::cpu;
using llvm::SmallVector;

/// Products of quads written out before the code becomes a loop; 16 rows each.
static constexpr int64_t kUnrolledQuads = 512;
/// Groups that one turn of the loop takes for one token: their scales of 16
/// bits fill a line.
static constexpr int64_t kGroupsTogether = 2;

namespace {
/// One group of columns: its pointers, and the sums of every panel and token in
/// the order [token][panel].
class Group {
public:
  using Sums = SmallVector<ByteDotBuilder::Sum>;

  Group(KernelBuilder &k, const DotBlock &block, const ByteDotBuilder &dots)
      : k(k), block(block), dots(dots), format(block.format) {}

  SmallVector<V> scales, zeros, values; ///< each panel's pointers
  SmallVector<V> quads, factors, sums;  ///< each row's pointers
  V memory;                             ///< for tiles, if they are used

  /// The int32 of all, zero points included.
  SmallVector<V> integers() const;
  /// \p integers times the scales, added to \p totals.
  SmallVector<V> addTo(llvm::ArrayRef<V> totals,
                       llvm::ArrayRef<V> integers) const;

private:
  SmallVector<V> starts() const;
  void units(Sums &sums, V first, int64_t count) const;

  KernelBuilder &k;
  const DotBlock &block;
  const ByteDotBuilder &dots;
  const PackedFormat &format;
};
} // namespace

/// What the zero points take away, where sums start; null values for nothing.
SmallVector<V> Group::starts() const {
  mlir::Type words = k.vec(kPanelRows, k.i32());
  bool isSymmetric =
      format.zero == ZeroKind::None && format.codebook == Codebook::None;
  int64_t constantPart =
      dots.bias() - (isSymmetric ? integerMiddle(format.value) : 0);
  bool none = constantPart == 0 && format.zero != ZeroKind::Point;
  SmallVector<V> offsets(block.panels, k.constant(words, constantPart));
  if (format.zero == ZeroKind::Point)
    for (auto [offset, pointer] : llvm::zip(offsets, zeros)) {
      V stored = k.load(k.vec(kPanelRows, k.i8()), pointer, int64_t(0), 16);
      offset = offset - k.zeroExtend(stored, words);
    }
  SmallVector<V> result;
  for (int t = 0; t < block.tokens; ++t) {
    V rowSum = none ? V() : k.splat(k.load(k.i32(), sums[t]), kPanelRows);
    for (V offset : offsets)
      result.push_back(none ? V() : offset * rowSum);
  }
  return result;
}

/// Adds the products of \p count units of lines, the first of which is the
/// group's number \p first.
void Group::units(Sums &sums, V first, int64_t count) const {
  int64_t columns = unitColumns(format.value);
  int64_t unitBytes = valueBytes(format.value, columns);
  for (int64_t unit = 0; unit < count; ++unit) {
    SmallVector<SmallVector<ByteDotBuilder::Operand>> operands;
    for (V panel : values) {
      V place = panel + first * unitBytes + unit * unitBytes;
      for (int64_t line = 0; line < unitBytes; line += kPanelAlign)
        prefetchAhead(k, block, place + line);
      operands.push_back(dots.loadUnit(place));
    }
    for (size_t i = 0; i < operands[0].size(); ++i)
      for (int t = 0; t < block.tokens; ++t) {
        V quad = k.load(k.i32(), quads[t] + first * columns +
                                     (unit * columns + int64_t(i) * 4));
        for (int p = 0; p < block.panels; ++p)
          dots.add(sums[t * block.panels + p], operands[p][i], quad);
      }
  }
}

SmallVector<V> Group::integers() const {
  SmallVector<V> first = starts();
  if (memory) {
    SmallVector<V> result = tileSums(k, block, dots, values, quads[0], memory);
    for (auto [sum, start] : llvm::zip(result, first))
      sum = start ? sum + start : sum;
    return result;
  }
  Sums sums;
  for (V start : first)
    sums.push_back(dots.begin(start));
  int64_t columns = unitColumns(format.value);
  int64_t all = format.group / columns, unrolled = all;
  while (unrolled > 1 &&
         unrolled * columns / 4 * int64_t(sums.size()) > kUnrolledQuads)
    unrolled /= 2;
  auto flatten = [&] {
    SmallVector<V> all;
    for (ByteDotBuilder::Sum &sum : sums) {
      dots.settle(sum);
      all.append(sum.wide.begin(), sum.wide.end());
    }
    return all;
  };
  auto take = [&](llvm::ArrayRef<V> all) {
    for (ByteDotBuilder::Sum &sum : sums) {
      size_t pieces = sum.wide.size();
      sum.wide.assign(all.begin(), all.begin() + pieces);
      all = all.drop_front(pieces);
    }
  };
  if (unrolled == all)
    units(sums, k.i64(0), all);
  else
    take(k.fold(k.i64(0), k.i64(all), unrolled, flatten(),
                [&](V unit, llvm::ArrayRef<V> values) {
                  take(values);
                  units(sums, unit, unrolled);
                  return flatten();
                }));
  SmallVector<V> result;
  for (ByteDotBuilder::Sum &sum : sums)
    result.push_back(dots.finish(sum));
  return result;
}

SmallVector<V> Group::addTo(llvm::ArrayRef<V> totals,
                            llvm::ArrayRef<V> integers) const {
  mlir::Type floats = k.vec(kPanelRows, k.f32());
  bool hasMins = format.zero == ZeroKind::Min;
  SmallVector<V> scale, mins, result;
  for (int p = 0; p < block.panels; ++p) {
    scale.push_back(loadScales(k, format.scale, scales[p]));
    if (hasMins)
      mins.push_back(loadScales(k, format.scale, zeros[p]));
  }
  for (int t = 0; t < block.tokens; ++t) {
    V factor = k.load(k.f32(), factors[t]);
    V wide = k.splat(factor, kPanelRows), shift;
    if (hasMins)
      shift = k.splat(factor * k.toFloat(k.load(k.i32(), sums[t]), k.f32()),
                      kPanelRows);
    for (int p = 0; p < block.panels; ++p) {
      int at = t * block.panels + p;
      V total =
          k.fma(k.toFloat(integers[at], floats), scale[p] * wide, totals[at]);
      result.push_back(hasMins ? k.fma(mins[p], shift, total) : total);
    }
  }
  return result;
}

void cpu::emitIntegerDot(KernelBuilder &k, const DotBlock &block) {
  const PackedFormat &format = block.format;
  ByteDotBuilder dots(k, format);
  PanelOffsets offsets(k, format, block.columns);
  V factorsAt = alignTo64(block.columns);
  V sumsAt = factorsAt + alignTo64(offsets.groups * 4);
  int64_t scaleStep = kPanelRows * scaleBytes(format.scale);
  int64_t zeroStep = format.zero == ZeroKind::Point ? kPanelRows : scaleStep;
  int64_t valueStep = valueBytes(format.value, format.group);
  SmallVector<V> rows = stagedRows(block), panels = panelsOf(block);
  V memory;
  if (block.panels > 1 && usesTiles(k.machine, format, block.tokens))
    memory = k.stack(tileMemory(block));

  SmallVector<V> totals(block.tokens * block.panels,
                        k.zero(k.vec(kPanelRows, k.f32())));
  /// Adds group \p g to \p totals.
  auto addGroup = [&](V g, llvm::ArrayRef<V> totals) {
    Group group(k, block, dots);
    group.memory = memory;
    for (V panel : panels) {
      group.scales.push_back(panel + g * scaleStep);
      group.zeros.push_back(panel + offsets.zeros + g * zeroStep);
      group.values.push_back(panel + offsets.values + g * valueStep);
    }
    for (V row : rows) {
      group.quads.push_back(row + g * int64_t(format.group));
      group.factors.push_back(row + (factorsAt + g * 4));
      group.sums.push_back(row + (sumsAt + g * 4));
    }
    return group.addTo(totals, group.integers());
  };
  int64_t together = block.tokens > 1 ? 1 : kGroupsTogether;
  /// What values ask memory for ahead of their use leaves a gap in each panel,
  /// as long as its scales and zero points: those ask for it. One token of
  /// int4:32 went from 81 to 92 % of the speed of a plain read; more tokens
  /// lost as much as they won.
  auto prefetchScales = [&](V g) {
    int64_t zeroBytes = format.zero == ZeroKind::None ? 0 : zeroStep;
    for (V panel : panels) {
      for (int64_t i = 0; i < together * scaleStep; i += kPanelAlign)
        prefetchAhead(k, block, panel + g * scaleStep + i);
      for (int64_t i = 0; i < together * zeroBytes; i += kPanelAlign)
        prefetchAhead(k, block, panel + offsets.zeros + g * zeroStep + i);
    }
  };
  V whole = offsets.groups / together * together;
  totals = k.fold(k.i64(0), whole, together, totals,
                  [&](V g, llvm::ArrayRef<V> totals) {
                    if (together > 1)
                      prefetchScales(g);
                    SmallVector<V> next(totals);
                    for (int64_t i = 0; i < together; ++i)
                      next = addGroup(g + i, next);
                    return next;
                  });
  if (together > 1)
    totals = k.fold(whole, offsets.groups, 1, totals, addGroup);
  storeTotals(k, block, totals);
}
