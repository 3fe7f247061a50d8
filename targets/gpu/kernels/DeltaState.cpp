// The state of a panel: f32 in the sums of matrix instructions, which a chunk's
// keys are added to, and split in shared memory, which a chunk's vectors are
// multiplied with. For the products with those and with d, a warp
// has a tile of the panel's rows and all tokens of the chunk: half of the warps
// multiply with k and find d, others multiply with q and read with d.
#include "targets/gpu/kernels/DeltaChunk.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tokens w and kHalf + w are a word; a lane has results of both.
static constexpr int64_t kHalf = kDeltaChunk / 2;
static_assert(kHalf == DeltaProducts::singleTile);

/// Calls \p piece for each run of the state that the lane has: \p word counts
/// the words (two columns) of the row, \p even and \p odd are the sums.
void DeltaChunk::eachPiece(Piece piece) {
  size_t next = 0;
  share.each(k, warp(), [&](V pair, V single, V ours) {
    for (int64_t r = 0; r < share.runs; ++r)
      for (int64_t s = 0; s < share.singles; ++s)
        for (int64_t place = 0; place < products.places; ++place) {
          V row =
              (single + s) * products.singleTile + products.singleRow(place);
          V word = (pair + r) * products.runTile + products.firstOfRun();
          size_t even = next + size_t((2 * r) * share.singles + s);
          piece(row, word, ours, even, even + size_t(share.singles), place);
        }
    next += size_t(2 * share.tiles());
  });
}

/// The sums of rows [first, first + count) of the part's state; zeros behind
/// them.
DeltaChunk::Sums DeltaChunk::loadState(V first, V count) {
  int64_t wide = products.run;
  SmallVector<SmallVector<V>> runs; // [sum][place]
  runs.resize(size_t(2 * share.tiles() * share.turns),
              SmallVector<V>(size_t(products.places)));
  eachPiece([&](V row, V word, V, size_t even, size_t odd, int64_t place) {
    V inside = row < count;
    V from = stateRow(first + k.select(inside, row, k.i64(0)));
    V two[2] = {k.zero(k.vec(wide, k.f32())), k.zero(k.vec(wide, k.f32()))};
    for (int64_t i = 0; i < 2 * wide; i += 4) {
      V column = word * 2 + i, here = inside;
      V vector;
      if (shape.keyDim % 4 == 0) {
        V there = column < shape.keyDim;
        here = here & there;
        vector =
            k.load(four(), from, k.select(there, column, k.i64(0)) * 4, 16);
      }
      for (int64_t e = 0; e < 4; ++e) {
        V value, kept = here;
        if (vector) {
          value = k.extract(vector, e);
        } else {
          V there = column + e < shape.keyDim;
          value =
              k.load(k.f32(), from, k.select(there, column + e, k.i64(0)) * 4);
          kept = kept & there;
        }
        V &run = two[e % 2];
        run = k.insert(k.select(kept, value, k.f32(0)), run, (i + e) / 2);
      }
    }
    runs[even][size_t(place)] = two[0];
    runs[odd][size_t(place)] = two[1];
  });
  Sums sums;
  for (ArrayRef<V> each : runs)
    sums.push_back(products.sumOf(each));
  return sums;
}

void DeltaChunk::storeState(V first, V count,
                            ArrayRef<DeltaProducts::Sum> sums) {
  eachPiece([&](V row, V word, V ours, size_t even, size_t odd, int64_t place) {
    V two[2] = {products.runOf(sums[even], place),
                products.runOf(sums[odd], place)};
    V inside = row < count;
    k.ifThen(ours ? inside & ours : inside, [&] {
      for (int64_t i = 0; i < 2 * products.run; i += 4) {
        V column = word * 2 + i, to = stateRow(first + row);
        V vector = k.zero(four());
        for (int64_t e = 0; e < 4; ++e)
          vector = k.insert(k.extract(two[e % 2], (i + e) / 2), vector, e);
        if (shape.keyDim % 4 == 0) {
          k.ifThen(column < shape.keyDim,
                   [&] { k.store(vector, to, column * 4, 16); });
          continue;
        }
        for (int64_t e = 0; e < 4; ++e)
          k.ifThen(column + e < shape.keyDim, [&] {
            k.store(k.extract(vector, e), to, (column + e) * 4);
          });
      }
    });
  });
}

/// Writes the panel's rows for dots().
void DeltaChunk::splitState(ArrayRef<DeltaProducts::Sum> sums) {
  eachPiece([&](V row, V word, V ours, size_t even, size_t odd, int64_t place) {
    auto parts = products.splitPairs(products.runOf(sums[even], place),
                                     products.runOf(sums[odd], place));
    V to = state + (row * at.vectorRow + products.splitPlace(word));
    int64_t wide = std::min<int64_t>(products.run, 4);
    auto store = [&] {
      for (int64_t part = 0; part < products.parts; ++part)
        for (int64_t i = 0; i < products.run; i += wide)
          k.store(k.slice(parts[part], i, wide), to, i * 8 + part * 16,
                  unsigned(wide * 4));
    };
    ours ? k.ifThen(ours, store) : store();
  });
}

/// The lane's words of tokens of one or two elements (rows of the panel).
DeltaProducts::Words DeltaChunk::lineWords(V from, ArrayRef<V> elements) {
  DeltaProducts::Words words;
  V line = products.firstWord(kDeltaChunk) * at.line;
  for (V element : elements)
    for (int64_t part = 0; part < products.parts; ++part) {
      words[part].emplace_back();
      for (int64_t m = 0; m < products.wordCount(kDeltaChunk); ++m)
        words[part].back().push_back(k.load(k.i32(),
                                            from + (line + element * 4),
                                            m * at.line + part * at.lines()));
    }
  return words;
}

/// The lane's words of tokens of a pair of tiles of the keys, transposed: even
/// columns and odd ones.
std::array<DeltaProducts::Words, 2> DeltaChunk::keyWords(V pair) {
  std::array<DeltaProducts::Words, 2> words;
  V column = products.splitPlace(pair * products.runTile + products.runRow());
  for (int64_t part = 0; part < products.parts; ++part) {
    SmallVector<V> even, odd;
    for (int64_t m = 0; m < products.wordCount(kDeltaChunk); ++m) {
      V from =
          keys + (products.firstWord(kDeltaChunk) + m) * at.vectorRow + column;
      V first = k.load(k.i32(), from, part * 16);
      V second = k.load(k.i32(), from, kHalf * at.vectorRow + part * 16);
      even.push_back((first & int64_t(0xffff)) | (second << 16));
      odd.push_back((first >> 16) | (second & int64_t(int32_t(0xffff0000))));
    }
    words[0][part].push_back(even);
    words[1][part].push_back(odd);
  }
  return words;
}

DeltaChunk::Job DeltaChunk::job() {
  V number = warp();
  assert(2 * runTiles <= k.machine.warps() && "a panel has too many tiles");
  V ofKeys = number < runTiles, ofQueries = number >= runTiles;
  V tile = k.select(ofKeys, number, number - runTiles);
  if (2 * runTiles < k.machine.warps())
    ofQueries = ofQueries & (number < 2 * runTiles);
  return {tile, ofKeys, ofQueries};
}

/// The state's rows with k, or with q: of tokens of the first half and of the
/// second.
DeltaChunk::Sums DeltaChunk::dots(const Job &job) {
  auto multiply = [&] {
    V run = job.tile * products.runTile + products.runRow();
    V from = k.select(job.ofKeys, keys, queries);
    SmallVector<SmallVector<V>> tokens(2);
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t place = 0; place < products.places; ++place)
        tokens[size_t(half)].push_back(from +
                                       tokenOf(half, place) * at.vectorRow);
    return flattened(
        products.dot({state + run * at.vectorRow}, tokens, at.row.vector));
  };
  if (2 * runTiles == k.machine.warps())
    return unflattened(multiply(), 2);
  auto none = [&] { return flattened(Sums(2, products.zero())); };
  return unflattened(k.ifElse(job.ofKeys | job.ofQueries, multiply, none), 2);
}

/// Of what dots() gave: for keys r, in the place of the values. \returns what
/// the warp's next sums begin with: for keys beta_i r_i, the largest part of d,
/// which so loses nothing; for queries exp(c_i) S q_i.
DeltaChunk::Sums DeltaChunk::recall(const Job &job,
                                    ArrayRef<DeltaProducts::Sum> sums) {
  int64_t wide = products.run;
  auto make = [&] {
    SmallVector<V> own[2];
    for (int64_t place = 0; place < products.places; ++place) {
      V to = recalled + tokenOf(0, place) * at.line + elementOf(job.tile) * 4;
      SmallVector<V> r;
      for (int64_t half = 0; half < 2; ++half) {
        V i = tokenOf(half, place), forget = k.neg(factor(i));
        // Lines begin at multiples of 8 bytes.
        V v = k.load(k.vec(wide, k.f32()), to, half * at.lines(), 8);
        r.push_back(k.fma(k.splat(forget, wide),
                          products.runOf(sums[size_t(half)], place), v));
        own[half].push_back(r.back() * k.splat(strength(i), wide));
      }
      auto parts = products.splitPairs(r[0], r[1]);
      for (int64_t part = 0; part < products.parts; ++part)
        k.store(parts[size_t(part)], to, part * at.lines(), 8);
    }
    return flattened({products.sumOf(own[0]), products.sumOf(own[1])});
  };
  auto scale = [&] {
    Sums scaled;
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<V> runs;
      for (int64_t place = 0; place < products.places; ++place)
        runs.push_back(products.runOf(sums[size_t(half)], place) *
                       k.splat(factor(tokenOf(half, place)), wide));
      scaled.push_back(products.sumOf(runs));
    }
    return flattened(scaled);
  };
  return unflattened(k.ifElse(job.ofKeys, make, scale), 2);
}

/// \p sums of a tile plus its \p words (lines) times the chunk's \p rows, of
/// tokens of the first half and of the second.
DeltaChunk::Sums DeltaChunk::timesTokens(V words, V rows, V tile, Sums sums) {
  DeltaProducts::Words run =
      lineWords(words, {tile * products.runTile + products.runRow()});
  SmallVector<DeltaProducts::Words> singles;
  for (int64_t half = 0; half < 2; ++half) {
    SmallVector<V> from;
    for (int64_t place = 0; place < products.places; ++place)
      from.push_back(rows + tokenOf(half, place) * at.wordRow);
    singles.push_back(products.splitWords(from, k.i64(0), kDeltaChunk));
  }
  products.multiply(sums, {run}, singles);
  return sums;
}

/// d = T r as words of two tokens, also of what is left of it at the chunk's
/// end. \p begin: what recall() gave.
void DeltaChunk::solve(const Job &job, Sums begin) {
  k.ifThen(job.ofKeys, [&] {
    int64_t wide = products.run;
    Sums d = timesTokens(recalled, triangle, job.tile, begin);
    for (int64_t place = 0; place < products.places; ++place) {
      V to = lines + tokenOf(0, place) * at.line + elementOf(job.tile) * 4;
      V first = products.runOf(d[0], place),
        second = products.runOf(d[1], place);
      auto now = products.splitPairs(first, second);
      auto later = products.splitPairs(
          first * k.splat(remain(tokenOf(0, place)), wide),
          second * k.splat(remain(tokenOf(1, place)), wide));
      for (int64_t part = 0; part < products.parts; ++part) {
        k.store(now[size_t(part)], to, part * at.lines(), 8);
        k.store(later[size_t(part)], to, (2 + part) * at.lines(), 8);
      }
    }
  });
}

/// Outputs of a panel for the \p tokens tokens from \p token on, from what
/// recall() gave for queries.
void DeltaChunk::read(const Job &job, V first, V count, V token, V tokens,
                      Sums sums) {
  k.ifThen(job.ofQueries, [&] {
    int64_t wide = products.run;
    sums = timesTokens(lines, reads, job.tile, sums);
    V element = elementOf(job.tile);
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t place = 0; place < products.places; ++place) {
        V i = tokenOf(half, place);
        V out = products.runOf(sums[size_t(half)], place);
        k.ifThen(i < tokens, [&] {
          if (at.resident && shape.rows() == panel) // all are there, aligned
            return k.store(out, outOf(token + i, first + element), int64_t(0),
                           products.runAlign());
          for (int64_t e = 0; e < wide; ++e)
            k.ifThen(element + e < count, [&] {
              k.store(k.extract(out, e), outOf(token + i, first + element),
                      e * 4);
            });
        });
      }
  });
}

/// The panel's state behind the chunk.
void DeltaChunk::update(V tokens, Sums &sums) {
  V all = factor(tokens - 1);
  for (DeltaProducts::Sum &sum : sums)
    for (V &value : sum) {
      auto vector = llvm::dyn_cast<mlir::VectorType>(value.type());
      value = value * (vector ? k.splat(all, vector.getNumElements()) : all);
    }
  V left = lines + 2 * at.lines();
  size_t next = 0, each = size_t(2 * share.tiles());
  share.each(k, warp(), [&](V pair, V single, V) {
    SmallVector<DeltaProducts::Words> runs, singles;
    for (int64_t r = 0; r < share.runs; ++r)
      for (DeltaProducts::Words &words : keyWords(pair + r))
        runs.push_back(words);
    for (int64_t s = 0; s < share.singles; ++s) {
      SmallVector<V> elements;
      for (int64_t place = 0; place < products.places; ++place)
        elements.push_back((single + s) * products.singleTile +
                           products.singleRow(place));
      singles.push_back(lineWords(left, elements));
    }
    products.multiply(
        llvm::MutableArrayRef<DeltaProducts::Sum>(sums).slice(next, each), runs,
        singles);
    next += each;
  });
}
