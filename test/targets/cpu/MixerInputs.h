// Random inputs and comparisons for the tests of the mixers' kernels, of CPUs
// and GPUs.
#ifndef QUARTET_TEST_CPU_MIXERINPUTS_H
#define QUARTET_TEST_CPU_MIXERINPUTS_H
#include "runtime/reference/Reference.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace quartet::test {

/// Uniform values in [low, high), the same in every run.
class Random {
public:
  explicit Random(uint32_t seed) : engine(seed) {}
  std::vector<float> floats(int64_t count, float low, float high) {
    std::uniform_real_distribution<float> draw(low, high);
    std::vector<float> values(count);
    for (float &value : values)
      value = draw(engine);
    return values;
  }
  /// Integers in [0, below).
  int32_t integer(int32_t below) {
    return static_cast<int32_t>(engine() % below);
  }

private:
  std::mt19937 engine;
};

/// That the difference is at most \p tolerance of the largest value expected.
inline void expectNear(const std::vector<float> &got,
                       const std::vector<float> &expected, double tolerance,
                       const std::string &what) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 1e-30, worst = 0.0;
  for (float value : expected)
    largest = std::max(largest, std::fabs(static_cast<double>(value)));
  for (size_t i = 0; i < got.size(); ++i) {
    double error = std::fabs(static_cast<double>(got[i]) - expected[i]);
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  EXPECT_LE(worst / largest, tolerance) << what;
}

/// That all bits are the same.
inline void expectSame(const std::vector<float> &got,
                       const std::vector<float> &expected,
                       const std::string &what) {
  ASSERT_EQ(got.size(), expected.size());
  EXPECT_EQ(
      0, std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)))
      << what;
}

/// Memory aligned as kernels want it, of \p T.
template <typename T> class Aligned {
public:
  explicit Aligned(int64_t count) : memory(count + 64 / sizeof(T)) {
    size_t space = memory.size() * sizeof(T);
    void *at = memory.data();
    start = static_cast<T *>(std::align(64, count * sizeof(T), at, space));
  }
  T *data() { return start; }
  T &operator[](int64_t i) { return start[i]; }

private:
  std::vector<T> memory;
  T *start;
};

} // namespace quartet::test
#endif
