// quartet.route and quartet.experts.
#include "runtime/reference/Reference.h"
#include "runtime/reference/Scalar.h"
#include <algorithm>
#include <numeric>
#include <vector>

using namespace quartet::reference;

void quartet::reference::route(const float *x, const float *w, float *weights,
                               int32_t *ids, int64_t n, int64_t experts,
                               int64_t hidden, int64_t topK, bool renormalize) {
  std::vector<double> p(experts);
  std::vector<int32_t> order(experts);
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t e = 0; e < experts; ++e)
      p[e] = dot(x + t * hidden, w + e * hidden, hidden);
    double largest = *std::max_element(p.begin(), p.end());
    double sum = 0.0;
    for (double &value : p)
      sum += value = std::exp(value - largest);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return p[a] > p[b] || (p[a] == p[b] && a < b);
    });
    double kept = 0.0;
    for (int64_t j = 0; j < topK; ++j)
      kept += p[order[j]];
    for (int64_t j = 0; j < topK; ++j) {
      ids[t * topK + j] = order[j];
      weights[t * topK + j] =
          static_cast<float>(p[order[j]] / (renormalize ? kept : sum));
    }
  }
}

void quartet::reference::experts(const float *x, const float *weights,
                                 const int32_t *ids, const float *gateUp,
                                 const float *down, float *y, int64_t n,
                                 int64_t k, int64_t hidden,
                                 int64_t intermediate) {
  std::vector<double> sum(hidden);
  std::vector<float> part(hidden);
  for (int64_t t = 0; t < n; ++t) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t j = 0; j < k; ++j) {
      int64_t e = ids[t * k + j];
      mlp(x + t * hidden, gateUp + e * 2 * intermediate * hidden,
          down + e * hidden * intermediate, part.data(), 1, hidden,
          intermediate);
      for (int64_t o = 0; o < hidden; ++o)
        sum[o] += static_cast<double>(weights[t * k + j]) * part[o];
    }
    for (int64_t o = 0; o < hidden; ++o)
      y[t * hidden + o] = static_cast<float>(sum[o]);
  }
}
