// The inverse of a chunk's triangular system: a thread has a column, and goes
// through the rows. All threads write what came out. As sums of two bf16 T
// costs no more than other operands: it is (diag(1 / beta) + L)^-1, and L + L^T
// + 1, the products of unit vectors times exp(-|c_i - c_j|), is positive
// semidefinite, so that T makes no vector longer than twice.
#include "targets/gpu/kernels/DeltaPrepare.h"
#include "targets/gpu/kernels/FastMath.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

/// Tokens w and kHalf + w are a word of split rows.
static constexpr int64_t kHalf = kDeltaChunk / 2;

/// The raw products become the system of \p head, which is the \p place-th in
/// shared memory, and what is read with d.
void DeltaPrepare::makeTriangles(V head, V place) {
  V system = lower + place * (kDeltaChunk * at.rawRow);
  V out =
      prepared + head * at.row.perHead + (at.row.triangles() + at.row.triangle);
  k.forThreads(kDeltaChunk * kHalf, [&](V number) {
    V index = number + zero;
    V i = index / kHalf, word = index % kHalf;
    V strength = k.neg(scalar(beta, inHead(head, i)));
    SmallVector<V> queries;
    for (int64_t part = 0; part < 2; ++part) {
      V j = word + part * kHalf, place4 = i * at.rawRow + j * 4;
      V decayed = fastExp(k, exponent(head, i, j));
      V keys = k.load(k.f32(), raw, place4) * decayed * strength;
      k.store(k.select(j < i, keys, k.f32(0)), system, place4);
      V query = k.load(k.f32(), raw, place4 + kDeltaChunk * at.rawRow);
      queries.push_back(k.select(j <= i, query * decayed, k.f32(0)));
    }
    std::array<V, 2> words = products.splitPairs(queries[0], queries[1]);
    k.ifThen(i < count, [&] {
      V to = out + i * args.preparedStride + products.splitPlace(word);
      for (int64_t part = 0; part < products.parts; ++part)
        k.store(words[size_t(part)], to, part * 16);
    });
  });
}

/// T of \p heads value heads without its diagonal, f32. With L what
/// makeTriangles() left, column j of (1 - L)^-1 is x_i = [i = j] + sum_{m<i}
/// L_im x_m.
void DeltaPrepare::invert(V firstHead, int64_t heads) {
  int64_t perWarp = k.machine.lanes / kDeltaChunk;
  k.forWarps(k.i64(ceilDiv(heads, perWarp)), [&](V warp) {
    V place = warp * perWarp + lane() / kDeltaChunk;
    V column = lane() & (kDeltaChunk - 1);
    auto column32 = [&] {
      V begin = place * (kDeltaChunk * at.rawRow), system = lower + begin;
      V to = inverse + begin + column * 4;
      V strength = scalar(beta, inHead(firstHead + place, column));
      SmallVector<V> x;
      for (int64_t i = 0; i < kDeltaChunk; ++i) {
        // Four sums, which need not wait for each other.
        SmallVector<V> sums(4, k.f32(0));
        V isOwn = column == i;
        sums[0] = k.select(isOwn, k.f32(1), k.f32(0));
        for (int64_t m = 0; m < i; m += 4) {
          V factors = k.load(four(), system, i * at.rawRow + m * 4, 16);
          for (int64_t e = 0; e < 4 && m + e < i; ++e)
            sums[size_t(e)] =
                k.fma(k.extract(factors, e), x[size_t(m + e)], sums[size_t(e)]);
        }
        x.push_back((sums[0] + sums[1]) + (sums[2] + sums[3]));
        k.store(k.select(isOwn, k.f32(0), x.back() * strength), to,
                i * at.rawRow);
      }
    };
    if (heads % perWarp)
      k.ifThen(place < heads, column32);
    else
      column32();
  });
}

/// Writes T of \p heads value heads from \p firstHead on.
void DeltaPrepare::storeInverse(V firstHead, int64_t heads) {
  k.forThreads(heads * (kDeltaChunk * kHalf), [&](V number) {
    V index = number + zero;
    V row = index / kHalf, word = index % kHalf; // rows of all heads
    V from = inverse + row * at.rawRow + word * 4;
    std::array<V, 2> words = products.splitPairs(
        k.load(k.f32(), from), k.load(k.f32(), from, kHalf * 4));
    V i = row % kDeltaChunk, head = firstHead + row / kDeltaChunk;
    k.ifThen(i < count, [&] {
      V to = rowOf(i) + head * at.row.perHead + products.splitPlace(word);
      for (int64_t part = 0; part < products.parts; ++part)
        k.store(words[size_t(part)], to, at.row.triangles() + part * 16);
    });
  });
}
