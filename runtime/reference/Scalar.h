// Scalar functions of the formulas, in double.
#ifndef QUARTET_REFERENCE_SCALAR_H
#define QUARTET_REFERENCE_SCALAR_H
#include <cmath>
#include <cstdint>

namespace quartet {
namespace reference {

inline double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
inline double silu(double x) { return x * sigmoid(x); }
inline double softplus(double x) {
  return x > 20.0 ? x : std::log1p(std::exp(x));
}
inline double dot(const float *a, const float *b, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i)
    sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

} // namespace reference
} // namespace quartet
#endif
