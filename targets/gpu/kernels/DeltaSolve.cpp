// The triangular system of a panel, d_i = b_i + sum_{j<i} lower_ij d_j, in
// blocks of 16 tokens: a thread solves a block for one value element, and all
// threads carry a block's d to the blocks behind it.
#include "targets/gpu/kernels/DeltaChunk.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

/// Tokens of a block.
static constexpr int64_t kBlock = 16;

/// Tokens [from, from + kBlock) of the thread's element, in place.
void DeltaChunk::substitute(int64_t from) {
  V mine = recalled + thread() * 4;
  SmallVector<V> d;
  for (int64_t i = 0; i < kBlock; ++i) {
    V sum = k.load(k.f32(), mine, (from + i) * panel * 4);
    for (int64_t j = 0; j < i; j += 4) {
      int64_t place = (from + i) * at.rawRow + (from + j) * 4;
      V factors4 = k.load(four(), lower, place, 16);
      for (int64_t e = 0; e < 4 && j + e < i; ++e)
        sum = k.fma(k.extract(factors4, e), d[size_t(j + e)], sum);
    }
    d.push_back(sum);
    k.store(sum, mine, (from + i) * panel * 4);
  }
}

/// Adds what the first block's d give the second one.
void DeltaChunk::joinBlocks() {
  V element = thread() & (panel - 1), down = thread() / panel;
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

/// d as words of two tokens, also of what is left of it at the chunk's end.
void DeltaChunk::storeLines(V head) {
  k.forThreads(half * panel, [&](V index) {
    V place = index + zero;
    V word = place / panel, element = place & (panel - 1);
    V first = k.load(k.f32(), recalled, place * 4);
    V second = k.load(k.f32(), recalled, place * 4 + half * panel * 4);
    V gate = inHead(head, word);
    V to = lines + (word * at.line + element * 4);
    auto now = products.splitPairs(first, second);
    auto later = products.splitPairs(first * scalar(remains, gate),
                                     second * scalar(remains, gate + half));
    for (int64_t part = 0; part < 2; ++part) {
      k.store(now[size_t(part)], to, part * at.lines());
      k.store(later[size_t(part)], to, (2 + part) * at.lines());
    }
  });
}

void DeltaChunk::solve(V head) {
  V works = thread() < panel;
  k.ifThen(works, [&] { substitute(0); });
  k.barrier();
  if (chunk > kBlock) {
    joinBlocks();
    k.barrier();
    k.ifThen(works, [&] { substitute(kBlock); });
    k.barrier();
  }
  storeLines(head);
}
