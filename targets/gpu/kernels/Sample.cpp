// The K largest logits lie in the K tiles with the largest maxima. The block
// finds those tiles, then takes the largest logits in them one by one. Every
// thread offers the first of its own; who has given one looks for its next.
#include "targets/gpu/kernels/Sample.h"
#include <limits>

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace {
/// A value and where it is; of two with one value the lower place comes first.
struct Found {
  V value, place; ///< f32, i32
};

class Sample {
public:
  Sample(DeviceBuilder &k, const SampleArgs &args)
      : k(k), a(args), tiles((args.limit + args.tile - 1) / args.tile) {}
  void emit();

private:
  V before(Found a, Found b) {
    return (a.value > b.value) | ((a.value == b.value) & (a.place < b.place));
  }
  Found nothing() {
    return {k.f32(-std::numeric_limits<double>::infinity()),
            k.i32(std::numeric_limits<int32_t>::max())};
  }
  /// The first of what all threads found, in each of them. Meets.
  Found first(Found mine);
  /// taken(j, found) for the first \p count elements of all threads, in order.
  /// nextOfMine(last): the first of the thread's own behind \p last. Meets.
  void take(V count, llvm::function_ref<Found(Found last)> nextOfMine,
            llvm::function_ref<void(V j, Found found)> taken);
  /// The earlier of \p best and \p here, if that is behind \p last.
  SmallVector<V> better(Found last, Found here, ArrayRef<V> best);
  /// Leaves the \p count tiles with the first maxima in `chosen`.
  void chooseTiles(V count);
  /// Leaves the first \p count logits of the chosen tiles in `values`, `ids`.
  void chooseLogits(V count, V chosenTiles);

  DeviceBuilder &k;
  const SampleArgs &a;
  int64_t tiles;
  V parts, values, ids, chosen; ///< shared
};
} // namespace

Found Sample::first(Found mine) {
  auto join = [&](Found other) {
    V better = before(other, mine);
    mine.value = k.select(better, other.value, mine.value);
    mine.place = k.select(better, other.place, mine.place);
  };
  for (int64_t mask = k.machine.lanes / 2; mask > 0; mask /= 2)
    join({k.shuffleXor(mine.value, mask), k.shuffleXor(mine.place, mask)});
  k.barrier();
  k.ifThen(k.lane() == 0, [&] {
    k.store(mine.value, parts, k.warp() * 8);
    k.store(mine.place, parts, k.warp() * 8 + 4);
  });
  k.barrier();
  for (int64_t warp = 0; warp < k.machine.warps(); ++warp)
    join({k.load(k.f32(), parts, warp * 8),
          k.load(k.i32(), parts, warp * 8 + 4)});
  return mine;
}

void Sample::take(V count, llvm::function_ref<Found(Found)> nextOfMine,
                  llvm::function_ref<void(V, Found)> taken) {
  Found mine =
      nextOfMine({k.f32(std::numeric_limits<double>::infinity()), k.i32(-1)});
  k.fold(k.i64(0), count, 1, {mine.value, mine.place},
         [&](V j, ArrayRef<V> offer) {
           Found found = first({offer[0], offer[1]});
           taken(j, found);
           return k.ifElse(
               found.place == offer[1],
               [&] {
                 Found next = nextOfMine(found);
                 return SmallVector<V>{next.value, next.place};
               },
               [&] { return SmallVector<V>(offer); });
         });
}

SmallVector<V> Sample::better(Found last, Found here, ArrayRef<V> best) {
  V earlier = before(last, here) & before(here, {best[0], best[1]});
  return {k.select(earlier, here.value, best[0]),
          k.select(earlier, here.place, best[1])};
}

void Sample::chooseTiles(V count) {
  auto nextOfMine = [&](Found last) {
    auto found =
        k.fold(k.thread(), k.i64(tiles), k.machine.threads,
               {nothing().value, nothing().place}, [&](V i, ArrayRef<V> best) {
                 V value = k.load(k.f32(), a.maxima, i * 4);
                 return better(last, {value, k.truncate(i, k.i32())}, best);
               });
    return Found{found[0], found[1]};
  };
  take(count, nextOfMine, [&](V j, Found found) {
    // Without any number in the row there may be nothing.
    V tile = k.min(found.place, k.i32(tiles - 1));
    k.onFirstThread([&] { k.store(tile, chosen, j * 4); });
  });
  k.barrier();
}

void Sample::chooseLogits(V count, V chosenTiles) {
  // Threads look at their logits again: from shared memory where they fit.
  DeviceBuilder::SharedScope scope(k);
  int64_t bytes = std::min<int64_t>(a.candidates, tiles) * a.tile * 4;
  V copies = bytes <= k.sharedRoom() ? k.shared(bytes) : V();
  // body(place in the chosen tiles, id, what was found so far)
  auto overMine =
      [&](ArrayRef<V> init,
          llvm::function_ref<SmallVector<V>(V, V, ArrayRef<V>)> body) {
        return k.fold(
            k.i64(0), chosenTiles, 1, init, [&](V j, ArrayRef<V> outer) {
              V from = k.loadIndex(chosen, j) * a.tile;
              V end = k.min(from + a.tile, k.i64(a.limit));
              return k.fold(from + k.thread(), end, k.machine.threads, outer,
                            [&](V id, ArrayRef<V> inner) {
                              return body(j * a.tile + (id - from), id, inner);
                            });
            });
      };
  if (copies)
    overMine({}, [&](V place, V id, ArrayRef<V>) {
      k.store(k.load(k.f32(), a.logits, id * 4), copies, place * 4);
      return SmallVector<V>();
    });
  auto nextOfMine = [&](Found last) {
    auto found =
        overMine({nothing().value, nothing().place},
                 [&](V place, V id, ArrayRef<V> best) {
                   V value = copies ? k.load(k.f32(), copies, place * 4)
                                    : k.load(k.f32(), a.logits, id * 4);
                   return better(last, {value, k.truncate(id, k.i32())}, best);
                 });
    return Found{found[0], found[1]};
  };
  take(count, nextOfMine, [&](V j, Found found) {
    k.onFirstThread([&] {
      k.store(found.value, values, j * 4);
      k.store(found.place, ids, j * 4);
    });
  });
}

void Sample::emit() {
  DeviceBuilder::SharedScope scope(k);
  parts = k.shared(k.machine.warps() * 8);
  values = k.shared(a.candidates * 4);
  ids = k.shared(a.candidates * 4);
  chosen = k.shared(a.candidates * 4);
  V greedy = a.options.temperature == k.f32(0);
  V count = k.select(greedy, k.i64(1), k.min(a.topK, k.i64(a.limit)));
  V chosenTiles = k.min(count, k.i64(tiles));
  chooseTiles(chosenTiles);
  chooseLogits(count, chosenTiles);
  k.onFirstThread([&] {
    V place = k.ifElse(
        greedy, [&] { return SmallVector<V>{k.i64(0)}; },
        [&] {
          return SmallVector<V>{drawCandidate(k, values, count, a.options)};
        })[0];
    // A row without any number gives the first token.
    V id = k.load(k.i32(), ids, place * 4);
    V isToken = id < int64_t(a.limit);
    k.store(k.select(isToken, id, k.i32(0)), a.out);
  });
}

void quartet::gpu::sample(DeviceBuilder &k, const SampleArgs &args) {
  Sample(k, args).emit();
}
