// Draws by a block against plain loops that sort all logits.
#include "targets/gpu/kernels/Sample.h"
#include "test/targets/cpu/MixerInputs.h"
#include "test/targets/cpu/SampleRow.h"
#include "test/targets/gpu/DeviceRunner.h"
#include <algorithm>

using namespace quartet;
using namespace quartet::test;
using emu::RegionKind;

namespace {
using Options = SampleOptions;
constexpr int64_t kCandidates = kSampleCandidates;

/// Rows of logits, ids below limit, in tiles.
class Sampler : public SampleRow {
public:
  Sampler(gpu::GpuFacts gpu, int64_t vocabulary, int64_t limit, int64_t tile)
      : SampleRow{std::vector<float>(vocabulary), limit, tile}, runner(gpu) {
    runner.add("sample", "ppipp", [&](llvm::ArrayRef<V> a) {
      gpu::DeviceBuilder &k = runner.k();
      auto option = [&](int64_t i) { return k.load(k.f32(), a[3], i * 4); };
      gpu::SampleArgs args;
      args.logits = a[0];
      args.maxima = a[1];
      args.limit = limit;
      args.tile = tile;
      args.candidates = kCandidates;
      args.topK = a[2];
      args.options = {option(0), option(1), option(2), option(3)};
      args.out = a[4];
      gpu::sample(k, args);
    });
  }

  int32_t draw(const Options &o) {
    std::vector<float> options = {o.temperature, o.topP, o.minP, o.uniform};
    std::vector<float> maxima = this->maxima();
    std::vector<int32_t> id = {-1};
    runner.forget();
    runner.know(logits, "logits");
    runner.know(maxima, "maxima");
    runner.know(options, "options");
    runner.know(id, "id", RegionKind::Scratch);
    runner.launch("sample", 1,
                  {logits.data(), maxima.data(), int64_t(o.topK),
                   options.data(), id.data()},
                  uint64_t(o.topK));
    return id[0];
  }

private:
  DeviceRunner runner;
};
} // namespace

TEST(GpuSample, MatchesPlainLoops) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [vocabulary, limit, tile, shared] :
         {std::tuple(9000, 8990, 256, 0),
          {1000, 990, 64, 0},
          {40, 5, 16, 0},
          {3000, 3000, 256, 8 << 10}}) {
      SCOPED_TRACE(testing::Message() << gpu.name << ", " << vocabulary);
      gpu::GpuFacts machine = gpu;
      if (shared) // not all chosen tiles have room
        machine.sharedBytes = shared;
      Sampler sampler(machine, vocabulary, limit, tile);
      Random random(static_cast<uint32_t>(vocabulary));
      sampler.logits = random.floats(vocabulary, -4, 4);
      sampler.logits[vocabulary - 1] += limit < vocabulary ? 100.0f : 0.0f;
      std::vector<int32_t> drawn;
      for (int draws = 0; draws < 40; ++draws) {
        std::vector<float> o = random.floats(4, 0, 1);
        Options options{0.2f + 2 * o[0], draws % 3 ? o[1] : 1.0f,
                        draws % 2 ? 0.3f * o[2] : 0.0f, o[3],
                        1 + random.integer(kCandidates)};
        int32_t id = sampler.draw(options);
        ASSERT_EQ(id, sampler.expected(options)) << "draw " << draws;
        drawn.push_back(id);
      }
      std::sort(drawn.begin(), drawn.end());
      EXPECT_NE(drawn.front(), drawn.back()) << "always the same";
    }
}

// Temperature 0 takes the largest whatever the other options say; of equal ones
// the first.
TEST(GpuSample, Greedy) {
  Sampler sampler(kernelGpus()[0], 2000, 2000, 256);
  sampler.logits = Random(2).floats(2000, -4, 4);
  for (int32_t id : {1999, 1500, 160, 0}) {
    sampler.logits[id] = 5.0f;
    EXPECT_EQ(sampler.draw({0.0f, 0.1f, 0.9f, 0.999f, 20}), id);
  }
}

// Equal logits around the last place of the list: the first ids are in it. What
// is no number is never drawn, and a row without any gives the first token.
TEST(GpuSample, EqualAndNoNumbers) {
  Sampler sampler(kernelGpus()[0], 1000, 1000, 256);
  std::fill(sampler.logits.begin(), sampler.logits.end(), 1.0f);
  for (float uniform : {0.0f, 0.24f, 0.26f, 0.51f, 0.76f, 0.99f})
    EXPECT_EQ(sampler.draw({1.0f, 1.0f, 0.0f, uniform, 4}),
              static_cast<int32_t>(uniform * 4));
  std::fill(sampler.logits.begin(), sampler.logits.begin() + 700, NAN);
  EXPECT_EQ(sampler.draw({1.0f, 1.0f, 0.0f, 0.3f, 4}), 701);
  std::fill(sampler.logits.begin(), sampler.logits.end(), NAN);
  EXPECT_EQ(sampler.draw({1.0f, 1.0f, 0.0f, 0.3f, 4}), 0);
}
