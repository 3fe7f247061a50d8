// Norm, rotation and rounding of one head by a warp against the reference.
#include "targets/gpu/kernels/HeadRow.h"
#include "test/targets/cpu/MixerInputs.h"
#include "test/targets/gpu/DeviceRunner.h"

using namespace quartet;
using namespace quartet::test;
using emu::RegionKind;
using reference::Type;

/// A warp per row: head_row in place, then its way into a cache of \p cache.
static void addKernels(DeviceRunner &runner, int64_t width, int64_t pairs) {
  gpu::DeviceBuilder &k = runner.k();
  auto rows = [&](bool norm, bool rope) {
    return [&, norm, rope](llvm::ArrayRef<V> a) {
      V x = a[0], weight = a[1], table = a[2], tableStride = a[3],
        tokens = a[4];
      k.forWarps(tokens, [&](V token) {
        V row = x + token * (width * 4);
        gpu::headRow(k, width, pairs, row, norm ? weight : V(), k.f32(1e-6),
                     rope ? table + token * tableStride : V(), row);
      });
    };
  };
  runner.add("both", "pppii", rows(true, true));
  runner.add("norm", "pppii", rows(true, false));
  runner.add("rope", "pppii", rows(false, true));
}

static void testHead(const gpu::GpuFacts &gpu, int64_t width, int64_t pairs) {
  SCOPED_TRACE(testing::Message()
               << gpu.name << ", " << width << ", pairs " << pairs);
  std::vector<float> invFreq;
  std::vector<int32_t> axes;
  for (int64_t p = 0; p < pairs; ++p) {
    invFreq.push_back(std::pow(1e4f, -static_cast<float>(p) / pairs));
    axes.push_back(p % 3);
  }
  DeviceRunner runner(gpu);
  addKernels(runner, width, pairs);
  int64_t tokens = 5, stride = 2 * pairs + 4;
  std::vector<int32_t> positions = {0, 1, 70, 409, 26214, 0,  2, 71,
                                    4, 2, 0,  9,   72,    17, 20};
  std::vector<float> table(tokens * stride);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t p = 0; p < pairs; ++p) {
      float angle = positions[axes[p] * tokens + t] * invFreq[p];
      table[t * stride + p] = std::cos(angle) * 1.25f;
      table[t * stride + pairs + p] = std::sin(angle) * 1.25f;
    }
  Random random(3);
  std::vector<float> x = random.floats(tokens * width, -3, 3);
  std::vector<float> weight = random.floats(width, -0.5f, 0.5f);
  for (const char *name : {"both", "norm", "rope"}) {
    bool norm = name[0] != 'r', rope = name[0] != 'n';
    std::vector<float> expected = x, got = x;
    if (norm)
      reference::rmsNorm(x.data(), weight.data(), expected.data(), tokens,
                         width, 1e-6f);
    if (rope) {
      std::vector<float> before = expected;
      reference::rope(before.data(), positions.data(), invFreq.data(),
                      axes.data(), 1.25f, expected.data(), tokens, 1, width,
                      pairs);
    }
    runner.know(got, "x", RegionKind::ReadWrite);
    runner.know(weight, "weight");
    runner.know(table, "table");
    runner.launch(
        name, 1, {got.data(), weight.data(), table.data(), stride * 4, tokens});
    runner.forget();
    expectNear(got, expected, 1e-6, name);
  }
}

TEST(GpuHeadRow, MatchesReference) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [width, pairs] : {std::pair<int64_t, int64_t>(256, 32),
                                {16, 4},
                                {8, 1},
                                {24, 12},
                                {96, 20},
                                {64, 32},
                                {64, 8},
                                {256, 128}})
      testHead(gpu, width, pairs);
}

/// One row into a cache; \p to has \p bytes of an element.
static void addStore(DeviceRunner &runner, int64_t width, mlir::Type type,
                     const char *name) {
  gpu::DeviceBuilder &k = runner.k();
  runner.add(name, "ppp", [&](llvm::ArrayRef<V> a) {
    k.ifThen(k.warp() == 1,
             [&] { gpu::storeHead(k, width, type, a[0], a[1], a[2]); });
  });
}

TEST(GpuStoreHead, RoundsToNearestEven) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (int64_t width : {256, 8, 24}) {
      DeviceRunner runner(gpu);
      gpu::DeviceBuilder &k = runner.k();
      addStore(runner, width, k.bf16(), "bf16");
      addStore(runner, width, k.f16(), "f16");
      addStore(runner, width, k.f32(), "f32");
      std::vector<float> x = Random(5).floats(width, -100, 100);
      x[0] = 1.00390625f;    // halfway in bf16, down to even
      x[1] = 1.01171875f;    // halfway in bf16, up to even
      x[2] = 1.00048828125f; // halfway in f16
      std::vector<uint16_t> halves(width + 1, 0x1234);
      std::vector<float> same(width);
      runner.know(x, "x");
      runner.know(halves, "halves", RegionKind::ReadWrite);
      runner.know(same, "same", RegionKind::ReadWrite);
      for (auto [type, name] :
           {std::pair(Type::kBF16, "bf16"), {Type::kF16, "f16"}}) {
        runner.launch(name, 1, {x.data(), halves.data(), nullptr});
        for (int64_t i = 0; i < width; ++i)
          EXPECT_EQ(halves[i], reference::toBits(type, x[i])) << i;
        EXPECT_EQ(halves[width], 0x1234);
      }
      runner.launch("f32", 1, {x.data(), same.data(), nullptr});
      expectSame(same, x, "f32");
    }
}

TEST(GpuStoreHead, Int8) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (int64_t width : {256, 8, 24, 20, 6}) {
      SCOPED_TRACE(gpu.name + " width " + std::to_string(width));
      DeviceRunner runner(gpu);
      addStore(runner, width, runner.k().i8(), "i8");
      auto expectRow = [&](const std::vector<float> &x, const char *what) {
        std::vector<int8_t> got(width + 1, 99), expected(width);
        std::vector<char> bytes(5); // scales may stand anywhere
        runner.know(x, "x");
        runner.know(got, "row", RegionKind::ReadWrite);
        runner.know(bytes, "scale", RegionKind::ReadWrite);
        runner.launch("i8", 1, {x.data(), got.data(), bytes.data() + 1});
        runner.forget();
        float scale, expectedScale = reference::quantizeRow(x.data(), width,
                                                            expected.data());
        std::memcpy(&scale, bytes.data() + 1, 4);
        EXPECT_EQ(got.back(), 99) << "written behind the row";
        got.pop_back();
        if (!std::isnan(expectedScale)) {
          EXPECT_EQ(got, expected) << what;
          EXPECT_EQ(scale, expectedScale) << what;
        }
        EXPECT_EQ(std::isnan(scale), std::isnan(expectedScale)) << what;
      };
      std::vector<float> x = Random(5).floats(width, -100, 100);
      expectRow(x, "random");
      for (float small : {1e-30f, 1e-38f, 1e-44f}) {
        std::vector<float> faint = x;
        for (float &value : faint)
          value *= small;
        expectRow(faint, "faint");
      }
      expectRow(std::vector<float>(width, 0.0f), "zeros");
      std::vector<float> ties(width, 2.5f); // the scale is 1
      ties[0] = -127.0f;
      ties[1] = 3.5f;
      expectRow(ties, "ties");
      x[width - 1] = NAN;
      expectRow(x, "NaN");
    }
}
