// The K largest logits lie in the K tiles with the largest maxima. The block
// finds those tiles, then takes the largest logits in them one by one: the
// largest that comes behind the last one taken.
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
  /// Leaves the \p count tiles with the first maxima in `chosen`.
  void chooseTiles(V count);
  /// The first logit behind \p last in the \p count chosen tiles.
  Found next(Found last, V count);

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

void Sample::chooseTiles(V count) {
  V most = k.f32(std::numeric_limits<double>::infinity());
  k.fold(k.i64(0), count, 1, {most, k.i32(-1)}, [&](V j, ArrayRef<V> last) {
    auto mine =
        k.fold(k.thread(), k.i64(tiles), k.machine.threads,
               {nothing().value, nothing().place}, [&](V i, ArrayRef<V> best) {
                 Found here = {k.load(k.f32(), a.maxima, i * 4),
                               k.truncate(i, k.i32())};
                 V better = before({last[0], last[1]}, here) &
                            before(here, {best[0], best[1]});
                 return SmallVector<V>{k.select(better, here.value, best[0]),
                                       k.select(better, here.place, best[1])};
               });
    Found found = first({mine[0], mine[1]});
    // Without any number in the row there may be nothing.
    V tile = k.min(found.place, k.i32(tiles - 1));
    k.onFirstThread([&] { k.store(tile, chosen, j * 4); });
    return SmallVector<V>{found.value, found.place};
  });
  k.barrier();
}

Found Sample::next(Found last, V count) {
  auto mine = k.fold(
      k.i64(0), count, 1, {nothing().value, nothing().place},
      [&](V j, ArrayRef<V> best) {
        V tile = k.loadIndex(chosen, j);
        V from = tile * a.tile;
        V end = k.min(from + a.tile, k.i64(a.limit));
        return k.fold(
            from + k.thread(), end, k.machine.threads, best,
            [&](V id, ArrayRef<V> best) {
              Found here = {k.load(k.f32(), a.logits, id * 4),
                            k.truncate(id, k.i32())};
              V better = before(last, here) & before(here, {best[0], best[1]});
              return SmallVector<V>{k.select(better, here.value, best[0]),
                                    k.select(better, here.place, best[1])};
            });
      });
  return first({mine[0], mine[1]});
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
  V start = k.f32(std::numeric_limits<double>::infinity());
  k.fold(k.i64(0), count, 1, {start, k.i32(-1)}, [&](V j, ArrayRef<V> last) {
    Found found = next({last[0], last[1]}, chosenTiles);
    k.onFirstThread([&] {
      k.store(found.value, values, j * 4);
      k.store(found.place, ids, j * 4);
    });
    return SmallVector<V>{found.value, found.place};
  });
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
