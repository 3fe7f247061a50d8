// What a chunk needs of memory: prepared rows, by copies that pass no registers
// where there are some, and values, which the part convolves itself.
#include "targets/gpu/kernels/DeltaChunk.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

V DeltaChunk::preparedRow(V token) {
  return args.prepared + args.head * at.row.bytes() +
         token * args.preparedStride;
}

/// Rows of \p tokens tokens, and zeros for the rest of the chunk; of one part
/// every other piece.
void DeltaChunk::bringRows(ArrayRef<Image> images, V tokens) {
  bool copies = k.machine.copy != CopyEngine::None;
  int64_t threads = k.machine.threads, apart = 32 / products.parts;
  struct Piece {
    V to, value, exists; ///< exists: null where it does for all threads
  };
  SmallVector<Piece> pieces;
  auto guarded = [&](V exists, llvm::function_ref<void()> body) {
    exists ? k.ifThen(exists, body) : body();
  };
  for (const Image &image : images) {
    int64_t each = image.bytes / apart, all = kDeltaChunk * each;
    for (int64_t i = 0; i < all; i += threads) {
      V number = thread() + i, row = number / each, piece = number % each;
      if (threads % each == 0) { // what turns differ in is a constant
        row = thread() / each + i / each;
        piece = thread() % each;
      }
      V inside = row < tokens, exists;
      if (i + threads > all)
        exists = number < all;
      V to = image.to + row * image.toRow + piece * apart;
      V from = image.from + piece * apart;
      if (copies) { // of rows that are not there nothing is read
        from = from + row * args.preparedStride;
        V valid = k.select(inside, k.i64(16), k.i64(0));
        guarded(exists, [&] { k.copyAsync(to, from, 16, valid); });
        continue;
      }
      if (exists)
        inside = inside & exists;
      from = k.select(inside, from + row * args.preparedStride, image.from);
      V value = k.load(k.vec(4, k.i32()), from, int64_t(0), 16);
      pieces.push_back(
          {to, k.select(inside, value, k.zero(value.type())), exists});
    }
  }
  if (!copies)
    k.issueLoads();
  for (const Piece &piece : pieces)
    guarded(piece.exists,
            [&] { k.store(piece.value, piece.to, int64_t(0), 16); });
}

/// A value head's factors, remains and strengths, \p from the first token's.
void DeltaChunk::bringGates(V from, V to, V tokens) {
  k.ifThen(thread() < 3 * kDeltaChunk, [&] {
    V token = thread() % kDeltaChunk;
    V part = thread() / kDeltaChunk * (at.row.perKey * 4);
    V inside = token < tokens;
    V source =
        from + part + k.select(inside, token, k.i64(0)) * args.preparedStride;
    if (k.machine.copy != CopyEngine::None)
      return k.copyAsync(to + thread() * 4, source, 4,
                         k.select(inside, k.i64(4), k.i64(0)));
    k.store(k.select(inside, k.load(k.f32(), source), k.f32(0)), to,
            thread() * 4);
  });
}

void DeltaChunk::bringQueries(V token, V tokens) {
  bringRows({{queries, preparedRow(token), at.row.vector, at.vectorRow}},
            tokens);
}

void DeltaChunk::bringKeys(V token, V tokens, V stage) {
  bringRows(
      {{stage, preparedRow(token) + at.row.key(), at.row.vector, at.vectorRow}},
      tokens);
}

void DeltaChunk::bringTriangles(V head, V token, V tokens, V stage) {
  V from = preparedRow(token);
  V ofHead = from + (head * at.row.perHead + at.row.triangles());
  V to = stage + at.vectors();
  bringRows({{to, ofHead, at.row.triangle, at.wordRow},
             {to + at.words(), ofHead + at.row.triangle, at.row.triangle,
              at.wordRow}},
            tokens);
  bringGates(from + (head * 4 + at.row.factors()), to + 2 * at.words(), tokens);
}

/// What was brought has come; the others see it behind a barrier.
void DeltaChunk::awaitCopies() {
  if (k.machine.copy == CopyEngine::None)
    return;
  k.commitCopies();
  k.waitCopies(0);
}

DeltaChunk::Values DeltaChunk::valueInputs(V first, V count, V token) {
  int64_t each = kDeltaChunk * panel / k.machine.threads;
  V element = k.min(thread() & (panel - 1), count - 1);
  V begin = thread() / panel * each,
    channel = conv.valueChannel(first + element);
  return {conv.inputs(channel, token + begin, each, /*whole=*/false),
          conv.taps(channel)};
}

void DeltaChunk::storeValues(const Values &values) {
  int64_t each = kDeltaChunk * panel / k.machine.threads;
  V element = thread() & (panel - 1), begin = thread() / panel * each;
  V to = recalled + begin * at.line + element * 4;
  for (auto [t, value] :
       llvm::enumerate(conv.outputs(values.taps, values.inputs)))
    k.store(value, to, int64_t(t) * at.line);
}
