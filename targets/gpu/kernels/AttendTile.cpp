// Probabilities lie in shared memory as queries do (AttendStage.cpp): pieces of
// eight keys, the first bf16 of each, then the second, if there are two; of
// probabilities each piece is where its scores were. Rows begin so that lanes
// that read side by side find different banks.
// Dao et al., arXiv:2205.14135.
#include "targets/gpu/kernels/AttendTile.h"
#include "targets/gpu/kernels/MixerRows.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

static constexpr int64_t kPiece = RowFragments::kPiece;
static constexpr int64_t kRowThreads = 4; ///< that have a row's softmax
static constexpr int64_t kBanks = 128;    ///< bytes

int64_t AttendSizes::cacheBytes() const {
  int64_t ofKeys = keys * key, ofValues = keys / kPiece * value;
  return apart ? ofKeys + ofValues : std::max(ofKeys, ofValues);
}

int64_t AttendSizes::bytes() const {
  return rows * (query + score + 4) + 2 * keys * 4 + cacheBytes() + 8 * 64;
}

std::optional<AttendSizes>
AttendSizes::of(const DeviceBuilder &k, int64_t width, mlir::Type cacheType) {
  if (width % 32 != 0 || !(cacheType.isBF16() || cacheType.isInteger(8)))
    return std::nullopt;
  bool isMma = k.machine.matrix == MatrixFamily::Mma;
  for (auto [rows, keys, apart] : {std::tuple(64, 64, true),
                                   {64, 32, true},
                                   {32, 64, true},
                                   {32, 32, true},
                                   {32, 32, false},
                                   {16, 32, false}}) {
    AttendSizes sizes;
    sizes.rows = rows;
    sizes.keys = keys;
    sizes.apart = apart;
    sizes.query = roundUp(width * 2 * k.machine.activationParts, kBanks) + 16;
    sizes.key = roundUp(width * 2, kBanks) + (isMma ? 64 : 16);
    sizes.value = width * 16 + 32;
    sizes.score = roundUp(keys * 4, kBanks) + 16;
    if (sizes.bytes() <= k.sharedRoom())
      return sizes;
  }
  return std::nullopt;
}

AttendTile::AttendTile(DeviceBuilder &k, int64_t width, int64_t headsPerKv,
                       mlir::Type cacheType, const AttendSizes &sizes,
                       const AttendArgs &args)
    : k(k), fragments(k), width(width), heads(headsPerKv), cacheType(cacheType),
      at(sizes), args(args), int8(cacheType.isInteger(8)),
      rowGroups(sizes.rows / fragments.unit.tokens),
      columnGroups(ceilDiv(width / RowFragments::kRows, k.machine.warps())) {
  queries = k.shared(at.rows * at.query);
  keys = k.shared(at.cacheBytes());
  values = at.apart ? keys + at.keys * at.key : keys;
  weights = k.shared(at.rows * at.score);
  factors = k.shared(at.rows * 4);
  if (int8) {
    keyScales = k.shared(at.keys * 4);
    valueScales = k.shared(at.keys * 4);
  }
  rowThread = k.thread() / kRowThreads;
  part = k.thread() % kRowThreads;
}

AttendTile::Record AttendTile::recordOf(V row) {
  V token = tokenOf(row), head = k.min(row, rowCount() - 1) % heads;
  return {row < rowCount(), args.records + token * args.recordTokenStride +
                                head * args.recordHeadStride};
}

V AttendTile::columnGroup(int64_t i) {
  V group = k.warp() * columnGroups + i;
  return k.min(group, k.i64(width / RowFragments::kRows - 1));
}

/// Scores of all rows and keys of the tile, without the scales of int8.
void AttendTile::scores() {
  int64_t keyGroups = at.keys / RowFragments::kRows, warps = k.machine.warps();
  int64_t across = std::min(rowGroups, warps);
  int64_t down = std::min(warps / across, keyGroups);
  int64_t myRows = rowGroups / across, myKeys = keyGroups / down;
  auto emit = [&] {
    const MatrixUnit &unit = fragments.unit;
    V firstRow = k.warp() % across * (myRows * unit.tokens);
    V firstKey = k.warp() / across * (myKeys * RowFragments::kRows);
    SmallVector<V> queryRows, keyRows;
    for (int64_t q = 0; q < myRows; ++q)
      queryRows.push_back(fragments.place(
          queries + (firstRow + q * unit.tokens + unit.token) * at.query,
          fragments.parts * 16));
    for (int64_t n = 0; n < myKeys; ++n)
      for (int64_t r = 0; r < unit.rowsPerLane; ++r)
        keyRows.push_back(
            fragments.place(keys + (firstKey + n * RowFragments::kRows +
                                    fragments.operandRow(r)) *
                                       at.key,
                            16));
    SmallVector<V> flat;
    for (int64_t i = 0; i < myRows * myKeys; ++i)
      flat.append(unit.zero());
    size_t each = unit.zero().size();
    // A count that the code generator knows would let it unroll the loop, which
    // takes registers that the values' sums then spill.
    V steps = k.i64(width / fragments.stepColumns()) + (args.place >> 62);
    flat = k.fold(k.i64(0), steps, 1, flat, [&](V step, ArrayRef<V> so) {
      SmallVector<SmallVector<V>> a;
      for (V row : keyRows)
        a.push_back(fragments.words(row, 16, step));
      SmallVector<V> next;
      for (int64_t q = 0; q < myRows; ++q) {
        auto parts =
            fragments.partWords(queryRows[q], fragments.parts * 16, step);
        for (int64_t n = 0; n < myKeys; ++n) {
          Sum sum(so.slice((q * myKeys + n) * each, each));
          auto rows = ArrayRef(a).slice(n * unit.rowsPerLane, unit.rowsPerLane);
          for (ArrayRef<V> part : parts)
            sum = fragments.multiply(rows, part, sum);
          next.append(sum);
        }
      }
      return next;
    });
    for (int64_t q = 0; q < myRows; ++q)
      for (int64_t n = 0; n < myKeys; ++n)
        for (int64_t i = 0; i < fragments.results(); ++i) {
          Sum sum(ArrayRef(flat).slice((q * myKeys + n) * each, each));
          V row = firstRow + q * unit.tokens + fragments.resultToken(i);
          V key = firstKey + n * RowFragments::kRows + fragments.resultRow(i);
          k.store(fragments.result(sum, i), weights, row * at.score + key * 4);
        }
  };
  if (across * down == warps)
    emit();
  else
    k.ifThen(k.warp() < across * down, emit);
}

/// Scores become probabilities in place, relative to the largest so far, and
/// factors what earlier sums have to be multiplied by. \p own: places that the
/// thread's row sees.
void AttendTile::softmax(V tile, V own, State &state) {
  int64_t pieces = at.keys / kPiece / kRowThreads;
  auto after = k.ifElse(
      k.thread() < at.rows * kRowThreads,
      [&]() -> SmallVector<V> {
        SmallVector<V> scores, seen, places;
        V largest = state.largest;
        for (int64_t p = 0; p < pieces; ++p) {
          V piece = part * pieces + p;
          places.push_back(weights + rowThread * at.score + piece * 32);
          V count = own - tile * at.keys - piece * kPiece;
          for (int64_t half = 0; half < 2; ++half) {
            V four = k.load(k.vec(4, k.f32()), places.back(), half * 16, 16);
            if (int8)
              four = four *
                     k.load(four.type(), keyScales, piece * 32 + half * 16, 16);
            for (int64_t e = 0; e < 4; ++e) {
              seen.push_back(k.i64(half * 4 + e) < count);
              scores.push_back(
                  k.select(seen.back(), k.extract(four, e), k.f32(kNoScore)));
              largest = k.max(largest, scores.back());
            }
          }
        }
        largest = acrossLanes(k, largest, 1, kRowThreads,
                              [&](V a, V b) { return k.max(a, b); });
        V factor = k.exp(state.largest - largest);
        k.ifThen(part == k.i64(0),
                 [&] { k.store(factor, factors, rowThread * 4); });
        V sum = state.sum * factor;
        for (int64_t p = 0; p < pieces; ++p) {
          SmallVector<V> halves;
          for (int64_t half = 0; half < 2; ++half) {
            V four = k.zero(k.vec(4, k.f32()));
            for (int64_t e = 0; e < 4; ++e) {
              int64_t i = p * kPiece + half * 4 + e;
              V weight = k.exp(scores[i] - largest);
              weight = k.select(seen[i], weight, k.f32(0));
              sum = sum + weight;
              four = k.insert(weight, four, e);
            }
            if (int8)
              four = four * k.load(four.type(), valueScales,
                                   (part * pieces + p) * 32 + half * 16, 16);
            halves.push_back(four);
          }
          storeParts(k, halves[0], halves[1], places[p], fragments.parts);
        }
        return {largest, sum};
      },
      [&]() -> SmallVector<V> {
        return {state.largest, state.sum};
      });
  state.largest = after[0];
  state.sum = after[1];
}

/// Sums times their factors, and the values of the tile times probabilities.
void AttendTile::addValues(State &state) {
  const MatrixUnit &unit = fragments.unit;
  for (int64_t q = 0; q < rowGroups; ++q) {
    SmallVector<V> ofPlaces;
    for (int64_t place = 0; place < unit.tokenPlaces; ++place)
      ofPlaces.push_back(k.load(
          k.f32(), factors, (unit.resultToken(place) + q * unit.tokens) * 4));
    for (int64_t g = 0; g < columnGroups; ++g) {
      Sum &sum = state.sums[g * rowGroups + q];
      sum = fragments.scaled(sum, ofPlaces);
    }
  }
  for (int64_t s = 0; s < at.keys / fragments.stepColumns(); ++s) {
    V step = k.i64(s);
    SmallVector<SmallVector<V>> a;
    for (int64_t g = 0; g < columnGroups; ++g)
      for (int64_t r = 0; r < unit.rowsPerLane; ++r) {
        V column =
            columnGroup(g) * RowFragments::kRows + fragments.operandRow(r);
        V from = fragments.place(values + column * 16, at.value);
        a.push_back(fragments.words(from, at.value, step));
      }
    for (int64_t q = 0; q < rowGroups; ++q) {
      V row = fragments.place(
          weights + (unit.token + q * unit.tokens) * at.score, 32);
      auto parts = fragments.partWords(row, 32, step);
      for (int64_t g = 0; g < columnGroups; ++g) {
        Sum &sum = state.sums[g * rowGroups + q];
        auto rows = ArrayRef(a).slice(g * unit.rowsPerLane, unit.rowsPerLane);
        for (ArrayRef<V> part : parts)
          sum = fragments.multiply(rows, part, sum);
      }
    }
  }
}

/// \p before and the keys of \p tile, which are in shared memory; then those of
/// \p next are.
AttendTile::State AttendTile::addTile(const State &before, V tile, V next,
                                      V own) {
  State state = before;
  scores();
  k.barrier();
  stageValues(tile);
  if (int8)
    k.barrier(); // scales of the values
  softmax(tile, own, state);
  k.barrier();
  if (at.apart)
    stageKeys(next);
  addValues(state);
  if (!at.apart) {
    k.barrier();
    stageKeys(next);
  }
  if (k.machine.copy != CopyEngine::None)
    k.waitCopies(0);
  k.barrier();
  return state;
}

SmallVector<V> AttendTile::pack(const State &state) {
  SmallVector<V> all{state.largest, state.sum};
  for (const Sum &sum : state.sums)
    all.append(sum);
  return all;
}

AttendTile::State AttendTile::unpack(ArrayRef<V> all) {
  State state;
  state.largest = all[0];
  state.sum = all[1];
  size_t each = fragments.unit.zero().size();
  for (all = all.drop_front(2); !all.empty(); all = all.drop_front(each))
    state.sums.emplace_back(all.take_front(each));
  return state;
}

void AttendTile::write(const State &state, V first) {
  const MatrixUnit &unit = fragments.unit;
  auto add = [](V a, V b) { return a + b; };
  V sum = acrossLanes(k, state.sum, 1, kRowThreads, add);
  Record own = recordOf(first + rowThread);
  V writes = own.inside & (k.thread() < at.rows * kRowThreads);
  k.ifThen(writes & (part == k.i64(0)), [&] {
    k.store(state.largest, own.at, width * 4);
    k.store(sum, own.at, width * 4 + 4);
  });
  for (int64_t q = 0; q < rowGroups; ++q)
    for (int64_t place = 0; place < unit.tokenPlaces; ++place) {
      Record record =
          recordOf(first + q * unit.tokens + unit.resultToken(place));
      for (int64_t g = 0; g < columnGroups; ++g) {
        V group = k.warp() * columnGroups + g;
        k.ifThen(record.inside & (group < width / RowFragments::kRows), [&] {
          for (int64_t i = 0; i < fragments.results(); ++i)
            if (fragments.placeOf(i) == place) {
              V column = group * RowFragments::kRows + fragments.resultRow(i);
              k.store(fragments.result(state.sums[g * rowGroups + q], i),
                      record.at, column * 4);
            }
        });
      }
    }
}

void AttendTile::run(V first) {
  int64_t tiles = kPageTokens / at.keys; // of a page
  // The first rows of shared memory may still be read for the rows before.
  k.barrier();
  stageQueries(first);
  V last = args.place + tokenOf(first + (at.rows - 1)); // that any row sees
  V begin = args.page0 * tiles;
  V end = k.min(args.page1 * tiles, last / at.keys + 1);
  stageKeys(k.min(begin, end - 1));
  if (k.machine.copy != CopyEngine::None)
    k.waitCopies(0);
  k.barrier();
  State start;
  start.largest = k.f32(kNoScore);
  start.sum = k.f32(0);
  for (int64_t i = 0; i < columnGroups * rowGroups; ++i)
    start.sums.push_back(fragments.unit.zero());
  V own = args.place + tokenOf(first + rowThread) + 1;
  SmallVector<V> after =
      k.fold(begin, end, 1, pack(start), [&](V tile, ArrayRef<V> so) {
        return pack(addTile(unpack(so), tile, k.min(tile + 1, end - 1), own));
      });
  write(unpack(after), first);
}
