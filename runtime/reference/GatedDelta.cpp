// quartet.gated_delta: the recurrence, token by token, with S in double.
#include "runtime/reference/Reference.h"
#include "runtime/reference/Scalar.h"
#include <vector>

using namespace quartet::reference;

/// x scaled to unit length, times \p scale.
static std::vector<double> unit(const float *x, int64_t n, float eps,
                                double scale) {
  double factor = scale / std::sqrt(dot(x, x, n) + eps);
  std::vector<double> result(n);
  for (int64_t i = 0; i < n; ++i)
    result[i] = x[i] * factor;
  return result;
}

void quartet::reference::gatedDelta(const GatedDelta &op,
                                    const Ragged &ragged) {
  int64_t dk = op.keyDim, dv = op.valueDim;
  int64_t group = op.valueHeads / op.keyHeads;
  for (int64_t s = 0; s < ragged.sequences; ++s)
    for (int64_t h = 0; h < op.valueHeads; ++h) {
      float *kept =
          op.state + (ragged.seqSlot[s] * op.valueHeads + h) * dv * dk;
      std::vector<double> state(kept, kept + dv * dk);
      for (int64_t t = ragged.seqStart[s]; t < ragged.seqStart[s + 1]; ++t) {
        int64_t keyRow = (t * op.keyHeads + h / group) * dk;
        int64_t row = t * op.valueHeads + h;
        std::vector<double> kn = unit(op.k + keyRow, dk, op.qkEps, 1.0);
        std::vector<double> qn = unit(op.q + keyRow, dk, op.qkEps,
                                      1.0 / std::sqrt(static_cast<double>(dk)));
        double beta = sigmoid(op.b[row]);
        double alpha =
            std::exp(-std::exp(op.aLog[h]) *
                     softplus(static_cast<double>(op.a[row]) + op.dtBias[h]));
        for (int64_t v = 0; v < dv; ++v) {
          double *line = state.data() + v * dk;
          double recalled = 0.0, read = 0.0;
          for (int64_t d = 0; d < dk; ++d) {
            line[d] *= alpha;
            recalled += line[d] * kn[d];
          }
          double write = beta * (op.v[row * dv + v] - recalled);
          for (int64_t d = 0; d < dk; ++d) {
            line[d] += write * kn[d];
            read += line[d] * qn[d];
          }
          op.out[row * dv + v] = static_cast<float>(read);
        }
      }
      for (int64_t i = 0; i < dv * dk; ++i)
        kept[i] = static_cast<float>(state[i]);
    }
}
