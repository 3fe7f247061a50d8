// Routing against plain loops: few pairs, which are compared all with all, and
// many, which are counted in pieces; by a block for itself, and by one after
// others have chosen.
#include "targets/gpu/kernels/Route.h"
#include "test/targets/cpu/MixerInputs.h"
#include "test/targets/cpu/RouteGroups.h"
#include "test/targets/gpu/DeviceRunner.h"

using namespace quartet;
using namespace quartet::test;
using emu::RegionKind;

/// Tokens of a block that chooses.
static constexpr int64_t kChooseTile = 8;

namespace {
/// Kernels for shapes, and what they leave for given logits.
class RouteRunner {
public:
  RouteRunner(gpu::GpuFacts gpu, llvm::ArrayRef<RouteShape> shapes,
              bool renormalize);
  void test(size_t i, bool equal);

private:
  gpu::RouterLogits logitsOf(const RouteShape &shape, V data, V gateColumn) {
    return {data, runner.k().i64(strideOf(shape) * 4), gateColumn, renormalize};
  }
  static int64_t strideOf(const RouteShape &shape) { return shape.experts + 3; }
  static GroupsLayout layoutOf(const RouteShape &shape, bool chosen) {
    return {shape.room, shape.experts, shape.topK, shape.shared, chosen};
  }
  /// What a kernel does with memory for groups; the memory.
  Aligned<uint8_t> launch(const std::string &name, const GroupsLayout &layout,
                          llvm::ArrayRef<DeviceRunner::Argument> arguments);
  /// By all blocks that choose, then one that sorts.
  Aligned<uint8_t> chooseAndSort(size_t i, const std::vector<float> &logits);

  DeviceRunner runner;
  llvm::ArrayRef<RouteShape> shapes;
  bool renormalize;
  uint64_t seed = 0;
};
} // namespace

static std::string nameOf(const char *what, size_t i) {
  return what + std::to_string(i);
}

RouteRunner::RouteRunner(gpu::GpuFacts gpu, llvm::ArrayRef<RouteShape> shapes,
                         bool renormalize)
    : runner(gpu), shapes(shapes), renormalize(renormalize) {
  gpu::DeviceBuilder &k = runner.k();
  for (size_t i = 0; i < shapes.size(); ++i) {
    const RouteShape &shape = shapes[i];
    GroupsLayout own = layoutOf(shape, false), after = layoutOf(shape, true);
    int64_t room = shape.room;
    runner.add(nameOf("route", i), "piip", [&](llvm::ArrayRef<V> a) {
      gpu::route(k, own, logitsOf(shape, a[0], a[1]), a[2], room, a[3]);
    });
    runner.add(nameOf("choose", i), "piipp", [&](llvm::ArrayRef<V> a) {
      V first = k.worker() * kChooseTile;
      gpu::chooseExperts(k, after, logitsOf(shape, a[0], a[1]), first,
                         k.min(a[2] - first, k.i64(kChooseTile)), {a[3], a[4]});
    });
    runner.add(nameOf("sort", i), "ppip", [&](llvm::ArrayRef<V> a) {
      gpu::route(k, after, gpu::ChosenExperts{a[0], a[1]}, a[2], room, a[3]);
    });
  }
}

Aligned<uint8_t>
RouteRunner::launch(const std::string &name, const GroupsLayout &layout,
                    llvm::ArrayRef<DeviceRunner::Argument> arguments) {
  Aligned<uint8_t> memory(layout.bytes);
  std::memset(memory.data(), 0xff, layout.bytes);
  runner.know(memory.data(), layout.bytes, "groups", RegionKind::Scratch);
  llvm::SmallVector<DeviceRunner::Argument> all(arguments);
  all.push_back(memory.data());
  runner.launch(name, 1, all, seed++);
  return memory;
}

Aligned<uint8_t> RouteRunner::chooseAndSort(size_t i,
                                            const std::vector<float> &logits) {
  const RouteShape &shape = shapes[i];
  GroupsLayout layout = layoutOf(shape, true);
  int64_t tokens = shape.tokens, pairs = tokens * layout.perToken;
  std::vector<int32_t> experts(pairs, -1);
  std::vector<float> weights(pairs, -1);
  runner.know(experts, "experts", RegionKind::Scratch);
  runner.know(weights, "weights", RegionKind::Scratch);
  if (int64_t tiles = (tokens + kChooseTile - 1) / kChooseTile)
    runner.launch(nameOf("choose", i), tiles,
                  {logits.data(), strideOf(shape) - 1, tokens, experts.data(),
                   weights.data()},
                  seed++);
  runner.forget();
  runner.know(experts, "experts");
  runner.know(weights, "weights");
  return launch(nameOf("sort", i), layout,
                {experts.data(), weights.data(), tokens});
}

/// What routing must leave, and a token's pairs, experts ascending.
static void expectRouted(const Groups &groups, const RouteShape &shape,
                         bool renormalize, const std::vector<float> &logits,
                         int64_t stride) {
  const GroupsLayout &layout = groups.layout;
  std::vector<int32_t> first;
  expectGroups(groups, shape, renormalize, logits, stride, first);
  const int32_t *pairs = groups.ints(layout.tokenPairs);
  for (int64_t p = 0; p < shape.tokens * layout.perToken; ++p) {
    ASSERT_EQ(groups.ints(layout.pairTokens)[pairs[p]], p / layout.perToken);
    if (p % layout.perToken)
      ASSERT_LT(pairs[p - 1], pairs[p]);
  }
}

void RouteRunner::test(size_t i, bool equal) {
  const RouteShape &shape = shapes[i];
  SCOPED_TRACE(testing::Message() << runner.machine.name << ", " << shape);
  int64_t stride = strideOf(shape), tokens = shape.tokens;
  std::vector<float> logits =
      Random(shape.experts).floats(tokens * stride, -6, 6);
  if (equal)
    std::fill(logits.begin(), logits.end(), 0.5f);
  GroupsLayout own = layoutOf(shape, false), after = layoutOf(shape, true);
  ASSERT_LE(after.bytes + 2 * shape.room * own.perToken * 4, own.bytes);
  runner.forget();
  runner.know(logits, "logits");
  Aligned<uint8_t> sorted = chooseAndSort(i, logits);
  expectRouted({after, sorted.data()}, shape, renormalize, logits, stride);
  if (tokens == 0) // of a block for itself there is always one
    return;
  runner.forget();
  runner.know(logits, "logits");
  Aligned<uint8_t> routed =
      launch(nameOf("route", i), own, {logits.data(), stride - 1, tokens});
  expectRouted({own, routed.data()}, shape, renormalize, logits, stride);
  // The same bits, whoever chooses.
  EXPECT_EQ(std::memcmp(routed.data() + own.pairWeights,
                        sorted.data() + after.pairWeights,
                        tokens * own.perToken * 4),
            0);
}

/// All of \p shapes on one GPU, some of them with little shared memory.
static void testRoute(gpu::GpuFacts gpu, llvm::ArrayRef<RouteShape> shapes,
                      bool renormalize, bool equal = false) {
  RouteRunner runner(gpu, shapes, renormalize);
  for (size_t i = 0; i < shapes.size(); ++i)
    runner.test(i, equal);
}

TEST(GpuRoute, MatchesPlainLoops) {
  const RouteShape shapes[] = {
      {8, 2, 0, 4, 4},     {8, 2, 1, 16, 5},     {20, 4, 1, 3, 3},
      {16, 1, 2, 8, 1},    {64, 8, 1, 40, 33},   {12, 3, 2, 150, 150},
      {256, 8, 1, 70, 65}, {256, 8, 1, 16, 16},  {100, 6, 1, 200, 77},
      {8, 2, 1, 150, 1},   {32, 4, 1, 512, 512}, {32, 4, 1, 512, 0}};
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
