// The sampler against its definition: every filter, ties, penalties, and the
// random numbers.
#include "runtime/src/engine/Sampler.h"
#include "quartet/abi.h"
#include <cmath>
#include <gtest/gtest.h>
#include <map>

using namespace quartet::rt;

namespace {
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

/// Logits whose softmax is 0.5, 0.3, 0.15, 0.05 for the ids 2, 0, 3, 1.
const std::vector<float> logits = {std::log(0.3f), std::log(0.05f),
                                   std::log(0.5f), std::log(0.15f)};

int32_t draw(float uniform, int32_t topK = 0, float topP = 1, float minP = 0,
             float temperature = 1, const std::vector<float> &row = logits) {
  return sampleLogits(row.data(), int32_t(row.size()), temperature, topK, topP,
                      minP, uniform);
}

TEST(SampleLogits, GreedyTakesTheLowestIdOnTies) {
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 0, {1, 3, 3, 2}), 1);
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 0, {-0.0f, 0.0f}), 0);
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 0, {nan, -5, nan}), 1);
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 0, {-infinity, -infinity}), 0);
}

TEST(SampleLogits, DrawsByProbabilityFromTheLikeliestOn) {
  EXPECT_EQ(draw(0.0f), 2);
  EXPECT_EQ(draw(0.49f), 2);
  EXPECT_EQ(draw(0.51f), 0);
  EXPECT_EQ(draw(0.79f), 0);
  EXPECT_EQ(draw(0.81f), 3);
  EXPECT_EQ(draw(0.96f), 1);
  EXPECT_EQ(draw(0.9999999f), 1);
}

TEST(SampleLogits, TiesAreSortedById) {
  std::vector<float> equal = {1, 1, 1, 1};
  EXPECT_EQ(draw(0.1f, 0, 1, 0, 1, equal), 0);
  EXPECT_EQ(draw(0.3f, 0, 1, 0, 1, equal), 1);
  EXPECT_EQ(draw(0.9f, 2, 1, 0, 1, equal), 1); // top-k keeps 0 and 1
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 1, {-0.0f, 0.0f}), 1);
  EXPECT_EQ(draw(0.1f, 0, 1, 0, 1, {-0.0f, 0.0f}), 0);
}

TEST(SampleLogits, TopKRenormalises) {
  // Of 0.5 and 0.3, the first has 0.625.
  EXPECT_EQ(draw(0.62f, 2), 2);
  EXPECT_EQ(draw(0.63f, 2), 0);
  EXPECT_EQ(draw(0.99f, 2), 0);
  EXPECT_EQ(draw(0.99f, 1), 2);
  EXPECT_EQ(draw(0.99f, 100), 1);
}

TEST(SampleLogits, TopPKeepsTheShortestPrefix) {
  EXPECT_EQ(draw(0.999f, 0, 0.4f), 2);
  EXPECT_EQ(draw(0.999f, 0, 0.6f), 0);
  EXPECT_EQ(draw(0.999f, 0, 0.9f), 3);
  EXPECT_EQ(draw(0.999f, 0, 0.99f), 1);
  EXPECT_EQ(draw(0.999f, 0, 1e-9f), 2); // at least one
  // After top-k 2 the probabilities are 0.625 and 0.375.
  EXPECT_EQ(draw(0.999f, 2, 0.6f), 2);
  EXPECT_EQ(draw(0.999f, 2, 0.63f), 0);
}

TEST(SampleLogits, MinPIsRelativeToTheLikeliest) {
  EXPECT_EQ(draw(0.999f, 0, 1, 1.0f), 2);
  EXPECT_EQ(draw(0.999f, 0, 1, 0.61f), 2);
  EXPECT_EQ(draw(0.999f, 0, 1, 0.59f), 0);
  EXPECT_EQ(draw(0.999f, 0, 1, 0.29f), 3);
  EXPECT_EQ(draw(0.999f, 0, 1, 0.09f), 1);
  // top_p counts over what the softmax gave, not over what min_p left: of 0.5
  // and 0.3 both are needed for 0.6.
  EXPECT_EQ(draw(0.999f, 0, 0.6f, 0.59f), 0);
}

TEST(SampleLogits, TemperatureFlattensOrSharpens) {
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 0.1f), 2);
  EXPECT_EQ(draw(0.26f, 0, 1, 0, 1e6f), 0); // a quarter each
  EXPECT_EQ(draw(0.24f, 0, 1, 0, 1e6f), 2);
}

TEST(SampleLogits, IdsFromTheLimitOnAreMasked) {
  std::vector<float> row = {1, 2, 3, 100, 100};
  for (float temperature : {0.0f, 1.0f, 1e6f})
    for (float uniform : {0.0f, 0.5f, 0.99f})
      EXPECT_LT(sampleLogits(row.data(), 3, temperature, 0, 1, 0, uniform), 3);
}

TEST(SampleLogits, OddLogitsStayInRange) {
  EXPECT_EQ(draw(0.5f, 0, 1, 0, 1, {nan, 1, nan}), 1);
  EXPECT_EQ(draw(0.999999f, 0, 1, 0, 1, {nan, 1, nan}), 1);
  EXPECT_EQ(draw(0.5f, 0, 1, 0, 1, {nan, nan}), 0);
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 1, {1, infinity, 2}), 1);
  EXPECT_EQ(draw(0.9f, 0, 1, 0, 1e-42f, {1, 3, 2}), 1);
}

// Drawn often enough, the frequencies are the probabilities.
TEST(SampleLogits, FrequenciesMatch) {
  std::map<int32_t, int> counts;
  constexpr int draws = 20000;
  for (int i = 0; i != draws; ++i)
    ++counts[draw(uniformAt(1, uint64_t(i)))];
  EXPECT_NEAR(counts[2] / double(draws), 0.5, 0.02);
  EXPECT_NEAR(counts[0] / double(draws), 0.3, 0.02);
  EXPECT_NEAR(counts[3] / double(draws), 0.15, 0.02);
  EXPECT_NEAR(counts[1] / double(draws), 0.05, 0.02);
}

TEST(UniformAt, IsAPureFunctionInRange) {
  // SplitMix64 from the state 0 gives this first number.
  EXPECT_EQ(uniformAt(0, 0), float(0xe220a8397b1dcdafull >> 40) * 0x1p-24f);
  EXPECT_EQ(uniformAt(7, 3), uniformAt(7, 3));
  EXPECT_NE(uniformAt(7, 3), uniformAt(7, 4));
  EXPECT_NE(uniformAt(7, 3), uniformAt(8, 3));
  for (uint64_t i = 0; i != 1000; ++i) {
    EXPECT_GE(uniformAt(i, i), 0.0f);
    EXPECT_LT(uniformAt(i, i), 1.0f);
  }
}

TEST(Sampler, RepetitionPenaltyCoversPromptAndOutput) {
  SamplingParams params;
  params.temperature = 0;
  params.repetitionPenalty = 2;
  Sampler sampler(params, 4);
  std::vector<float> row = {4, 3, 1.9f, -1};
  EXPECT_EQ(sampler.sample(row.data()), 0);
  int32_t prompt[] = {0, 0}; // twice counts once: 4 / 2
  sampler.addPrompt(prompt, 2);
  EXPECT_EQ(sampler.sample(row.data()), 1);
  sampler.addOutput(1); // 3 / 2
  EXPECT_EQ(sampler.sample(row.data()), 0);
  row = {-1, -1.5f, -5, -5}; // negative ones are multiplied: -2, -3
  EXPECT_EQ(sampler.sample(row.data()), 0);
  row = {-1, -1.5f, -1.9f, -5};
  EXPECT_EQ(sampler.sample(row.data()), 2);
}

TEST(Sampler, PresenceAndFrequencyPenaltiesCoverTheOutput) {
  SamplingParams params;
  params.temperature = 0;
  params.presencePenalty = 1;
  Sampler presence(params, 2);
  std::vector<float> row = {3, 1.5f};
  int32_t prompt[] = {0};
  presence.addPrompt(prompt, 1);
  presence.addOutput(0);
  presence.addOutput(0);
  EXPECT_EQ(presence.sample(row.data()), 0); // 2 > 1.5: twice counts once
  row = {2.4f, 1.5f};
  EXPECT_EQ(presence.sample(row.data()), 1);

  params.presencePenalty = 0;
  params.frequencyPenalty = 1;
  Sampler frequency(params, 2);
  row = {3, 1.5f};
  frequency.addPrompt(prompt, 1);
  frequency.addOutput(0);
  EXPECT_EQ(frequency.sample(row.data()), 0); // 2
  frequency.addOutput(0);
  EXPECT_EQ(frequency.sample(row.data()), 1); // 1
}

TEST(Sampler, KnowsWhenTheStepCanSample) {
  SamplingParams params;
  auto can = [&] { return Sampler(params, 4).stepCanSample(); };
  EXPECT_FALSE(can()); // all candidates
  params.topK = QUARTET_SAMPLE_CANDIDATES;
  EXPECT_TRUE(can());
  params.topK = QUARTET_SAMPLE_CANDIDATES + 1;
  EXPECT_FALSE(can());
  params.temperature = 0;
  EXPECT_TRUE(can());
  for (float SamplingParams::*penalty :
       {&SamplingParams::presencePenalty, &SamplingParams::frequencyPenalty,
        &SamplingParams::repetitionPenalty}) {
    SamplingParams changed = params;
    changed.*penalty = 1.5f;
    EXPECT_FALSE(Sampler(changed, 4).stepCanSample());
  }
}

TEST(Sampler, SameSeedSameTokens) {
  auto tokens = [](uint64_t seed) {
    SamplingParams params;
    params.seed = seed;
    Sampler sampler(params, 4);
    std::vector<int32_t> out;
    for (int i = 0; i != 40; ++i) {
      out.push_back(sampler.sample(logits.data()));
      sampler.addOutput(out.back());
    }
    return out;
  };
  EXPECT_EQ(tokens(1), tokens(1));
  EXPECT_NE(tokens(1), tokens(2));
}

TEST(SamplingParams, AreChecked) {
  EXPECT_EQ(whyNotValid(SamplingParams()), "");
  SamplingParams wrong;
  wrong.minP = 1.5f;
  EXPECT_EQ(whyNotValid(wrong), "min-p is 1.5, expected a number from 0 to 1");
  auto bad = [](float SamplingParams::*field, float value) {
    SamplingParams params;
    params.*field = value;
    return !whyNotValid(params).empty();
  };
  EXPECT_TRUE(bad(&SamplingParams::temperature, -1));
  EXPECT_TRUE(bad(&SamplingParams::temperature, nan));
  EXPECT_TRUE(bad(&SamplingParams::topP, 0));
  EXPECT_TRUE(bad(&SamplingParams::topP, 1.1f));
  EXPECT_TRUE(bad(&SamplingParams::minP, -0.1f));
  EXPECT_TRUE(bad(&SamplingParams::minP, nan));
  EXPECT_TRUE(bad(&SamplingParams::repetitionPenalty, 0));
  EXPECT_TRUE(bad(&SamplingParams::presencePenalty, infinity));
}
} // namespace
