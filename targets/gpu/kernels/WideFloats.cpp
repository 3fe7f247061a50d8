// Floats of many tokens: weights are bf16 already or become one or two; rows
// of tokens are sums of one or two, or become them on their way to shared
// memory. Two keep 16 of an activation's bits, as in front of AMX.
#include "targets/gpu/kernels/SplitRow.h"
#include "targets/gpu/kernels/WeightFragments.h"
#include "targets/gpu/kernels/WideProduct.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Columns of one matrix instruction.
static constexpr int64_t kStepColumns = 16;

namespace {
class WideFloats : public WideProduct {
public:
  WideFloats(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
             const WeightsOperand &weights, const RowsOperand &rows,
             int64_t tokens, V acc, V accStride);

private:
  SmallVector<V> loadRows(V number) const override;
  void storeRows(ArrayRef<V> rows) const override;
  void storeFloats(ArrayRef<V> rows) const;
  void storeSplit(ArrayRef<V> rows) const;
  SmallVector<V> multiplySlab(V number, V stage,
                              ArrayRef<V> before) const override;

  /// Parts of weights and of activations whose product counts.
  struct Pair {
    int weight, row;
  };
  /// Words of A of some steps: [part][step * unit.kWords + word], \p rows x
  /// i32, of the lane's four rows or of two from \p firstRow on.
  using Words = SmallVector<SmallVector<V>>;
  Words wordsOf(V stage, int64_t firstStep, int64_t steps, int64_t firstRow,
                int64_t rows) const;
  V scalesOf(V number, int64_t column) const;
  SmallVector<V> operand(const Words &words, int part, int64_t step,
                         int64_t half) const;
  /// Gives \p add the sums of the steps of one half of the rows, [block - first
  /// * 4 + i], of the blocks of tokens from \p first on.
  using Add =
      llvm::function_ref<void(int64_t half, int64_t first, ArrayRef<V> sums)>;
  void byGroups(V stage, int64_t firstStep, int64_t steps, Add add) const;
  void byWarps(V stage, int64_t firstStep, int64_t steps, Add add) const;

  /// Byte \p byte of part \p part in row \p row of B, up to part *
  /// slab.partRows, which is a constant of loads and stores, not an address.
  V partAt(int part, V row, V byte) const {
    return ownRows() + groupRowOffset(row, byte + part * slab.partBytes);
  }

  /// A unit is one of two words; lanes at odd places in K take the second one
  /// first. Of two lines the same ones of all units lie in the same banks: half
  /// as many lanes meet in one so. Split rows are in this order.
  bool swapsWords() const { return plan.unitLines == 2 || rows.parts; }

  int parts; ///< of an activation
  SmallVector<Pair> pairs;
  int64_t rowColumns; ///< that a token's row has
  /// Which 16 bytes of a slab the thread brings, of every tokensAtOnce-th
  /// token: four columns, or of split rows half of a step's part.
  V piece, firstToken;
  int64_t tokensAtOnce;
};
} // namespace

WideFloats::WideFloats(DeviceBuilder &k, const PackedFormat &format,
                       int64_t columns, const WeightsOperand &weights,
                       const RowsOperand &rows, int64_t tokens, V acc,
                       V accStride)
    : WideProduct(k, MatrixElement::BF16, format, columns, weights, rows,
                  tokens, acc, accStride),
      parts(k.machine.activationParts),
      rowColumns(tile::StagedRowLayout(0, columns).paddedColumns) {
  assert((!rows.parts || rows.parts == parts) && "rows of this machine");
  // Products beyond the accuracy of the smaller part are left out.
  for (int row = 0; row < parts; ++row)
    for (int weight = 0;
         weight < plan.weightParts && weight + row < kWeightParts; ++weight)
      pairs.push_back({weight, row});
  V inGroup = k.thread() & (kGroupWarps * k.machine.lanes - 1);
  int64_t pieces = slab.columns * (rows.parts ? 2 * rows.parts : 4) / 16;
  tokensAtOnce = kGroupWarps * k.machine.lanes / pieces;
  piece = inGroup & (pieces - 1);
  firstToken = inGroup / pieces;
}

SmallVector<V> WideFloats::loadRows(V number) const {
  // Steps of 16 columns are there or not, also in rows of f32.
  int64_t stepPieces = rows.parts ? 2 * rows.parts : 4;
  V at = number * (slab.columns / kStepColumns * stepPieces) + piece, inside;
  if (ragged || rowColumns % slab.columns != 0) {
    inside = at < rowColumns / kStepColumns * stepPieces;
    at = k.select(inside, at, k.i64(0));
  }
  SmallVector<V> loaded;
  Type type = k.vec(4, rows.parts ? k.i32() : k.f32());
  V source = offsets + firstToken * 8, data = rows.data + at * 16;
  for (int64_t i = 0; i < tokens; i += tokensAtOnce) {
    V four = k.load(type, data + k.load(k.i64(), source, i * 8), V(), 16);
    loaded.push_back(inside ? k.select(inside, four, k.zero(four.type()))
                            : four);
  }
  return loaded;
}

void WideFloats::storeRows(ArrayRef<V> loaded) const {
  rows.parts ? storeSplit(loaded) : storeFloats(loaded);
}

/// They lie in memory as in a row of B, but for the parts.
void WideFloats::storeSplit(ArrayRef<V> loaded) const {
  V half = piece & 1, part = (piece >> 1) & (parts - 1);
  V step = piece >> (parts == 2 ? 2 : 1);
  V to = partAt(0, firstToken,
                step * kSplitBytes + half * 16 + part * slab.partBytes) +
         part * slab.partRows;
  for (auto [i, four] : llvm::enumerate(loaded))
    k.store(four, to, int64_t(i) * tokensAtOnce * kGroupRowBytes, 16);
}

void WideFloats::storeFloats(ArrayRef<V> loaded) const {
  // The lane of A with these four columns of a step has two words of them, for
  // which the instruction takes places 16 bytes apart.
  V byte = (piece >> 2) * 32 + (piece & 3) * 4;
  if (swapsWords())
    byte = byte + (piece & 1) * 16;
  SmallVector<V> low, high;
  for (int part = 0; part < parts; ++part) {
    low.push_back(partAt(part, firstToken, byte));
    high.push_back(partAt(part, firstToken, byte ^ k.i64(16)));
  }
  for (auto [i, four] : llvm::enumerate(loaded)) {
    int64_t at = int64_t(i) * tokensAtOnce * kGroupRowBytes;
    for (auto [part, words] : llvm::enumerate(bf16Words(k, four, parts))) {
      int64_t partAt = at + int64_t(part) * slab.partRows;
      k.store(words[0], low[part], partAt, 4);
      k.store(words[1], high[part], partAt, 4);
    }
  }
}

WideFloats::Words WideFloats::wordsOf(V stage, int64_t firstStep, int64_t steps,
                                      int64_t firstRow, int64_t rows) const {
  int64_t unitBytes = plan.unitLines * kPanelAlign;
  V values = stage + warpPanel * slab.values + unit.rowQuad * 16 +
             unit.kLane * unitBytes;
  SmallVector<V> sources(size_t(plan.unitLines), values);
  V odd = unit.kLane & 1;
  if (swapsWords() && plan.unitLines == 2)
    for (int64_t line = 0; line < 2; ++line)
      sources[size_t(line)] = values + (odd ^ k.i64(line)) * kPanelAlign;
  Words words(size_t(plan.weightParts), SmallVector<V>());
  for (int64_t step = firstStep; step < firstStep + steps; ++step) {
    SmallVector<V> lines;
    for (int64_t line = 0; line < plan.unitLines; ++line)
      lines.push_back(k.load(k.vec(rows, k.i32()), sources[size_t(line)],
                             step * plan.kLanes * unitBytes + firstRow * 4,
                             unsigned(rows * 4)));
    if (swapsWords() && plan.unitLines == 1) // both words are of one line
      lines[0] =
          k.select(odd == 1, (lines[0] << 16) | (lines[0] >> 16), lines[0]);
    for (auto [all, more] : llvm::zip(words, weightWords(k, plan, lines)))
      all.append(more);
  }
  return words;
}

/// The lane's four scales of the group that column \p column of a slab is in;
/// null when there are none.
V WideFloats::scalesOf(V number, int64_t column) const {
  if (!format.group)
    return V();
  V panel = k.min(firstPanel + warpPanel, weights.panels - 1);
  V group = (number * slab.columns + column) >>
            int(llvm::Log2_64(uint64_t(format.group)));
  int64_t bytes = scaleBytes(format.scale);
  return loadFourScales(
      k, format.scale,
      weights.data + panel * plan.layout.bytes + unit.rowQuad * (4 * bytes),
      k.min(group, k.i64(plan.layout.groups - 1)) * (kPanelRows * bytes));
}

SmallVector<V> WideFloats::operand(const Words &words, int part, int64_t step,
                                   int64_t half) const {
  return unit.operandA(
      half,
      ArrayRef<V>(words[size_t(part)]).slice(step * unit.kWords, unit.kWords));
}

void WideFloats::byGroups(V stage, int64_t firstStep, int64_t steps,
                          Add add) const {
  V descriptor = groupDescriptor(k, ownRows());
  SmallVector<int64_t> offsets;
  for (const Pair &pair : pairs)
    for (int64_t step = firstStep; step < firstStep + steps; ++step)
      offsets.push_back(
          (pair.row * (slab.partRows + slab.partBytes) + step * 32) / 16);
  for (int64_t half = 0; half < unit.together; ++half) {
    // Registers have no room for the words of all rows beside the sums of many
    // tokens.
    Words words = wordsOf(stage, firstStep, steps, half * unit.rowsPerLane,
                          unit.rowsPerLane);
    SmallVector<V> a;
    for (const Pair &pair : pairs)
      for (int64_t step = 0; step < steps; ++step)
        a.append(operand(words, pair.weight, step, 0));
    add(half, 0,
        groupMultiply(k, MatrixElement::BF16, tokens, a, descriptor, offsets));
  }
}

void WideFloats::byWarps(V stage, int64_t firstStep, int64_t steps,
                         Add add) const {
  Words words =
      wordsOf(stage, firstStep, steps, 0, unit.rowsPerLane * unit.together);
  for (int64_t block = 0; block < blocks(); ++block) {
    SmallVector<MatrixUnit::Sum> sums(unit.together, unit.zero());
    for (const Pair &pair : pairs)
      for (int64_t step = 0; step < steps; ++step) {
        SmallVector<V> b;
        for (int64_t word = 0; word < unit.kWords; ++word) {
          V byte = unit.kLane * 4 + ((firstStep + step) * 32 + word * 16);
          b.push_back(
              k.load(k.i32(), partAt(pair.row, unit.token, byte),
                     pair.row * slab.partRows + block * 8 * kGroupRowBytes, 4));
        }
        for (int64_t half = 0; half < unit.together; ++half)
          sums[half] = unit.multiply(operand(words, pair.weight, step, half), b,
                                     sums[half]);
      }
    for (int64_t half = 0; half < unit.together; ++half)
      add(half, block, sums[half]);
  }
}

SmallVector<V> WideFloats::multiplySlab(V number, V stage,
                                        ArrayRef<V> before) const {
  SmallVector<V> totals(before);
  int64_t columns = slab.columns; // that share their scales
  if (format.group && format.group < columns)
    columns = format.group;
  int64_t steps = columns / kStepColumns;
  for (int64_t first = 0; first < slab.columns; first += columns) {
    int64_t firstStep = first / kStepColumns;
    V scales = scalesOf(number, first);
    // At once, so that registers need not hold the sums of both halves.
    auto add = [&](int64_t half, int64_t block, ArrayRef<V> sums) {
      for (auto [i, sum] : llvm::enumerate(sums)) {
        V &total = totals[(half * blocks() + block) * 4 + int64_t(i)];
        V scale =
            scales ? k.extract(scales, 2 * half + int64_t(i) % 4 / 2) : V();
        total = scale ? k.fma(sum, scale, total) : total + sum;
      }
    };
    if (k.machine.wgmma)
      byGroups(stage, firstStep, steps, add);
    else
      byWarps(stage, firstStep, steps, add);
  }
  return totals;
}

std::unique_ptr<WideProduct>
quartet::gpu::makeWideFloats(DeviceBuilder &k, const PackedFormat &format,
                             int64_t columns, const WeightsOperand &weights,
                             const RowsOperand &rows, int64_t tokens, V acc,
                             V accStride) {
  return std::make_unique<WideFloats>(k, format, columns, weights, rows, tokens,
                                      acc, accStride);
}
