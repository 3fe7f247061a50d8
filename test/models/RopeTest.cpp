// Rotary frequencies, axes and the YaRN factor against golden values computed
// independently with numpy for head_dim 256, factor 0.25, theta 1e7.
#include "TestConfigs.h"
#include <cmath>

using namespace quartet;
using namespace quartet::test;

namespace {

struct GoldenPair {
  char axis;
  double base, yarn4;
};

const GoldenPair golden[32] = {{'T', 1.000000000e+00, 1.000000000e+00},
                               {'H', 6.042963902e-01, 6.042963902e-01},
                               {'W', 3.651741273e-01, 3.651741273e-01},
                               {'T', 2.206734069e-01, 2.206734069e-01},
                               {'H', 1.333521432e-01, 1.333521432e-01},
                               {'W', 8.058421878e-02, 8.058421878e-02},
                               {'T', 4.869675252e-02, 4.869675252e-02},
                               {'H', 2.942727176e-02, 2.942727176e-02},
                               {'W', 1.778279410e-02, 1.778279410e-02},
                               {'T', 1.074607828e-02, 1.074607828e-02},
                               {'H', 6.493816316e-03, 6.493816316e-03},
                               {'W', 3.924189758e-03, 3.924189758e-03},
                               {'T', 2.371373706e-03, 2.371373706e-03},
                               {'H', 1.433012570e-03, 1.433012570e-03},
                               {'W', 8.659643234e-04, 8.659643234e-04},
                               {'T', 5.232991147e-04, 4.742398227e-04},
                               {'H', 3.162277660e-04, 2.569350599e-04},
                               {'W', 1.910952975e-04, 1.373497451e-04},
                               {'T', 1.154781985e-04, 7.217387404e-05},
                               {'H', 6.978305849e-05, 3.707224982e-05},
                               {'W', 4.216965034e-05, 1.844922203e-05},
                               {'T', 2.548296748e-05, 8.759770071e-06},
                               {'H', 1.539926526e-05, 3.849816315e-06},
                               {'W', 9.305720409e-06, 2.326430102e-06},
                               {'T', 5.623413252e-06, 1.405853313e-06},
                               {'H', 3.398208329e-06, 8.495520822e-07},
                               {'W', 2.053525026e-06, 5.133812566e-07},
                               {'T', 1.240937761e-06, 3.102344402e-07},
                               {'H', 7.498942093e-07, 1.874735523e-07},
                               {'W', 4.531583638e-07, 1.132895909e-07},
                               {'T', 2.738419634e-07, 6.846049086e-08},
                               {'H', 1.654817100e-07, 4.137042750e-08}};

RopeConfig familyRope() {
  RopeConfig rope;
  rope.rotaryDim = 64;
  rope.mropeSection = {11, 11, 10};
  return rope;
}

RopeConfig familyYarn(double factor) {
  RopeConfig rope = familyRope();
  rope.yarn = true;
  rope.yarnFactor = factor;
  rope.yarnOriginalPositions = 262144;
  return rope;
}

} // namespace

TEST(Rope, BaseFrequenciesMatchTheGoldenTable) {
  std::vector<float> frequencies = familyRope().inverseFrequencies();
  ASSERT_EQ(frequencies.size(), 32u);
  for (int p = 0; p < 32; ++p)
    EXPECT_NEAR(frequencies[p] / golden[p].base, 1.0, 1e-7) << p;
}

TEST(Rope, YarnFrequenciesMatchTheGoldenTable) {
  std::vector<float> frequencies = familyYarn(4).inverseFrequencies();
  ASSERT_EQ(frequencies.size(), 32u);
  for (int p = 0; p < 32; ++p)
    EXPECT_NEAR(frequencies[p] / golden[p].yarn4, 1.0, 1e-7) << p;
}

TEST(Rope, AxesInterleave) {
  std::vector<int32_t> axes = familyRope().axes();
  ASSERT_EQ(axes.size(), 32u);
  for (int p = 0; p < 32; ++p)
    EXPECT_EQ("THW"[axes[p]], golden[p].axis) << p;
}

TEST(Rope, PlainRopeUsesOneAxis) {
  RopeConfig rope = familyRope();
  rope.mropeSection = {32, 0, 0};
  EXPECT_EQ(rope.axes(), std::vector<int32_t>(32, 0));
}

TEST(Rope, CosSinScale) {
  EXPECT_EQ(familyRope().cosSinScale(), 1.0);
  EXPECT_NEAR(familyYarn(4).cosSinScale(), 1.1386294361, 1e-10);
  EXPECT_NEAR(familyYarn(2).cosSinScale(), 1.0693147181, 1e-10);
  RopeConfig rope = familyYarn(4);
  rope.attentionFactor = 1.25;
  EXPECT_EQ(rope.cosSinScale(), 1.25);
}

// Without truncation the ramp starts at 14.2410 and ends at 21.1216.
TEST(Rope, YarnWithoutTruncation) {
  RopeConfig rope = familyYarn(4);
  rope.yarnTruncate = false;
  std::vector<float> frequencies = rope.inverseFrequencies();
  double ramp = (18 - 14.2410) / (21.1216 - 14.2410);
  double expected = golden[18].base * (1 - ramp + ramp / 4);
  EXPECT_NEAR(frequencies[18] / expected, 1.0, 1e-5);
  EXPECT_NE(frequencies[18], familyYarn(4).inverseFrequencies()[18]);
}

// A range of no width must not divide by zero.
TEST(Rope, YarnRangeOfNoWidth) {
  RopeConfig rope = familyYarn(4);
  rope.betaFast = rope.betaSlow = 1;
  rope.yarnOriginalPositions = 6; // both ends just below pair 0
  for (float frequency : rope.inverseFrequencies())
    EXPECT_TRUE(std::isfinite(frequency));
}

TEST(Rope, ReadsRopeParameters) {
  ModelConfig config = mustParse(smallMoe());
  EXPECT_EQ(config.rope.rotaryDim, 8);
  EXPECT_EQ(config.rope.theta, 10000.0);
  EXPECT_FALSE(config.rope.yarn);
  EXPECT_EQ(config.rope.mropeSection, (std::vector<int64_t>{2, 1, 1}));
}

TEST(Rope, ReadsTheOlderFields) {
  nlohmann::json json = smallMoe();
  json.erase("rope_parameters");
  json["rope_theta"] = 5000000;
  json["partial_rotary_factor"] = 0.25;
  json["rope_scaling"] = {{"type", "yarn"},
                          {"factor", 2.0},
                          {"original_max_position_embeddings", 512},
                          {"truncate", false},
                          {"beta_fast", 16}};
  ModelConfig config = mustParse(json);
  EXPECT_EQ(config.rope.rotaryDim, 4);
  EXPECT_EQ(config.rope.theta, 5e6);
  EXPECT_TRUE(config.rope.yarn);
  EXPECT_EQ(config.rope.yarnFactor, 2.0);
  EXPECT_EQ(config.rope.yarnOriginalPositions, 512);
  EXPECT_FALSE(config.rope.yarnTruncate);
  EXPECT_EQ(config.rope.betaFast, 16);
  EXPECT_EQ(config.rope.mropeSection, (std::vector<int64_t>{2, 0, 0}));
}

TEST(Rope, MscaleGivesTheAttentionFactor) {
  nlohmann::json json = smallMoe();
  json["rope_parameters"]["rope_type"] = "yarn";
  json["rope_parameters"]["factor"] = 4;
  json["rope_parameters"]["mscale"] = 2;
  json["rope_parameters"]["mscale_all_dim"] = 1;
  double expected = (0.2 * std::log(4) + 1) / (0.1 * std::log(4) + 1);
  EXPECT_NEAR(mustParse(json).rope.cosSinScale(), expected, 1e-12);
}

TEST(Rope, RefusesWhatItCannotDo) {
  auto with = [](const char *key, nlohmann::json value) {
    nlohmann::json json = smallMoe();
    json["rope_parameters"][key] = value;
    return messageOf(parse(json));
  };
  for (const char *type : {"linear", "dynamic", "longrope", "llama3"})
    EXPECT_HAS(with("rope_type", type),
               "rope_parameters.rope_type is \"" + std::string(type) + "\"");
  EXPECT_HAS(with("rope_type", "yarn"), "rope_parameters.factor is missing");
  EXPECT_HAS(with("rope_type", 3), "expected a string");
  EXPECT_HAS(with("mrope_section", {2, 1, 2}), "whose sum is 4");
  EXPECT_HAS(with("mrope_section", {2, 2}), "whose sum is 4");
  EXPECT_HAS(with("mrope_section", {-1, 3, 2}), "mrope_section");
  EXPECT_HAS(with("mrope_interleaved", false), "only the interleaved layout");
  EXPECT_HAS(with("rope_theta", 1), "rope_theta is 1");
  EXPECT_HAS(with("rope_theta", nullptr), "rope_theta is missing");
  EXPECT_HAS(with("partial_rotary_factor", 0.19), "rotates 3 dimensions");
  EXPECT_HAS(with("partial_rotary_factor", 1.5),
             "partial_rotary_factor is 1.5");
  EXPECT_HAS(with("partial_rotary_factor", 0.01), "rotates 0 dimensions");
}

TEST(Rope, RefusesContradictions) {
  nlohmann::json json = smallMoe();
  json["partial_rotary_factor"] = 0.25;
  EXPECT_HAS(messageOf(parse(json)), "partial_rotary_factor is 0.5; expected");
  json = smallMoe();
  json["rope_theta"] = 1000;
  EXPECT_HAS(messageOf(parse(json)), "rope_theta is 1000; expected the value");
  json = smallMoe();
  json["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 2}};
  EXPECT_HAS(messageOf(parse(json)), "both given and differ");
}

TEST(Rope, OptionTurnsYarnOn) {
  ModelConfig config = mustParse(smallMoe(), {0, 2.5});
  EXPECT_TRUE(config.rope.yarn);
  EXPECT_EQ(config.rope.yarnFactor, 2.5);
  EXPECT_EQ(config.rope.yarnOriginalPositions, 1024);
  EXPECT_EQ(config.maxPositions, 2560);
  // The model card's limit, not four times the native context.
  ModelConfig big = published("Qwen3.6-35B-A3B", {0, 4});
  EXPECT_EQ(big.maxPositions, 1010000);
  EXPECT_NEAR(big.rope.inverseFrequencies()[18] / golden[18].yarn4, 1, 1e-7);
}

TEST(Rope, OptionIsChecked) {
  for (double factor : {1.0, 0.5, -2.0, 1e9, std::nan("")})
    EXPECT_HAS(messageOf(parse(smallMoe(), {0, factor})),
               "expected a number above 1");
  nlohmann::json json = smallMoe();
  json["rope_parameters"]["rope_type"] = "yarn";
  json["rope_parameters"]["factor"] = 4;
  EXPECT_HAS(messageOf(parse(json, {0, 2.0})), "rope_type yarn");
}
