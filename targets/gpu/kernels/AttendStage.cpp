// What comes into shared memory for a tile. Queries are pieces of eight
// columns, the first bf16 of each, then the second; keys are rows; values are
// pieces of eight keys of a column.
#include "targets/gpu/kernels/AttendTile.h"
#include "targets/gpu/kernels/MixerRows.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

static constexpr int64_t kPiece = RowFragments::kPiece;
static constexpr int64_t kTurned = 4; ///< columns that a thread turns

/// The page of \p base that has the keys (values) of \p tile.
V AttendTile::pageOf(V base, V tile) {
  V number = k.load(k.i32(), args.pages, tile / (kPageTokens / at.keys) * 4);
  return base + k.signExtend(number, k.i64()) * args.pageStride;
}

/// Times the scale. Rows behind the last one repeat it.
void AttendTile::stageQueries(V first) {
  int64_t pieces = width / kPiece;
  k.forThreads(at.rows * pieces, [&](V i) {
    V row = i / pieces, column = i % pieces * kPiece;
    V number = k.min(first + row, rowCount() - 1);
    V from = args.q + number / heads * args.qTokenStride +
             number % heads * args.qHeadStride;
    SmallVector<V> eight;
    for (int64_t half = 0; half < 2; ++half)
      eight.push_back(
          k.load(k.vec(4, k.f32()), from, (column + half * 4) * 4, 16) *
          k.splat(args.scale, 4));
    storeParts(k, eight[0], eight[1],
               queries + row * at.query + column * (2 * fragments.parts),
               fragments.parts);
  });
}

/// Of int8: the scales of a tile's rows; zeros behind the last token.
void AttendTile::stageScales(V page, V tile, V scales) {
  k.ifThen(k.thread() < at.keys, [&] {
    V exists = tile * at.keys + k.thread() < args.place + args.tokens;
    V scale = k.load(k.f32(), page,
                     (firstInPage(tile) + k.thread()) * kScaleBytes +
                         kPageTokens * width);
    k.store(k.select(exists, scale, k.f32(0)), scales, k.thread() * 4);
  });
}

/// Zeros behind the last token. Asynchronous copies where there are some.
void AttendTile::stageKeys(V tile) {
  int64_t pieces = width / kPiece;
  V page = pageOf(args.keys, tile), first = firstInPage(tile);
  V exist = args.place + args.tokens - tile * at.keys;
  int64_t bytes = kPiece * byteWidth(cacheType);
  bool copies = !int8 && k.machine.copy != CopyEngine::None;
  k.forThreads(at.keys * pieces, [&](V i) {
    V row = i / pieces, piece = i % pieces;
    V to = keys + row * at.key + piece * 16;
    V offset = ((first + row) * pieces + piece) * bytes;
    if (copies)
      return k.copyAsync(to, page + offset, 16,
                         k.select(row < exist, k.i64(16), k.i64(0)));
    V raw = loadRaw(k, cacheType, kPiece, page, offset);
    if (int8) {
      V floats =
          k.bitcast(widen(k, raw, cacheType, kPiece), k.vec(kPiece, k.i32()));
      raw = bf16Pair(k.shuffle(floats, floats, {0, 2, 4, 6}),
                     k.shuffle(floats, floats, {1, 3, 5, 7}));
    }
    k.store(k.select(row < exist, raw, k.zero(raw.type())), to, 0, 16);
  });
  if (copies)
    k.commitCopies();
  if (int8)
    stageScales(page, tile, keyScales);
}

/// A thread turns four columns of eight keys round: more would not find
/// registers beside the sums.
void AttendTile::stageValues(V tile) {
  int64_t pieces = width / kTurned, eights = at.keys / kPiece;
  V page = pageOf(args.values, tile), first = firstInPage(tile);
  V exist = args.place + args.tokens - tile * at.keys;
  int64_t bytes = kTurned * byteWidth(cacheType);
  k.forThreads(eights * pieces, [&](V i) {
    V eight = i % eights, piece = i / eights;
    SmallVector<V> rows;
    for (int64_t r = 0; r < kPiece; ++r) {
      V row = eight * kPiece + r;
      V raw = loadRaw(k, cacheType, kTurned, page,
                      ((first + row) * pieces + piece) * bytes);
      rows.push_back(k.select(row < exist, raw, k.zero(raw.type())));
      if (int8)
        rows.back() = k.bitcast(widen(k, rows.back(), cacheType, kTurned),
                                k.vec(kTurned, k.i32()));
    }
    for (int64_t c = 0; c < kTurned; ++c) {
      V words = k.zero(k.vec(4, k.i32()));
      for (int64_t w = 0; w < 4; ++w) {
        V low = k.extract(rows[2 * w], int8 ? c : c / 2);
        V high = k.extract(rows[2 * w + 1], int8 ? c : c / 2);
        if (!int8 && c % 2 == 0)
          words = k.insert((low & int64_t(0xffff)) | (high << 16), words, w);
        else
          words = k.insert(bf16Pair(low, high), words, w);
      }
      k.store(words, values + eight * at.value + (piece * kTurned + c) * 16, 0,
              16);
    }
  });
  if (int8)
    stageScales(page, tile, valueScales);
}
