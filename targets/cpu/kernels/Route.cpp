// Softmax over the experts, the largest few by repeated search, and a counting
// sort of the (token, expert) pairs.
#include "targets/cpu/kernels/Route.h"
#include "dialects/Tile/StagedRow.h"
#include "targets/cpu/kernels/Lanes.h"
#include <limits>

using namespace mlir;
using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

using quartet::tile::alignTo64;

GroupsLayout::GroupsLayout(int64_t tokens, int64_t experts, int64_t topK,
                           int64_t shared)
    : experts(experts), shared(shared), perToken(topK + shared),
      allExperts(experts + shared) {
  int64_t pairs = alignTo64(tokens * perToken * 4);
  activeCount = 0;
  active = 64;
  first = active + alignTo64(allExperts * 4);
  pairTokens = first + alignTo64((allExperts + 1) * 4);
  pairWeights = pairTokens + pairs;
  tokenExperts = pairWeights + pairs;
  tokenWeights = tokenExperts + pairs;
  probabilities = tokenWeights + pairs;
  bytes = probabilities + alignTo64((experts + shared + kLanes) * 4);
}

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
  V loadInt(V array, V i) {
    return k.signExtend(k.load(k.i32(), array, i * 4), k.i64());
  }
  void storeInt(V value, V array, V i) {
    k.store(k.truncate(value, k.i32()), array, i * 4);
  }
  void chooseExperts(V token);
  void softmax(V row);
  void sortPairs();

  KernelBuilder &k;
  const GroupsLayout &layout;
  bool renormalize;
  V logits, stride, gateColumn, tokens, groups;
  int64_t experts, topK, shared;
};
} // namespace

void Route::softmax(V row) {
  // Probabilities in scratch, padded with zeros to whole vectors.
  V p = at(layout.probabilities);
  V none = k.f32(-std::numeric_limits<double>::infinity());
  V experts64 = k.i64(experts);
  V best =
      k.fold(k.i64(0), experts64, 1, {none}, [&](V e, ArrayRef<V> carried) {
        return SmallVector<V>{k.max(carried[0], k.load(k.f32(), row, e * 4))};
      })[0];
  k.loop(experts64,
         [&](V e) { k.store(k.load(k.f32(), row, e * 4) - best, p, e * 4); });
  Type vector = k.vec(kLanes, k.f32());
  k.loop(0, (experts + kLanes - 1) / kLanes * kLanes, kLanes,
         [&](V e) { k.store(k.exp(k.load(vector, p, e * 4)), p, e * 4); });
  // One after the other, as the op's definition sums.
  V sum =
      k.fold(k.i64(0), experts64, 1, {k.f32(0)}, [&](V e, ArrayRef<V> carried) {
        return SmallVector<V>{carried[0] + k.load(k.f32(), p, e * 4)};
      })[0];
  k.loop(experts64,
         [&](V e) { k.store(k.load(k.f32(), p, e * 4) / sum, p, e * 4); });
}

void Route::chooseExperts(V token) {
  V row = logits + token * stride;
  V p = at(layout.probabilities);
  softmax(row);
  V base = token * layout.perToken;
  V total =
      k.fold(k.i64(0), k.i64(topK), 1, {k.f32(0)}, [&](V j, ArrayRef<V> sum) {
        auto best =
            k.fold(k.i64(0), k.i64(experts), 1, {k.f32(-1), k.i64(0)},
                   [&](V e, ArrayRef<V> carried) {
                     V value = k.load(k.f32(), p, e * 4);
                     V better = value > carried[0];
                     return SmallVector<V>{k.select(better, value, carried[0]),
                                           k.select(better, e, carried[1])};
                   });
        storeInt(best[1], at(layout.tokenExperts), base + j);
        k.store(best[0], at(layout.tokenWeights), (base + j) * 4);
        k.store(k.f32(-2), p, best[1] * 4);
        return SmallVector<V>{sum[0] + best[0]};
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
    storeInt(k.i64(experts + s), at(layout.tokenExperts), place);
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
    V e = loadInt(tokenExperts, i) + 1;
    storeInt(loadInt(first, e) + 1, first, e);
  });
  V active =
      k.fold(k.i64(0), k.i64(all), 1, {k.i64(0)}, [&](V e, ArrayRef<V> count) {
        V mine = loadInt(first, e + 1);
        storeInt(mine + loadInt(first, e), first, e + 1);
        storeInt(e, at(layout.active), count[0]);
        V has = mine > k.i64(0);
        return SmallVector<V>{k.select(has, count[0] + 1, count[0])};
      })[0];
  k.store(active, at(layout.activeCount));
  // Places pairs token by token; first[e] moves to the expert's end, which is
  // the next one's start: shifted back afterwards.
  k.loop(pairs, [&](V i) {
    V e = loadInt(tokenExperts, i);
    V place = loadInt(first, e);
    storeInt(place + 1, first, e);
    storeInt(i / layout.perToken, at(layout.pairTokens), place);
    k.store(k.load(k.f32(), at(layout.tokenWeights), i * 4),
            at(layout.pairWeights), place * 4);
  });
  k.fold(k.i64(0), k.i64(all), 1, {k.i64(0)}, [&](V e, ArrayRef<V> start) {
    V end = loadInt(first, e);
    storeInt(start[0], first, e);
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
