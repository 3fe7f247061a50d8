// quartet.rms_norm and quartet.gated_rms_norm.
#include "runtime/reference/Reference.h"
#include "runtime/reference/Scalar.h"

using namespace quartet::reference;

static double inverseRms(const float *x, int64_t width, float eps) {
  return 1.0 / std::sqrt(dot(x, x, width) / static_cast<double>(width) + eps);
}

void quartet::reference::rmsNorm(const float *x, const float *w, float *y,
                                 int64_t rows, int64_t width, float eps) {
  for (int64_t r = 0; r < rows; ++r) {
    double factor = inverseRms(x + r * width, width, eps);
    for (int64_t d = 0; d < width; ++d)
      y[r * width + d] =
          static_cast<float>(x[r * width + d] * factor * (1.0 + w[d]));
  }
}

void quartet::reference::gatedRmsNorm(const float *x, const float *z,
                                      const float *w, float *y, int64_t rows,
                                      int64_t width, float eps, bool useSilu) {
  for (int64_t r = 0; r < rows; ++r) {
    double factor = inverseRms(x + r * width, width, eps);
    for (int64_t d = 0; d < width; ++d) {
      int64_t i = r * width + d;
      double gate = useSilu ? silu(z[i]) : sigmoid(z[i]);
      y[i] = static_cast<float>(w[d] * (x[i] * factor) * gate);
    }
  }
}
