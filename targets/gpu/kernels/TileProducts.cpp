// Loads of several chunks first, then their products. Chunks beyond the columns
// read the last ones and count as zero.
#include "targets/gpu/kernels/TileProducts.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

TileProducts::TileProducts(DeviceBuilder &k, const MatrixUnit &unit,
                           const ColumnPlan &plan, int parts,
                           const WeightsOperand &weights, V tile)
    : k(k), unit(unit), plan(plan), format(plan.format), parts(parts) {
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

TileProducts::Chunk TileProducts::load(V number) const {
  Chunk chunk;
  chunk.number = number;
  int64_t unitBytes = plan.unitLines * kPanelAlign;
  V first = values + number * (plan.steps * plan.kLanes * unitBytes);
  for (int64_t step = 0; step < plan.steps; ++step) {
    V at = plan.ragged ? values + k.min(plan.unitOf(unit, number, step),
                                        k.i64(plan.units - 1)) *
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
    V group = plan.groupOf(number, g);
    auto four = [&](V from) {
      return loadConstant(k, fourScalesType(k, format.scale), from,
                          group * scaleStep,
                          unsigned(4 * scaleBytes(format.scale)));
    };
    for (int64_t place = 0; place < unit.rowPlaces; ++place) {
      chunk.scales.push_back(four(scales[place]));
      if (format.zero == ZeroKind::Min)
        chunk.zeros.push_back(four(zeros[place]));
      if (format.zero == ZeroKind::Point)
        chunk.zeros.push_back(loadConstant(k, k.vec(4, k.i8()), zeros[place],
                                           group * kPanelRows, 4));
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
      V zero = k.zeroExtend(chunk.zeros[group * unit.rowPlaces + place],
                            k.vec(4, k.i32()));
      V away =
          k.constant(zero.type(), int64_t(128)) - zero * byteMultiple(format);
      quads.push_back(away * wide);
    }
  return quads;
}

V TileProducts::scaleOf(const Chunk &chunk, int64_t group,
                        int64_t place) const {
  return scalesAsFloats(k, format.scale,
                        chunk.scales[group * unit.rowPlaces + place]);
}

void TileProducts::addIntegers(const Chunk &chunk, const TileRows &rows,
                               SmallVector<V> &totals) const {
  bool hasZeros = format.zero != ZeroKind::None;
  SmallVector<V> a = wordsOf(chunk)[0];
  V laneGroup = unit.kLane * plan.unitColumns >>
                int(llvm::Log2_64(uint64_t(format.group)));
  int64_t places = unit.rowPlaces * unit.tokenPlaces;
  for (size_t tokens = 0; tokens < rows.groups(); ++tokens) {
    SmallVector<V> words = rows.words(tokens, chunk.number)[0];
    for (int64_t g = 0; g < plan.chunkGroups; ++g) {
      // In a step of several groups the others' columns are multiplied by 0.
      SmallVector<V> b(words);
      if (plan.chunkGroups > 1)
        for (V &word : b)
          word = k.select(laneGroup == g, word, k.i32(0));
      SmallVector<V> factors, sumsOfRow;
      for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
        factors.push_back(rows.factor(tokens, t, chunk.number, g));
        if (hasZeros)
          sumsOfRow.push_back(rows.sum(tokens, t, chunk.number, g));
      }
      SmallVector<MatrixUnit::Sum> sums(unit.together, unit.zero());
      if (hasZeros)
        sums = unit.sumsOf(starts(chunk, g, sumsOfRow));
      multiply(sums, a, b);
      for (int64_t place = 0; place < unit.rowPlaces; ++place) {
        V scale = scaleOf(chunk, g, place);
        if (byteMultiple(format) > 1)
          scale = scale * (1.0 / double(byteMultiple(format)));
        for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
          V &total = totals[tokens * places + place * unit.tokenPlaces + t];
          V exact = k.toFloat(unit.quad(sums, place, t), total.type());
          total = k.fma(exact, scale * k.splat(factors[t], 4), total);
          if (format.zero == ZeroKind::Min) {
            V shift = factors[t] * k.toFloat(sumsOfRow[t], k.f32());
            V zero = scalesAsFloats(k, format.scale,
                                    chunk.zeros[g * unit.rowPlaces + place]);
            total = k.fma(zero, k.splat(shift, 4), total);
          }
        }
      }
    }
  }
}

void TileProducts::addFloats(const Chunk &chunk, const TileRows &rows,
                             SmallVector<V> &totals) const {
  SmallVector<SmallVector<V>> a = wordsOf(chunk);
  V exists = format.group ? plan.isGroup(chunk.number, 0) : V();
  int64_t places = unit.rowPlaces * unit.tokenPlaces;
  for (size_t tokens = 0; tokens < rows.groups(); ++tokens) {
    SmallVector<MatrixUnit::Sum> sums(unit.together, unit.zero());
    SmallVector<SmallVector<V>> b = rows.words(tokens, chunk.number);
    // Products beyond the accuracy of the smallest part are left out, of either
    // side.
    int cut = std::max(parts, int(a.size()));
    for (int part = 0; part < parts; ++part)
      for (int other = 0; other < int(a.size()) && part + other < cut; ++other)
        multiply(sums, a[other], b[part]);
    for (int64_t place = 0; place < unit.rowPlaces; ++place)
      for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
        V &total = totals[tokens * places + place * unit.tokenPlaces + t];
        V sum = unit.quad(sums, place, t);
        if (!format.group) {
          total = total + sum;
          continue;
        }
        V scale = scaleOf(chunk, 0, place);
        if (exists)
          scale = k.select(exists, scale, k.zero(scale.type()));
        total = k.fma(sum, scale, total);
      }
    if (rows.groups() > 1)
      k.keepOrder(); // the parts of the next tokens have room in these
                     // registers
  }
}

void TileProducts::add(const Chunk &chunk, const TileRows &rows,
                       SmallVector<V> &totals) const {
  format.isInteger() ? addIntegers(chunk, rows, totals)
                     : addFloats(chunk, rows, totals);
}

SmallVector<V> TileProducts::none(size_t groups) const {
  return SmallVector<V>(groups * size_t(unit.rowPlaces * unit.tokenPlaces),
                        k.zero(k.vec(4, k.f32())));
}

SmallVector<V> TileProducts::segment(V segment, const TileRows &rows) const {
  V first = segment * plan.segmentChunks;
  // Totals of more tokens leave less room for loads in flight. Chunks are added
  // one by one either way.
  int64_t together = rows.groups() > 1 ? 1 : plan.together;
  auto addSome = [&](V number, ArrayRef<V> before) {
    SmallVector<V> after(before);
    SmallVector<Chunk> chunks;
    for (int64_t i = 0; i < together; ++i)
      chunks.push_back(load(number + i));
    for (const Chunk &chunk : chunks)
      add(chunk, rows, after);
    return after;
  };
  SmallVector<V> totals = none(rows.groups());
  if (together == plan.segmentChunks)
    return addSome(first, totals);
  return k.fold(first, first + plan.segmentChunks, together, totals, addSome);
}
