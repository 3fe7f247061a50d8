// What the delta rule is tested with.
#ifndef QUARTET_TEST_CPU_DELTAINPUTS_H
#define QUARTET_TEST_CPU_DELTAINPUTS_H
#include "test/targets/cpu/MixerInputs.h"
#include <tuple>

namespace quartet::test {

/// The range of a + dt_bias (decay) and of b (strength).
struct Range {
  float aLow, aHigh, bLow, bHigh;
};

inline constexpr Range kRanges[] = {
    {-4, 2, -3, 3},     // as in a model
    {-12, -8, -3, 3},   // hardly any decay
    {2, 30, -3, 3},     // hardly anything kept
    {60, 400, -3, 3},   // nothing kept
    {-4, 40, -30, 30},  // both, and strengths of 0 and 1
    {-6, -2, -30, -20}, // nothing written
    {-6, -2, 10, 20},   // written in full
};

/// Widths of key, value, and number of value heads.
inline constexpr std::tuple<int64_t, int64_t, int64_t> kShapes[] = {
    {128, 128, 2}, {8, 8, 1}, {16, 32, 3}, {32, 16, 2},
    {24, 24, 2},   {5, 7, 1}, {40, 104, 1}};

} // namespace quartet::test
#endif
