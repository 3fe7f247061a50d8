// quartet.causal_conv.
#include "runtime/reference/Reference.h"
#include "runtime/reference/Scalar.h"
#include <vector>

using namespace quartet::reference;

void quartet::reference::causalConv(const float *x, const float *w,
                                    float *state, float *y,
                                    const Ragged &ragged, int64_t channels,
                                    int64_t taps, Type stateType) {
  int64_t kept = taps - 1;
  for (int64_t s = 0; s < ragged.sequences; ++s) {
    int64_t start = ragged.seqStart[s], length = ragged.seqStart[s + 1] - start;
    float *window = state + ragged.seqSlot[s] * kept * channels;
    // The window, then the step's rows: row i of the step is rows[kept + i].
    std::vector<float> rows(window, window + kept * channels);
    for (int64_t i = 0; i < length * channels; ++i)
      rows.push_back(roundTo(stateType, x[start * channels + i]));
    for (int64_t i = 0; i < length; ++i)
      for (int64_t c = 0; c < channels; ++c) {
        double sum = 0.0;
        for (int64_t j = 0; j < taps; ++j)
          sum += static_cast<double>(w[c * taps + j]) *
                 rows[(i + j) * channels + c];
        y[(start + i) * channels + c] = static_cast<float>(silu(sum));
      }
    for (int64_t i = 0; i < kept * channels; ++i)
      window[i] = rows[length * channels + i];
  }
}
