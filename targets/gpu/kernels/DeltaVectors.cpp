// q and k of a chunk become unit vectors and sums of two bf16, and are
// multiplied with keys.
#include "targets/gpu/kernels/DeltaPrepare.h"
#include "targets/gpu/kernels/FastMath.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Scales q and k of the chunk's tokens to unit length, q also by keyDim^-0.5,
/// and splits them; those of others become zero. A group of lanes has a vector;
/// each lane splits the eight columns that it has read, so that nobody has to
/// wait for others in between.
void DeltaPrepare::splitVectors() {
  int64_t lanes = k.machine.lanes, pieces = at.row.vector / 32;
  constexpr int64_t chunk = kDeltaChunk;
  int64_t group =
      std::min<int64_t>(lanes, int64_t(llvm::PowerOf2Ceil(uint64_t(pieces))));
  int64_t atOnce = k.machine.threads / group, turns = ceilDiv(pieces, group);
  V member = lane() & (group - 1);
  bool full = turns * group == pieces && 2 * chunk % atOnce == 0;
  k.loop(0, 2 * chunk, atOnce, [&](V first) {
    V vector = thread() / group + first, token = vector / 2;
    V ofKey = vector % 2 == 1;
    V part = k.select(ofKey, k.i64(at.row.key()), k.i64(0));
    V row = vectors + token * at.vectors + part, out = rowOf(token) + part;
    auto hasPiece = [&](V piece) {
      return (vector < 2 * chunk) & (piece < pieces);
    };
    V there = token < count;
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
      SmallVector<V> loaded =
          k.ifElse(full ? there : there & hasPiece(piece), load, none);
      for (int64_t e = 0; e < 8; ++e) {
        V value = k.extract(loaded[size_t(e / 4)], e % 4);
        if (shape.keyDim * 4 != at.row.vector)
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
        std::array<V, 2> words = products.splitPairs(even, odd);
        auto put = [&](V to) {
          for (int64_t part = 0; part < products.parts; ++part)
            k.store(words[size_t(part)], to, piece * 32 + part * 16, 16);
        };
        put(row);
        k.ifThen(there, [&] { put(out); });
      };
      full ? store() : k.ifThen(hasPiece(piece), store);
    }
  });
}

/// Keys with all of [K; Q].
void DeltaPrepare::dots() {
  int64_t tile = products.runTile;
  DeltaShare parts(kDeltaChunk / tile, 2 * kDeltaChunk / products.singleTile,
                   k.machine.warps());
  parts.eachOwn(k, k.warp() + zero, [&](V run, V single) {
    SmallVector<V> runs, runFirst, tokens;
    SmallVector<SmallVector<V>> singles;
    for (int64_t r = 0; r < parts.runs; ++r) {
      V first = (run + r) * tile;
      runs.push_back(vectors + (first + products.runRow()) * at.vectors +
                     at.row.key());
      runFirst.push_back(first + products.firstOfRun());
    }
    for (int64_t s = 0; s < parts.singles; ++s) {
      singles.emplace_back();
      for (int64_t place = 0; place < products.places; ++place) {
        V token =
            (single + s) * products.singleTile + products.singleRow(place);
        V ofKey = token < kDeltaChunk;
        V row = k.select(ofKey, token, token - kDeltaChunk) * at.vectors;
        singles.back().push_back(
            vectors + row + k.select(ofKey, k.i64(at.row.key()), k.i64(0)));
        tokens.push_back(token);
      }
    }
    SmallVector<DeltaProducts::Sum> sums =
        products.dot(runs, singles, at.row.vector);
    for (int64_t r = 0; r < parts.runs; ++r)
      for (int64_t s = 0; s < parts.singles; ++s)
        for (int64_t place = 0; place < products.places; ++place)
          k.store(products.runOf(sums[size_t(r * parts.singles + s)], place),
                  raw,
                  tokens[size_t(s * products.places + place)] * at.rawRow +
                      runFirst[size_t(r)] * 4,
                  products.runAlign());
  });
}
