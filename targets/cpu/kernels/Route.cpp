// Softmax over the experts, the largest few by repeated search, and a counting
// sort of the (token, expert) pairs. Every worker does this for all tokens, so
// the search takes 16 experts at a time.
#include "targets/cpu/kernels/Route.h"
#include "dialects/Tile/StagedRow.h"
#include "targets/cpu/kernels/Lanes.h"
#include <limits>

using namespace mlir;
using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

using quartet::tile::alignTo64;

/// In place of the probability of an expert that a token has chosen already.
static constexpr double kTaken = -2.0;

namespace {
class Route {
public:
  Route(KernelBuilder &k, const GroupsLayout &layout, bool renormalize,
        ArrayRef<V> arguments)
      : k(k), layout(layout), renormalize(renormalize), logits(arguments[0]),
        stride(arguments[1]), gateColumn(arguments[2]), tokens(arguments[3]),
        groups(arguments[4]), experts(layout.experts),
        topK(layout.perToken - layout.shared), shared(layout.shared) {}
  void emit();

private:
  V at(int64_t field) { return groups + field; }
  void chooseExperts(V token);
  void softmax(V row);
  /// The expert with the greatest probability, which is taken out; of equal
  /// ones the first.
  V takeBest(V &value);
  void sortPairs();

  KernelBuilder &k;
  const GroupsLayout &layout;
  bool renormalize;
  V logits, stride, gateColumn, tokens, groups;
  int64_t experts, topK, shared;
};
} // namespace

/// \p vectors joined two by two until one is left.
static V joinAll(SmallVector<V> vectors, llvm::function_ref<V(V, V)> join) {
  while (vectors.size() > 1) {
    SmallVector<V> next;
    for (size_t i = 0; i + 1 < vectors.size(); i += 2)
      next.push_back(join(vectors[i], vectors[i + 1]));
    if (vectors.size() % 2)
      next.push_back(vectors.back());
    vectors = std::move(next);
  }
  return vectors[0];
}

/// The join of all lanes of \p vector, in each of them.
static V joinLanes(KernelBuilder &k, V vector,
                   llvm::function_ref<V(V, V)> join) {
  for (int64_t distance = kLanes / 2; distance > 0; distance /= 2) {
    SmallVector<int64_t> mask;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      mask.push_back(lane ^ distance);
    vector = join(vector, k.shuffle(vector, vector, mask));
  }
  return vector;
}

/// The larger one; \p b where \p a is not a number.
static V larger(KernelBuilder &k, V a, V b) { return k.select(a > b, a, b); }

void Route::softmax(V row) {
  // Probabilities in scratch, padded to whole vectors with what is never
  // chosen.
  V p = at(layout.probabilities);
  Type vector = k.vec(kLanes, k.f32());
  V none = k.constant(vector, -std::numeric_limits<double>::infinity());
  int64_t whole = experts / kLanes, vectors = ceilDiv(experts, kLanes);
  if (whole < vectors)
    k.store(none, p, whole * 64);
  k.loop(0, whole * kLanes, kLanes,
         [&](V e) { k.store(k.load(vector, row, e * 4), p, e * 4); });
  k.loop(whole * kLanes, experts, 1,
         [&](V e) { k.store(k.load(k.f32(), row, e * 4), p, e * 4); });
  auto join = [&](V a, V b) { return larger(k, a, b); };
  SmallVector<V> values;
  for (int64_t v = 0; v < vectors; ++v)
    values.push_back(larger(k, k.load(vector, p, v * 64), none));
  V best = joinLanes(k, joinAll(values, join), join);
  // Summed in 16 lanes in the order of experts, then the lanes by halving.
  V sums = k.fold(k.i64(0), k.i64(vectors * kLanes), kLanes, {k.zero(vector)},
                  [&](V e, ArrayRef<V> sum) {
                    V value = k.exp(k.load(vector, p, e * 4) - best);
                    k.store(value, p, e * 4);
                    return SmallVector<V>{sum[0] + value};
                  })[0];
  V sum = k.splat(k.sum(sums), kLanes);
  k.loop(0, vectors * kLanes, kLanes,
         [&](V e) { k.store(k.load(vector, p, e * 4) / sum, p, e * 4); });
  k.loop(experts, vectors * kLanes, 1,
         [&](V e) { k.store(k.f32(kTaken), p, e * 4); });
}

V Route::takeBest(V &value) {
  V p = at(layout.probabilities);
  Type vector = k.vec(kLanes, k.f32());
  auto join = [&](V a, V b) { return larger(k, a, b); };
  // No number at all leaves -1, and then the first expert.
  SmallVector<V> values, places;
  for (int64_t v = 0; v < ceilDiv(experts, kLanes); ++v)
    values.push_back(k.load(vector, p, v * 64));
  SmallVector<V> candidates = values;
  candidates.push_back(k.constant(vector, -1.0));
  for (V &candidate : candidates)
    candidate = larger(k, candidate, candidates.back());
  V best = joinLanes(k, joinAll(candidates, join), join);
  int64_t nowhere = std::numeric_limits<int32_t>::max();
  for (auto [v, lanes] : llvm::enumerate(values)) {
    SmallVector<int32_t> numbers;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      numbers.push_back(static_cast<int32_t>(v * kLanes + lane));
    V all = k.i32s(numbers);
    places.push_back(
        k.select(lanes == best, all, k.constant(all.type(), nowhere)));
  }
  auto lower = [&](V a, V b) { return k.min(a, b); };
  V place = k.signExtend(
      k.extract(joinLanes(k, joinAll(places, lower), lower), 0), k.i64());
  place = k.select(place == k.i64(nowhere), k.i64(0), place);
  value = k.extract(best, 0);
  k.store(k.f32(kTaken), p, place * 4);
  return place;
}

void Route::chooseExperts(V token) {
  V row = logits + token * stride;
  softmax(row);
  V base = token * layout.perToken;
  V total =
      k.fold(k.i64(0), k.i64(topK), 1, {k.f32(0)}, [&](V j, ArrayRef<V> sum) {
        V value;
        k.storeIndex(takeBest(value), at(layout.tokenExperts), base + j);
        k.store(value, at(layout.tokenWeights), (base + j) * 4);
        return SmallVector<V>{sum[0] + value};
      })[0];
  if (renormalize)
    k.loop(0, topK, 1, [&](V j) {
      V place = (base + j) * 4;
      V weights = at(layout.tokenWeights);
      k.store(k.load(k.f32(), weights, place) / total, weights, place);
    });
  if (shared == 0)
    return;
  V gate = k.sigmoid(k.load(k.f32(), row, gateColumn * 4));
  for (int64_t s = 0; s < shared; ++s) {
    V place = base + (topK + s);
    k.storeIndex(k.i64(experts + s), at(layout.tokenExperts), place);
    k.store(gate, at(layout.tokenWeights), place * 4);
  }
}

void Route::sortPairs() {
  V first = at(layout.first), pairs = tokens * layout.perToken;
  V tokenExperts = at(layout.tokenExperts);
  int64_t all = layout.allExperts;
  k.clear(first, k.i64((all + 1) * 4));
  // first[e + 1] = how many pairs expert e has; then running sums.
  k.loop(pairs, [&](V i) {
    V e = k.loadIndex(tokenExperts, i) + 1;
    k.storeIndex(k.loadIndex(first, e) + 1, first, e);
  });
  V blocks =
      k.fold(k.i64(0), k.i64(all), 1, {k.i64(0)}, [&](V e, ArrayRef<V> count) {
        V begin = k.loadIndex(first, e),
          end = begin + k.loadIndex(first, e + 1);
        k.storeIndex(end, first, e + 1);
        return k.fold(begin, end, kBlockPairs, count,
                      [&](V pair, ArrayRef<V> count) {
                        k.storeIndex(e, at(layout.blockExperts), count[0]);
                        k.storeIndex(pair, at(layout.blockFirst), count[0]);
                        return SmallVector<V>{count[0] + 1};
                      });
      })[0];
  k.store(blocks, at(layout.blockCount));
  k.storeIndex(pairs, at(layout.blockFirst), blocks);
  // Places pairs token by token; first[e] moves to the expert's end, which is
  // the next one's start: shifted back afterwards.
  k.loop(pairs, [&](V i) {
    V e = k.loadIndex(tokenExperts, i);
    V place = k.loadIndex(first, e);
    k.storeIndex(place + 1, first, e);
    k.storeIndex(i / layout.perToken, at(layout.pairTokens), place);
    k.store(k.load(k.f32(), at(layout.tokenWeights), i * 4),
            at(layout.pairWeights), place * 4);
  });
  k.fold(k.i64(0), k.i64(all), 1, {k.i64(0)}, [&](V e, ArrayRef<V> start) {
    V end = k.loadIndex(first, e);
    k.storeIndex(start[0], first, e);
    return SmallVector<V>{end};
  });
}

void Route::emit() {
  k.loop(tokens, [&](V token) { chooseExperts(token); });
  sortPairs();
}

func::FuncOp quartet::cpu::routeKernel(KernelBuilder &k,
                                       const GroupsLayout &layout,
                                       bool renormalize) {
  std::string name = "route_" + std::to_string(layout.allExperts) + "_" +
                     std::to_string(layout.perToken) + "_" +
                     std::to_string(layout.bytes) +
                     (renormalize ? "_renormalized" : "");
  return k.function(name, "piiip", [&](ArrayRef<V> arguments) {
    Route(k, layout, renormalize, arguments).emit();
  });
}
