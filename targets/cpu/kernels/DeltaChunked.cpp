// Chunks of C tokens with log decays c_i summed from the chunk's start. With
// E_ij = exp(c_i - c_j) for j <= i, the values d_i that the recurrence would
// write solve a triangular system,
//   d_i = beta_i (v_i - exp(c_i) S k_i - sum_{j<i} E_ij (k_i . k_j) d_j),
// by forward substitution on register tiles of 8 tokens, and then
//   out_i = exp(c_i) S q_i + sum_{j<=i} E_ij (q_i . k_j) d_j,
//   S     = exp(c_last) S + sum_i exp(c_last - c_i) d_i k_i^T.
// The state's rows (value elements) are independent: they are taken a panel of
// one or two vectors at a time, transposed for the whole call. Exponents are
// differences of double sums and never positive.
// Yang, Kautz, Hatamizadeh, arXiv:2412.06464.
#include "targets/cpu/kernels/DeltaChunked.h"
#include "targets/cpu/kernels/Delta.h"

using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace {
/// Where things are in the workspace, in bytes.
struct Layout {
  int64_t chunk, keyPad, row; ///< row: bytes of a row of keyPad floats
  int64_t square;             ///< bytes of a row of chunk floats
  int64_t key, query, keyColumns, keyKey, queryKey, solve, read;
  int64_t cumulative, decay, rest, beta, values, rests, states;
  int64_t stateBytes;                           ///< of one head
  static constexpr int64_t kPanel = 2 * kLanes; ///< columns, at most

  Layout(int64_t keyDim, int64_t valueDim, int64_t chunk) : chunk(chunk) {
    keyPad = roundUp(keyDim, kLanes);
    row = keyPad * 4;
    square = chunk * 4;
    int64_t at = 0;
    auto place = [&](int64_t bytes) {
      int64_t here = at;
      at += roundUp(bytes, 64);
      return here;
    };
    key = place(chunk * row);
    query = place(chunk * row);
    keyColumns = place(chunk * row);
    keyKey = place(chunk * square);
    queryKey = place(chunk * square);
    solve = place(chunk * square);
    read = place(chunk * square);
    cumulative = place(chunk * 8);
    decay = place(chunk * 4);
    rest = place(chunk * 4);
    beta = place(chunk * 4);
    values = place(chunk * kPanel * 4);
    rests = place(chunk * kPanel * 4);
    states = at;
    stateBytes = roundUp(valueDim, kPanel) * row;
  }
};

struct Chunked {
  KernelBuilder &k;
  int64_t keyDim, valueDim;
  DeltaArguments args;
  V workspace;
  Layout at;
  int64_t tileRows, panel; ///< rows of a register tile; columns of a panel

  Chunked(KernelBuilder &k, int64_t keyDim, int64_t valueDim, int64_t chunk,
          ArrayRef<V> a)
      : k(k), keyDim(keyDim), valueDim(valueDim), args(a), workspace(a.back()),
        at(keyDim, valueDim, chunk) {
    bool wide = accumulators(k) == 16;
    tileRows = wide ? 8 : 4;
    panel = wide ? 2 * kLanes : kLanes;
  }

  mlir::Type lanes() { return k.vec(kLanes, k.f32()); }
  V scalar(V from, V index) { return k.load(k.f32(), from, index * 4); }
  V spread(V from, int64_t index) {
    return k.splat(k.load(k.f32(), from, index * 4), kLanes);
  }
  V in(int64_t offset) { return workspace + offset; }
  V stateOf(V head) { return in(at.states) + head * at.stateBytes; }
  /// Row 0 of the panel's vector at value element \p value, key element \p d.
  V stateVector(V head, V value, V d) {
    return stateOf(head) + value / panel * (at.keyPad * panel * 4) +
           d * (panel * 4) + value % panel * 4;
  }

  void emit();
  void moveState(V head, bool inward);
  void prepare(V first, V count, V padded);
  void products(V padded);
  void gates(V head, V first, V count, V padded);
  void triangles(V padded);
  void columns(V head, V value, int64_t count, V first, V tokens, V padded);
  void solveTile(Tile &tile, V block, V head, V value, int64_t count, V first,
                 V tokens);
  void readTile(V block, V state, V out, int64_t count, V first, V tokens,
                int64_t vectors);
};
} // namespace

/// Transposes blocks of 16 x 16 between the state [value][key] and the panels.
void Chunked::moveState(V head, bool inward) {
  pieces(k, valueDim, kLanes, [&](V value, int64_t values) {
    pieces(k, keyDim, kLanes, [&](V d, int64_t keys) {
      V outside = args.state + ((head * valueDim + value) * keyDim + d) * 4;
      V inside = stateVector(head, value, d);
      SmallVector<V> rows(kLanes, k.zero(lanes()));
      if (inward) {
        for (int64_t r = 0; r < values; ++r)
          rows[r] = loadLanes(k, outside, 4 * r * keyDim, keys);
        transpose16(k, rows);
        for (int64_t r = 0; r < kLanes; ++r)
          k.store(rows[r], inside, r * panel * 4);
        return;
      }
      for (int64_t r = 0; r < kLanes; ++r)
        rows[r] = k.load(lanes(), inside, r * panel * 4);
      transpose16(k, rows);
      for (int64_t r = 0; r < values; ++r)
        storeLanes(k, rows[r], outside, 4 * r * keyDim, keys);
    });
  });
}

/// Unit vectors of q and k, zero rows after the last token, and k transposed
/// into panels of columns.
void Chunked::prepare(V first, V count, V padded) {
  k.loop(count, [&](V i) {
    V t = first + i;
    storeUnit(k, args.key + t * args.keyStride, args.qkEps, keyDim, 1.0,
              in(at.key) + i * at.row);
    storeUnit(k, args.q + t * args.qStride, args.qkEps, keyDim,
              1.0 / std::sqrt(static_cast<double>(keyDim)),
              in(at.query) + i * at.row);
  });
  k.clear(in(at.key) + count * at.row, (padded - count) * at.row);
  k.clear(in(at.query) + count * at.row, (padded - count) * at.row);
  k.loop(k.i64(0), padded, kLanes, [&](V i) {
    k.loop(0, at.keyPad, kLanes, [&](V d) {
      V from = in(at.key) + i * at.row + d * 4;
      V to = in(at.keyColumns) + i / panel * (at.keyPad * panel * 4) +
             d * (panel * 4) + i % panel * 4;
      SmallVector<V> rows;
      for (int64_t r = 0; r < kLanes; ++r)
        rows.push_back(k.load(lanes(), from, r * at.row));
      transpose16(k, rows);
      for (int64_t r = 0; r < kLanes; ++r)
        k.store(rows[r], to, r * panel * 4);
    });
  });
}

/// k_i . k_j and q_i . k_j for j <= i, in tiles that cover the triangle.
void Chunked::products(V padded) {
  k.loop(k.i64(0), padded, tileRows, [&](V i) {
    k.loop(k.i64(0), i + tileRows, panel, [&](V j) {
      V right = in(at.keyColumns) + j * at.row;
      for (auto [left, to] :
           {std::pair(at.key, at.keyKey), std::pair(at.query, at.queryKey)}) {
        Tile tile = zeroTile(k, tileRows, panel / kLanes);
        multiplyTile(k, tile, {in(left) + i * at.row, at.row, 4},
                     {right, panel * 4}, k.i64(at.keyPad));
        for (int64_t r = 0; r < tileRows; ++r)
          for (int64_t v = 0; v < tile.vectors; ++v)
            k.store(tile.at(r, v), in(to) + i * at.square + j * 4,
                    r * at.square + v * 64);
      }
    });
  });
}

/// beta, the sums c_i of log decays in double, exp(c_i), exp(c_last - c_i).
void Chunked::gates(V head, V first, V count, V padded) {
  V beta = in(at.beta), logs = in(at.rest); // rest is written last
  k.loop(padded, [&](V i) {
    V t = first + k.min(i, count - 1);
    k.store(k.load(k.f32(), args.a + t * args.aStride, head * 4), logs, i * 4);
    k.store(k.load(k.f32(), args.b + t * args.bStride, head * 4), beta, i * 4);
  });
  V aLog = k.splat(scalar(args.aLog, head), kLanes);
  V dtBias = k.splat(scalar(args.dtBias, head), kLanes);
  k.loop(k.i64(0), padded, kLanes, [&](V i) {
    SmallVector<int32_t> ascending;
    for (int32_t lane = 0; lane < kLanes; ++lane)
      ascending.push_back(lane);
    V left = k.splat(k.truncate(count - i, k.i32()), kLanes);
    V used = k.i32s(ascending) < left;
    V zero = k.zero(lanes());
    V log = logDecay(k, k.load(lanes(), logs, i * 4), aLog, dtBias);
    k.store(k.select(used, log, zero), logs, i * 4);
    V strength = k.sigmoid(k.load(lanes(), beta, i * 4));
    k.store(k.select(used, strength, zero), beta, i * 4);
  });
  mlir::Type f64 = k.b.getF64Type();
  V last = k.fold(k.i64(0), padded, 1, {k.constant(f64, 0.0)},
                  [&](V i, ArrayRef<V> sum) -> SmallVector<V> {
                    V next = sum[0] + k.convert(scalar(logs, i), f64);
                    k.store(next, in(at.cumulative), i * 8);
                    return {next};
                  })[0];
  k.loop(k.i64(0), padded, kLanes, [&](V i) {
    V sums = k.load(k.vec(kLanes, f64), in(at.cumulative), i * 8);
    k.store(k.exp(k.convert(sums, lanes())), in(at.decay), i * 4);
    V rest = k.convert(k.splat(last, kLanes) - sums, lanes());
    k.store(k.exp(rest), in(at.rest), i * 4);
  });
}

/// -beta_i E_ij (k_i . k_j) below the diagonal, E_ij (q_i . k_j) up to it.
void Chunked::triangles(V padded) {
  SmallVector<int32_t> ascending;
  for (int32_t lane = 0; lane < kLanes; ++lane)
    ascending.push_back(lane);
  mlir::Type f64 = k.b.getF64Type();
  k.loop(padded, [&](V i) {
    V sum = k.splat(k.load(f64, in(at.cumulative), i * 8), kLanes);
    V strength = k.neg(k.splat(scalar(in(at.beta), i), kLanes));
    k.loop(k.i64(0), i + 1, kLanes, [&](V j) {
      V place = i * at.square + j * 4;
      V others = k.load(k.vec(kLanes, f64), in(at.cumulative), j * 8);
      // Later tokens (above the diagonal) would overflow: clamped, then
      // dropped.
      V exponent = k.min(k.convert(sum - others, lanes()), k.zero(lanes()));
      V decay = k.exp(exponent);
      V below = k.splat(k.truncate(i - j, k.i32()), kLanes);
      V column = k.i32s(ascending);
      V keys = k.load(lanes(), in(at.keyKey), place) * decay * strength;
      V queries = k.load(lanes(), in(at.queryKey), place) * decay;
      V zero = k.zero(lanes());
      k.store(k.select(column < below, keys, zero), in(at.solve), place);
      k.store(k.select(column <= below, queries, zero), in(at.read), place);
    });
  });
}

/// The tile of tokens from \p block on: holds S k_i, becomes d_i.
void Chunked::solveTile(Tile &tile, V block, V head, V value, int64_t count,
                        V first, V tokens) {
  V decay = in(at.decay) + block * 4, beta = in(at.beta) + block * 4;
  V v = args.v + (head * valueDim + value) * 4;
  for (int64_t r = 0; r < tileRows; ++r) {
    // Rows past the last token repeat it; their beta is zero.
    V t = first + k.min(block + r, tokens - 1);
    V minus = k.neg(spread(decay, r)), strength = spread(beta, r);
    for (int64_t n = 0; n < tile.vectors; ++n) {
      V row = loadLanes(k, v + t * args.vStride, n * 64,
                        std::min(kLanes, count - n * kLanes));
      tile.at(r, n) = k.fma(minus, tile.at(r, n), row) * strength;
    }
  }
  V solve = in(at.solve) + block * at.square;
  multiplyTile(k, tile, {solve, at.square, 4}, {in(at.values), panel * 4},
               block);
  V diagonal = solve + block * 4;
  for (int64_t r = 1; r < tileRows; ++r)
    for (int64_t j = 0; j < r; ++j) {
      V factor =
          k.splat(k.load(k.f32(), diagonal, r * at.square + j * 4), kLanes);
      for (int64_t n = 0; n < tile.vectors; ++n)
        tile.at(r, n) = k.fma(factor, tile.at(j, n), tile.at(r, n));
    }
  V rest = in(at.rest) + block * 4;
  V to = block * (panel * 4);
  for (int64_t r = 0; r < tileRows; ++r)
    for (int64_t n = 0; n < tile.vectors; ++n) {
      int64_t offset = r * panel * 4 + n * 64;
      k.store(tile.at(r, n), in(at.values) + to, offset);
      k.store(tile.at(r, n) * spread(rest, r), in(at.rests) + to, offset);
    }
}

/// Writes the outputs of the tokens from \p block on.
void Chunked::readTile(V block, V state, V out, int64_t count, V first,
                       V tokens, int64_t vectors) {
  Tile tile = zeroTile(k, tileRows, vectors);
  multiplyTile(k, tile, {in(at.query) + block * at.row, at.row, 4},
               {state, panel * 4}, k.i64(at.keyPad));
  for (int64_t r = 0; r < tileRows; ++r)
    for (int64_t n = 0; n < vectors; ++n)
      tile.at(r, n) = tile.at(r, n) * spread(in(at.decay) + block * 4, r);
  multiplyTile(k, tile, {in(at.read) + block * at.square, at.square, 4},
               {in(at.values), panel * 4}, block + tileRows);
  // Rows past the last token go to its place first and are overwritten: the
  // last rows are stored first.
  for (int64_t r = tileRows - 1; r >= 0; --r) {
    V t = first + k.min(block + r, tokens - 1);
    for (int64_t n = 0; n < vectors; ++n)
      storeLanes(k, tile.at(r, n), out + t * args.outStride, n * 64,
                 std::min(kLanes, count - n * kLanes));
  }
}

/// A chunk of \p tokens tokens on \p count value elements from \p value on.
void Chunked::columns(V head, V value, int64_t count, V first, V tokens,
                      V padded) {
  int64_t vectors = ceilDiv(count, kLanes);
  V state = stateVector(head, value, k.i64(0));
  V out = args.out + (head * valueDim + value) * 4;
  // No tile without a token: it would overwrite the last token's output.
  V used = (tokens + (tileRows - 1)) / tileRows * tileRows;
  k.loop(k.i64(0), used, tileRows, [&](V block) {
    Tile tile = zeroTile(k, tileRows, vectors);
    multiplyTile(k, tile, {in(at.key) + block * at.row, at.row, 4},
                 {state, panel * 4}, k.i64(at.keyPad));
    solveTile(tile, block, head, value, count, first, tokens);
    readTile(block, state, out, count, first, tokens, vectors);
  });
  V decay = k.splat(scalar(in(at.decay), padded - 1), kLanes);
  k.loop(0, at.keyPad, tileRows, [&](V d) {
    V rows = state + d * (panel * 4);
    Tile tile = zeroTile(k, tileRows, vectors);
    for (int64_t r = 0; r < tileRows; ++r)
      for (int64_t n = 0; n < vectors; ++n)
        tile.at(r, n) = k.load(lanes(), rows, r * panel * 4 + n * 64) * decay;
    multiplyTile(k, tile, {in(at.key) + d * 4, 4, at.row},
                 {in(at.rests), panel * 4}, used);
    for (int64_t r = 0; r < tileRows; ++r)
      for (int64_t n = 0; n < vectors; ++n)
        k.store(tile.at(r, n), rows, r * panel * 4 + n * 64);
  });
}

void Chunked::emit() {
  k.loop(args.heads, [&](V head) { moveState(head, /*inward=*/true); });
  k.loop(k.i64(0), args.tokens, at.chunk, [&](V first) {
    V count = k.min(args.tokens - first, k.i64(at.chunk));
    V padded = (count + (kLanes - 1)) / kLanes * kLanes;
    prepare(first, count, padded);
    products(padded);
    k.loop(args.heads, [&](V head) {
      gates(head, first, count, padded);
      triangles(padded);
      pieces(k, valueDim, panel, [&](V value, int64_t width) {
        columns(head, value, width, first, count, padded);
      });
    });
  });
  k.loop(args.heads, [&](V head) { moveState(head, /*inward=*/false); });
}

int64_t quartet::cpu::deltaChunkedWorkspace(int64_t keyDim, int64_t valueDim,
                                            int64_t heads, int64_t chunk) {
  Layout layout(keyDim, valueDim, chunk);
  return layout.states + heads * layout.stateBytes;
}

mlir::func::FuncOp quartet::cpu::deltaChunkedKernel(KernelBuilder &k,
                                                    int64_t keyDim,
                                                    int64_t valueDim,
                                                    int64_t chunk) {
  std::string name = "delta_chunked_" + std::to_string(keyDim) + "_" +
                     std::to_string(valueDim) + "_c" + std::to_string(chunk);
  std::string arguments = (kDeltaArguments + "p").str();
  return k.function(name, arguments, [&](ArrayRef<V> a) {
    Chunked(k, keyDim, valueDim, chunk, a).emit();
  });
}
