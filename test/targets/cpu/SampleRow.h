// A row of logits and what must be drawn from it; of CPUs and GPUs.
#ifndef QUARTET_TEST_CPU_SAMPLEROW_H
#define QUARTET_TEST_CPU_SAMPLEROW_H
#include "runtime/reference/Reference.h"
#include <algorithm>
#include <limits>
#include <vector>

namespace quartet::test {

constexpr int64_t kSampleCandidates = 24;

struct SampleOptions {
  float temperature, topP, minP, uniform;
  int32_t topK;
};

/// One row of logits, ids below limit, in tiles.
struct SampleRow {
  std::vector<float> logits;
  int64_t limit, tile;

  /// Of each tile; of numbers alone.
  std::vector<float> maxima() const {
    std::vector<float> result;
    for (int64_t first = 0; first < limit; first += tile) {
      float most = -std::numeric_limits<float>::infinity();
      for (int64_t i = first; i < std::min(first + tile, limit); ++i)
        most = std::max(most, logits[i]);
      result.push_back(most);
    }
    return result;
  }
  /// By plain loops that sort all logits.
  int32_t expected(const SampleOptions &o) const {
    int32_t id = -1;
    reference::Sample op{logits.data(),
                         &o.temperature,
                         &o.topK,
                         &o.topP,
                         &o.minP,
                         &o.uniform,
                         1,
                         static_cast<int64_t>(logits.size()),
                         limit,
                         kSampleCandidates};
    reference::sample(op, &id);
    return id;
  }
};

} // namespace quartet::test
#endif
