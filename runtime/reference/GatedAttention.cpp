// quartet.gated_attention: the softmax over all places at once.
#include "runtime/reference/Reference.h"
#include "runtime/reference/Scalar.h"
#include <algorithm>
#include <vector>

using namespace quartet::reference;

static constexpr int64_t kPageTokens = 64;

/// Offset in the cache of place \p n of \p slot, KV head \p j.
static int64_t cacheRow(const GatedAttention &op, int64_t slot, int64_t n,
                        int64_t j) {
  int64_t page = op.pageTable[slot * op.tableWidth + n / kPageTokens];
  return ((page * op.keyHeads + j) * kPageTokens + n % kPageTokens) * op.width;
}

static void append(const GatedAttention &op, const float *rows, float *cache,
                   const Ragged &ragged) {
  for (int64_t s = 0; s < ragged.sequences; ++s)
    for (int64_t t = ragged.seqStart[s]; t < ragged.seqStart[s + 1]; ++t)
      for (int64_t j = 0; j < op.keyHeads; ++j) {
        int64_t n = ragged.seqPast[s] + t - ragged.seqStart[s];
        float *to = cache + cacheRow(op, ragged.seqSlot[s], n, j);
        const float *row = rows + (t * op.keyHeads + j) * op.width;
        std::vector<int8_t> q(op.width);
        float scale = op.int8Cache ? quantizeRow(row, op.width, q.data()) : 0;
        for (int64_t d = 0; d < op.width; ++d)
          to[d] = op.int8Cache ? q[d] * scale : roundTo(op.cacheType, row[d]);
      }
}

/// Token \p t at place \p n of \p slot, query head \p h.
static void attend(const GatedAttention &op, int64_t t, int64_t n, int64_t slot,
                   int64_t h) {
  int64_t j = h / (op.heads / op.keyHeads);
  int64_t row = (t * op.heads + h) * op.width;
  std::vector<double> p(n + 1);
  for (int64_t m = 0; m <= n; ++m)
    p[m] =
        op.scale * dot(op.q + row, op.key + cacheRow(op, slot, m, j), op.width);
  double largest = *std::max_element(p.begin(), p.end());
  double sum = 0.0;
  for (double &score : p)
    sum += score = std::exp(score - largest);
  for (int64_t d = 0; d < op.width; ++d) {
    double mean = 0.0;
    for (int64_t m = 0; m <= n; ++m)
      mean += p[m] / sum * op.value[cacheRow(op, slot, m, j) + d];
    double gate = op.gate ? sigmoid(op.gate[row + d]) : 1.0;
    op.out[row + d] = static_cast<float>(gate * mean);
  }
}

void quartet::reference::gatedAttention(const GatedAttention &op,
                                        const Ragged &ragged) {
  append(op, op.k, op.key, ragged);
  append(op, op.v, op.value, ragged);
  for (int64_t s = 0; s < ragged.sequences; ++s)
    for (int64_t t = ragged.seqStart[s]; t < ragged.seqStart[s + 1]; ++t)
      for (int64_t h = 0; h < op.heads; ++h)
        attend(op, t, ragged.seqPast[s] + t - ragged.seqStart[s],
               ragged.seqSlot[s], h);
}
