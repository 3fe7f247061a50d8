// quartet.sample: sort all ids of a row, then walk the list.
#include "runtime/reference/Reference.h"
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

using namespace quartet::reference;

static int32_t sampleRow(const Sample &op, int64_t r) {
  const float *logits = op.logits + r * op.vocab;
  std::vector<int32_t> order(op.tokenLimit);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  });
  if (op.temperature[r] == 0.0f)
    return order[0];
  int64_t k = std::min(
      {static_cast<int64_t>(op.topK[r]), op.candidates, op.tokenLimit});
  std::vector<double> p(k);
  double sum = 0.0;
  for (int64_t j = 0; j < k; ++j)
    sum += p[j] =
        std::exp((static_cast<double>(logits[order[j]]) - logits[order[0]]) /
                 op.temperature[r]);
  for (double &value : p)
    value /= sum;
  // The list falls, so what min_p and top_p keep is a prefix.
  double kept = 0.0;
  int64_t count = 0;
  while (count < k && p[count] >= op.minP[r] * p[0] && kept < op.topP[r])
    kept += p[count++];
  double threshold = op.uniform[r] * kept;
  double passed = 0.0;
  for (int64_t j = 0; j < count; ++j) {
    passed += p[j];
    if (passed > threshold)
      return order[j];
  }
  return order[count - 1];
}

void quartet::reference::sample(const Sample &op, int32_t *ids) {
  for (int64_t r = 0; r < op.rows; ++r)
    ids[r] = sampleRow(op, r);
}
