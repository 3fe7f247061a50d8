// Loads of several chunks first, then their products. Chunks beyond the columns
// read the last ones and count as zero.
#include "targets/gpu/kernels/TileProducts.h"
#include "dialects/Tile/StagedRow.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

TileProducts::TileProducts(DeviceBuilder &k, const MatrixUnit &unit,
                           const ColumnPlan &plan, int parts,
                           const WeightsOperand &weights, V tile,
                           const LaneRows &rows)
    : k(k), unit(unit), plan(plan), format(plan.format), parts(parts),
      rows(rows) {
  auto panelAt = [&](V panel) {
    V number = k.min(tile * unit.tilePanels + panel, weights.panels - 1);
    return weights.data + number * plan.layout.bytes;
  };
  values =
      panelAt(unit.rowPanel) + plan.layout.valuesOffset + unit.rowQuad * 16;
  if (!plan.ragged)
    values = values + unit.kLane * (plan.unitLines * kPanelAlign);
  if (!format.group)
    return;
  int64_t zeroBytes =
      format.zero == ZeroKind::Point ? 1 : scaleBytes(format.scale);
  for (int64_t place = 0; place < unit.rowPlaces; ++place) {
    MatrixUnit::Place at = unit.rowPlace(place);
    V panel = panelAt(at.panel);
    scales.push_back(panel + at.quad * (4 * scaleBytes(format.scale)));
    if (format.zero != ZeroKind::None)
      zeros.push_back(panel + plan.layout.zerosOffset +
                      at.quad * (4 * zeroBytes));
  }
}

/// Number of the lane's unit.
V TileProducts::unitOf(V chunk, int64_t step) const {
  return (chunk * plan.steps + step) * plan.kLanes + unit.kLane;
}

/// Byte offset of a unit's columns in an array of \p bytesEach for each column.
V TileProducts::columnsAt(V chunk, int64_t step, int64_t bytesEach) const {
  V number = unitOf(chunk, step);
  if (plan.ragged)
    number = k.min(number, k.i64(plan.units - 1));
  return number * (plan.unitColumns * bytesEach);
}

V TileProducts::groupOf(V chunk, int64_t group) const {
  V number = chunk * plan.chunkGroups + group;
  return plan.ragged ? k.min(number, k.i64(plan.layout.groups - 1)) : number;
}

/// Whether there is such a group; null when there always is.
V TileProducts::isGroup(V chunk, int64_t group) const {
  return plan.ragged ? chunk * plan.chunkGroups + group < plan.layout.groups
                     : V();
}

TileProducts::Chunk TileProducts::load(V number) const {
  Chunk chunk;
  chunk.number = number;
  int64_t unitBytes = plan.unitLines * kPanelAlign;
  V first = values + number * (plan.steps * plan.kLanes * unitBytes);
  for (int64_t step = 0; step < plan.steps; ++step) {
    V at = plan.ragged
               ? values + k.min(unitOf(number, step), k.i64(plan.units - 1)) *
                              unitBytes
               : first + step * plan.kLanes * unitBytes;
    for (int64_t line = 0; line < plan.unitLines; ++line)
      chunk.lines.push_back(loadConstant(k, k.vec(4, k.i32()), at,
                                         k.i64(line * kPanelAlign), 16));
  }
  if (!format.group)
    return chunk;
  int64_t scaleStep = kPanelRows * scaleBytes(format.scale);
  for (int64_t g = 0; g < plan.chunkGroups; ++g) {
    V group = groupOf(number, g);
    for (int64_t place = 0; place < unit.rowPlaces; ++place) {
      chunk.scales.push_back(
          loadFourScales(k, format.scale, scales[place], group * scaleStep));
      if (format.zero == ZeroKind::Min)
        chunk.zeros.push_back(
            loadFourScales(k, format.scale, zeros[place], group * scaleStep));
      if (format.zero == ZeroKind::Point)
        chunk.zeros.push_back(
            k.zeroExtend(loadConstant(k, k.vec(4, k.i8()), zeros[place],
                                      group * kPanelRows, 4),
                         k.vec(4, k.i32())));
    }
  }
  return chunk;
}

/// Words of A of all steps, [part][word].
SmallVector<SmallVector<V>> TileProducts::wordsOf(const Chunk &chunk) const {
  SmallVector<SmallVector<V>> words;
  ArrayRef<V> lines = chunk.lines;
  for (; !lines.empty(); lines = lines.drop_front(plan.unitLines)) {
    auto some = weightWords(k, plan, lines.take_front(plan.unitLines));
    words.resize(some.size());
    for (auto [all, more] : llvm::zip(words, some))
      all.append(more);
  }
  return words;
}

/// Adds the products of all words \p a (4 x i32 each) and \p b to \p sums, one
/// for each instruction of the unit's group.
void TileProducts::multiply(llvm::MutableArrayRef<MatrixUnit::Sum> sums,
                            ArrayRef<V> a, ArrayRef<V> b) const {
  for (size_t first = 0; first < a.size(); first += unit.kWords) {
    size_t count = std::min<size_t>(unit.kWords, a.size() - first);
    SmallVector<V> left(a.slice(first, count)), right(b.slice(first, count));
    left.resize(unit.kWords, k.zero(k.vec(4, k.i32())));
    right.resize(unit.kWords, k.i32(0));
    for (int64_t i = 0; i < unit.together; ++i)
      sums[i] = unit.multiply(unit.operandA(i, left), right, sums[i]);
  }
}

/// What a group's sums begin with: what stored zeros take away. Quads [row
/// place][token place]; none for symmetric values.
SmallVector<V> TileProducts::starts(const Chunk &chunk, int64_t group,
                                    ArrayRef<V> sums) const {
  SmallVector<V> quads;
  for (int64_t place = 0; place < unit.rowPlaces; ++place)
    for (V sum : sums) {
      V wide = k.splat(sum, 4);
      if (format.zero == ZeroKind::Min) {
        quads.push_back(wide * int64_t(128));
        continue;
      }
      V zero = chunk.zeros[group * unit.rowPlaces + place];
      V away =
          k.constant(zero.type(), int64_t(128)) - zero * byteMultiple(format);
      quads.push_back(away * wide);
    }
  return quads;
}

void TileProducts::addIntegers(const Chunk &chunk,
                               SmallVector<V> &totals) const {
  tile::StagedRowLayout row(format.group, plan.layout.paddedColumns);
  bool hasZeros = format.zero != ZeroKind::None;
  SmallVector<V> a = wordsOf(chunk)[0];
  V laneGroup = unit.kLane * plan.unitColumns >>
                int(llvm::Log2_64(uint64_t(format.group)));
  int64_t places = unit.rowPlaces * unit.tokenPlaces;
  for (size_t tokens = 0; tokens < rows.operands.size(); ++tokens) {
    SmallVector<V> words;
    for (int64_t step = 0; step < plan.steps; ++step)
      words.append(k.loadWords(rows.operands[tokens],
                               columnsAt(chunk.number, step, 1), plan.unitWords,
                               unsigned(plan.unitWords * 4)));
    for (int64_t g = 0; g < plan.chunkGroups; ++g) {
      // In a step of several groups the others' columns are multiplied by 0.
      SmallVector<V> b(words);
      if (plan.chunkGroups > 1)
        for (V &word : b)
          word = k.select(laneGroup == g, word, k.i32(0));
      V group = groupOf(chunk.number, g), exists = isGroup(chunk.number, g);
      SmallVector<V> factors, sumsOfRow;
      for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
        V result = rows.results[tokens * unit.tokenPlaces + t];
        V factor = k.load(k.f32(), result, group * 4 + row.scales);
        factors.push_back(exists ? k.select(exists, factor, k.f32(0)) : factor);
        if (hasZeros)
          sumsOfRow.push_back(k.load(k.i32(), result, group * 4 + row.sums));
      }
      SmallVector<MatrixUnit::Sum> sums(unit.together, unit.zero());
      if (hasZeros)
        sums = unit.sumsOf(starts(chunk, g, sumsOfRow));
      multiply(sums, a, b);
      for (int64_t place = 0; place < unit.rowPlaces; ++place) {
        V scale = chunk.scales[g * unit.rowPlaces + place];
        if (byteMultiple(format) > 1)
          scale = scale * (1.0 / double(byteMultiple(format)));
        for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
          V &total = totals[tokens * places + place * unit.tokenPlaces + t];
          V exact = k.toFloat(unit.quad(sums, place, t), total.type());
          total = k.fma(exact, scale * k.splat(factors[t], 4), total);
          if (format.zero == ZeroKind::Min) {
            V shift = factors[t] * k.toFloat(sumsOfRow[t], k.f32());
            total = k.fma(chunk.zeros[g * unit.rowPlaces + place],
                          k.splat(shift, 4), total);
          }
        }
      }
    }
  }
}

/// Words of B of all steps, of the f32 in the row at \p row: [part][word].
SmallVector<SmallVector<V>> TileProducts::floatOperands(const Chunk &chunk,
                                                        V row) const {
  SmallVector<SmallVector<V>> words(parts);
  for (int64_t step = 0; step < plan.steps; ++step) {
    V four =
        k.load(k.vec(4, k.f32()), row, columnsAt(chunk.number, step, 4), 16);
    if (plan.ragged && !format.group)
      four = k.select(unitOf(chunk.number, step) < plan.units, four,
                      k.zero(four.type()));
    SmallVector<V> split = bf16Parts(k, four, parts, parts < kExactParts);
    for (auto [bits, all] : llvm::zip(split, words))
      for (int64_t i = 0; i < 4; i += 2)
        all.push_back(bf16Pair(k.extract(bits, i), k.extract(bits, i + 1)));
  }
  return words;
}

void TileProducts::addFloats(const Chunk &chunk, SmallVector<V> &totals) const {
  SmallVector<SmallVector<V>> a = wordsOf(chunk);
  V exists = format.group ? isGroup(chunk.number, 0) : V();
  int64_t places = unit.rowPlaces * unit.tokenPlaces;
  for (size_t tokens = 0; tokens < rows.operands.size(); ++tokens) {
    SmallVector<MatrixUnit::Sum> sums(unit.together, unit.zero());
    SmallVector<SmallVector<V>> b = floatOperands(chunk, rows.operands[tokens]);
    // Products beyond the accuracy of the smallest part are left out.
    for (int part = 0; part < parts; ++part)
      for (int other = 0; other < int(a.size()) && part + other < parts;
           ++other)
        multiply(sums, a[other], b[part]);
    for (int64_t place = 0; place < unit.rowPlaces; ++place)
      for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
        V &total = totals[tokens * places + place * unit.tokenPlaces + t];
        V sum = unit.quad(sums, place, t);
        if (!format.group) {
          total = total + sum;
          continue;
        }
        V scale = chunk.scales[place];
        if (exists)
          scale = k.select(exists, scale, k.zero(scale.type()));
        total = k.fma(sum, scale, total);
      }
  }
}

SmallVector<V> TileProducts::segment(V segment) const {
  V first = segment * plan.segmentChunks;
  SmallVector<V> totals(rows.operands.size() * unit.rowPlaces *
                            unit.tokenPlaces,
                        k.zero(k.vec(4, k.f32())));
  // Totals of more tokens leave less room for loads in flight. Chunks are added
  // one by one either way.
  int64_t together = rows.operands.size() > 1 ? 1 : plan.together;
  auto add = [&](V number, ArrayRef<V> before) {
    SmallVector<V> after(before);
    SmallVector<Chunk> chunks;
    for (int64_t i = 0; i < together; ++i)
      chunks.push_back(load(number + i));
    for (const Chunk &chunk : chunks)
      format.isInteger() ? addIntegers(chunk, after) : addFloats(chunk, after);
    return after;
  };
  if (together == plan.segmentChunks)
    return add(first, totals);
  return k.fold(first, first + plan.segmentChunks, together, totals, add);
}
