// What routing must leave for given logits, by plain loops; of CPUs and GPUs.
#ifndef QUARTET_TEST_CPU_ROUTEGROUPS_H
#define QUARTET_TEST_CPU_ROUTEGROUPS_H
#include "runtime/reference/Reference.h"
#include "targets/codegen/GroupsLayout.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

namespace quartet::test {

struct RouteShape {
  int64_t experts, topK, shared, room, tokens;
};

inline std::ostream &operator<<(std::ostream &out, const RouteShape &shape) {
  return out << shape.experts << " experts, " << shape.topK << " chosen, "
             << shape.shared << " shared, " << shape.tokens << " of "
             << shape.room << " tokens";
}

/// The arrays of the groups in \p memory.
struct Groups {
  const GroupsLayout &layout;
  const uint8_t *memory;
  int64_t blockCount() const {
    int64_t count;
    std::memcpy(&count, memory + layout.blockCount, sizeof(count));
    return count;
  }
  const int32_t *ints(int64_t offset) const {
    return reinterpret_cast<const int32_t *>(memory + offset);
  }
  const float *floats(int64_t offset) const {
    return reinterpret_cast<const float *>(memory + offset);
  }
};

/// Rows of \p stride floats: logits, then unused columns, then the gate. \p
/// firstPairs receives the first pair of each expert, and their number.
inline void expectGroups(const Groups &groups, const RouteShape &shape,
                         bool renormalize, const std::vector<float> &logits,
                         int64_t stride, std::vector<int32_t> &firstPairs) {
  auto [experts, topK, shared, room, tokens] = shape;
  const GroupsLayout &layout = groups.layout;
  // The reference takes products: with the unit matrix they are the logits.
  std::vector<float> x(tokens * experts), unit(experts * experts);
  for (int64_t e = 0; e < experts; ++e)
    unit[e * experts + e] = 1.0f;
  for (int64_t t = 0; t < tokens; ++t)
    std::copy_n(&logits[t * stride], experts, &x[t * experts]);
  std::vector<float> weights(tokens * topK);
  std::vector<int32_t> ids(tokens * topK);
  reference::route(x.data(), unit.data(), weights.data(), ids.data(), tokens,
                   experts, experts, topK, renormalize);
  int64_t place = 0, blocks = 0;
  for (int64_t e = 0; e < experts + shared; ++e) {
    firstPairs.push_back(int32_t(place));
    int64_t before = place;
    for (int64_t t = 0; t < tokens; ++t) {
      float weight = 1.0f / (1.0f + std::exp(-logits[(t + 1) * stride - 1]));
      if (e < experts) {
        auto *begin = &ids[t * topK], *end = begin + topK;
        auto *found = std::find(begin, end, static_cast<int32_t>(e));
        if (found == end)
          continue;
        weight = weights[t * topK + (found - begin)];
      }
      ASSERT_EQ(groups.ints(layout.pairTokens)[place], t) << "expert " << e;
      ASSERT_NEAR(groups.floats(layout.pairWeights)[place], weight, 2e-6f);
      ++place;
    }
    for (int64_t i = before; i < place; i += kBlockPairs) {
      ASSERT_EQ(groups.ints(layout.blockExperts)[blocks], e);
      ASSERT_EQ(groups.ints(layout.blockFirst)[blocks++], i);
    }
  }
  firstPairs.push_back(int32_t(place));
  EXPECT_EQ(place, tokens * (topK + shared));
  EXPECT_EQ(groups.blockCount(), blocks);
  EXPECT_EQ(groups.ints(layout.blockFirst)[blocks], place);
}

} // namespace quartet::test
#endif
