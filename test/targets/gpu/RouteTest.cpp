// Routing by a block against plain loops: few pairs, which are compared all
// with all, and many, which are counted in pieces.
#include "targets/gpu/kernels/Route.h"
#include "test/targets/cpu/MixerInputs.h"
#include "test/targets/cpu/RouteGroups.h"
#include "test/targets/gpu/DeviceRunner.h"

using namespace quartet;
using namespace quartet::test;
using emu::RegionKind;

/// All of \p shapes on one GPU, some of them with little shared memory.
static void testRoute(gpu::GpuFacts gpu, llvm::ArrayRef<RouteShape> shapes,
                      bool renormalize, bool equal = false) {
  DeviceRunner runner(gpu);
  std::vector<std::string> names;
  for (const RouteShape &shape : shapes) {
    names.push_back("route" + std::to_string(names.size()));
    runner.add(names.back(), "piip", [&](llvm::ArrayRef<V> a) {
      gpu::DeviceBuilder &k = runner.k();
      GroupsLayout layout(shape.room, shape.experts, shape.topK, shape.shared);
      gpu::route(k, layout, renormalize, a[0], k.i64((shape.experts + 3) * 4),
                 a[1], a[2], shape.room, a[3]);
    });
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    const RouteShape &shape = shapes[i];
    SCOPED_TRACE(testing::Message() << gpu.name << ", " << shape);
    GroupsLayout layout(shape.room, shape.experts, shape.topK, shape.shared);
    int64_t stride = shape.experts + 3;
    std::vector<float> logits =
        Random(shape.experts).floats(shape.tokens * stride, -6, 6);
    if (equal)
      std::fill(logits.begin(), logits.end(), 0.5f);
    Aligned<uint8_t> memory(layout.bytes);
    std::memset(memory.data(), 0xff, layout.bytes);
    runner.forget();
    runner.know(logits, "logits");
    runner.know(memory.data(), layout.bytes, "groups", RegionKind::Scratch);
    runner.launch(names[i], 1,
                  {logits.data(), stride - 1, shape.tokens, memory.data()},
                  uint64_t(i));
    std::vector<int32_t> first;
    Groups groups{layout, memory.data()};
    expectGroups(groups, shape, renormalize, logits, stride, first);
    // A token's pairs, experts ascending.
    const int32_t *pairs = groups.ints(layout.tokenPairs);
    for (int64_t p = 0; p < shape.tokens * layout.perToken; ++p) {
      ASSERT_EQ(groups.ints(layout.pairTokens)[pairs[p]], p / layout.perToken);
      if (p % layout.perToken)
        ASSERT_LT(pairs[p - 1], pairs[p]);
    }
  }
}

TEST(GpuRoute, MatchesPlainLoops) {
  const RouteShape shapes[] = {{8, 2, 0, 4, 4},      {8, 2, 1, 16, 5},
                               {20, 4, 1, 3, 3},     {16, 1, 2, 8, 1},
                               {64, 8, 1, 40, 33},   {12, 3, 2, 150, 150},
                               {256, 8, 1, 70, 65},  {256, 8, 1, 16, 16},
                               {100, 6, 1, 200, 77}, {8, 2, 1, 150, 1}};
  for (gpu::GpuFacts gpu : kernelGpus())
    testRoute(gpu, shapes, /*renormalize=*/true);
  gpu::GpuFacts little = kernelGpus()[0];
  little.sharedBytes = 20 << 10; // not all pieces have room
  testRoute(little, {{256, 8, 1, 70, 65}}, /*renormalize=*/false);
}

// Of equal logits the first ones are chosen.
TEST(GpuRoute, EqualLogits) {
  testRoute(kernelGpus()[0], {{8, 3, 0, 2, 2}, {40, 3, 1, 130, 130}}, true,
            /*equal=*/true);
}
