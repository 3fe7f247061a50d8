// q and k of a chunk become unit vectors and sums of two bf16, and are
// multiplied with keys and with the state.
#include "targets/gpu/kernels/DeltaChunk.h"
#include "targets/gpu/kernels/FastMath.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Scales q and k of the first \p count tokens to unit length, q also by
/// keyDim^-0.5, and splits them; the others become zero. A group of lanes has a
/// vector; each lane splits the eight columns that it has read, so that nobody
/// has to wait for others in between.
void DeltaChunk::splitVectors(V count) {
  int64_t lanes = k.machine.lanes, pieces = at.keyPad / 8;
  int64_t group =
      std::min<int64_t>(lanes, int64_t(llvm::PowerOf2Ceil(uint64_t(pieces))));
  int64_t atOnce = k.machine.threads / group, turns = ceilDiv(pieces, group);
  V member = k.lane() & (group - 1);
  bool full = turns * group == pieces && 2 * chunk % atOnce == 0;
  k.loop(0, 2 * chunk, atOnce, [&](V first) {
    V vector = k.thread() / group + first, token = vector / 2;
    V ofKey = vector % 2 == 1;
    V row = queryOf(token) + k.select(ofKey, k.i64(this->row.key), k.i64(0));
    auto hasPiece = [&](V piece) {
      return (vector < 2 * chunk) & (piece < pieces);
    };
    SmallVector<SmallVector<V>> values; // [turn][element]
    V squares = k.f32(0);
    for (int64_t turn = 0; turn < turns; ++turn) {
      V piece = member + turn * group;
      values.emplace_back();
      auto load = [&] {
        SmallVector<V> two;
        for (int64_t i = 0; i < 2; ++i)
          two.push_back(k.load(four(), row, piece * 32 + i * 16, 16));
        return two;
      };
      auto none = [&] { return SmallVector<V>(2, k.zero(four())); };
      // A lane without columns must not read another's, which that one splits.
      V there = token < count;
      SmallVector<V> loaded =
          k.ifElse(full ? there : there & hasPiece(piece), load, none);
      for (int64_t e = 0; e < 8; ++e) {
        V value = k.extract(loaded[size_t(e / 4)], e % 4);
        if (shape.keyDim != at.keyPad)
          value = k.select(piece * 8 + e < shape.keyDim, value, k.f32(0));
        values.back().push_back(value);
        squares = k.fma(value, value, squares);
      }
    }
    squares = acrossLanes(k, squares, 1, group, [](V a, V b) { return a + b; });
    double scale = 1.0 / std::sqrt(static_cast<double>(shape.keyDim));
    V factor = fastRsqrt(k, squares + args.qkEps) *
               k.select(ofKey, k.f32(1), k.f32(scale));
    for (int64_t turn = 0; turn < turns; ++turn) {
      V piece = member + turn * group;
      auto store = [&] {
        V even = k.zero(four()), odd = even;
        for (int64_t e = 0; e < 4; ++e) {
          even = k.insert(values[turn][2 * e] * factor, even, e);
          odd = k.insert(values[turn][2 * e + 1] * factor, odd, e);
        }
        auto [high, low] = products.splitPairs(even, odd);
        k.store(high, row, piece * 32, 16);
        k.store(low, row, piece * 32 + 16, 16);
      };
      full ? store() : k.ifThen(hasPiece(piece), store);
    }
  });
}

/// Products of \p tiles tiles of runs of [K; S], from \p firstTile on, with all
/// of [K; Q].
void DeltaChunk::dots(int64_t firstTile, int64_t tiles, Sink sink) {
  int64_t tile = products.runTile, keyTiles = chunk / tile;
  DeltaShare parts(tiles, 2 * chunk / products.singleTile, k.machine.warps());
  parts.eachOwn(k, warp(), [&](V run, V single) {
    SmallVector<V> runs, runFirst;
    SmallVector<SmallVector<V>> singles;
    SmallVector<V> tokens;
    for (int64_t r = 0; r < parts.runs; ++r) {
      V first = (run + (firstTile + r)) * tile;
      V row = first + products.runRow();
      V key = row * this->row.bytes + this->row.key;
      if (firstTile + tiles <= keyTiles)
        runs.push_back(rows + key);
      else if (firstTile >= keyTiles)
        runs.push_back(state + (row - chunk) * at.stateRow);
      else
        runs.push_back(k.select(first < chunk, rows + key,
                                state + (row - chunk) * at.stateRow));
      runFirst.push_back(first + products.firstOfRun());
    }
    for (int64_t s = 0; s < parts.singles; ++s) {
      V first = (single + s) * products.singleTile;
      singles.emplace_back();
      for (int64_t place = 0; place < products.places; ++place) {
        V token = first + products.singleRow(place);
        V key = token * this->row.bytes + this->row.key;
        V query = (token - chunk) * this->row.bytes;
        singles.back().push_back(rows + k.select(first < chunk, key, query));
        tokens.push_back(token);
      }
    }
    Sums none(size_t(parts.tiles()), products.zero());
    // 32 columns a turn.
    SmallVector<V> all =
        k.fold(k.i64(0), k.i64(at.keyPad * 4), 128, flattened(none),
               [&](V column, ArrayRef<V> so) {
                 Sums sums = unflattened(so, none.size());
                 SmallVector<DeltaProducts::Words> ofRuns, ofSingles;
                 for (V row : runs)
                   ofRuns.push_back(products.splitWords(row, column, 32));
                 for (ArrayRef<V> each : singles)
                   ofSingles.push_back(products.splitWords(each, column, 32));
                 products.multiply(sums, ofRuns, ofSingles);
                 return flattened(sums);
               });
    Sums sums = unflattened(all, none.size());
    for (int64_t r = 0; r < parts.runs; ++r)
      for (int64_t s = 0; s < parts.singles; ++s)
        for (int64_t place = 0; place < products.places; ++place)
          sink(runFirst[size_t(r)], tokens[size_t(s * products.places + place)],
               products.runOf(sums[size_t(r * parts.singles + s)], place));
  });
}

/// What is kept of products with keys.
void DeltaChunk::keyDots(V row, V token, V run) {
  k.store(run, raw, token * at.rawRow + row * 4, products.runAlign());
}

/// What is kept of products with rows [first, first + count) of the part's
/// state; \p row counts in the panel.
void DeltaChunk::stateDots(V head, V first, V count, V row, V token, V run) {
  int64_t wide = products.run;
  auto put = [&](V value, V to, V i) {
    k.store(value, to, (i * panel + row) * 4, products.runAlign());
  };
  // The same for all of a tile.
  k.ifThen(
      token < chunk,
      [&] {
        V v = k.zero(k.vec(wide, k.f32()));
        for (int64_t e = 0; e < wide; ++e) {
          V value = first + k.min(row + e, count - 1);
          v = k.insert(k.load(k.f32(), valuesOf(token), value * 4), v, e);
        }
        V forget = k.neg(scalar(factors, inHead(head, token)));
        V strength = scalar(beta, token * shape.perKey() + head);
        put(k.fma(k.splat(forget, wide), run, v) * k.splat(strength, wide),
            recalled, token);
      },
      [&] {
        V i = token - chunk;
        V factor = scalar(factors, inHead(head, i));
        put(run * k.splat(factor, wide), readout, i);
      });
}
