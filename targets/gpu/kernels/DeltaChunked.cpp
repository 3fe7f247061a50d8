// Chunks of C tokens with log decays c_i summed from the chunk's start. With
// E_ij = exp(c_i - c_j) for j <= i, the values d_i that the recurrence would
// write solve a triangular system,
//   d_i = beta_i (v_i - exp(c_i) S k_i - sum_{j<i} E_ij (k_i . k_j) d_j),
// by forward substitution (DeltaSolve.cpp), and then
//   out_i = exp(c_i) S q_i + sum_{j<=i} E_ij (q_i . k_j) d_j,
//   S     = exp(c_last) S + sum_i exp(c_last - c_i) d_i k_i^T.
// The state's rows (value elements) are independent: a panel of them at a time
// is in registers, as sums of the matrix unit, which does all products but the
// substitution's. Every sum has an order that depends on the shape alone. Sums
// of logs are pairs of floats, exponents differences of them and never
// positive.
// Yang, Kautz, Hatamizadeh, arXiv:2412.06464.
#include "targets/gpu/kernels/DeltaChunked.h"
#include "targets/gpu/kernels/DeltaChunk.h"
#include "targets/gpu/kernels/FastMath.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Rows of a panel; twice as many where shared memory has room.
static constexpr int64_t kPanel = 16;
/// Shared memory that a kernel may have given away before, in bytes.
static constexpr int64_t kOthersBytes = 4 << 10;
/// Columns of keys in an inner unit: whole instructions of all families, and
/// 16 bytes for each lane.
static constexpr int64_t kKeyUnit = 32;

/// Rows that threads read side by side are an odd number of 16-byte pieces, so
/// that they lie in different banks.
static int64_t odd(int64_t bytes) { return (ceilDiv(bytes, 16) | 1) * 16; }

ChunkSizes::ChunkSizes(const DeviceBuilder &k, const DeltaShape &shape,
                       int64_t chunk, int64_t panel)
    : chunk(chunk), panel(panel), keyPad(roundUp(shape.keyDim, kKeyUnit)),
      inner(roundUp(chunk, k.machine.bf16K)), stateRow(odd(keyPad * 4)),
      rawRow(odd(chunk * 4)), readRow(odd(inner * 4)),
      // Lanes that share a row read lines four apart, or neighbours.
      line(panel * 4 + 8), row{keyPad * 4, keyPad * 8,
                               odd(keyPad * 8 + shape.rows() * 4)} {}

int64_t ChunkSizes::bytes(const DeltaShape &shape) const {
  bool oneHead = shape.valueDim % shape.rows() == 0;
  return chunk * row.bytes + panel * stateRow +
         (oneHead ? 2 : 3) * chunk * rawRow + chunk * readRow +
         2 * chunk * panel * 4 + 4 * lines() + shape.perKey() * chunk * 4 * 6 +
         shape.width() * (shape.taps - 1) * 4 + 1024;
}

ChunkSizes ChunkSizes::of(const DeviceBuilder &k, const DeltaShape &shape) {
  DeltaShape whole = shape;
  whole.parts = 1;
  int64_t chunk = kDeltaChunk;
  if (ChunkSizes(k, whole, chunk, kPanel).bytes(whole) >
      k.machine.sharedBytes - kOthersBytes)
    chunk /= 2;
  ChunkSizes sizes(k, shape, chunk, 2 * kPanel);
  if (sizes.bytes(shape) > k.sharedRoom())
    sizes = ChunkSizes(k, shape, chunk, kPanel);
  return sizes;
}

DeltaChunk::DeltaChunk(DeviceBuilder &k, const DeltaShape &shape,
                       const DeltaArgs &args, const ChunkSizes &sizes)
    : DeltaParts(k, shape, args, sizes.chunk, sizes.row, /*logs=*/true),
      at(sizes), products(k), chunk(sizes.chunk), panel(sizes.panel),
      half(sizes.chunk / 2),
      share(sizes.keyPad / (2 * products.runTile),
            sizes.panel / products.singleTile, k.machine.warps()) {
  int64_t rows = shape.rows();
  oneHead = shape.valueDim % rows == 0;
  resident = oneHead && rows <= panel;
  state = k.shared(panel * at.stateRow);
  raw = k.shared(2 * chunk * at.rawRow);
  lower = oneHead ? raw : k.shared(chunk * at.rawRow);
  reads = k.shared(chunk * at.readRow);
  recalled = k.shared(chunk * panel * 4);
  readout = k.shared(chunk * panel * 4);
  lines = k.shared(4 * at.lines());
  int64_t gates = shape.perKey() * chunk * 4;
  logs = k.shared(gates);
  rests = k.shared(gates);
  factors = k.shared(gates);
  remains = k.shared(gates);
}

/// Zeros in shared memory, a multiple of 16 bytes.
void DeltaChunk::clear(V from, int64_t bytes) {
  k.forThreads(bytes / 16,
               [&](V i) { k.store(k.zero(four()), from, i * 16, 16); });
}

/// Sums of the logs of decays over the \p count tokens of the chunk, a warp for
/// each head: a tree over the lanes, of sums with what they lack.
void DeltaChunk::sumLogs(V count) {
  int64_t perKey = shape.perKey();
  k.forWarps(k.i64(perKey), [&](V head) {
    V inside = k.lane() < count;
    V token = k.select(inside, k.lane(), k.i64(0));
    V sum = k.select(inside, scalar(decay, token * perKey + head), k.f32(0));
    V rest = k.f32(0);
    for (int64_t distance = 1; distance < chunk; distance *= 2) {
      V from = (k.lane() - distance) & (k.machine.lanes - 1);
      V other = k.shuffleIndex(sum, from);
      V otherRest = k.shuffleIndex(rest, from);
      V both = sum + other, part = both - sum;
      V lost = (sum - (both - part)) + (other - part);
      V low = rest + otherRest + lost;
      V high = both + low;
      low = low - (high - both);
      V reaches = k.lane() >= distance;
      sum = k.select(reaches, high, sum);
      rest = k.select(reaches, low, rest);
    }
    V last = k.i64(chunk - 1);
    V after =
        (k.shuffleIndex(sum, last) - sum) + (k.shuffleIndex(rest, last) - rest);
    k.ifThen(k.lane() < chunk, [&] {
      V place = inHead(head, k.lane()) * 4;
      k.store(sum, logs, place);
      k.store(rest, rests, place);
      k.store(k.exp(sum), factors, place);
      k.store(k.exp(k.min(after, k.f32(0))), remains, place);
    });
  });
}

/// log of the decay from token \p earlier to \p later of the chunk; clamped
/// where they are the other way round.
V DeltaChunk::exponent(V head, V later, V earlier) {
  V i = inHead(head, later), j = inHead(head, earlier);
  V difference = (scalar(logs, i) - scalar(logs, j)) +
                 (scalar(rests, i) - scalar(rests, j));
  return k.min(difference, k.f32(0));
}

/// The raw products become the factors of \p head: lower, in place where the
/// part has one head, and reads.
void DeltaChunk::makeTriangles(V head) {
  k.forThreads(chunk * half, [&](V index) {
    V place = index + zero;
    V i = place / half, word = place % half;
    V strength = k.neg(scalar(beta, i * shape.perKey() + head));
    SmallVector<V> queries;
    for (int64_t part = 0; part < 2; ++part) {
      V j = word + part * half, at4 = i * at.rawRow + j * 4;
      V decayed = fastExp(k, exponent(head, i, j));
      V keys = k.load(k.f32(), raw, at4) * decayed * strength;
      k.store(k.select(j < i, keys, k.f32(0)), lower, at4);
      V query = k.load(k.f32(), raw, at4 + chunk * at.rawRow) * decayed;
      queries.push_back(k.select(j <= i, query, k.f32(0)));
    }
    auto [high, low] = products.splitPairs(queries[0], queries[1]);
    V to = i * at.readRow + products.splitPlace(word);
    k.store(high, reads, to);
    k.store(low, reads, to + 16);
  });
}

/// \p count rows of the part from \p first on, all of \p head, for the
/// \p tokens tokens from \p token on. \p sums: their state, and again behind
/// the chunk.
DeltaChunk::Sums DeltaChunk::runPanel(V head, V first, V count, V token,
                                      V tokens, Sums sums) {
  k.barrier();
  solve(head);
  k.barrier();
  read(first, count, token, tokens);
  update(head, sums);
  return sums;
}

void DeltaChunk::emit() {
  conv.begin();
  // What stands behind q, k and v, and words behind the chunk's tokens.
  clear(rows, chunk * row.bytes);
  if (at.inner > chunk) {
    clear(reads, chunk * at.readRow);
    clear(lines, 4 * at.lines());
  }
  V all = k.i64(shape.rows()), none = k.i64(0);
  zero = none;
  int64_t keyTiles = chunk / products.runTile,
          stateTiles = panel / products.runTile;
  Sums kept;
  if (resident) {
    kept = loadState(none, all);
    splitState(kept);
  }
  // What turns hand on: the token, and the state.
  auto handOn = [](V token, ArrayRef<DeltaProducts::Sum> sums) {
    SmallVector<V> values{token};
    values.append(flattened(sums));
    return values;
  };
  auto handed = [&](ArrayRef<V> values) {
    return unflattened(values.drop_front(), kept.size());
  };
  SmallVector<V> last = k.whileLoop(
      handOn(none, kept), [&](ArrayRef<V> so) { return so[0] < args.tokens; },
      [&](ArrayRef<V> so) -> SmallVector<V> {
        V token = so[0];
        V room = k.i64(chunk) - (args.place + token) % chunk;
        V tokens = k.min(args.tokens - token, room);
        convolve(token, tokens);
        // A warp or two, whose lanes wait for each other while others go on.
        sumLogs(tokens);
        splitVectors(tokens);
        // Tokens that are not there change nothing.
        k.forThreads((k.i64(chunk) - tokens) * shape.perKey(), [&](V i) {
          k.store(k.f32(0), beta, (tokens * shape.perKey() + i) * 4);
        });
        k.barrier();
        zero = tokens >> 40;
        products.hidePlaces(zero);
        V firstOfHead = headOf(none);
        if (resident) {
          dots(0, keyTiles + stateTiles, [&](V row, V i, V run) {
            // The same for all of a tile.
            k.ifThen(
                row < chunk, [&] { keyDots(row, i, run); },
                [&] {
                  stateDots(firstOfHead, none, all, row - chunk, i, run);
                });
          });
          k.barrier();
          makeTriangles(firstOfHead);
          Sums sums =
              runPanel(firstOfHead, none, all, token, tokens, handed(so));
          splitState(sums);
          return handOn(token + tokens, sums);
        }
        dots(0, keyTiles, [&](V row, V i, V run) { keyDots(row, i, run); });
        V lastOfHead = headOf(k.i64(shape.rows() - 1));
        k.loop(firstOfHead, lastOfHead + 1, 1, [&](V head) {
          k.barrier();
          makeTriangles(head);
          V begin = k.max(head * shape.valueDim - firstRow, none);
          V end = k.min((head + 1) * shape.valueDim - firstRow, all);
          k.loop(begin, end, panel, [&](V first) {
            V count = k.min(end - first, k.i64(panel));
            Sums sums = loadState(first, count);
            splitState(sums);
            k.barrier();
            dots(keyTiles, stateTiles, [&](V row, V i, V run) {
              stateDots(head, first, count, row - chunk, i, run);
            });
            sums = runPanel(head, first, count, token, tokens, sums);
            storeState(first, count, sums);
          });
        });
        return {token + tokens};
      });
  zero = none;
  products.showPlaces();
  if (resident)
    storeState(none, all, handed(last));
  conv.endChunks(args.tokens);
}

void quartet::gpu::deltaChunked(DeviceBuilder &k, const DeltaShape &shape,
                                const DeltaArgs &args) {
  DeviceBuilder::SharedScope scope(k);
  DeltaChunk(k, shape, args, ChunkSizes::of(k, shape)).emit();
}
