// Per page: scores of all tokens, then the softmax, then the values, so that
// the keys and then the values of the page stay in the nearest cache. A tile is
// `rows` heads of one token times `together` places, rows * together <= 16: the
// scores of a tile are one vector, the lane of (row r, place m) is
// r * together + m, and softmax works on those vectors as they are. Rows of i8
// are multiplied as they are; a row's scale meets its score, or its weight.
#include "targets/cpu/kernels/Attend.h"
#include "targets/cpu/kernels/Lanes.h"

using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Below every score; far enough from the end of the range that differences
/// are finite.
static constexpr double kNone = -3.0e38;
/// Keys whose rows are asked for before they are used.
static constexpr int64_t kKeysAhead = 2;

namespace {
/// How heads are tiled, and the workspace.
struct Layout {
  int64_t width, heads;
  int64_t parts;    ///< vectors of a row
  int64_t rows = 1; ///< heads of a tile: the largest divisor of heads up to 8
  int64_t together; ///< places of a tile, a power of two
  int64_t tiles;    ///< of a token
  int64_t row, scores, tile, token; ///< bytes
  static constexpr int64_t kLargest = 0, kSum = 64, kFactor = 128;

  Layout(int64_t width, int64_t heads)
      : width(width), heads(heads), parts(ceilDiv(width, kLanes)) {
    for (int64_t r = 1; r <= 8; ++r)
      if (heads % r == 0)
        rows = r;
    together = 1;
    while (2 * together * rows <= kLanes)
      together *= 2;
    tiles = heads / rows;
    row = parts * 64;
    scores = kPageTokens / together * 64;
    tile = rows * row + 3 * 64 + scores; // q, softmax state, scores
    token = tiles * tile;
  }
};

struct Attend {
  KernelBuilder &k;
  Layout at;
  mlir::Type cacheType;
  V q, qTokenStride, qHeadStride, keys, values, pageStride, pages, page0, page1,
      place, tokens, scale, records, recordTokenStride, recordHeadStride,
      workspace;
  int64_t cacheRow; ///< bytes of a row of a page
  bool int8;        ///< the scales of the rows stand behind them

  Attend(KernelBuilder &k, int64_t width, int64_t heads, mlir::Type cacheType,
         ArrayRef<V> a)
      : k(k), at(width, heads), cacheType(cacheType), q(a[0]),
        qTokenStride(a[1]), qHeadStride(a[2]), keys(a[3]), values(a[4]),
        pageStride(a[5]), pages(a[6]), page0(a[7]), page1(a[8]), place(a[9]),
        tokens(a[10]), scale(a[11]), records(a[12]), recordTokenStride(a[13]),
        recordHeadStride(a[14]), workspace(a[15]),
        cacheRow(width * byteWidth(cacheType)), int8(cacheType.isInteger(8)) {}

  mlir::Type lanes() { return k.vec(kLanes, k.f32()); }
  int64_t lanesOf(int64_t part) const {
    return std::min(kLanes, at.width - part * kLanes);
  }
  V tileOf(V token, V tile) {
    return workspace + token * at.token + tile * at.tile;
  }
  V stateOf(V token, V tile) { return tileOf(token, tile) + at.rows * at.row; }
  V scoresOf(V token, V tile) { return stateOf(token, tile) + 3 * 64; }
  V recordOf(V token, V tile) {
    return records + token * recordTokenStride +
           recordHeadStride * (tile * at.rows);
  }
  /// Calls \p body for each tile of each token.
  void eachTile(llvm::function_ref<void(V token, V tile)> body) {
    k.loop(tokens, [&](V token) {
      k.loop(k.i64(at.tiles), [&](V tile) { body(token, tile); });
    });
  }
  /// Which place of its tile each lane is.
  V laneOfPlace() {
    SmallVector<int32_t> result;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      result.push_back(static_cast<int32_t>(lane % at.together));
    return k.i32s(result);
  }
  /// For each lane the scale of its place, of the tile of places from \p m on.
  V scalesOf(V page, V m) {
    V from = page + m * kScaleBytes;
    int64_t scales = kPageTokens * cacheRow;
    if (at.together == 1)
      return k.splat(k.load(k.f32(), from, scales, /*align=*/1), kLanes);
    V row = k.load(k.vec(at.together, k.f32()), from, scales, /*align=*/1);
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      places.push_back(lane % at.together);
    return k.shuffle(row, row, places);
  }
  void prefetchScales(V page) {
    if (int8)
      prefetchLines(page + kPageTokens * cacheRow, kPageTokens * kScaleBytes);
  }
  /// Each lane joined with those of the other places of its row.
  V acrossPlaces(V v, llvm::function_ref<V(V, V)> join) {
    for (int64_t distance = at.together / 2; distance > 0; distance /= 2) {
      SmallVector<int64_t> mask;
      for (int64_t lane = 0; lane < kLanes; ++lane)
        mask.push_back(lane ^ distance);
      v = join(v, k.shuffle(v, v, mask));
    }
    return v;
  }

  void emit();
  void start(V token, V tile);
  void score(V page, V ahead, V count, V token, V tile);
  void prefetchLines(V from, int64_t bytes);
  V dots(V query, V keyRows);
  void softmax(V value, V count, V token, V tile);
  void accumulate(V page, V ahead, V count, V token, V tile);
  void accumulatePart(V page, V ahead, V count, V record, V scores, V state,
                      int64_t firstRow, int64_t rows, int64_t vectors,
                      int64_t width);
  void finish(V token, V tile);
};
} // namespace

/// Scales the queries and clears the record and the softmax state.
void Attend::start(V token, V tile) {
  V factor = k.splat(scale, kLanes), zero = k.zero(lanes());
  for (int64_t r = 0; r < at.rows; ++r) {
    V from = q + token * qTokenStride + qHeadStride * (tile * at.rows + r);
    V record = recordOf(token, tile) + recordHeadStride * r;
    for (int64_t p = 0; p < at.parts; ++p) {
      k.store(loadLanes(k, from, p * 64, lanesOf(p)) * factor,
              tileOf(token, tile), r * at.row + p * 64);
      storeLanes(k, zero, record, p * 64, lanesOf(p));
    }
  }
  k.store(k.constant(lanes(), kNone), stateOf(token, tile), Layout::kLargest);
  k.store(zero, stateOf(token, tile), Layout::kSum);
}

/// The products of a tile's rows with `together` keys.
V Attend::dots(V query, V keyRows) {
  // Narrow registers hold fewer sums: a few at a time then.
  int64_t all = at.rows * at.together;
  int64_t batch = std::min(all, accumulators(k));
  SmallVector<V> groups;
  for (int64_t begin = 0; begin < all; begin += batch) {
    int64_t end = std::min(all, begin + batch);
    SmallVector<V> sums(end - begin, k.zero(lanes()));
    for (int64_t p = 0; p < at.parts; ++p) {
      SmallVector<V> key(at.together);
      V row;
      for (int64_t i = begin; i < end; ++i) {
        int64_t r = i / at.together, m = i % at.together;
        if (i == begin || m == 0)
          row = k.load(lanes(), query, r * at.row + p * 64);
        if (!key[m])
          key[m] = loadLanes(k, keyRows,
                             m * cacheRow + p * kLanes * byteWidth(cacheType),
                             lanesOf(p), cacheType);
        sums[i - begin] = k.fma(row, key[m], sums[i - begin]);
      }
    }
    // Every group but the last has a power of two of sums.
    while (static_cast<int64_t>(sums.size()) < batch ||
           (sums.size() & (sums.size() - 1)))
      sums.push_back(k.zero(lanes()));
    groups.push_back(sumEach(k, sums));
  }
  while (groups.size() & (groups.size() - 1))
    groups.push_back(k.zero(groups[0].type()));
  while (groups.size() > 1) {
    for (size_t i = 0; i < groups.size() / 2; ++i)
      groups[i] = k.concat(groups[2 * i], groups[2 * i + 1]);
    groups.resize(groups.size() / 2);
  }
  return groups[0];
}

/// One token alone waits for memory, page after page: what is read next is
/// fetched while this page is worked on. With more tokens the instructions
/// find free slots beside the multiply-adds.
void Attend::prefetchLines(V from, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64)
    k.prefetch(from + line, /*locality=*/3);
}

void Attend::score(V page, V ahead, V count, V token, V tile) {
  V query = tileOf(token, tile), scores = scoresOf(token, tile);
  prefetchScales(ahead);
  k.loop(k.i64(0), count, at.together, [&](V m) {
    prefetchLines(ahead + m * cacheRow, at.together * cacheRow);
    prefetchLines(page + (m + kKeysAhead) * cacheRow, at.together * cacheRow);
    V sums = dots(query, page + m * cacheRow);
    if (int8)
      sums = sums * scalesOf(page, m);
    V left = k.splat(k.truncate(count - m, k.i32()), kLanes);
    V seen = laneOfPlace() < left;
    k.store(k.select(seen, sums, k.constant(lanes(), kNone)), scores,
            m * (64 / at.together));
  });
}

/// Scores become exp(score - largest), times the scale of the row of \p page,
/// the values; the state says by which factor the sums so far shrink.
void Attend::softmax(V page, V count, V token, V tile) {
  V scores = scoresOf(token, tile), state = stateOf(token, tile);
  int64_t bytes = 64 / at.together;
  V old = k.load(lanes(), state, Layout::kLargest);
  V largest =
      k.fold(k.i64(0), count, at.together, {old},
             [&](V m, ArrayRef<V> so) -> SmallVector<V> {
               return {k.max(so[0], k.load(lanes(), scores, m * bytes))};
             })[0];
  largest = acrossPlaces(largest, [&](V a, V b) { return k.max(a, b); });
  V factor = k.exp(old - largest);
  V sum = k.load(lanes(), state, Layout::kSum) * factor;
  sum = k.fold(k.i64(0), count, at.together, {sum},
               [&](V m, ArrayRef<V> so) -> SmallVector<V> {
                 V p = k.exp(k.load(lanes(), scores, m * bytes) - largest);
                 k.store(int8 ? p * scalesOf(page, m) : p, scores, m * bytes);
                 return {so[0] + p};
               })[0];
  k.store(largest, state, Layout::kLargest);
  k.store(sum, state, Layout::kSum);
  k.store(factor, state, Layout::kFactor);
}

/// \p rows rows times \p vectors vectors (\p width elements) of the sums.
void Attend::accumulatePart(V page, V ahead, V count, V record, V scores,
                            V state, int64_t firstRow, int64_t rows,
                            int64_t vectors, int64_t width) {
  auto lanesAt = [&](int64_t n) {
    return std::min(kLanes, width - n * kLanes);
  };
  auto lane = [&](int64_t r) { return (firstRow + r) * at.together * 4; };
  int64_t piece = width * byteWidth(cacheType);
  Tile tile = zeroTile(k, rows, vectors);
  for (int64_t r = 0; r < rows; ++r) {
    V shrink =
        k.splat(k.load(k.f32(), state, Layout::kFactor + lane(r)), kLanes);
    for (int64_t n = 0; n < vectors; ++n)
      tile.at(r, n) = shrink * loadLanes(k, record + recordHeadStride * r,
                                         n * 64, lanesAt(n));
  }
  // One place after the other; whole score vectors first.
  auto add = [&](Tile &sums, V m, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      SmallVector<V> row;
      for (int64_t n = 0; n < vectors; ++n)
        row.push_back(
            loadLanes(k, page + m * cacheRow,
                      i * cacheRow + n * kLanes * byteWidth(cacheType),
                      lanesAt(n), cacheType));
      V p = scores + m / at.together * 64 + m % at.together * 4;
      for (int64_t r = 0; r < rows; ++r) {
        V weight = k.splat(k.load(k.f32(), p, lane(r) + i * 4), kLanes);
        for (int64_t n = 0; n < vectors; ++n)
          sums.at(r, n) = k.fma(weight, row[n], sums.at(r, n));
      }
    }
  };
  auto sweep = [&](V from, V to, int64_t step) {
    tile.sums = k.fold(from, to, step, tile.sums, [&](V m, ArrayRef<V> so) {
      Tile next{rows, vectors, SmallVector<V>(so.begin(), so.end())};
      if (ahead)
        prefetchLines(ahead + m * piece, step * piece);
      add(next, m, 0, step);
      return next.sums;
    });
  };
  V full = count / at.together * at.together;
  sweep(k.i64(0), full, at.together);
  sweep(full, count, 1);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t n = 0; n < vectors; ++n)
      storeLanes(k, tile.at(r, n), record + recordHeadStride * r, n * 64,
                 lanesAt(n));
}

void Attend::accumulate(V page, V ahead, V count, V token, V tile) {
  int64_t rows = std::min(at.rows, accumulators(k));
  prefetchScales(ahead);
  for (int64_t r = 0; r < at.rows; r += rows) {
    int64_t here = std::min(rows, at.rows - r);
    int64_t vectors = std::min(at.parts, accumulators(k) / here);
    pieces(k, at.width, vectors * kLanes, [&](V column, int64_t width) {
      V offset = column * byteWidth(cacheType);
      accumulatePart(page + offset, r == 0 ? ahead + offset * kPageTokens : V(),
                     count,
                     recordOf(token, tile) + recordHeadStride * r + column * 4,
                     scoresOf(token, tile), stateOf(token, tile), r, here,
                     ceilDiv(width, kLanes), width);
    });
  }
}

void Attend::finish(V token, V tile) {
  V state = stateOf(token, tile);
  V largest = k.load(lanes(), state, Layout::kLargest);
  V sum = acrossPlaces(k.load(lanes(), state, Layout::kSum),
                       [&](V a, V b) { return a + b; });
  for (int64_t r = 0; r < at.rows; ++r) {
    V record = recordOf(token, tile) + recordHeadStride * r;
    k.store(k.extract(largest, r * at.together), record, at.width * 4);
    k.store(k.extract(sum, r * at.together), record, at.width * 4 + 4);
  }
}

void Attend::emit() {
  eachTile([&](V token, V tile) { start(token, tile); });
  V needed = (place + tokens - 1) / kPageTokens + 1;
  V end = k.min(page1, needed);
  auto offsetOf = [&](V page) { return k.loadIndex(pages, page) * pageStride; };
  k.loop(page0, end, 1, [&](V page) {
    V offset = offsetOf(page);
    V key = keys + offset, value = values + offset;
    V next = keys + offsetOf(k.min(page + 1, end - 1));
    // Places of this page that a token sees: none, some or all.
    auto seen = [&](V token) {
      return k.min(place + token + 1 - page * kPageTokens, k.i64(kPageTokens));
    };
    eachTile([&](V token, V tile) {
      V count = seen(token);
      k.ifThen(count >= 1, [&] {
        score(key, value, count, token, tile);
        softmax(value, count, token, tile);
      });
    });
    eachTile([&](V token, V tile) {
      V count = seen(token);
      k.ifThen(count >= 1,
               [&] { accumulate(value, next, count, token, tile); });
    });
  });
  eachTile([&](V token, V tile) { finish(token, tile); });
}

int64_t quartet::cpu::attendRecordBytes(int64_t width) {
  return roundUp((width + 2) * 4, 64);
}

int64_t quartet::cpu::attendWorkspace(int64_t width, int64_t headsPerKv,
                                      int64_t tokens) {
  return Layout(width, headsPerKv).token * tokens;
}

mlir::func::FuncOp quartet::cpu::attendKernel(KernelBuilder &k, int64_t width,
                                              int64_t headsPerKv,
                                              mlir::Type cacheType) {
  std::string name = "attend_" + std::to_string(width) + "_" +
                     std::to_string(headsPerKv) + "_" + typeName(cacheType);
  return k.function(name, "piippipiiiifpiip", [&](ArrayRef<V> a) {
    Attend(k, width, headsPerKv, cacheType, a).emit();
  });
}
