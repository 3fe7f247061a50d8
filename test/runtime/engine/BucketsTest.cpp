// What the engine gives the bucket that runs a step: memory of the size that it
// asks for, counters that are zero, and all workers at once.
#include "TestManifest.h"
#include "runtime/src/engine/Engine.h"
#include "runtime/src/engine/Generate.h"
#include <gtest/gtest.h>
#include <mutex>
#include <set>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
/// What the calls of the last step saw.
struct Seen {
  std::mutex mutex;
  int bucket = -1, calls = 0;
  std::set<int64_t> workers;
  int64_t team = 0, tokens = 0;
  std::vector<int64_t> steps; ///< tokens of every step
  std::string problem;
} seen;

constexpr int64_t scratchBytes[] = {100, 5000, 64}, perPage[] = {0, 10, 3};
constexpr int64_t localBytes[] = {64, 128, 0}, counters[] = {3, 1, 40};

template <int bucket>
void run(const quartet_step_args *args, int64_t worker, int64_t workers) {
  std::lock_guard<std::mutex> lock(seen.mutex);
  ++seen.calls;
  if (worker == 0)
    seen.steps.push_back(args->num_tokens);
  seen.bucket = bucket;
  if (workers == 1)
    seen.workers.clear();
  seen.workers.insert(worker);
  seen.team = workers;
  seen.tokens = args->num_tokens;
  auto aligned = [](const void *memory) {
    return memory && reinterpret_cast<uintptr_t>(memory) % 64 == 0;
  };
  if (!aligned(args->scratch) || !aligned(args->local) || !aligned(args->sync))
    seen.problem = "not aligned";
  for (int64_t i = 0; i != counters[bucket]; ++i) {
    uint32_t &counter = args->sync[i * QUARTET_SYNC_STRIDE];
    // Workers come one after the other here, because of the lock.
    if (counter != uint32_t(seen.workers.size() - 1))
      seen.problem = "a counter was not zero when the step began";
    ++counter;
  }
  // All of it is ours to write; sanitizers and the kernel would object.
  int64_t bytes = scratchBytes[bucket] + perPage[bucket] * args->table_width;
  std::fill(args->scratch, args->scratch + bytes, char(worker));
  char *local = args->local + worker * localBytes[bucket];
  std::fill(local, local + localBytes[bucket], char(worker));
}

quartet_bucket bucketOf(int index, int64_t tokens, int64_t sequences,
                        bool team) {
  decltype(quartet_bucket::run) runs[] = {run<0>, run<1>, run<2>};
  return {tokens,
          sequences,
          scratchBytes[index],
          perPage[index],
          localBytes[index],
          counters[index],
          team,
          runs[index],
          nullptr,
          0};
}

class BucketsTest : public testing::Test {
protected:
  void SetUp() override {
    EngineOptions options;
    options.sequences = 3;
    options.team = &team;
    engine =
        Engine::create(manifest, buckets.program, nullptr, options, &error);
    ASSERT_TRUE(engine) << error;
    for (int i = 0; i != 3; ++i)
      engine->open(&error);
  }
  /// A step of these numbers of tokens for sequences 0, 1, ...
  bool step(std::vector<int64_t> tokens) {
    seen.calls = 0;
    seen.workers.clear();
    std::vector<StepPiece> pieces(tokens.size());
    for (size_t s = 0; s != tokens.size(); ++s) {
      pieces[s].sequence = int32_t(s);
      pieces[s].tokens.assign(size_t(tokens[s]), 1);
    }
    return engine->step(pieces, result, &error);
  }
  Manifest manifest = parse(manifestJson());
  TestProgram buckets{std::vector<quartet_bucket>{bucketOf(0, 1, 1, true),
                                                  bucketOf(1, 4, 2, true),
                                                  bucketOf(2, 32, 2, false)}};
  Team team{3};
  std::unique_ptr<Engine> engine;
  StepResult result;
  std::string error;
};

TEST_F(BucketsTest, RunsTheSmallestOneOnAllWorkers) {
  for (int repeat = 0; repeat != 3; ++repeat) {
    ASSERT_TRUE(step({1})) << error;
    EXPECT_EQ(seen.bucket, 0);
    EXPECT_EQ(seen.workers, (std::set<int64_t>{0, 1, 2}));
    EXPECT_EQ(seen.team, 3);
    ASSERT_TRUE(step({1, 1})) << error;
    EXPECT_EQ(seen.bucket, 1);
    EXPECT_EQ(seen.calls, 3);
    ASSERT_TRUE(step({4, 1})) << error;
    EXPECT_EQ(seen.bucket, 2);
    EXPECT_EQ(seen.workers, std::set<int64_t>{0});
    EXPECT_EQ(seen.team, 1);
  }
  EXPECT_EQ(seen.problem, "");
}

TEST_F(BucketsTest, RefusesWhatNoneHolds) {
  EXPECT_EQ(engine->limits().tokens, 32);
  EXPECT_EQ(engine->limits().sequences, 2);
  EXPECT_FALSE(step({33}));
  EXPECT_NE(error.find("33 tokens of 1 sequences"), std::string::npos) << error;
  EXPECT_NE(error.find("up to 32 of 2"), std::string::npos) << error;
  EXPECT_FALSE(step({1, 1, 1}));
  EXPECT_EQ(seen.calls, 0);
  EXPECT_EQ(engine->length(0), 0);
  EXPECT_TRUE(step({31, 1})) << error;
}

TEST_F(BucketsTest, WithoutATeamTheCallerRunsThem) {
  EngineOptions options;
  engine = Engine::create(manifest, buckets.program, nullptr, options, &error);
  ASSERT_TRUE(engine) << error;
  engine->open(&error);
  ASSERT_TRUE(step({1})) << error;
  EXPECT_EQ(seen.bucket, 0);
  EXPECT_EQ(seen.team, 1);
}

TEST_F(BucketsTest, PromptsAreCutByTheLargest) {
  EXPECT_EQ(prefillTokens(*engine, 0), 32);
  EXPECT_EQ(prefillTokens(*engine, 10), 10);
  EXPECT_EQ(prefillTokens(*engine, 100), 32);
  engine->close(2);
  GenerateRequest request;
  request.prompt.assign(70, 1);
  request.maxTokens = 0;
  GenerateStats stats;
  seen.steps.clear();
  EXPECT_EQ(generate(
                *engine, request, [](int32_t) { return true; }, stats, &error),
            FinishReason::Length);
  EXPECT_EQ(stats.promptTokens, 70);
  EXPECT_EQ(seen.steps, (std::vector<int64_t>{32, 32, 6}));
}

TEST_F(BucketsTest, RefusesDamagedPrograms) {
  TestProgram damaged{std::vector<quartet_bucket>{bucketOf(0, 1, 1, true)}};
  damaged.buckets[0].run = nullptr;
  EXPECT_FALSE(Engine::create(manifest, damaged.program, nullptr,
                              EngineOptions(), &error));
  EXPECT_NE(error.find("damaged"), std::string::npos) << error;
  damaged.buckets[0] = bucketOf(0, 1, 1, true);
  damaged.buckets[0].scratch_page_bytes = INT64_MAX / 2;
  EXPECT_FALSE(Engine::create(manifest, damaged.program, nullptr,
                              EngineOptions(), &error));
  EXPECT_NE(error.find("activations"), std::string::npos) << error;
}
} // namespace
