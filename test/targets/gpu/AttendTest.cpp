// Attention in parts, joined, against the reference, and its bits against
// other ways of cutting the same work.
#include "targets/gpu/kernels/Attend.h"
#include "targets/Chips.h"
#include "targets/gpu/kernels/Merge.h"
#include "test/targets/cpu/AttendInputs.h"
#include "test/targets/gpu/DeviceRunner.h"

using namespace quartet;
using namespace quartet::test;
using emu::RegionKind;
using reference::Type;

namespace {
/// The kernels for one shape: a block per range of pages, then a warp per token
/// and head.
struct Kernels {
  DeviceRunner runner;

  /// Of attention, joined with a gate.
  Kernels(const gpu::GpuFacts &gpu, int64_t width, int64_t heads, Type type,
          bool int8, bool many)
      : runner(gpu) {
    gpu::DeviceBuilder &k = runner.k();
    mlir::Type element = int8                 ? k.i8()
                         : type == Type::kF32 ? k.f32()
                         : type == Type::kF16 ? k.f16()
                                              : k.bf16();
    int64_t record = gpu::attendRecordBytes(width);
    runner.add("attend", "pppipiiiifpii", [&](llvm::ArrayRef<V> a) {
      V range = a[5], token = a[12];
      gpu::AttendArgs args;
      args.q = a[0] + token * (heads * width * 4);
      args.qTokenStride = k.i64(heads * width * 4);
      args.qHeadStride = k.i64(width * 4);
      args.keys = a[1];
      args.values = a[2];
      args.pageStride = a[3];
      args.pages = a[4];
      args.page0 = k.worker() * range;
      args.page1 = args.page0 + range;
      args.place = a[6];
      args.tokens = a[7];
      args.scale = a[9];
      V ranges = a[8];
      args.records = a[10] + (token * ranges * heads + k.worker()) * record;
      args.recordTokenStride = ranges * (heads * record);
      args.recordHeadStride = ranges * record;
      // Ranges that begin behind the last token have nothing to do.
      k.ifThen(args.page0 * kPageTokens < args.place + args.tokens,
               [&] { gpu::attend(k, width, heads, element, many, 16, args); });
    });
    addMerge("gated", width, true);
  }

  /// Of joins without a gate alone.
  Kernels(const gpu::GpuFacts &gpu, int64_t width) : runner(gpu) {
    addMerge("plain", width, false);
  }

  void addMerge(const char *name, int64_t width, bool gated) {
    gpu::DeviceBuilder &k = runner.k();
    int64_t record = gpu::attendRecordBytes(width);
    runner.add(name, "piipip", [&](llvm::ArrayRef<V> a) {
      k.forWarps(a[4], [&](V row) {
        gpu::mergeRecords(k, width, a[0] + row * a[1] * record, k.i64(record),
                          a[2], gated ? a[3] + row * (width * 4) : V(),
                          a[5] + row * (width * 4));
      });
    });
  }

  /// Calls of \p block tokens, ranges of \p range pages.
  std::vector<float> run(const Attention &a, int64_t block, int64_t range) {
    int64_t ranges = (a.pages + range - 1) / range;
    int64_t token = a.heads * ranges * gpu::attendRecordBytes(a.width);
    std::vector<uint8_t> records(a.tokens * token, 0xff);
    auto keys = a.cache(a.key), values = a.cache(a.value);
    int64_t pageBytes = keys.size() / (2 * a.pages);
    std::vector<float> out(a.q.size());
    runner.know(a.q, "q");
    runner.know(keys, "keys");
    runner.know(values, "values");
    runner.know(a.table, "pages");
    runner.know(a.gate, "gate");
    runner.know(records, "records", RegionKind::ReadWrite);
    runner.know(out, "out", RegionKind::ReadWrite);
    for (int64_t t = 0; t < a.tokens; t += block)
      runner.launch("attend", ranges,
                    {a.q.data(), keys.data(), values.data(), pageBytes,
                     a.table.data(), range, a.past + t,
                     std::min(block, a.tokens - t), ranges, a.scale,
                     records.data(), int64_t(0), t});
    // Records of ranges behind a token are not there: each token by itself.
    int64_t rowBytes = a.heads * a.width;
    for (int64_t t = 0; t < a.tokens; ++t)
      runner.launch("gated", 1,
                    {records.data() + t * token, ranges,
                     ((a.past + t) / kPageTokens) / range + 1,
                     a.gate.data() + t * rowBytes, a.heads,
                     out.data() + t * rowBytes});
    runner.forget();
    return out;
  }

  std::vector<float> merge(const std::vector<float> &records, int64_t width,
                           int64_t ranges) {
    std::vector<float> out(width);
    runner.know(records, "records");
    runner.know(out, "out", RegionKind::ReadWrite);
    runner.launch(
        "plain", 1,
        {records.data(), ranges, ranges, nullptr, int64_t(1), out.data()});
    runner.forget();
    return out;
  }
};
} // namespace

TEST(GpuAttend, MatchesReference) {
  struct Shape {
    int64_t width, heads, past, tokens;
    Type type;
    bool int8 = false;
  };
  const Shape shapes[] = {
      {256, 8, 0, 1, Type::kBF16},        {256, 8, 150, 1, Type::kBF16},
      {256, 8, 60, 9, Type::kBF16},       {64, 16, 63, 3, Type::kBF16},
      {16, 1, 70, 3, Type::kF32},         {16, 2, 127, 2, Type::kF16},
      {8, 3, 10, 130, Type::kBF16},       {24, 4, 64, 5, Type::kF32},
      {40, 6, 200, 3, Type::kBF16},       {16, 12, 5, 70, Type::kBF16},
      {20, 11, 65, 2, Type::kBF16},       {32, 5, 128, 1, Type::kF16},
      {256, 16, 70, 2, Type::kBF16},      {512, 4, 70, 2, Type::kBF16},
      {256, 8, 150, 1, Type::kF32, true}, {256, 8, 60, 9, Type::kF32, true},
      {6, 3, 10, 130, Type::kF32, true},  {24, 16, 63, 3, Type::kF32, true},
      {40, 6, 200, 3, Type::kF32, true},  {20, 11, 65, 2, Type::kF32, true}};
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (const Shape &shape : shapes) {
      auto [width, heads, past, tokens, type, int8] = shape;
      SCOPED_TRACE(testing::Message()
                   << gpu.name << ", " << width << " x " << heads << ", past "
                   << past << ", tokens " << tokens << (int8 ? ", int8" : ""));
      for (int64_t mostTokens : {1, 16}) {
        // Few tokens for either kernel say no more than few for one.
        if (mostTokens == 1 ? tokens > 3 : tokens == 1)
          continue;
        Kernels kernels(gpu, width, heads, type, int8, mostTokens > 1);
        Attention attention(width, heads, past, tokens, type, int8);
        // Sums of two bf16 keep 16 bits of queries and probabilities; scores
        // are up to some 20.
        expectNear(kernels.run(attention, std::min<int64_t>(mostTokens, 16), 2),
                   attention.expected(), mostTokens > 1 ? 3e-5 : 2e-6, "out");
      }
    }
}

// Every family of matrix instructions, and as much of a tile at once as each
// chip's shared memory holds.
TEST(GpuAttend, TilesOfEveryFamily) {
  for (const char *name :
       {"sm_80", "sm_86", "sm_100a", "gfx90a", "gfx950", "gfx1100", "gfx1201"})
    for (bool int8 : {false, true}) {
      SCOPED_TRACE(testing::Message() << name << (int8 ? ", int8" : ""));
      llvm::Expected<gpu::GpuFacts> gpu = findGpuFacts(name);
      ASSERT_TRUE(bool(gpu)) << llvm::toString(gpu.takeError());
      Type type = int8 ? Type::kF32 : Type::kBF16;
      Kernels kernels(*gpu, 256, 8, type, int8, /*many=*/true);
      Attention attention(256, 8, 100, 9, type, int8);
      expectNear(kernels.run(attention, 8, 2), attention.expected(), 3e-5,
                 "out");
    }
}

// One bf16 of queries and probabilities: eight bits of scores up to some 20.
TEST(GpuAttend, TilesOfOnePart) {
  for (gpu::GpuFacts gpu : kernelGpus())
    for (bool int8 : {false, true}) {
      SCOPED_TRACE(testing::Message() << gpu.name << (int8 ? ", int8" : ""));
      gpu.activationParts = 1;
      Type type = int8 ? Type::kF32 : Type::kBF16;
      Kernels kernels(gpu, 256, 8, type, int8, /*many=*/true);
      Attention attention(256, 8, 100, 9, type, int8);
      expectNear(kernels.run(attention, 8, 2), attention.expected(), 8e-3,
                 "out");
    }
}

// The bits do not depend on the tokens of a call.
TEST(GpuAttend, SameBitsForEveryBlock) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [heads, type, int8] : {std::tuple(8, Type::kBF16, false),
                                     {3, Type::kBF16, false},
                                     {8, Type::kF32, true}}) {
      Attention attention(64, heads, 90, 40, type, int8);
      std::vector<float> first;
      Kernels kernels(gpu, 64, heads, type, int8, true);
      for (int64_t block : {1, 5, 16}) {
        std::vector<float> out = kernels.run(attention, block, 2);
        if (first.empty())
          first = out;
        expectSame(out, first, "block " + std::to_string(block));
      }
    }
}

// A key that scores far above all others after many pages, and far below.
TEST(GpuAttend, LargeScores) {
  Attention attention(32, 4, 400, 2, Type::kF32);
  for (float &x : attention.q)
    x *= 300.0f;
  for (const gpu::GpuFacts &gpu : kernelGpus()) {
    Kernels kernels(gpu, 32, 4, Type::kF32, false, true);
    for (int64_t range : {1, 3, 100})
      expectNear(kernels.run(attention, 2, range), attention.expected(), 1e-3,
                 "out");
  }
}

TEST(GpuMerge, OneRangeIsDivision) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (int64_t width : {256, 24}) {
      Kernels kernels(gpu, width);
      std::vector<float> record = Random(2).floats(width + 2, -9, 9);
      record[width + 1] = 7.3f;
      std::vector<float> expected(width);
      for (int64_t i = 0; i < width; ++i)
        expected[i] = record[i] / 7.3f;
      expectSame(kernels.merge(record, width, 1), expected, "out");
    }
}

// Ranges without a place the token sees change nothing.
TEST(GpuMerge, EmptyRanges) {
  for (const gpu::GpuFacts &gpu : kernelGpus()) {
    Kernels kernels(gpu, 16);
    std::vector<float> records(3 * 32, 0.0f);
    for (int64_t r : {0, 2})
      records[r * 32 + 16] = -3e38f;
    std::vector<float> one = Random(2).floats(32, 1, 9);
    std::copy(one.begin(), one.end(), records.begin() + 32);
    expectSame(kernels.merge(records, 16, 3), kernels.merge(one, 16, 1), "out");
  }
}
