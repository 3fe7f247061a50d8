// Chunks of C tokens with log decays c_i summed from the chunk's start. With
// E_ij = exp(c_i - c_j) for j <= i, the values d_i that the recurrence would
// write solve a triangular system,
//   d_i = beta_i (r_i - sum_{j<i} E_ij (k_i . k_j) d_j),
//   r_i = v_i - exp(c_i) S k_i.
// Its inverse, T = (1 + [beta_i E_ij k_i . k_j]_{j<i})^-1 diag(beta), depends
// on no state: deltaPrepare() writes it for all chunks of the step at once,
// with q, k, E_ij (q_i . k_j), exp(c_i), exp(c_last - c_i) and beta_i, which is
// T's diagonal. What follows goes from chunk to chunk,
//   d     = T r,
//   out_i = exp(c_i) S q_i + sum_{j<=i} E_ij (q_i . k_j) d_j,
//   S     = exp(c_last) S + sum_i exp(c_last - c_i) d_i k_i^T.
// The state's rows (value elements) are independent: a panel of them at a time
// is in registers, as sums of the matrix unit, which does all products. Every
// sum has an order that depends on the shape alone.
// Yang, Kautz, Hatamizadeh, arXiv:2412.06464.
#include "targets/gpu/kernels/DeltaChunked.h"
#include "targets/gpu/kernels/DeltaChunk.h"
#include "targets/gpu/kernels/DeltaPrepare.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Rows of a panel; twice as many where the part has them and shared memory has
/// room.
static constexpr int64_t kPanel = 16;

ChunkSizes::ChunkSizes(const DeltaShape &shape, int64_t panel, bool ahead)
    : panel(panel),
      resident(shape.valueDim % shape.rows() == 0 && shape.rows() <= panel),
      ahead(ahead && resident), row(shape.keyDim, shape.perKey()),
      vectorRow(spreadRow(row.vector)), wordRow(spreadRow(row.triangle)),
      // Lanes that share a row read lines four apart, or neighbours.
      line(panel * 4 + 8) {}

int64_t ChunkSizes::queries() const {
  return sharesQueries() ? std::max(vectors(), 4 * lines()) : vectors();
}

int64_t ChunkSizes::bytes() const {
  return queries() + (ahead ? 2 : 1) * stage() + panel * vectorRow +
         (sharesQueries() ? 2 : 6) * lines() +
         5 * 64; // each piece begins at a multiple of it
}

bool ChunkSizes::fits(const DeviceBuilder &k) const {
  return bytes() <= k.sharedRoom();
}

ChunkSizes ChunkSizes::of(const DeviceBuilder &k, const DeltaShape &shape) {
  for (int64_t panel : {2 * kPanel, kPanel})
    for (bool ahead : {true, false}) {
      ChunkSizes sizes(shape, panel, ahead);
      bool wanted = sizes.ahead == ahead &&
                    (k.machine.copy != CopyEngine::None || !ahead) &&
                    (panel == kPanel || shape.rows() > kPanel);
      if (wanted && sizes.fits(k))
        return sizes;
    }
  return ChunkSizes(shape, kPanel, false);
}

int64_t quartet::gpu::deltaSharedBytes(const DeviceBuilder &k,
                                       const DeltaShape &shape) {
  return std::max(ChunkSizes::of(k, shape).bytes(),
                  PrepareSizes(shape, 1).bytes(shape));
}

V quartet::gpu::endOfChunk(DeviceBuilder &k, const DeltaArgs &args, V first) {
  V place = args.place ? args.place + first : first;
  return k.min(args.tokens, first + (k.i64(kDeltaChunk) - place % kDeltaChunk));
}

DeltaChunk::DeltaChunk(DeviceBuilder &k, const DeltaShape &shape,
                       const DeltaArgs &args, const ChunkSizes &sizes)
    : DeltaParts(k, shape, args), at(sizes), products(k), conv(k, shape, args),
      panel(sizes.panel), runTiles(sizes.panel / products.runTile),
      share(sizes.row.vector / 4 / (2 * products.runTile),
            sizes.panel / products.singleTile, k.machine.warps()),
      zero(k.i64(0)) {
  queries = k.shared(at.queries());
  stages = k.shared((at.ahead ? 2 : 1) * at.stage());
  state = k.shared(panel * at.vectorRow);
  recalled = k.shared(2 * at.lines());
  lines = at.sharesQueries() ? queries : k.shared(4 * at.lines());
}

void DeltaChunk::useStage(V stage) {
  keys = stage;
  triangle = keys + at.vectors();
  reads = triangle + at.words();
  gates = reads + at.words();
}

/// \p count rows of the part from \p first on, for the \p tokens tokens from
/// \p token on. \p sums: their state, and again behind the chunk. What is
/// called in between may use the place of q, and then that of the values.
DeltaChunk::Sums DeltaChunk::runPanel(V first, V count, V token, V tokens,
                                      Sums sums,
                                      llvm::function_ref<void()> behindDots,
                                      llvm::function_ref<void()> behindSolve) {
  Job mine = job();
  Sums begin = recall(mine, dots(mine));
  k.barrier();
  behindDots();
  solve(mine, begin);
  k.barrier();
  behindSolve();
  read(mine, first, count, token, tokens, begin);
  update(tokens, sums);
  return sums;
}

/// \returns the state at the end.
DeltaChunk::Sums DeltaChunk::emitResident() {
  V all = k.i64(shape.rows()), none = k.i64(0), head = headOf(none);
  Sums begin = loadState(none, all);
  splitState(begin);
  // What turns hand on: the token, the stage's place, the state.
  auto handOn = [](V token, V stage, ArrayRef<DeltaProducts::Sum> sums) {
    SmallVector<V> values{token, stage};
    values.append(flattened(sums));
    return values;
  };
  auto bring = [&](V token, V tokens, V stage) {
    bringKeys(token, tokens, stage);
    bringTriangles(head, token, tokens, stage);
  };
  if (at.ahead) {
    V tokens = endOfChunk(k, args, none);
    bringQueries(none, tokens);
    bring(none, tokens, stages);
    storeValues(valueInputs(none, all, none));
  }
  SmallVector<V> last = k.whileLoop(
      handOn(none, none, begin),
      [&](ArrayRef<V> so) { return so[0] < args.tokens; },
      [&](ArrayRef<V> so) -> SmallVector<V> {
        V token = so[0], next = endOfChunk(k, args, token);
        V tokens = next - token;
        zero = tokens >> 40;
        products.hidePlaces(zero);
        V stage = stages + so[1], other = k.i64(at.stage()) - so[1];
        Sums sums = unflattened(so.drop_front(2), begin.size());
        useStage(stage);
        if (!at.ahead) {
          Values values = valueInputs(none, all, token);
          bringQueries(token, tokens);
          bring(token, tokens, stage);
          storeValues(values);
          awaitCopies();
          k.barrier();
          auto nothing = [] {};
          sums = runPanel(none, all, token, tokens, sums, nothing, nothing);
          splitState(sums);
          // What comes next takes the place of what is still used.
          k.ifThen(next < args.tokens, [&] { k.barrier(); });
          return handOn(next, so[1], sums);
        }
        awaitCopies();
        k.barrier();
        V follows = next < args.tokens;
        V nextTokens = endOfChunk(k, args, next) - next;
        Values values = valueInputs(none, all, next);
        k.ifThen(follows, [&] { bring(next, nextTokens, stages + other); });
        sums = runPanel(
            none, all, token, tokens, sums,
            [&] { k.ifThen(follows, [&] { bringQueries(next, nextTokens); }); },
            [&] { storeValues(values); });
        splitState(sums);
        return handOn(next, other, sums);
      });
  zero = none;
  products.showPlaces();
  return unflattened(ArrayRef<V>(last).drop_front(2), begin.size());
}

/// A part of several panels, or heads: their state goes to memory and back for
/// each chunk.
void DeltaChunk::emitPanels() {
  V all = k.i64(shape.rows()), none = k.i64(0);
  useStage(stages);
  k.whileLoop(
      {none}, [&](ArrayRef<V> so) { return so[0] < args.tokens; },
      [&](ArrayRef<V> so) -> SmallVector<V> {
        V token = so[0], next = endOfChunk(k, args, token);
        V tokens = next - token;
        zero = tokens >> 40;
        products.hidePlaces(zero);
        bringQueries(token, tokens);
        bringKeys(token, tokens, stages);
        V firstOfHead = headOf(none), lastOfHead = headOf(all - 1);
        k.loop(firstOfHead, lastOfHead + 1, 1, [&](V head) {
          bringTriangles(head, token, tokens, stages);
          V begin = k.max(head * shape.valueDim - firstRow, none);
          V end = k.min((head + 1) * shape.valueDim - firstRow, all);
          k.loop(begin, end, panel, [&](V first) {
            V count = k.min(end - first, k.i64(panel));
            Sums sums = loadState(first, count);
            storeValues(valueInputs(first, count, token));
            splitState(sums);
            awaitCopies();
            k.barrier();
            auto nothing = [] {};
            sums =
                runPanel(first, count, token, tokens, sums, nothing, nothing);
            storeState(first, count, sums);
          });
          // What comes next takes the place of what is still used.
          k.ifThen((head < lastOfHead) | (next < args.tokens),
                   [&] { k.barrier(); });
        });
        return {next};
      });
  zero = none;
  products.showPlaces();
}

/// The window of the part's values; the first part's also that of q and k.
void DeltaChunk::writeWindow() {
  k.forThreads(shape.rows(),
               [&](V row) { conv.writeWindow(conv.valueChannel(row)); });
  auto vectors = [&] {
    k.forThreads(2 * shape.keyDim,
                 [&](V c) { conv.writeWindow(conv.vectorChannel(c)); });
  };
  shape.parts == 1 ? vectors() : k.ifThen(args.part == 0, vectors);
}

void DeltaChunk::emit() {
  if (at.resident)
    storeState(k.i64(0), k.i64(shape.rows()), emitResident());
  else
    emitPanels();
  writeWindow();
}

void quartet::gpu::deltaChunked(DeviceBuilder &k, const DeltaShape &shape,
                                const DeltaArgs &args) {
  DeviceBuilder::SharedScope scope(k);
  DeltaChunk(k, shape, args, ChunkSizes::of(k, shape)).emit();
}
