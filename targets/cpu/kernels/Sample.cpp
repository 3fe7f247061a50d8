// The K largest logits lie in the K tiles with the largest maxima. Those tiles
// are read in ascending order into a sorted list; the draw is arithmetic on it.
#include "targets/cpu/kernels/Sample.h"
#include "targets/codegen/Draw.h"
#include <limits>

using namespace mlir;
using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace {
class Sample {
public:
  Sample(KernelBuilder &k, int64_t candidates, ArrayRef<V> a)
      : k(k), logits(a[0]), maxima(a[1]), limit(a[2]), tile(a[3]), topK(a[4]),
        options(a[5]), out(a[6]), values(k.stack(candidates * 4)),
        ids(k.stack(candidates * 4)) {}
  void emit();

private:
  V value(V array, V i) { return k.load(k.f32(), array, i * 4); }
  V option(int64_t place) { return k.load(k.f32(), options, place * 4); }
  /// The \p count-th largest of the maxima (by value, then by place); -inf when
  /// there are fewer.
  V boundOf(V tiles, V count);
  /// Puts (logit, id) into the list if it belongs to the largest \p count;
  /// returns the list's new length.
  V offer(V logit, V id, V length, V count);
  V gather(V count);

  KernelBuilder &k;
  V logits, maxima, limit, tile, topK, options, out, values, ids;
};
} // namespace

V Sample::boundOf(V tiles, V count) {
  // Insertion into the list of values: tiles are few.
  V none = k.f32(-std::numeric_limits<double>::infinity());
  k.loop(count, [&](V i) { k.store(none, values, i * 4); });
  k.loop(tiles, [&](V i) {
    V x = value(maxima, i);
    k.ifThen(x > value(values, count - 1), [&] {
      auto place = k.whileLoop(
          {count - 1},
          [&](ArrayRef<V> at) {
            V positive = at[0] > k.i64(0);
            V before = k.select(positive, at[0] - 1, k.i64(0));
            return positive & (x > value(values, before));
          },
          [&](ArrayRef<V> at) {
            k.store(value(values, at[0] - 1), values, at[0] * 4);
            return SmallVector<V>{at[0] - 1};
          });
      k.store(x, values, place[0] * 4);
    });
  });
  return value(values, count - 1);
}

V Sample::offer(V logit, V id, V length, V count) {
  V last = k.select(length > k.i64(0), length - 1, k.i64(0));
  V room = length < count;
  V better = logit > value(values, last);
  return k.ifElse(
      room | better,
      [&] {
        // The last entry falls out of a full list.
        V start = k.select(room, length, last);
        auto place = k.whileLoop(
            {start},
            [&](ArrayRef<V> at) {
              V positive = at[0] > k.i64(0);
              V before = k.select(positive, at[0] - 1, k.i64(0));
              return positive & (logit > value(values, before));
            },
            [&](ArrayRef<V> at) {
              V from = (at[0] - 1) * 4, to = at[0] * 4;
              k.store(k.load(k.f32(), values, from), values, to);
              k.store(k.load(k.i32(), ids, from), ids, to);
              return SmallVector<V>{at[0] - 1};
            });
        k.store(logit, values, place[0] * 4);
        k.store(k.truncate(id, k.i32()), ids, place[0] * 4);
        return SmallVector<V>{k.select(room, length + 1, length)};
      },
      [&] { return SmallVector<V>{length}; })[0];
}

V Sample::gather(V count) {
  V tiles = (limit + tile - 1) / tile;
  V bound = boundOf(tiles, count);
  return k.fold(k.i64(0), tiles, 1, {k.i64(0)}, [&](V i, ArrayRef<V> length) {
    // "Not below" lets NaN through, as a scan of all logits would.
    V below = value(maxima, i) < bound;
    return k.ifElse(
        below, [&] { return SmallVector<V>{length[0]}; },
        [&] {
          V first = i * tile;
          V end = k.min(first + tile, limit);
          return k.fold(first, end, 1, {length[0]},
                        [&](V id, ArrayRef<V> held) {
                          return SmallVector<V>{
                              offer(value(logits, id), id, held[0], count)};
                        });
        });
  })[0];
}

void Sample::emit() {
  V greedy = option(0) == k.f32(0);
  V count = k.select(greedy, k.i64(1), k.min(topK, limit));
  V found = gather(count);
  V place = k.ifElse(
      greedy, [&] { return SmallVector<V>{k.i64(0)}; },
      [&] {
        return SmallVector<V>{drawCandidate(
            k, values, found, {option(0), option(1), option(2), option(3)})};
      })[0];
  k.store(k.load(k.i32(), ids, place * 4), out);
}

func::FuncOp quartet::cpu::sampleKernel(KernelBuilder &k, int64_t candidates) {
  return k.function("sample_" + std::to_string(candidates), "ppiiipp",
                    [&](ArrayRef<V> a) { Sample(k, candidates, a).emit(); });
}
