// A few rows of the state at a time stay in the nearest cache for all tokens of
// a group: one pass gives both dot products with the row (the decay is applied
// to the results), a second one decays and updates it. With S' = alpha S + d k,
// S' q = alpha (S q) + d (k . q), so the updated row need not be read again.
#include "targets/cpu/kernels/DeltaRecurrent.h"
#include "targets/cpu/kernels/Delta.h"

using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tokens whose unit vectors and gates are prepared together.
static constexpr int64_t kGroup = 16;

namespace {
struct Recurrent {
  KernelBuilder &k;
  int64_t keyDim, valueDim;
  DeltaArguments args;
  int64_t parts; ///< vectors of a row
  V key, query;  ///< stack, [kGroup][parts][16]
  V keyDotQuery; ///< stack, [kGroup]
  V alpha, beta; ///< stack, [kGroup]
  V delta;       ///< stack, a vector

  Recurrent(KernelBuilder &k, int64_t keyDim, int64_t valueDim, ArrayRef<V> a)
      : k(k), keyDim(keyDim), valueDim(valueDim), args(a),
        parts(ceilDiv(keyDim, kLanes)) {}

  int64_t lanesOf(int64_t part) const {
    return std::min(kLanes, keyDim - part * kLanes);
  }

  /// Unit vectors of the tokens first .. first + count.
  void prepare(V first, V count) {
    k.loop(count, [&](V i) {
      V t = first + i, at = i * (parts * 64);
      auto kn = storeUnit(k, args.key + t * args.keyStride, args.qkEps, keyDim,
                          1.0, key + at);
      auto qn =
          storeUnit(k, args.q + t * args.qStride, args.qkEps, keyDim,
                    1.0 / std::sqrt(static_cast<double>(keyDim)), query + at);
      V dot = kn[0] * qn[0];
      for (int64_t p = 1; p < parts; ++p)
        dot = k.fma(kn[p], qn[p], dot);
      k.store(k.sum(dot), keyDotQuery, i * 4);
    });
  }

  void gates(V head, V first, V count) {
    V aLog = k.load(k.f32(), args.aLog, head * 4);
    V dtBias = k.load(k.f32(), args.dtBias, head * 4);
    k.loop(count, [&](V i) {
      V t = first + i;
      V a = k.load(k.f32(), args.a + t * args.aStride, head * 4);
      V b = k.load(k.f32(), args.b + t * args.bStride, head * 4);
      k.store(k.exp(logDecay(k, a, aLog, dtBias)), alpha, i * 4);
      k.store(k.sigmoid(b), beta, i * 4);
    });
  }

  /// One token on \p count rows of the state at \p rows; v and out at the first
  /// row's element.
  void step(V rows, V i, V v, V out, int64_t count) {
    V kn = key + i * (parts * 64), qn = query + i * (parts * 64);
    V decay = k.load(k.f32(), alpha, i * 4);
    // Sums of row . k, then of row . q.
    SmallVector<V> sums(2 * count, k.zero(k.vec(kLanes, k.f32())));
    for (int64_t p = 0; p < parts; ++p) {
      V kPart = k.load(k.vec(kLanes, k.f32()), kn, p * 64);
      V qPart = k.load(k.vec(kLanes, k.f32()), qn, p * 64);
      for (int64_t r = 0; r < count; ++r) {
        V row = loadLanes(k, rows, 4 * (r * keyDim + p * kLanes), lanesOf(p));
        sums[r] = k.fma(row, kPart, sums[r]);
        sums[count + r] = k.fma(row, qPart, sums[count + r]);
      }
    }
    V dots = sumEach(k, sums) * k.splat(decay, 2 * count);
    V recalled = k.slice(dots, 0, count), read = k.slice(dots, count, count);
    V write = k.splat(k.load(k.f32(), beta, i * 4), count) *
              (k.load(k.vec(count, k.f32()), v) - recalled);
    V both = k.splat(k.load(k.f32(), keyDotQuery, i * 4), count);
    k.store(k.fma(write, both, read), out);
    k.store(write, delta);
    V decays = k.splat(decay, kLanes);
    for (int64_t r = 0; r < count; ++r) {
      V factor = k.splat(k.load(k.f32(), delta, r * 4), kLanes);
      for (int64_t p = 0; p < parts; ++p) {
        int64_t at = 4 * (r * keyDim + p * kLanes);
        V kPart = k.load(k.vec(kLanes, k.f32()), kn, p * 64);
        V row = loadLanes(k, rows, at, lanesOf(p)) * decays;
        storeLanes(k, k.fma(factor, kPart, row), rows, at, lanesOf(p));
      }
    }
  }

  /// \p count rows from \p row on of \p head, for a group of tokens.
  void rows(V head, V row, V first, V tokens, int64_t count) {
    V index = head * valueDim + row;
    V from = args.state + index * (4 * keyDim);
    // States come from memory, one after the other: ask for the next rows while
    // these are worked on (31 -> 46 GB/s on a Zen 5 core).
    int64_t bytes = 4 * count * keyDim;
    for (int64_t line = 0; line < bytes; line += 64)
      k.prefetch(from + (bytes + line), /*locality=*/3);
    k.loop(tokens, [&](V i) {
      V t = first + i;
      step(from, i, args.v + t * args.vStride + index * 4,
           args.out + t * args.outStride + index * 4, count);
    });
  }

  void emit() {
    key = k.stack(kGroup * parts * 64);
    query = k.stack(kGroup * parts * 64);
    keyDotQuery = k.stack(kGroup * 4);
    alpha = k.stack(kGroup * 4);
    beta = k.stack(kGroup * 4);
    delta = k.stack(64);
    int64_t together = accumulators(k) / 2;
    k.loop(k.i64(0), args.tokens, kGroup, [&](V first) {
      V count = k.min(args.tokens - first, k.i64(kGroup));
      prepare(first, count);
      k.loop(args.heads, [&](V head) {
        gates(head, first, count);
        pieces(k, valueDim, together, [&](V row, int64_t rowCount) {
          if (rowCount == together)
            return rows(head, row, first, count, together);
          for (int64_t r = 0; r < rowCount; ++r)
            rows(head, row + r, first, count, 1);
        });
      });
    });
  }
};
} // namespace

mlir::func::FuncOp quartet::cpu::deltaRecurrentKernel(KernelBuilder &k,
                                                      int64_t keyDim,
                                                      int64_t valueDim) {
  std::string name = "delta_recurrent_" + std::to_string(keyDim) + "_" +
                     std::to_string(valueDim);
  return k.function(name, kDeltaArguments, [&](ArrayRef<V> a) {
    Recurrent(k, keyDim, valueDim, a).emit();
  });
}
