// Draws against plain loops that sort all logits.
#include "targets/cpu/kernels/Sample.h"
#include "test/targets/cpu/KernelRunner.h"
#include "test/targets/cpu/MixerInputs.h"
#include "test/targets/cpu/SampleRow.h"

using namespace quartet;
using namespace quartet::test;

namespace {
using SampleFunction = void(const float *logits, const float *maxima,
                            int64_t limit, int64_t tile, int64_t topK,
                            const float *options, int32_t *id);
using Options = SampleOptions;
constexpr int64_t kCandidates = kSampleCandidates;

struct Row : SampleRow {
  int32_t draw(SampleFunction *sample, const Options &o) const {
    const float options[] = {o.temperature, o.topP, o.minP, o.uniform};
    int32_t id = -1;
    sample(logits.data(), maxima().data(), limit, tile, o.topK, options, &id);
    return id;
  }
};

SampleFunction *compile(KernelRunner &runner) {
  return runner.get<SampleFunction>(
      runner.add(cpu::sampleKernel(runner.k(), kCandidates)));
}
} // namespace

TEST(Sample, MatchesPlainLoops) {
  for (const std::string &cpuName : kernelCpus()) {
    KernelRunner runner{llvm::StringRef(cpuName)};
    auto *sample = compile(runner);
    for (auto [vocabulary, limit, tile] :
         {std::tuple(1000, 990, 64), {300, 300, 16}, {40, 5, 16}, {9, 9, 16}}) {
      Random random(static_cast<uint32_t>(vocabulary));
      Row row{{random.floats(vocabulary, -4, 4), limit, tile}};
      row.logits[vocabulary - 1] += limit < vocabulary ? 100.0f : 0.0f;
      std::vector<int32_t> drawn;
      for (int draws = 0; draws < 400; ++draws) {
        std::vector<float> o = random.floats(4, 0, 1);
        Options options{0.2f + 2 * o[0], draws % 3 ? o[1] : 1.0f,
                        draws % 2 ? 0.3f * o[2] : 0.0f, o[3],
                        1 + random.integer(kCandidates)};
        int32_t id = row.draw(sample, options);
        ASSERT_EQ(id, row.expected(options))
            << "vocabulary " << vocabulary << ", draw " << draws;
        drawn.push_back(id);
      }
      std::sort(drawn.begin(), drawn.end());
      EXPECT_NE(drawn.front(), drawn.back()) << "always the same";
    }
  }
}

// Temperature 0 takes the largest whatever the other options say; of equal ones
// the first.
TEST(Sample, Greedy) {
  KernelRunner runner;
  auto *sample = compile(runner);
  Row row{{Random(2).floats(200, -4, 4), 200, 16}};
  for (int32_t id : {199, 150, 16, 0}) {
    row.logits[id] = 5.0f;
    EXPECT_EQ(row.draw(sample, {0.0f, 0.1f, 0.9f, 0.999f, 20}), id);
  }
}

// Equal logits around the last place of the list: the first ids are in it.
TEST(Sample, EqualLogits) {
  KernelRunner runner;
  auto *sample = compile(runner);
  Row row{{std::vector<float>(100, 1.0f), 100, 8}};
  for (float uniform : {0.0f, 0.24f, 0.26f, 0.51f, 0.76f, 0.99f})
    EXPECT_EQ(row.draw(sample, {1.0f, 1.0f, 0.0f, uniform, 4}),
              static_cast<int32_t>(uniform * 4));
}
