// quartet.linear, embed, lm_head, mlp and shared_expert.
#include "runtime/reference/Reference.h"
#include "runtime/reference/Scalar.h"
#include <vector>

using namespace quartet::reference;

void quartet::reference::linear(const float *x, const float *w, float *y,
                                int64_t n, int64_t out, int64_t in) {
  for (int64_t t = 0; t < n; ++t)
    for (int64_t o = 0; o < out; ++o)
      y[t * out + o] = static_cast<float>(dot(x + t * in, w + o * in, in));
}

void quartet::reference::embed(const int32_t *tokens, const float *table,
                               float *y, int64_t n, int64_t hidden) {
  for (int64_t t = 0; t < n; ++t)
    for (int64_t i = 0; i < hidden; ++i)
      y[t * hidden + i] = table[tokens[t] * hidden + i];
}

void quartet::reference::lmHead(const float *x, const int32_t *rows,
                                const float *w, float *logits, int64_t r,
                                int64_t vocab, int64_t hidden) {
  for (int64_t i = 0; i < r; ++i)
    linear(x + rows[i] * hidden, w, logits + i * vocab, 1, vocab, hidden);
}

void quartet::reference::mlp(const float *x, const float *gateUp,
                             const float *down, float *y, int64_t n,
                             int64_t hidden, int64_t intermediate) {
  std::vector<double> h(intermediate);
  for (int64_t t = 0; t < n; ++t) {
    const float *row = x + t * hidden;
    for (int64_t i = 0; i < intermediate; ++i)
      h[i] = silu(dot(gateUp + i * hidden, row, hidden)) *
             dot(gateUp + (intermediate + i) * hidden, row, hidden);
    for (int64_t o = 0; o < hidden; ++o) {
      double sum = 0.0;
      for (int64_t i = 0; i < intermediate; ++i)
        sum += down[o * intermediate + i] * h[i];
      y[t * hidden + o] = static_cast<float>(sum);
    }
  }
}

void quartet::reference::sharedExpert(const float *x, const float *gateUp,
                                      const float *down, const float *gate,
                                      float *y, int64_t n, int64_t hidden,
                                      int64_t intermediate) {
  mlp(x, gateUp, down, y, n, hidden, intermediate);
  for (int64_t t = 0; t < n; ++t) {
    double factor = sigmoid(dot(gate, x + t * hidden, hidden));
    for (int64_t i = 0; i < hidden; ++i)
      y[t * hidden + i] = static_cast<float>(y[t * hidden + i] * factor);
  }
}
