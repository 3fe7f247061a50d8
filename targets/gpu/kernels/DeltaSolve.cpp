// The triangular system of a panel, d_i = b_i + sum_{j<i} lower_ij d_j, in
// blocks of 16 tokens: a thread solves a block for one value element, and all
// threads carry a block's d to the blocks behind it.
#include "targets/gpu/kernels/DeltaChunk.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tokens of a block.
static constexpr int64_t kBlock = 16;

/// Tokens [from, to) of the thread's element, a block; \p d becomes their
/// values.
void DeltaChunk::substitute(int64_t from, int64_t to, SmallVector<V> &d) {
  d.clear();
  for (int64_t i = from; i < to; ++i) {
    V sum = k.load(k.f32(), recalled, k.thread() * 4 + i * panel * 4);
    for (int64_t j = from; j < i; j += 4) {
      V factors4 = k.load(four(), lower, k.i64(i * at.rawRow + j * 4), 16);
      for (int64_t e = 0; e < 4 && j + e < i; ++e)
        sum = k.fma(k.extract(factors4, e), d[j + e - from], sum);
    }
    d.push_back(sum);
  }
}

/// Adds what the first block's d give the second one.
void DeltaChunk::joinBlocks() {
  V element = k.thread() & (panel - 1), down = k.thread() / panel;
  int64_t apart = k.machine.threads / panel;
  for (int64_t first = 0; first < kBlock; first += apart) {
    V i = down + (kBlock + first);
    V place = (i * panel + element) * 4;
    V sum = k.load(k.f32(), recalled, place);
    for (int64_t j = 0; j < kBlock; j += 4) {
      V factors4 = k.load(four(), lower, i * at.rawRow + j * 4, 16);
      for (int64_t e = 0; e < 4; ++e) {
        V d = k.load(k.f32(), recalled, element * 4 + (j + e) * panel * 4);
        sum = k.fma(k.extract(factors4, e), d, sum);
      }
    }
    auto store = [&] { k.store(sum, recalled, place); };
    first + apart > kBlock ? k.ifThen(i < chunk, store) : store();
  }
}

/// d of all tokens of the thread's element as words of two tokens, also of
/// what is left of it at the chunk's end.
void DeltaChunk::storeLines(V head, ArrayRef<V> d) {
  auto left = [&](int64_t token) {
    return d[token] * scalar(remains, inHead(head, k.i64(token)));
  };
  for (int64_t w = 0; w < half; ++w) {
    V to = lines + (k.thread() * 4 + w * at.line);
    auto now = products.splitPairs(d[w], d[w + half]);
    auto later = products.splitPairs(left(w), left(w + half));
    for (int64_t part = 0; part < 2; ++part) {
      k.store(now[part], to, part * at.lines());
      k.store(later[part], to, (2 + part) * at.lines());
    }
  }
}

void DeltaChunk::solve(V head, V count) {
  V works = k.thread() < panel;
  SmallVector<V> d;
  if (chunk == kBlock) {
    k.ifThen(works, [&] {
      substitute(0, chunk, d);
      storeLines(head, d);
    });
    return;
  }
  k.ifThen(works, [&] {
    substitute(0, kBlock, d);
    for (int64_t i = 0; i < kBlock; ++i)
      k.store(d[i], recalled, k.thread() * 4 + i * panel * 4);
  });
  k.barrier();
  joinBlocks();
  k.barrier();
  k.ifThen(works, [&] {
    SmallVector<V> all;
    for (int64_t i = 0; i < kBlock; ++i)
      all.push_back(k.load(k.f32(), recalled, k.thread() * 4 + i * panel * 4));
    substitute(kBlock, chunk, d);
    all.append(d);
    storeLines(head, all);
  });
}
