// Routing against plain loops: which experts, their weights, and the sorted
// pairs.
#include "targets/cpu/kernels/Route.h"
#include "test/targets/cpu/KernelRunner.h"
#include "test/targets/cpu/MixerInputs.h"
#include "test/targets/cpu/RouteGroups.h"

using namespace quartet;
using namespace quartet::test;

namespace {
using RouteFunction = void(const float *logits, int64_t stride,
                           int64_t gateColumn, int64_t tokens, uint8_t *groups);
} // namespace

/// Rows of \p stride floats: logits, then unused columns, then the gate.
static void testRoute(const std::string &cpuName, const RouteShape &shape,
                      bool renormalize, std::vector<float> logits,
                      int64_t stride) {
  auto [experts, topK, shared, room, tokens] = shape;
  SCOPED_TRACE(testing::Message() << shape);
  int64_t gateColumn = stride - 1;
  cpu::GroupsLayout layout(room, experts, topK, shared);
  KernelRunner runner{llvm::StringRef(cpuName)};
  auto *route = runner.get<RouteFunction>(
      runner.add(cpu::routeKernel(runner.k(), layout, renormalize)));
  Aligned<uint8_t> memory(layout.bytes + 64);
  std::memset(memory.data(), 0xff, layout.bytes + 64);
  route(logits.data(), stride * 4, gateColumn, tokens, memory.data());
  for (int64_t i = 0; i < 64; ++i)
    ASSERT_EQ(memory[layout.bytes + i], 0xff) << "written behind the groups";

  std::vector<int32_t> first;
  expectGroups({layout, memory.data()}, shape, renormalize, logits, stride,
               first);
  for (size_t e = 0; e < first.size(); ++e)
    ASSERT_EQ(reinterpret_cast<int32_t *>(memory.data() + layout.first)[e],
              first[e])
        << "expert " << e;
}

TEST(Route, MatchesPlainLoops) {
  const RouteShape shapes[] = {{8, 2, 0, 4, 4},
                               {8, 2, 1, 16, 5},
                               {20, 4, 1, 3, 3},
                               {5, 5, 0, 2, 2},
                               {16, 1, 2, 8, 1},
                               {64, 8, 1, 40, 33},
                               {1, 1, 1, 64, 64},
                               {8, 2, 1, 4, 0},
                               // Several blocks of an expert.
                               {12, 3, 2, 150, 150},
                               {256, 8, 1, 70, 65}};
  for (const std::string &cpuName : kernelCpus())
    for (const RouteShape &shape : shapes)
      for (bool renormalize : {false, true}) {
        int64_t stride = shape.experts + 3;
        testRoute(cpuName, shape, renormalize,
                  Random(shape.experts).floats(shape.tokens * stride, -6, 6),
                  stride);
      }
}

// Of equal logits the first ones are chosen; far apart ones do not overflow.
TEST(Route, EqualAndLargeLogits) {
  testRoute("", {8, 3, 0, 2, 2}, true, std::vector<float>(18, 0.5f), 9);
  std::vector<float> logits(9, -3e4f);
  logits[6] = 3e4f;
  logits[2] = 2.9e4f;
  testRoute("", {8, 2, 1, 1, 1}, true, logits, 9);
}

// A token that is not a number must not lead outside of any array.
TEST(Route, NoNumber) {
  cpu::GroupsLayout layout(2, 20, 3, 1);
  for (const std::string &cpuName : kernelCpus()) {
    KernelRunner runner{llvm::StringRef(cpuName)};
    auto *route = runner.get<RouteFunction>(
        runner.add(cpu::routeKernel(runner.k(), layout, true)));
    std::vector<float> logits(2 * 21, NAN);
    std::fill(logits.begin() + 21, logits.end(), 1.0f);
    Aligned<uint8_t> memory(layout.bytes);
    route(logits.data(), 21 * 4, 20, 2, memory.data());
    const int32_t *first = Groups{layout, memory.data()}.ints(layout.first);
    EXPECT_EQ(first[1], 4); // three times token 0, once token 1
    EXPECT_EQ(first[2], 5);
    EXPECT_EQ(first[3], 6);
    EXPECT_EQ(first[21], 8);
  }
}
