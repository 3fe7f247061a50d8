// Pairs are ranked: by comparing all with all when they are few, else by
// counting, in pieces.
#include "targets/gpu/kernels/Route.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Pairs that are ranked by comparing all with all.
static constexpr int64_t kFewPairs = 256;
/// Most pieces in which more pairs are counted, by a thread each.
static constexpr int64_t kMostPieces = 64;

namespace {
class Route {
public:
  Route(DeviceBuilder &k, const GroupsLayout &layout,
        const ChosenExperts &chosen, V tokens, int64_t mostTokens, V groups)
      : k(k), layout(layout), chosen(chosen), tokens(tokens),
        mostPairs(mostTokens * layout.perToken), groups(groups) {}
  void emit();

private:
  V at(int64_t field) { return groups + field; }
  /// Pair number \p i, as tokens chose them, goes to \p place.
  void placePair(V experts, V i, V place);
  void rankFew(V experts);
  void countMany(V experts);
  void scanExperts(V counts, V blocks);

  DeviceBuilder &k;
  const GroupsLayout &layout;
  const ChosenExperts &chosen;
  V tokens;
  int64_t mostPairs;
  V groups;
};
} // namespace

void Route::placePair(V experts, V i, V place) {
  k.storeIndex(i / layout.perToken, at(layout.pairTokens), place);
  k.store(k.load(k.f32(), chosen.weights, i * 4), at(layout.pairWeights),
          place * 4);
  // A token's pairs are kept by expert: as many come before as it has chosen
  // smaller ones. A token that is no number has one expert several times.
  V first = i / layout.perToken * layout.perToken;
  V mine = k.loadIndex(experts, i), rank = k.i64(0);
  for (int64_t j = 0; j < layout.perToken; ++j) {
    V other = k.loadIndex(experts, first + j);
    V earlier = (other < mine) | ((other == mine) & (first + j < i));
    rank = rank + k.zeroExtend(earlier, k.i64());
  }
  k.storeIndex(place, at(layout.tokenPairs), first + rank);
}

void Route::rankFew(V experts) {
  // A pair's place is how many come before it; a block begins at the first pair
  // of its expert, for no expert has more pairs than a block holds.
  V pairs = tokens * layout.perToken;
  k.forThreads(pairs, [&](V i) {
    V mine = k.loadIndex(experts, i);
    auto counts =
        k.fold(k.i64(0), pairs, 1, {k.i64(0), k.i64(0), k.i64(0), k.i64(0)},
               [&](V j, ArrayRef<V> found) {
                 V other = k.loadIndex(experts, j);
                 V same = other == mine, earlier = j < i;
                 auto plus = [&](V count, V condition) {
                   return count + k.zeroExtend(condition, k.i64());
                 };
                 // Whether j is the first pair of its expert decides whether it
                 // begins a block; found below by its token, as pairs of one
                 // expert are in the order of tokens.
                 return SmallVector<V>{
                     plus(found[0], (other < mine) | (same & earlier)),
                     plus(found[1], same & earlier),
                     plus(found[2], other < mine), plus(found[3], same)};
               });
    V place = counts[0];
    placePair(experts, i, place);
    // The first pair of an expert knows the expert's block: as many blocks as
    // different smaller experts.
    k.ifThen(counts[1] == 0, [&] {
      V block =
          k.fold(k.i64(0), pairs, 1, {k.i64(0)}, [&](V j, ArrayRef<V> count) {
            V other = k.loadIndex(experts, j);
            // j counts when it is the first of its expert.
            V earlier =
                k.fold(k.i64(0), j, 1, {k.i64(0)}, [&](V h, ArrayRef<V> same) {
                  V equal = k.loadIndex(experts, h) == other;
                  return SmallVector<V>{same[0] + k.zeroExtend(equal, k.i64())};
                })[0];
            V counted = (other < mine) & (earlier == 0);
            return SmallVector<V>{count[0] + k.zeroExtend(counted, k.i64())};
          })[0];
      k.storeIndex(mine, at(layout.blockExperts), block);
      k.storeIndex(place, at(layout.blockFirst), block);
      // Whoever has the last pairs ends the list.
      V end = counts[2] + counts[3];
      k.ifThen(end == pairs, [&] {
        k.store(block + 1, at(layout.blockCount));
        k.storeIndex(pairs, at(layout.blockFirst), block + 1);
      });
    });
  });
}

void Route::countMany(V experts) {
  // Pairs are cut into pieces. How many pairs of an expert each piece has, and
  // so how many come before it, gives every piece its own places: one counting
  // sort in which pairs of an expert stay in order.
  DeviceBuilder::SharedScope scope(k);
  int64_t all = layout.allExperts;
  V pairs = tokens * layout.perToken;
  V counts = k.shared((all + 1) * 4), blocks = k.shared((all + 1) * 4);
  int64_t pieces = kMostPieces;
  while (pieces > 1 && pieces * all * 4 > k.sharedRoom() / 2)
    pieces /= 2;
  V table = k.shared(pieces * all * 4); // i32 [piece][expert]
  k.forThreads(k.i64(pieces * all),
               [&](V i) { k.storeIndex(k.i64(0), table, i); });
  k.barrier();
  V each = (pairs + (pieces - 1)) / pieces, mine = table + k.thread() * all * 4;
  // body(pair, its expert, how many of that the piece had before it)
  auto overPiece = [&](llvm::function_ref<void(V, V, V)> body) {
    k.ifThen(k.thread() < pieces, [&] {
      V first = k.min(k.thread() * each, pairs);
      k.loop(first, k.min(first + each, pairs), 1, [&](V pair) {
        V e = k.loadIndex(experts, pair), before = k.loadIndex(mine, e);
        body(pair, e, before);
        k.storeIndex(before + 1, mine, e);
      });
    });
  };
  overPiece([](V, V, V) {});
  k.barrier();
  k.forThreads(k.i64(all), [&](V e) {
    V count = k.fold(k.i64(0), k.i64(pieces), 1, {k.i64(0)},
                     [&](V piece, ArrayRef<V> before) {
                       V at = piece * all + e, here = k.loadIndex(table, at);
                       k.storeIndex(before[0], table, at);
                       return SmallVector<V>{before[0] + here};
                     })[0];
    k.storeIndex(count, counts, e);
    k.storeIndex((count + (kBlockPairs - 1)) / kBlockPairs, blocks, e);
  });
  k.barrier();
  scanExperts(counts, blocks);
  k.barrier();
  k.forThreads(k.i64(all), [&](V e) {
    V first = k.loadIndex(counts, e), firstBlock = k.loadIndex(blocks, e);
    k.loop(first, k.loadIndex(counts, e + 1), kBlockPairs, [&](V pair) {
      V block = firstBlock + (pair - first) / kBlockPairs;
      k.storeIndex(e, at(layout.blockExperts), block);
      k.storeIndex(pair, at(layout.blockFirst), block);
    });
  });
  overPiece([&](V pair, V e, V before) {
    placePair(experts, pair, k.loadIndex(counts, e) + before);
  });
}

/// Counts of pairs and of blocks become those of the experts before, and of all
/// behind the last one.
void Route::scanExperts(V counts, V blocks) {
  int64_t all = layout.allExperts;
  V pairs = tokens * layout.perToken;
  // The first warp scans: lanes take neighbouring experts.
  k.ifThen(k.warp() == 0, [&] {
    int64_t lanes = k.machine.lanes, each = (all + lanes - 1) / lanes;
    V first = k.lane() * each, end = k.min(first + each, k.i64(all));
    auto sums =
        k.fold(first, end, 1, {k.i32(0), k.i32(0)}, [&](V e, ArrayRef<V> sum) {
          return SmallVector<V>{sum[0] + k.load(k.i32(), counts, e * 4),
                                sum[1] + k.load(k.i32(), blocks, e * 4)};
        });
    SmallVector<V> before;
    for (V sum : sums) {
      V scanned = sum;
      for (int64_t distance = 1; distance < lanes; distance *= 2) {
        V from = k.lane() - distance;
        V inside = from >= 0;
        V other = k.shuffleIndex(scanned, k.select(inside, from, k.i64(0)));
        scanned = scanned + k.select(inside, other, k.i32(0));
      }
      before.push_back(scanned - sum);
    }
    k.fold(first, end, 1, before, [&](V e, ArrayRef<V> sum) {
      V count = k.load(k.i32(), counts, e * 4);
      V blockCount = k.load(k.i32(), blocks, e * 4);
      k.store(sum[0], counts, e * 4);
      k.store(sum[1], blocks, e * 4);
      return SmallVector<V>{sum[0] + count, sum[1] + blockCount};
    });
    k.ifThen(k.lane() == lanes - 1, [&] {
      k.storeIndex(pairs, counts, k.i64(all));
      V total = k.signExtend(before[1] + sums[1], k.i64());
      k.storeIndex(total, blocks, k.i64(all));
      k.store(total, at(layout.blockCount));
      k.storeIndex(pairs, at(layout.blockFirst), total);
    });
  });
}

void Route::emit() {
  DeviceBuilder::SharedScope scope(k);
  // All threads look at all pairs: from shared memory where they fit.
  V experts = chosen.experts;
  if (mostPairs * 4 <= std::min<int64_t>(32 << 10, k.sharedRoom() / 2)) {
    V copy = k.shared(mostPairs * 4);
    k.forThreads(tokens * layout.perToken, [&](V i) {
      k.store(k.load(k.i32(), experts, i * 4), copy, i * 4);
    });
    experts = copy;
    k.barrier();
  }
  if (mostPairs <= kFewPairs && mostPairs / layout.perToken <= kBlockPairs)
    rankFew(experts);
  else
    countMany(experts);
  k.barrier();
}

void quartet::gpu::route(DeviceBuilder &k, const GroupsLayout &layout,
                         const ChosenExperts &chosen, V tokens,
                         int64_t mostTokens, V groups) {
  Route(k, layout, chosen, tokens, mostTokens, groups).emit();
}

void quartet::gpu::route(DeviceBuilder &k, const GroupsLayout &layout,
                         const RouterLogits &logits, V tokens,
                         int64_t mostTokens, V groups) {
  ChosenExperts chosen = {groups + layout.tokenExperts,
                          groups + layout.tokenWeights};
  chooseExperts(k, layout, logits, k.i64(0), tokens, chosen);
  k.barrier();
  route(k, layout, chosen, tokens, mostTokens, groups);
}
