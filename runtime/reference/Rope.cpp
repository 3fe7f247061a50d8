// quartet.rope.
#include "runtime/reference/Reference.h"
#include <cmath>

using namespace quartet::reference;

void quartet::reference::rope(const float *x, const int32_t *positions,
                              const float *invFreq, const int32_t *axes,
                              float scale, float *y, int64_t n, int64_t heads,
                              int64_t width, int64_t pairs) {
  for (int64_t t = 0; t < n; ++t)
    for (int64_t h = 0; h < heads; ++h) {
      const float *in = x + (t * heads + h) * width;
      float *out = y + (t * heads + h) * width;
      for (int64_t d = 2 * pairs; d < width; ++d)
        out[d] = in[d];
      for (int64_t p = 0; p < pairs; ++p) {
        // The product is rounded to f32: that is the op's definition.
        float angle =
            static_cast<float>(positions[axes[p] * n + t]) * invFreq[p];
        double c = std::cos(static_cast<double>(angle)) * scale;
        double s = std::sin(static_cast<double>(angle)) * scale;
        out[p] = static_cast<float>(in[p] * c - in[p + pairs] * s);
        out[p + pairs] = static_cast<float>(in[p + pairs] * c + in[p] * s);
      }
    }
}
