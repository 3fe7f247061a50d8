// All that comes from memory comes by asynchronous copies: of 16 bytes of
// weights or of four columns of a token by each thread, or of whole panels by a
// few.
#include "targets/gpu/kernels/SlabCopies.h"
#include "targets/gpu/BulkCopies.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

Slab::Slab(const PackedFormat &format, int64_t tokens, int64_t panels,
           int parts, bool narrow)
    : panels(panels) {
  bool integer = format.isInteger();
  int64_t inRow = narrow ? parts : 1; // parts of a row of B
  columns = kGroupRowBytes / (integer ? 1 : 2 * inRow);
  values = valueBytes(format.value, columns);
  ownBytes = integer ? 0 : parts / inRow * tokens * kGroupRowBytes;
  partRows = narrow ? 0 : tokens * kGroupRowBytes;
  partBytes = narrow ? columns * 2 : 0;
  groups = scales = zeros = factorsAt = sumsAt = valuesAt = 0;
  scalesAt = zerosAt = bytes = panels * values;
  if (!integer)
    return;
  groups = columns / format.group;
  scales = groups * kPanelRows * scaleBytes(format.scale);
  zeros = format.zero == ZeroKind::None    ? 0
          : format.zero == ZeroKind::Point ? groups * kPanelRows
                                           : scales;
  factorsAt = tokens * kGroupRowBytes;
  sumsAt = factorsAt + groups * tokens * 4;
  valuesAt = sumsAt + (format.zero == ZeroKind::None ? 0 : groups * tokens * 4);
  scalesAt = valuesAt + panels * values;
  zerosAt = scalesAt + panels * scales;
  bytes = int64_t(llvm::alignTo(zerosAt + panels * zeros, kSharedAlign));
}

SlabCopies::SlabCopies(DeviceBuilder &k, const ColumnPlan &plan,
                       const Slab &slab, const WeightsOperand &weights,
                       const RowsOperand &rows, int64_t tokens, bool ragged)
    : k(k), plan(plan), slab(slab), format(plan.format),
      row(format.activationGroup(), plan.layout.paddedColumns),
      weights(weights), rows(rows), tokens(tokens), ragged(ragged),
      // Bulk copies can't fill up with zeros.
      bulk(hasBulkCopies(k.machine) && !ragged) {
  member = k.warp() & (kGroupWarps - 1);
  inGroup = k.thread() & (groupThreads() - 1);
}

/// Starts the copies of the parts of \p bytes each that the panels have at \p
/// offset; \p valid of them are there.
void SlabCopies::copyOfPanels(V firstPanel, V offset, V valid, int64_t bytes,
                              V to) const {
  int64_t pieces = bytes / 16, count = slab.panels * pieces;
  for (int64_t i = 0; i < count; i += groupThreads()) {
    V number = inGroup + i;
    auto copy = [&] {
      V panel = number / pieces, piece = number % pieces;
      V from = k.min(firstPanel + panel, weights.panels - 1);
      V there;
      if (ragged)
        there = k.max(k.min(valid - piece * 16, k.i64(16)), k.i64(0));
      k.copyAsync(to + panel * bytes + piece * 16,
                  weights.data + from * plan.layout.bytes + offset + piece * 16,
                  16, there);
    };
    if (i + groupThreads() <= count)
      copy();
    else
      k.ifThen(number < count, copy);
  }
}

/// Of each token's row its part of the slab. A lane has a word of four columns,
/// which goes where the lane of A with these columns has its own.
void SlabCopies::copyRows(V number, V stage, V offsets) const {
  int64_t words = plan.unitWords, step = 4 * words; // of a step
  V lane = k.lane();
  V inStep = lane % step, inUnit = inStep % words;
  V place = (lane - inStep) + inUnit / 2 * 8 + inUnit % 2 * 4 + inStep / words;
  V column = number * slab.columns + lane * 4;
  V there;
  if (ragged)
    there = k.select(column < row.paddedColumns, k.i64(4), k.i64(0));
  // Every other row of a warp has the same place in the pattern.
  V first = stage + groupRowOffset(member, place * 4),
    second = stage + groupRowOffset(member + kGroupWarps, place * 4);
  V source = offsets + member * 8;
  for (int64_t i = 0; i < tokens; i += kGroupWarps) {
    V from = rows.data + k.load(k.i64(), source, i * 8) + column;
    V to = i % (2 * kGroupWarps) ? second + (i - kGroupWarps) * kGroupRowBytes
                                 : first + i * kGroupRowBytes;
    k.copyAsync(to, from, 4, there);
  }
}

/// Of each token a word for each group of the slab, at \p part of its row.
void SlabCopies::copyOfTokens(V number, V to, V offsets, int64_t part) const {
  int64_t count = slab.groups * tokens;
  for (int64_t i = 0; i < count; i += groupThreads()) {
    V place = inGroup + i;
    auto copy = [&] {
      V token = place % tokens;
      V column = number * slab.groups + place / tokens;
      V there;
      if (ragged)
        there = k.select(column < plan.layout.groups, k.i64(4), k.i64(0));
      k.copyAsync(to + place * 4,
                  rows.data + k.load(k.i64(), offsets, token * 8) +
                      (column * 4 + part),
                  4, there);
    };
    if (i + groupThreads() <= count)
      copy();
    else
      k.ifThen(place < count, copy);
  }
}

/// Starts all copies of slab \p number into \p stage.
void SlabCopies::start(V number, V stage, V firstPanel, V offsets,
                       V barrier) const {
  if (bulk)
    copyWeightsBulk(number, stage, firstPanel, barrier);
  else
    copyWeights(number, stage, firstPanel);
  if (!format.isInteger())
    return; // groups of warps load rows themselves
  copyRows(number, stage, offsets);
  copyOfTokens(number, stage + slab.factorsAt, offsets, row.scales);
  if (format.zero != ZeroKind::None)
    copyOfTokens(number, stage + slab.sumsAt, offsets, row.sums);
}

/// A thread for each panel, whose parts of a slab are in one piece each.
void SlabCopies::copyWeightsBulk(V number, V stage, V firstPanel,
                                 V barrier) const {
  k.ifThen(inGroup < slab.panels, [&] {
    V panel = k.min(firstPanel + inGroup, weights.panels - 1);
    V data = weights.data + panel * plan.layout.bytes;
    auto part = [&](int64_t begin, int64_t bytes, int64_t at) {
      if (bytes)
        copyBulk(k, stage + inGroup * bytes + at, data + number * bytes + begin,
                 bytes, barrier);
    };
    expectBytes(k, barrier, slab.values + slab.scales + slab.zeros);
    part(plan.layout.valuesOffset, slab.values, slab.valuesAt);
    part(0, slab.scales, slab.scalesAt);
    part(plan.layout.zerosOffset, slab.zeros, slab.zerosAt);
  });
}

void SlabCopies::copyWeights(V number, V stage, V firstPanel) const {
  auto part = [&](int64_t begin, int64_t end, int64_t bytes, int64_t at) {
    V offset = number * bytes + begin;
    copyOfPanels(firstPanel, offset, k.i64(end) - offset, bytes, stage + at);
  };
  const PanelLayout &layout = plan.layout;
  part(layout.valuesOffset,
       layout.valuesOffset + valueBytes(format.value, layout.paddedColumns),
       slab.values, slab.valuesAt);
  if (slab.scales)
    part(0, layout.groups * (slab.scales / slab.groups), slab.scales,
         slab.scalesAt);
  if (slab.zeros)
    part(layout.zerosOffset,
         layout.zerosOffset + layout.groups * (slab.zeros / slab.groups),
         slab.zeros, slab.zerosAt);
}
