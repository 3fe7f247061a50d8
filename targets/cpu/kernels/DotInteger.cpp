// Dot products of int8 and int4 panels with rows that were quantized to int8.
#include "targets/cpu/kernels/ByteDot.h"
#include "targets/cpu/kernels/DotParts.h"
#include "targets/cpu/kernels/DotUnpack.h"

using namespace quartet;
using namespace quartet::cpu;
using llvm::SmallVector;

/// Products of quads written out before the code becomes a loop; 16 rows each.
static constexpr int64_t kUnrolledQuads = 256;

namespace {
/// One group of columns: its pointers and what all tokens share.
class Group {
public:
  Group(KernelBuilder &k, const DotBlock &block, const ByteDotBuilder &dots)
      : k(k), block(block), dots(dots), format(block.format) {}

  V scales, zeros, values;             ///< one panel's pointers at this group
  SmallVector<V> quads, factors, sums; ///< each row's pointers at this group

  /// The int32 of every token, zero points included.
  SmallVector<V> integers() const;
  /// \p integers times the scales, added to \p totals.
  SmallVector<V> addTo(llvm::ArrayRef<V> totals,
                       llvm::ArrayRef<V> integers) const;

private:
  SmallVector<ByteDotBuilder::Sum> begin() const;
  void lines(SmallVector<ByteDotBuilder::Sum> &sums, V offset,
             int64_t count) const;
  V rowSum(int token) const {
    return k.splat(k.load(k.i32(), sums[token]), kPanelRows);
  }

  KernelBuilder &k;
  const DotBlock &block;
  const ByteDotBuilder &dots;
  const PackedFormat &format;
};
} // namespace

/// Sums that start with what the zero points take away.
SmallVector<ByteDotBuilder::Sum> Group::begin() const {
  mlir::Type words = k.vec(kPanelRows, k.i32());
  int64_t constantZero =
      format.zero != ZeroKind::None || format.codebook != Codebook::None ? 0
      : format.value == ValueType::INT8                                  ? 128
                                                                         : 8;
  V offset = k.constant(words, dots.bias() - constantZero);
  bool none = dots.bias() == constantZero;
  if (format.zero == ZeroKind::Point) {
    V stored = k.load(k.vec(kPanelRows, k.i8()), zeros, int64_t(0), 16);
    offset = offset - k.zeroExtend(stored, words);
    none = false;
  }
  SmallVector<ByteDotBuilder::Sum> result;
  for (int t = 0; t < block.tokens; ++t)
    result.push_back(dots.begin(none ? V() : offset * rowSum(t)));
  return result;
}

/// Adds the products of \p count lines, \p offset (a number of lines) after the
/// group's first.
void Group::lines(SmallVector<ByteDotBuilder::Sum> &sums, V offset,
                  int64_t count) const {
  int64_t lineColumns = columnsPerLine(format.value);
  for (int64_t line = 0; line < count; ++line) {
    V place = values + offset * kPanelAlign + line * kPanelAlign;
    prefetchAhead(k, block, place);
    V bits = k.load(k.vec(kPanelRows, k.i32()), place, int64_t(0), kPanelAlign);
    SmallVector<ByteDotBuilder::Operand> operands = dots.unpack(bits);
    for (auto [i, operand] : llvm::enumerate(operands))
      for (int t = 0; t < block.tokens; ++t) {
        V quad = k.load(k.i32(), quads[t] + offset * lineColumns +
                                     (line * lineColumns + int64_t(i) * 4));
        dots.add(sums[t], operand, quad);
      }
  }
}

SmallVector<V> Group::integers() const {
  SmallVector<ByteDotBuilder::Sum> sums = begin();
  int64_t all = format.group / columnsPerLine(format.value);
  int64_t unrolled = all;
  while (unrolled > 1 &&
         unrolled * columnsPerLine(format.value) / 4 * block.tokens >
             kUnrolledQuads)
    unrolled /= 2;
  if (unrolled == all) {
    lines(sums, k.i64(0), all);
  } else {
    SmallVector<V> carried;
    for (ByteDotBuilder::Sum &sum : sums)
      carried.append(sum.wide.begin(), sum.wide.end());
    size_t pieces = sums[0].wide.size();
    auto take = [&](llvm::ArrayRef<V> values) {
      for (auto [t, sum] : llvm::enumerate(sums))
        sum.wide.assign(values.begin() + t * pieces,
                        values.begin() + (t + 1) * pieces);
    };
    carried = k.fold(k.i64(0), k.i64(all), unrolled, carried,
                     [&](V line, llvm::ArrayRef<V> values) {
                       take(values);
                       lines(sums, line, unrolled);
                       SmallVector<V> next;
                       for (ByteDotBuilder::Sum &sum : sums) {
                         dots.settle(sum);
                         next.append(sum.wide.begin(), sum.wide.end());
                       }
                       return next;
                     });
    take(carried);
  }
  SmallVector<V> result;
  for (ByteDotBuilder::Sum &sum : sums)
    result.push_back(dots.finish(sum));
  return result;
}

SmallVector<V> Group::addTo(llvm::ArrayRef<V> totals,
                            llvm::ArrayRef<V> integers) const {
  mlir::Type floats = k.vec(kPanelRows, k.f32());
  V scale = loadScales(k, format.scale, scales);
  V mins;
  if (format.zero == ZeroKind::Min)
    mins = loadScales(k, format.scale, zeros);
  SmallVector<V> result;
  for (int t = 0; t < block.tokens; ++t) {
    V factor = k.load(k.f32(), factors[t]);
    V total = k.fma(k.toFloat(integers[t], floats),
                    scale * k.splat(factor, kPanelRows), totals[t]);
    if (mins) {
      V sum = k.toFloat(k.load(k.i32(), sums[t]), k.f32());
      total = k.fma(mins, k.splat(factor * sum, kPanelRows), total);
    }
    result.push_back(total);
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
  int64_t valueStep = format.group / columnsPerLine(format.value) * kPanelAlign;
  SmallVector<V> rows;
  for (int t = 0; t < block.tokens; ++t)
    rows.push_back(stagedRow(block, t));

  SmallVector<V> totals(block.tokens, k.zero(k.vec(kPanelRows, k.f32())));
  totals = k.fold(k.i64(0), offsets.groups, 1, totals,
                  [&](V g, llvm::ArrayRef<V> totals) {
                    Group group(k, block, dots);
                    group.scales = block.panel + g * scaleStep;
                    group.zeros = block.panel + offsets.zeros + g * zeroStep;
                    group.values = block.panel + offsets.values + g * valueStep;
                    for (V row : rows) {
                      group.quads.push_back(row + g * int64_t(format.group));
                      group.factors.push_back(row + (factorsAt + g * 4));
                      group.sums.push_back(row + (sumsAt + g * 4));
                    }
                    return group.addTo(totals, group.integers());
                  });
  for (int t = 0; t < block.tokens; ++t)
    k.store(totals[t], block.out + block.outStride * int64_t(t));
}
