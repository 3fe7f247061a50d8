// Parameter counts against the published numbers of the checkpoints.
#include "TestConfigs.h"

using namespace quartet;
using namespace quartet::test;

TEST(ParameterCounts, Qwen36) {
  for (const char *name : {"Qwen3.6-35B-A3B", "Qwen3.5-35B-A3B"}) {
    ParameterCounts counts = countParameters(published(name));
    EXPECT_EQ(counts.embedding, 508559360);
    EXPECT_EQ(counts.decoder(), 33643489920);
    EXPECT_EQ(counts.finalNorm + counts.head, 508561408);
    EXPECT_EQ(counts.text(), 34660610688);
    EXPECT_EQ(counts.mtp, 844640768);
    EXPECT_EQ(counts.vision, 446571248);
    EXPECT_EQ(counts.text() + counts.mtp + counts.vision, 35951822704);
    EXPECT_EQ(counts.active(), 2946431616);
  }
}

TEST(ParameterCounts, ComponentsOfQwen36) {
  ParameterCounts counts = countParameters(published("Qwen3.6-35B-A3B"));
  EXPECT_EQ(counts.mixers, 30 * 33718464ll + 10 * 27263488ll);
  EXPECT_EQ(counts.experts, 40 * 805306368ll);
  EXPECT_EQ(counts.expertsActive, 40 * 8 * 3145728ll);
  EXPECT_EQ(counts.shared, 40 * (3145728ll + 2048));
  EXPECT_EQ(counts.routers, 40 * 524288ll);
  EXPECT_EQ(counts.norms, 40 * 4096ll);
  EXPECT_EQ(counts.dense, 0);
}

TEST(ParameterCounts, FewerLayersHaveFewerParameters) {
  ConfigOptions options;
  options.layers = 4;
  ParameterCounts counts =
      countParameters(published("Qwen3.6-35B-A3B", options));
  EXPECT_EQ(counts.decoder(), 33643489920 / 10);
  EXPECT_EQ(counts.mtp, 844640768);
}

// Names of the models say how large they are.
TEST(ParameterCounts, RelativesHaveTheirSize) {
  ParameterCounts next = countParameters(published("Qwen3-Next-80B-A3B"));
  EXPECT_NEAR(double(next.text()), 80e9, 1e9);
  EXPECT_EQ(next.text(), countParameters(published("Qwen3-Coder-Next")).text());
  ParameterCounts dense = countParameters(published("Qwen3.6-27B"));
  EXPECT_NEAR(double(dense.text()), 27e9, 0.5e9);
  EXPECT_EQ(dense.experts + dense.routers + dense.shared, 0);
  EXPECT_EQ(dense.dense, 64 * 3ll * 17408 * 5120);
}

// A tied head is read for every token, but stored once.
TEST(ParameterCounts, TiedHead) {
  nlohmann::json json = smallMoe();
  ParameterCounts untied = countParameters(mustParse(json));
  json["tie_word_embeddings"] = true;
  ParameterCounts tied = countParameters(mustParse(json));
  EXPECT_EQ(tied.head, 0);
  EXPECT_EQ(untied.text() - tied.text(), 97 * 24);
  EXPECT_EQ(untied.active() - tied.active(), 24); // the embedding row
}
