// The state of a panel: f32 in the sums of matrix instructions, which a chunk's
// keys are added to, and sums of two bf16 in shared memory, which a chunk's
// vectors are multiplied with.
#include "targets/gpu/kernels/DeltaChunk.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

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
    V to = state + (row * at.stateRow + products.splitPlace(word));
    int64_t wide = std::min<int64_t>(products.run, 4);
    auto store = [&] {
      for (int64_t part = 0; part < 2; ++part)
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
  V line = products.firstWord(at.inner) * at.line;
  for (V element : elements)
    for (int64_t part = 0; part < 2; ++part) {
      words[part].emplace_back();
      for (int64_t m = 0; m < products.wordCount(at.inner); ++m)
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
  for (int64_t part = 0; part < 2; ++part) {
    SmallVector<V> even, odd;
    for (int64_t m = 0; m < products.wordCount(at.inner); ++m) {
      V token = products.firstWord(at.inner) + m;
      if (at.inner > chunk) // its d are zero
        token = k.min(token, k.i64(half - 1));
      V from = keyOf(token) + column;
      V first = k.load(k.i32(), from, part * 16);
      V second = k.load(k.i32(), from, half * row.bytes + part * 16);
      even.push_back((first & int64_t(0xffff)) | (second << 16));
      odd.push_back((first >> 16) | (second & int64_t(int32_t(0xffff0000))));
    }
    words[0][part].push_back(even);
    words[1][part].push_back(odd);
  }
  return words;
}

/// The panel's state behind the chunk.
void DeltaChunk::update(V head, Sums &sums) {
  V all = scalar(factors, inHead(head, k.i64(chunk - 1)));
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

/// Outputs of a panel for the \p tokens tokens from \p token on.
void DeltaChunk::read(V first, V count, V token, V tokens) {
  DeltaShare parts(panel / products.runTile, chunk / products.singleTile,
                   k.machine.warps());
  int64_t wide = products.run;
  parts.eachOwn(k, warp(), [&](V run, V single) {
    SmallVector<DeltaProducts::Words> runs, singles;
    SmallVector<V> elements, rowsOf; // first elements; tokens
    Sums sums;
    for (int64_t r = 0; r < parts.runs; ++r) {
      V begin = (run + r) * products.runTile;
      runs.push_back(lineWords(lines, {begin + products.runRow()}));
      elements.push_back(begin + products.firstOfRun());
    }
    for (int64_t s = 0; s < parts.singles; ++s) {
      SmallVector<V> from;
      for (int64_t place = 0; place < products.places; ++place) {
        rowsOf.push_back((single + s) * products.singleTile +
                         products.singleRow(place));
        from.push_back(reads + rowsOf.back() * at.readRow);
      }
      singles.push_back(products.splitWords(from, k.i64(0), at.inner));
    }
    auto tokenOf = [&](int64_t s, int64_t place) {
      return rowsOf[size_t(s * products.places + place)];
    };
    for (V element : elements)
      for (int64_t s = 0; s < parts.singles; ++s) {
        SmallVector<V> start;
        for (int64_t place = 0; place < products.places; ++place)
          start.push_back(k.load(k.vec(wide, k.f32()), readout,
                                 (tokenOf(s, place) * panel + element) * 4,
                                 products.runAlign()));
        sums.push_back(products.sumOf(start));
      }
    products.multiply(sums, runs, singles);
    for (int64_t r = 0; r < parts.runs; ++r)
      for (int64_t s = 0; s < parts.singles; ++s)
        for (int64_t place = 0; place < products.places; ++place) {
          V i = tokenOf(s, place), element = elements[size_t(r)];
          V out = products.runOf(sums[size_t(r * parts.singles + s)], place);
          k.ifThen(i < tokens, [&] {
            for (int64_t e = 0; e < wide; ++e)
              k.ifThen(element + e < count, [&] {
                k.store(k.extract(out, e), outOf(token + i, first + element),
                        e * 4);
              });
          });
        }
  });
}
