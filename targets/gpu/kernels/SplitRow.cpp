// A thread has four neighbouring columns, as a lane of the instruction has.
#include "targets/gpu/kernels/SplitRow.h"
#include "targets/gpu/kernels/MixerRows.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace quartet;
using namespace quartet::gpu;

V quartet::gpu::splitWordPlace(DeviceBuilder &k, V quad, int64_t word,
                               int parts) {
  V half = quad & 1;
  if (word)
    half = half ^ k.i64(1);
  return (quad >> 2) * (parts * kSplitBytes) + (quad & 3) * 4 +
         half * (kSplitBytes / 2);
}

void quartet::gpu::storeSplit(DeviceBuilder &k, V four, V row, V quad,
                              int parts) {
  V places[2] = {row + splitWordPlace(k, quad, 0, parts),
                 row + splitWordPlace(k, quad, 1, parts)};
  for (auto [part, words] : llvm::enumerate(bf16Words(k, four, parts)))
    for (int64_t word = 0; word < 2; ++word)
      k.store(words[size_t(word)], places[word], int64_t(part) * kSplitBytes,
              4);
}

void quartet::gpu::splitRows(DeviceBuilder &k, V rows, int64_t columns,
                             llvm::function_ref<V(V)> from,
                             llvm::function_ref<V(V)> to, int parts) {
  int64_t quads = roundUp(columns, kSplitColumns) / 4;
  k.forThreads(rows * quads, [&](V i) {
    V row = i / quads, quad = i % quads;
    V four = k.zero(k.vec(4, k.f32())), source = from(row);
    if (columns == quads * 4) {
      four = k.load(four.type(), source, quad * 16, 16);
    } else {
      for (int64_t c = 0; c < 4; ++c) {
        V column = quad * 4 + c, inside = column < columns;
        V value =
            k.load(k.f32(), source, k.select(inside, column, k.i64(0)) * 4);
        four = k.insert(k.select(inside, value, k.f32(0)), four, c);
      }
    }
    storeSplit(k, four, to(row), quad, parts);
  });
}
