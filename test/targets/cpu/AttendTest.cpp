// Attention in parts, joined, against the reference, and its bits against
// other ways of cutting the same work.
#include "targets/cpu/kernels/Attend.h"
#include "targets/cpu/kernels/Merge.h"
#include "test/targets/cpu/AttendInputs.h"
#include "test/targets/cpu/KernelRunner.h"

using namespace quartet;
using namespace quartet::test;
using reference::Type;

using AttendFunction = void(const float *q, int64_t qTokenStride,
                            int64_t qHeadStride, const void *keys,
                            const void *values, int64_t pageStride,
                            const int32_t *pages, int64_t page0, int64_t page1,
                            int64_t place, int64_t tokens, float scale,
                            float *records, int64_t recordTokenStride,
                            int64_t recordHeadStride, void *workspace);
using MergeFunction = void(const float *records, int64_t rangeStride,
                           int64_t ranges, float *out);
using GatedMergeFunction = void(const float *records, int64_t rangeStride,
                                int64_t ranges, const float *gate, float *out);

namespace {
/// The kernels for one shape.
struct Kernels {
  KernelRunner runner;
  AttendFunction *attend;
  GatedMergeFunction *gatedMerge;
  MergeFunction *merge;

  Kernels(const std::string &cpu, int64_t width, int64_t heads, Type type,
          bool int8 = false)
      : runner(llvm::StringRef(cpu)) {
    quartet::cpu::KernelBuilder &k = runner.k();
    mlir::Type element = int8                 ? k.i8()
                         : type == Type::kF32 ? k.f32()
                         : type == Type::kF16 ? k.f16()
                                              : k.bf16();
    std::string attendName =
        runner.add(quartet::cpu::attendKernel(k, width, heads, element));
    std::string gated = runner.add(quartet::cpu::mergeKernel(k, width, true));
    std::string plain = runner.add(quartet::cpu::mergeKernel(k, width, false));
    attend = runner.get<AttendFunction>(attendName);
    gatedMerge = runner.get<GatedMergeFunction>(gated);
    merge = runner.get<MergeFunction>(plain);
  }

  /// Blocks of \p block tokens, ranges of \p range pages.
  std::vector<float> run(const Attention &a, int64_t block, int64_t range) {
    int64_t ranges = (a.pages + range - 1) / range;
    int64_t record = quartet::cpu::attendRecordBytes(a.width);
    int64_t token = a.heads * ranges * record;
    Aligned<uint8_t> records(a.tokens * token);
    Aligned<uint8_t> workspace(
        quartet::cpu::attendWorkspace(a.width, a.heads, block));
    std::memset(records.data(), 0xff, a.tokens * token);
    std::memset(workspace.data(), 0xff,
                quartet::cpu::attendWorkspace(a.width, a.heads, block));
    auto keys = a.cache(a.key), values = a.cache(a.value);
    int64_t pageBytes = keys.size() / (2 * a.pages);
    for (int64_t t = 0; t < a.tokens; t += block)
      for (int64_t r = 0; r < ranges; ++r)
        attend(
            a.q.data() + t * a.heads * a.width, a.heads * a.width * 4,
            a.width * 4, keys.data(), values.data(), pageBytes, a.table.data(),
            r * range, (r + 1) * range, a.past + t,
            std::min(block, a.tokens - t), a.scale,
            reinterpret_cast<float *>(records.data() + t * token + r * record),
            token, ranges * record, workspace.data());
    std::vector<float> out(a.q.size());
    for (int64_t row = 0; row < a.tokens * a.heads; ++row)
      gatedMerge(
          reinterpret_cast<float *>(records.data() + row * ranges * record),
          record, ranges, &a.gate[row * a.width], &out[row * a.width]);
    return out;
  }
};
} // namespace

TEST(Attend, MatchesReference) {
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
      {256, 8, 150, 1, Type::kF32, true}, {256, 8, 60, 9, Type::kF32, true},
      {6, 3, 10, 130, Type::kF32, true},  {24, 16, 63, 3, Type::kF32, true},
      {40, 6, 200, 3, Type::kF32, true},  {20, 11, 65, 2, Type::kF32, true}};
  for (const std::string &cpu : kernelCpus()) {
    std::unique_ptr<Kernels> kernels;
    const Shape *last = nullptr;
    for (const Shape &shape : shapes) {
      auto [width, heads, past, tokens, type, int8] = shape;
      SCOPED_TRACE(testing::Message()
                   << width << " x " << heads << ", past " << past
                   << ", tokens " << tokens << (int8 ? ", int8" : ""));
      if (!last || last->width != width || last->heads != heads ||
          last->int8 != int8)
        kernels = std::make_unique<Kernels>(cpu, width, heads, type, int8);
      last = &shape;
      Attention attention(width, heads, past, tokens, type, int8);
      expectNear(kernels->run(attention, 4, 2), attention.expected(), 2e-6,
                 "out");
    }
  }
}

// The bits do not depend on the block of tokens, nor on the ISA.
TEST(Attend, SameBitsForEveryBlock) {
  for (auto [heads, type, int8] : {std::tuple(8, Type::kBF16, false),
                                   {3, Type::kBF16, false},
                                   {8, Type::kF32, true}}) {
    Attention attention(64, heads, 90, 70, type, int8);
    std::vector<float> first;
    for (const std::string &cpu : kernelCpus()) {
      Kernels kernels(cpu, 64, heads, type, int8);
      for (int64_t block : {1, 5, 16, 70}) {
        std::vector<float> out = kernels.run(attention, block, 2);
        if (first.empty())
          first = out;
        expectSame(out, first, "block " + std::to_string(block));
      }
    }
  }
}

// A key that scores far above all others after many pages, and far below.
TEST(Attend, LargeScores) {
  Attention attention(32, 4, 400, 2, Type::kF32);
  for (float &x : attention.q)
    x *= 300.0f;
  Kernels kernels("", 32, 4, Type::kF32);
  for (int64_t range : {1, 3, 100})
    expectNear(kernels.run(attention, 2, range), attention.expected(), 1e-3,
               "out");
}

TEST(Merge, OneRangeIsDivision) {
  for (int64_t width : {256, 24}) {
    Kernels kernels("", width, 1, Type::kF32);
    std::vector<float> record = Random(2).floats(width + 2, -9, 9);
    record[width + 1] = 7.3f;
    std::vector<float> out(width), expected(width);
    kernels.merge(record.data(), 0, 1, out.data());
    for (int64_t i = 0; i < width; ++i)
      expected[i] = record[i] / 7.3f;
    expectSame(out, expected, "out");
  }
}

// Ranges without a place the token sees change nothing.
TEST(Merge, EmptyRanges) {
  Kernels kernels("", 16, 1, Type::kF32);
  std::vector<float> records(3 * 32, 0.0f);
  for (int64_t r : {0, 2})
    records[r * 32 + 16] = -3e38f;
  std::vector<float> one = Random(2).floats(18, 1, 9);
  std::copy(one.begin(), one.end(), records.begin() + 32);
  std::vector<float> out(16), expected(16);
  kernels.merge(records.data(), 128, 3, out.data());
  kernels.merge(one.data(), 128, 1, expected.data());
  expectSame(out, expected, "out");
}
