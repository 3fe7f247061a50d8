// The K largest logits lie in the K tiles with the largest maxima. Those tiles
// are read in ascending order into a sorted list; the draw is arithmetic on it.
#include "targets/cpu/kernels/Sample.h"
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
  V draw(V count);

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

V Sample::draw(V count) {
  V temperature = option(0), topP = option(1), minP = option(2);
  V uniform = option(3);
  V largest = value(values, k.i64(0)) / temperature;
  V sum = k.fold(k.i64(0), count, 1, {k.f32(0)}, [&](V j, ArrayRef<V> acc) {
    V term = k.exp(value(values, j) / temperature - largest);
    k.store(term, values, j * 4);
    return SmallVector<V>{acc[0] + term};
  })[0];
  k.loop(count, [&](V j) { k.store(value(values, j) / sum, values, j * 4); });
  V least = minP * value(values, k.i64(0));
  auto addIfKept = [&](V j, V mass) {
    V p = value(values, j);
    return k.select((p >= least) & (mass < topP), mass + p, mass);
  };
  V mass = k.fold(k.i64(0), count, 1, {k.f32(0)}, [&](V j, ArrayRef<V> acc) {
    return SmallVector<V>{addIfKept(j, acc[0])};
  })[0];
  V threshold = uniform * mass;
  // The mass stands still at places that are not kept, so the first place where
  // it is above the threshold is a kept one.
  return k.fold(k.i64(0), count, 1, {k.f32(0), k.i64(0)},
                [&](V j, ArrayRef<V> carried) {
                  V after = addIfKept(j, carried[0]);
                  V here = (carried[0] <= threshold) & (after > threshold);
                  return SmallVector<V>{after, k.select(here, j, carried[1])};
                })[1];
}

void Sample::emit() {
  V greedy = option(0) == k.f32(0);
  V count = k.select(greedy, k.i64(1), k.min(topK, limit));
  V found = gather(count);
  V place = k.ifElse(
      greedy, [&] { return SmallVector<V>{k.i64(0)}; },
      [&] { return SmallVector<V>{draw(found)}; })[0];
  k.store(k.load(k.i32(), ids, place * 4), out);
}

func::FuncOp quartet::cpu::sampleKernel(KernelBuilder &k, int64_t candidates) {
  return k.function("sample_" + std::to_string(candidates), "ppiiipp",
                    [&](ArrayRef<V> a) { Sample(k, candidates, a).emit(); });
}
