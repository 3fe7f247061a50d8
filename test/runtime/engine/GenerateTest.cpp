// The generation loop: chunks of the prompt, ways to end, and who samples.
#include "runtime/src/engine/Generate.h"
#include "TestManifest.h"
#include <gtest/gtest.h>

using namespace quartet::rt;
using namespace quartet::rt::test;
using Ints = std::vector<int32_t>;

namespace {
struct Log {
  Ints sizes, rows, topK;
  std::vector<float> uniform;
} log;

/// Says that the likeliest token after t is t + 1; as the step's own sample it
/// gives t + 2, so that one can see which was used.
void countingStep(const quartet_step_args *args, int64_t, int64_t) {
  log.sizes.push_back(int32_t(args->num_tokens));
  log.rows.push_back(int32_t(args->num_rows));
  for (int64_t r = 0; r != args->num_rows; ++r) {
    int32_t token = args->tokens[args->rows[r]];
    for (int32_t id = 0; id != 16; ++id)
      args->logits[r * 16 + id] = id == (token + 1) % 16 ? 50.0f : 0.0f;
    args->sampled[r] = (token + 2) % 16;
    log.topK.push_back(args->top_k[r]);
    log.uniform.push_back(args->uniform[r]);
  }
}

class GenerateTest : public testing::Test {
protected:
  void SetUp() override {
    log = Log();
    make(0);
    request.prompt = {1, 2, 3, 4, 5};
    request.sampling.temperature = 0;
    request.maxTokens = 3;
  }
  void make(int64_t context) {
    EngineOptions options;
    options.context = context;
    engine =
        Engine::create(manifest, counting.program, nullptr, options, &error);
    ASSERT_TRUE(engine) << error;
  }
  FinishReason run() {
    out.clear();
    return generate(
        *engine, request,
        [&](int32_t token) {
          out.push_back(token);
          return int64_t(out.size()) != receiverWants;
        },
        stats, &error);
  }
  Manifest manifest = parse(manifestJson());
  TestProgram counting{countingStep};
  std::unique_ptr<Engine> engine;
  GenerateRequest request;
  GenerateStats stats;
  std::string error;
  Ints out;
  int64_t receiverWants = -1;
};

TEST_F(GenerateTest, CutsThePromptIntoChunks) {
  request.prefillChunk = 2;
  request.maxTokens = 2;
  EXPECT_EQ(run(), FinishReason::Length);
  EXPECT_EQ(log.sizes, (Ints{2, 2, 1, 1}));
  EXPECT_EQ(log.rows, (Ints{0, 0, 1, 1}));
  EXPECT_EQ(out, (Ints{7, 9}));
  EXPECT_EQ(stats.promptTokens, 5);
  EXPECT_EQ(stats.outputTokens, 2);
  EXPECT_EQ(stats.decodeSteps, 1);
}

TEST_F(GenerateTest, EndsAtAStopTokenAndDoesNotGiveIt) {
  request.maxTokens = -1;
  EXPECT_EQ(run(), FinishReason::Stop); // 11
  EXPECT_EQ(out, (Ints{7, 9}));
  request.ignoreStop = true;
  request.maxTokens = 4;
  EXPECT_EQ(run(), FinishReason::Length);
  EXPECT_EQ(out, (Ints{7, 9, 11, 13}));
}

TEST_F(GenerateTest, EndsWhenTheContextIsFull) {
  make(6);
  request.maxTokens = -1;
  request.ignoreStop = true;
  EXPECT_EQ(run(), FinishReason::ContextFull);
  EXPECT_EQ(out, (Ints{7, 9})); // the second is not read by the model any more
  EXPECT_EQ(engine->length(0), 0) << "the sequence is still open";
}

TEST_F(GenerateTest, EndsWhenTheReceiverWantsNoMore) {
  receiverWants = 1;
  EXPECT_EQ(run(), FinishReason::Receiver);
  EXPECT_EQ(out, (Ints{7}));
}

TEST_F(GenerateTest, EndsWhenCancelled) {
  std::atomic<bool> cancelled{true};
  request.cancelled = &cancelled;
  EXPECT_EQ(run(), FinishReason::Cancelled);
  EXPECT_TRUE(log.sizes.empty());
}

TEST_F(GenerateTest, ReadsThePromptOnlyForZeroTokens) {
  request.maxTokens = 0;
  EXPECT_EQ(run(), FinishReason::Length);
  EXPECT_EQ(log.sizes, (Ints{5}));
  EXPECT_TRUE(out.empty());
}

TEST_F(GenerateTest, RefusesBadRequests) {
  request.prompt.clear();
  EXPECT_EQ(run(), FinishReason::Error);
  EXPECT_NE(error.find("no tokens"), std::string::npos) << error;
  request.prompt.assign(301, 1);
  EXPECT_EQ(run(), FinishReason::Error);
  EXPECT_NE(error.find("301 tokens"), std::string::npos) << error;
  request.prompt = {1};
  request.sampling.topP = 0;
  EXPECT_EQ(run(), FinishReason::Error);
  EXPECT_NE(error.find("top-p"), std::string::npos) << error;
}

// The step samples when nothing but its own parameters matter, the host when
// there are penalties or too many candidates.
TEST_F(GenerateTest, ChoosesWhoSamples) {
  request.maxTokens = 1;
  request.sampling = SamplingParams();
  request.sampling.topK = 20;
  request.sampling.seed = 5;
  run();
  EXPECT_EQ(out, (Ints{7}));
  EXPECT_EQ(log.topK.back(), 20);
  EXPECT_EQ(log.uniform.back(), uniformAt(5, 0));
  for (int32_t topK : {0, QUARTET_SAMPLE_CANDIDATES + 1}) {
    request.sampling.topK = topK;
    run();
    EXPECT_EQ(out, (Ints{6})) << topK;
    EXPECT_EQ(log.topK.back(), 1) << "not a valid top-k for the step";
  }
  request.sampling.topK = 20;
  request.sampling.presencePenalty = 0.1f;
  run();
  EXPECT_EQ(out, (Ints{6}));
}

TEST_F(GenerateTest, DrawsANewNumberForEachToken) {
  request.sampling = SamplingParams();
  request.sampling.topK = 4;
  request.sampling.seed = 9;
  request.maxTokens = 2;
  run();
  EXPECT_EQ(log.uniform,
            (std::vector<float>{uniformAt(9, 0), uniformAt(9, 1)}));
}
} // namespace
