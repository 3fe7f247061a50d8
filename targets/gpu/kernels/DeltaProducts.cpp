// Three products for each step of the inner dimension, each for all tiles in
// turn, so that instructions in a row do not wait for each other's sums.
#include "targets/gpu/kernels/DeltaProducts.h"
#include "targets/gpu/kernels/MixerRows.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

DeltaProducts::DeltaProducts(DeviceBuilder &k)
    : unit(k, MatrixElement::BF16), parts(k.machine.activationParts), k(k),
      lane(k.lane()) {
  bool isMma = k.machine.matrix == MatrixFamily::Mma;
  runTile = isMma ? 8 : 16;
  places = isMma ? 2 : 1;
  run = isMma ? 2 : k.machine.matrix == MatrixFamily::Mfma ? 4 : 8;
}

void DeltaProducts::hidePlaces(V zero) {
  lane = k.lane() + zero;
  unit.token = unit.token + zero;
  unit.kLane = unit.kLane + zero;
}

void DeltaProducts::showPlaces() {
  MatrixUnit shown(k, MatrixElement::BF16);
  lane = k.lane();
  unit.token = shown.token;
  unit.kLane = shown.kLane;
}

V DeltaProducts::runRow() const {
  if (k.machine.matrix == MatrixFamily::Wmma11) // row 2 p + h of A: run 8 h + p
    return (lane & 1) * 8 + ((lane & 15) >> 1);
  return unit.token; // of A and of B alike
}

V DeltaProducts::singleRow(int64_t place) const {
  return unit.token + place * 8;
}

V DeltaProducts::firstOfRun() const {
  return k.machine.matrix == MatrixFamily::Mma ? unit.kLane * run
                                               : (lane >> 4) * run;
}

V DeltaProducts::runOf(const Sum &sum, int64_t place) const {
  if (sum.size() == 1)
    return sum[0];
  V pair = k.zero(k.vec(2, k.f32()));
  for (int64_t i = 0; i < 2; ++i)
    pair = k.insert(sum[2 * place + i], pair, i);
  return pair;
}

DeltaProducts::Sum DeltaProducts::sumOf(ArrayRef<V> runs) const {
  if (places == 1)
    return {runs[0]};
  Sum sum;
  for (V pair : runs)
    for (int64_t i = 0; i < 2; ++i)
      sum.push_back(k.extract(pair, i));
  return sum;
}

V DeltaProducts::splitPlace(V word) const {
  return (word >> 2) * 32 + (word & 3) * 4;
}

DeltaProducts::Words DeltaProducts::splitWords(ArrayRef<V> rows, V offset,
                                               int64_t inner) const {
  int64_t count = wordCount(inner), atOnce = std::min<int64_t>(count, 4);
  V place = splitPlace(firstWord(inner)) + offset;
  Words words;
  for (V row : rows)
    for (int64_t part = 0; part < parts; ++part) {
      words[part].emplace_back();
      for (int64_t i = 0; i < count; i += 4)
        words[part].back().append(k.loadWords(row, place + i * 8 + part * 16,
                                              atOnce, unsigned(atOnce * 4)));
    }
  return words;
}

void DeltaProducts::multiply(llvm::MutableArrayRef<Sum> sums,
                             ArrayRef<Words> runs,
                             ArrayRef<Words> singles) const {
  int64_t words = unit.kWords;
  auto operand = [&](const Words &from, int64_t part, int64_t step) {
    SmallVector<V> result; // [word][row]
    for (int64_t word = step; word < step + words; ++word)
      for (const SmallVector<V> &row : from[part])
        result.push_back(row[word]);
    return result;
  };
  bool isMma = k.machine.matrix == MatrixFamily::Mma;
  int64_t count = int64_t(runs[0][0][0].size());
  SmallVector<std::pair<int, int>> pairs = {{0, 0}};
  if (parts > 1)
    pairs.append({{0, 1}, {1, 0}});
  for (int64_t step = 0; step < count; step += words)
    for (auto [runPart, singlePart] : pairs)
      for (size_t r = 0; r < runs.size(); ++r)
        for (size_t s = 0; s < singles.size(); ++s) {
          SmallVector<V> ofRuns = operand(runs[r], runPart, step),
                         ofSingles = operand(singles[s], singlePart, step);
          Sum &sum = sums[r * singles.size() + s];
          sum = isMma ? unit.multiply(ofSingles, ofRuns, sum)
                      : unit.multiply(ofRuns, ofSingles, sum);
        }
}

SmallVector<DeltaProducts::Sum>
DeltaProducts::dot(ArrayRef<V> runs, ArrayRef<SmallVector<V>> singles,
                   int64_t bytes) const {
  SmallVector<Sum> none(runs.size() * singles.size(), zero());
  // 32 columns a turn.
  SmallVector<V> all =
      k.fold(k.i64(0), k.i64(bytes), 128, flattened(none),
             [&](V column, ArrayRef<V> so) {
               SmallVector<Sum> sums = unflattened(so, none.size());
               SmallVector<Words> ofRuns, ofSingles;
               for (V row : runs)
                 ofRuns.push_back(splitWords(row, column, 32));
               for (ArrayRef<V> each : singles)
                 ofSingles.push_back(splitWords(each, column, 32));
               multiply(sums, ofRuns, ofSingles);
               return flattened(sums);
             });
  return unflattened(all, none.size());
}

/// \p value (f32) rounded to the eight bits of a bf16: Veltkamp's splitting. In
/// contrast to rounding its bits, that keeps NaN.
static V rounded(V value) {
  V far = value * 65537.0;
  return far - (far - value);
}

std::array<V, 2> DeltaProducts::splitPairs(V first, V second) const {
  // High parts are rounded, too: low ones are half as large then and of either
  // sign, so that what low x low would give is small and does not add up.
  auto bits = [&](V value) {
    return k.bitcast(value, k.withElement(value.type(), k.i32()));
  };
  V high[2] = {rounded(first), rounded(second)};
  return {bf16Pair(bits(high[0]), bits(high[1])),
          bf16Pair(bits(rounded(first - high[0])),
                   bits(rounded(second - high[1])))};
}

void quartet::gpu::clearShared(DeviceBuilder &k, V from, int64_t bytes) {
  k.forThreads(bytes / 16, [&](V i) {
    k.store(k.zero(k.vec(4, k.f32())), from, i * 16, 16);
  });
}

int64_t quartet::gpu::spreadRow(int64_t bytes) {
  return (ceilDiv(bytes, 16) | 1) * 16;
}

SmallVector<V> quartet::gpu::flattened(ArrayRef<DeltaProducts::Sum> sums) {
  SmallVector<V> values;
  for (const DeltaProducts::Sum &sum : sums)
    values.append(sum);
  return values;
}

SmallVector<DeltaProducts::Sum> quartet::gpu::unflattened(ArrayRef<V> values,
                                                          size_t count) {
  SmallVector<DeltaProducts::Sum> sums;
  for (size_t i = 0; i < count; ++i) {
    size_t each = values.size() / count;
    sums.emplace_back(values.slice(i * each, each));
  }
  return sums;
}

DeltaShare::DeltaShare(int64_t runTiles, int64_t singleTiles, int64_t warps) {
  // Least time of a warp: four units for the products of a tile, one for the
  // loads of each tile of an operand.
  int64_t best = 0;
  for (int64_t r = 1; r <= 4; r *= 2)
    for (int64_t s = 1; r * s <= 4; s *= 2) {
      if (runTiles % r || singleTiles % s)
        continue;
      int64_t each = runTiles / r * (singleTiles / s);
      int64_t time = ceilDiv(each, warps) * (4 * r * s + r + s);
      if (best && time >= best)
        continue;
      best = time;
      runs = r;
      singles = s;
    }
  down = runTiles / runs;
  count = down * (singleTiles / singles);
  turns = ceilDiv(count, warps);
}

void DeltaShare::each(
    DeviceBuilder &k, V warp,
    llvm::function_ref<void(V run, V single, V ours)> body) const {
  int64_t warps = k.machine.warps();
  for (int64_t turn = 0; turn < turns; ++turn) {
    V number = warp + turn * warps, ours;
    if ((turn + 1) * warps > count) {
      ours = number < count;
      number = k.min(number, k.i64(count - 1));
    }
    body(number % down * runs, number / down * singles, ours);
  }
}

void DeltaShare::eachOwn(DeviceBuilder &k, V warp,
                         llvm::function_ref<void(V run, V single)> body) const {
  each(k, warp, [&](V run, V single, V ours) {
    auto own = [&] { body(run, single); };
    ours ? k.ifThen(ours, own) : own();
  });
}
