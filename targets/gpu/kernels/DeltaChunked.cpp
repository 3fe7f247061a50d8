// Chunks of C tokens with log decays c_i summed from the chunk's start. With
// E_ij = exp(c_i - c_j) for j <= i, the values d_i that the recurrence would
// write solve a triangular system,
//   d_i = beta_i (v_i - exp(c_i) S k_i - sum_{j<i} E_ij (k_i . k_j) d_j),
// by forward substitution, a thread for each value element, and then
//   out_i = exp(c_i) S q_i + sum_{j<=i} E_ij (q_i . k_j) d_j,
//   S     = exp(c_last) S + sum_i exp(c_last - c_i) d_i k_i^T.
// The state's rows (value elements) are independent: a panel of them at a time
// is in shared memory. Products are register tiles of a thread; every sum is in
// ascending order. Sums of logs are pairs of floats, exponents differences of
// them and never positive.
// Yang, Kautz, Hatamizadeh, arXiv:2412.06464.
#include "targets/gpu/kernels/DeltaChunked.h"
#include "targets/gpu/kernels/DeltaParts.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Threads along the rows of a product, and along its columns.
static constexpr int64_t kSide = 16;

namespace {
/// How much is in shared memory at once.
struct Sizes {
  int64_t chunk, panel;
  int64_t keyPad;   ///< keyDim in full vectors of four
  int64_t stateRow; ///< bytes of a row of the panel
  DeltaRow row;

  /// Rows that threads read side by side are an odd number of 16-byte pieces,
  /// so that they lie in different banks.
  static int64_t odd(int64_t bytes) {
    int64_t pieces = ceilDiv(bytes, 16);
    return (pieces | 1) * 16;
  }

  Sizes(const DeltaShape &shape, int64_t chunk, int64_t panel)
      : chunk(chunk), panel(panel), keyPad(roundUp(shape.keyDim, 4)),
        stateRow(odd(keyPad * 4)), row{keyPad * 4, keyPad * 8,
                                       odd(keyPad * 8 + shape.rows() * 4)} {}

  int64_t bytes(const DeltaShape &shape) const {
    int64_t perHead = chunk * 4 * 6;
    return chunk * row.bytes + panel * stateRow + 2 * chunk * panel * 4 +
           4 * chunk * chunk * 4 + shape.perKey() * perHead +
           shape.width() * (shape.taps - 1) * 4 + 1024;
  }

  /// The largest that fit.
  static Sizes of(const DeviceBuilder &k, const DeltaShape &shape) {
    Sizes sizes(shape, 2 * kSide, 2 * kSide);
    if (sizes.bytes(shape) > k.sharedRoom())
      sizes = Sizes(shape, kSide, 2 * kSide);
    if (sizes.bytes(shape) > k.sharedRoom())
      sizes = Sizes(shape, kSide, kSide);
    return sizes;
  }
};

struct Chunked : DeltaParts {
  using Sink = llvm::function_ref<void(V token, bool ofQuery, V column, V dot)>;

  Sizes at;
  int64_t chunk, panel;
  bool oneHead;  ///< the part's rows belong to one value head
  bool resident; ///< they are one panel, which stays in shared memory
  V state;       ///< shared: [panel] rows of the state
  V products;    ///< shared: [2 chunk][chunk]: k_i . k_j, then q_i . k_j
  V triangles;   ///< shared: [j][-beta_i E_ij k_i.k_j], then [i][E_ij q_i.k_j]
  V recalled;    ///< shared: [chunk][panel]: S k_i, then d_i
  V readout;     ///< shared: [chunk][panel]: S q_i
  /// Shared, [perKey][chunk]: sums of log decays, what they lack (of both kinds
  /// of the pair), exp of the sum, exp of what follows to the chunk's end.
  V logs, rests, factors, remains;

  Chunked(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args,
          const Sizes &sizes)
      : DeltaParts(k, shape, args, sizes.chunk, sizes.row, /*logs=*/true),
        at(sizes), chunk(sizes.chunk), panel(sizes.panel) {
    int64_t rows = shape.rows();
    oneHead = shape.valueDim % rows == 0;
    resident = oneHead && rows <= panel;
    state = k.shared(panel * at.stateRow);
    products = k.shared(2 * chunk * chunk * 4);
    triangles = oneHead ? products : k.shared(2 * chunk * chunk * 4);
    recalled = k.shared(chunk * panel * 4);
    readout = k.shared(chunk * panel * 4);
    int64_t gates = shape.perKey() * chunk * 4;
    logs = k.shared(gates);
    rests = k.shared(gates);
    factors = k.shared(gates);
    remains = k.shared(gates);
  }

  mlir::Type four() { return k.vec(4, k.f32()); }
  V scalar(V from, V index) { return k.load(k.f32(), from, index * 4); }
  V inHead(V head, V token) { return head * chunk + token; }

  void emit();
  void clear(V from, V bytes);
  void sumLogs(V count);
  V exponent(V head, V later, V earlier);
  void dots(V rows, int64_t rowBytes, int64_t count, Sink sink);
  void makeTriangles(V head);
  void loadState(V first, V count);
  void storeState(V first, V count);
  void storePiece(V value, V row, V column);
  void solve(V head, V first, V count);
  void read(V head, V first, V count, V token, V tokens);
  void update(V head, V first, V count, V tokens, bool keep);
  void runPanel(V head, V first, V count, V token, V tokens);
};
} // namespace

/// Zeros in shared memory, a multiple of 16 bytes.
void Chunked::clear(V from, V bytes) {
  k.forThreads(bytes / 16,
               [&](V i) { k.store(k.zero(four()), from, i * 16, 16); });
}

/// Sums of the logs of decays over the \p count tokens of the chunk, a warp for
/// each head: a tree over the lanes, of sums with what they lack.
void Chunked::sumLogs(V count) {
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
V Chunked::exponent(V head, V later, V earlier) {
  V i = inHead(head, later), j = inHead(head, earlier);
  V difference = (scalar(logs, i) - scalar(logs, j)) +
                 (scalar(rests, i) - scalar(rests, j));
  return k.min(difference, k.f32(0));
}

/// Dot products of all k_i and q_i with \p count rows (a multiple of kSide) of
/// keyPad floats at \p rows, shared.
void Chunked::dots(V rows, int64_t rowBytes, int64_t count, Sink sink) {
  V down = k.thread() / kSide, across = k.thread() & (kSide - 1);
  int64_t tall = chunk / kSide, wide = count / kSide;
  SmallVector<V> left, right, sums(2 * tall * wide, k.f32(0));
  for (int64_t i = 0; i < 2 * tall; ++i) {
    V token = down + i % tall * kSide;
    left.push_back(i < tall ? keyOf(token) : queryOf(token));
  }
  for (int64_t j = 0; j < wide; ++j)
    right.push_back(rows + (across + j * kSide) * rowBytes);
  sums = k.fold(
      k.i64(0), k.i64(at.keyPad * 4), 16, sums, [&](V d, ArrayRef<V> so) {
        SmallVector<V> next(so.begin(), so.end()), a, b;
        for (V row : left)
          a.push_back(k.load(four(), row, d, 16));
        for (V row : right)
          b.push_back(k.load(four(), row, d, 16));
        for (int64_t e = 0; e < 4; ++e)
          for (int64_t i = 0; i < 2 * tall; ++i)
            for (int64_t j = 0; j < wide; ++j) {
              V &sum = next[i * wide + j];
              sum = k.fma(k.extract(a[i], e), k.extract(b[j], e), sum);
            }
        return next;
      });
  for (int64_t i = 0; i < 2 * tall; ++i)
    for (int64_t j = 0; j < wide; ++j)
      sink(down + i % tall * kSide, i >= tall, across + j * kSide,
           sums[i * wide + j]);
}

/// products become the triangles of \p head: k_i . k_j is as good as k_j . k_i,
/// so that either triangle is read where it is written.
void Chunked::makeTriangles(V head) {
  k.forThreads(chunk * chunk, [&](V place) {
    V row = place / chunk, column = place % chunk;
    V strength = k.neg(scalar(beta, column * shape.perKey() + head));
    V keys =
        scalar(products, place) * k.exp(exponent(head, column, row)) * strength;
    k.store(k.select(row < column, keys, k.f32(0)), triangles, place * 4);
    V offset = place + chunk * chunk;
    V queries = scalar(products, offset) * k.exp(exponent(head, row, column));
    k.store(k.select(column <= row, queries, k.f32(0)), triangles, offset * 4);
  });
}

/// Rows [first, first + count) of the part's state, zeros behind them.
void Chunked::loadState(V first, V count) {
  int64_t pieces = at.keyPad / 4;
  k.forThreads(panel * pieces, [&](V i) {
    V row = i / pieces, column = i % pieces * 4;
    V inside = row < count;
    V from = stateRow(first + k.select(inside, row, k.i64(0)));
    V value;
    if (shape.keyDim % 4 == 0) {
      value = k.load(four(), from, column * 4, 16);
    } else {
      value = k.zero(four());
      for (int64_t e = 0; e < 4; ++e) {
        V here = column + e < k.i64(shape.keyDim);
        V element =
            k.load(k.f32(), from, k.select(here, column + e, k.i64(0)) * 4);
        value = k.insert(k.select(here, element, k.f32(0)), value, e);
      }
    }
    k.store(k.select(inside, value, k.zero(four())), state,
            row * at.stateRow + column * 4, 16);
  });
}

/// Four elements of the state in global memory.
void Chunked::storePiece(V value, V row, V column) {
  if (shape.keyDim % 4 == 0)
    return k.store(value, stateRow(row), column * 4, 16);
  for (int64_t e = 0; e < 4; ++e)
    k.ifThen(column + e < k.i64(shape.keyDim), [&] {
      k.store(k.extract(value, e), stateRow(row), (column + e) * 4);
    });
}

/// d of a panel: a thread has the value element of all tokens.
void Chunked::solve(V head, V first, V count) {
  k.ifThen(k.thread() < panel, [&] {
    V element = k.thread();
    V inside = element < count;
    V value = first + k.select(inside, element, k.i64(0));
    SmallVector<V> d;
    for (int64_t i = 0; i < chunk; ++i) {
      V token = k.i64(i), place = inHead(head, token);
      V v = k.load(k.f32(), valuesOf(token), value * 4);
      V kept = scalar(recalled, token * panel + element);
      V strength = scalar(beta, token * shape.perKey() + head);
      d.push_back(k.fma(k.neg(scalar(factors, place)), kept, v) * strength);
    }
    for (int64_t j = 0; j + 1 < chunk; ++j)
      for (int64_t i = j / 4 * 4; i < chunk; i += 4) {
        V four4 = k.load(four(), triangles, (j * chunk + i) * 4, 16);
        for (int64_t e = 0; e < 4; ++e)
          if (i + e > j)
            d[i + e] = k.fma(k.extract(four4, e), d[j], d[i + e]);
      }
    for (int64_t i = 0; i < chunk; ++i)
      k.store(d[i], recalled, (element + i * panel) * 4);
  });
}

/// Outputs of a panel for the \p tokens tokens from \p token on.
void Chunked::read(V head, V first, V count, V token, V tokens) {
  V element = k.thread() & (panel - 1), down = k.thread() / panel;
  int64_t apart = k.machine.threads / panel, turns = ceilDiv(chunk, apart);
  SmallVector<V> sums, rows;
  for (int64_t r = 0; r < turns; ++r) {
    V i = down + r * apart;
    rows.push_back(triangles + (i + chunk) * (chunk * 4));
    sums.push_back(scalar(factors, inHead(head, i)) *
                   scalar(readout, i * panel + element));
  }
  sums = k.fold(k.i64(0), k.i64(chunk), 4, sums, [&](V j, ArrayRef<V> so) {
    SmallVector<V> next(so.begin(), so.end()), d;
    for (int64_t e = 0; e < 4; ++e)
      d.push_back(scalar(recalled, (j + e) * panel + element));
    for (int64_t r = 0; r < turns; ++r) {
      V factors4 = k.load(four(), rows[r], j * 4, 16);
      for (int64_t e = 0; e < 4; ++e)
        next[r] = k.fma(k.extract(factors4, e), d[e], next[r]);
    }
    return next;
  });
  for (int64_t r = 0; r < turns; ++r) {
    V i = down + r * apart;
    k.ifThen((i < tokens) & (element < count),
             [&] { k.store(sums[r], outOf(token + i, first + element)); });
  }
}

/// The panel's state behind the chunk, in tiles of 4 x 4; into global memory
/// unless \p keep.
void Chunked::update(V head, V first, V count, V tokens, bool keep) {
  int64_t pieces = at.keyPad / 4;
  V all = scalar(factors, inHead(head, k.i64(chunk - 1)));
  k.forThreads(panel / 4 * pieces, [&](V tile) {
    V row = tile / pieces * 4, column = tile % pieces * 4;
    SmallVector<V> sums;
    V from = state + row * at.stateRow + column * 4;
    for (int64_t r = 0; r < 4; ++r)
      sums.push_back(k.load(four(), from, r * at.stateRow, 16) *
                     k.splat(all, 4));
    sums = k.fold(k.i64(0), tokens, 1, sums, [&](V i, ArrayRef<V> so) {
      V d = k.load(four(), recalled, (i * panel + row) * 4, 16) *
            k.splat(scalar(remains, inHead(head, i)), 4);
      V key = k.load(four(), keyOf(i), column * 4, 16);
      SmallVector<V> next;
      for (int64_t r = 0; r < 4; ++r)
        next.push_back(k.fma(k.splat(k.extract(d, r), 4), key, so[r]));
      return next;
    });
    for (int64_t r = 0; r < 4; ++r) {
      if (keep) {
        k.store(sums[r], from, r * at.stateRow, 16);
        continue;
      }
      k.ifThen(row + r < count,
               [&] { storePiece(sums[r], first + row + r, column); });
    }
  });
}

/// What update() keeps, at the end; each thread what it wrote itself.
void Chunked::storeState(V first, V count) {
  int64_t pieces = at.keyPad / 4;
  k.forThreads(panel / 4 * pieces, [&](V tile) {
    V row = tile / pieces * 4, column = tile % pieces * 4;
    for (int64_t r = 0; r < 4; ++r)
      k.ifThen(row + r < count, [&] {
        V value =
            k.load(four(), state, (row + r) * at.stateRow + column * 4, 16);
        storePiece(value, first + row + r, column);
      });
  });
}

/// \p count rows of the part from \p first on, all of \p head, for the
/// \p tokens tokens from \p token on.
void Chunked::runPanel(V head, V first, V count, V token, V tokens) {
  if (!resident) {
    k.barrier(); // whoever still updates the panel before
    loadState(first, count);
  }
  k.barrier();
  dots(state, at.stateRow, panel, [&](V i, bool ofQuery, V row, V dot) {
    k.store(dot, ofQuery ? readout : recalled, (i * panel + row) * 4);
  });
  k.barrier();
  solve(head, first, count);
  k.barrier();
  read(head, first, count, token, tokens);
  update(head, first, count, tokens, resident);
}

void Chunked::emit() {
  conv.begin();
  clear(rows, k.i64(chunk * row.bytes)); // what stands behind q and k
  if (resident)
    loadState(k.i64(0), k.i64(shape.rows()));
  k.whileLoop(
      {k.i64(0)}, [&](ArrayRef<V> so) { return so[0] < args.tokens; },
      [&](ArrayRef<V> so) -> SmallVector<V> {
        V token = so[0];
        V room = k.i64(chunk) - (args.place + token) % chunk;
        V tokens = k.min(args.tokens - token, room);
        convolve(token, tokens);
        scale(tokens);
        sumLogs(tokens);
        // Tokens that are not there change nothing.
        clear(rows + tokens * row.bytes, (k.i64(chunk) - tokens) * row.bytes);
        k.forThreads((k.i64(chunk) - tokens) * shape.perKey(), [&](V i) {
          k.store(k.f32(0), beta, (tokens * shape.perKey() + i) * 4);
        });
        k.barrier();
        dots(keyOf(k.i64(0)), row.bytes, chunk,
             [&](V i, bool ofQuery, V j, V dot) {
               V place = ofQuery ? i + chunk : i;
               k.store(dot, products, (place * chunk + j) * 4);
             });
        V firstOfHead = headOf(k.i64(0));
        V lastOfHead = headOf(k.i64(shape.rows() - 1));
        k.loop(firstOfHead, lastOfHead + 1, 1, [&](V head) {
          k.barrier();
          makeTriangles(head);
          V begin = k.max(head * shape.valueDim - firstRow, k.i64(0));
          V end = k.min((head + 1) * shape.valueDim - firstRow,
                        k.i64(shape.rows()));
          k.loop(begin, end, panel, [&](V first) {
            runPanel(head, first, k.min(end - first, k.i64(panel)), token,
                     tokens);
          });
        });
        return {token + tokens};
      });
  if (resident)
    storeState(k.i64(0), k.i64(shape.rows()));
  conv.end();
}

void quartet::gpu::deltaChunked(DeviceBuilder &k, const DeltaShape &shape,
                                const DeltaArgs &args) {
  DeviceBuilder::SharedScope scope(k);
  Sizes sizes = Sizes::of(k, shape);
  Chunked(k, shape, args, sizes).emit();
}
