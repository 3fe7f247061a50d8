// The reference itself against values that were computed elsewhere: the gated
// delta rule and the rotary frequencies of the family, roundings, and corners
// that are plain by hand.
#include "runtime/reference/Reference.h"
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

using namespace quartet::reference;

namespace {

/// One head, Dk = Dv = 2, three tokens from S = 0: an independent float64 run
/// of the recurrence and of the chunked form, which agree.
struct DeltaGolden {
  std::vector<float> q{1, 2, 0.5, -1, 2, 0}, k{3, 4, 1, 0, -1, 1};
  std::vector<float> v{1, -1, 2, 0.5, 0, 3}, a{0, 1, -2}, b{0, 2, -1};
  std::vector<float> aLog{std::log(0.5f)}, dtBias{0.25f};
  std::vector<float> state = std::vector<float>(4), out = std::vector<float>(6);

  void run(int64_t from, int64_t count) {
    int32_t start[] = {0, static_cast<int32_t>(count)}, slot[] = {0};
    gatedDelta({1, 1, 2, 2, 1e-6f, &q[2 * from], &k[2 * from], &v[2 * from],
                &a[from], &b[from], aLog.data(), dtBias.data(), state.data(),
                &out[2 * from]},
               {count, 1, start, nullptr, slot});
  }
};

constexpr double kOut[] = {0.347850501, -0.347850501, 0.443016088,
                           0.253314516, 1.021231017,  -0.180729516};
// The published table has rows by key; S here is [Dv, Dk].
constexpr double kState[] = {1.444238935, 0.371543240, -0.255590164,
                             0.472274621};

TEST(GatedDelta, MatchesTheGoldenTokens) {
  DeltaGolden golden;
  golden.run(0, 3);
  for (int i = 0; i < 6; ++i)
    EXPECT_NEAR(golden.out[i], kOut[i], 3e-7) << i;
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(golden.state[i], kState[i], 3e-7) << i;
}

TEST(GatedDelta, CarriesTheStateOverSteps) {
  DeltaGolden golden;
  golden.run(0, 1);
  const double first[] = {0.299999994, 0.399999992, -0.299999994, -0.399999992};
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(golden.state[i], first[i], 1e-7) << i;
  golden.run(1, 2);
  for (int i = 0; i < 6; ++i)
    EXPECT_NEAR(golden.out[i], kOut[i], 3e-7) << i;
}

// inv_freq[p] = 1e7^(-2p/64) as in the family's configuration.
TEST(Rope, RotatesByThePublishedFrequencies) {
  const float invFreq[] = {1.0f, 6.042963902e-01f, 3.651741273e-01f};
  const int32_t axes[] = {0, 1, 2};
  for (int p = 0; p < 3; ++p)
    EXPECT_NEAR(invFreq[p], std::pow(1e7, -2.0 * p / 64), 2e-8);
  const int32_t positions[] = {5, 7, 11}; // one token: time, height, width
  const float x[] = {1, 2, 3, 0, 0, 1, 9};
  float y[7];
  rope(x, positions, invFreq, axes, 1.0f, y, 1, 1, 7, 3);
  EXPECT_NEAR(y[0], 0.28366219, 1e-6);                     // cos 5
  EXPECT_NEAR(y[3], -0.95892427, 1e-6);                    // sin 5
  EXPECT_NEAR(y[1], 2 * std::cos(7 * 0.6042963902), 1e-6); // height
  EXPECT_NEAR(y[4], 2 * std::sin(7 * 0.6042963902), 1e-6);
  double wide = 11 * 0.3651741273;
  EXPECT_NEAR(y[2], 3 * std::cos(wide) - std::sin(wide), 1e-6);
  EXPECT_NEAR(y[5], std::cos(wide) + 3 * std::sin(wide), 1e-6);
  EXPECT_EQ(y[6], 9.0f); // beyond the pairs
}

TEST(Rounding, GoesToNearestEven) {
  EXPECT_EQ(toBits(Type::kBF16, 1.0f), 0x3f80);
  EXPECT_EQ(toBits(Type::kBF16, 1.00390625f), 0x3f80); // halfway, to even
  EXPECT_EQ(toBits(Type::kBF16, 1.01171875f), 0x3f82); // halfway, to even
  EXPECT_EQ(toBits(Type::kF16, 1.0f), 0x3c00);
  EXPECT_EQ(toBits(Type::kF16, -2.0f), 0xc000);
  EXPECT_EQ(toBits(Type::kF16, 65504.0f), 0x7bff);
  EXPECT_EQ(toBits(Type::kF16, 65520.0f), 0x7c00);
  EXPECT_EQ(toBits(Type::kF16, 0x1p-24f), 0x0001);
  EXPECT_EQ(toBits(Type::kF16, 0x1p-25f), 0x0000);
  EXPECT_EQ(toBits(Type::kF16, 0x1.ffep-15f), 0x0400); // up to a normal one
  EXPECT_TRUE(std::isnan(fromBits(Type::kF16, toBits(Type::kF16, NAN))));
  EXPECT_TRUE(std::isnan(fromBits(Type::kBF16, toBits(Type::kBF16, NAN))));
}

TEST(Rounding, KeepsEveryValueOfTheType) {
  for (Type type : {Type::kF16, Type::kBF16})
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      float value = fromBits(type, static_cast<uint16_t>(bits));
      if (!std::isnan(value)) {
        ASSERT_EQ(toBits(type, value), bits);
      }
    }
}

TEST(RmsNorm, IsZeroCentred) {
  const float x[] = {3, -4}, w[] = {0, 1};
  float y[2];
  rmsNorm(x, w, y, 1, 2, 0.0f);
  double rms = std::sqrt(12.5);
  EXPECT_NEAR(y[0], 3 / rms, 1e-6);
  EXPECT_NEAR(y[1], -8 / rms, 1e-6);
}

TEST(GatedRmsNorm, UsesAPlainWeightAndBothGates) {
  const float x[] = {3, -4}, z[] = {1, 2}, w[] = {0, 1};
  float y[2];
  gatedRmsNorm(x, z, w, y, 1, 2, 0.0f, true);
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_NEAR(y[1], -4 / std::sqrt(12.5) * 2 * 0.88079708, 1e-6);
  gatedRmsNorm(x, z, w, y, 1, 2, 0.0f, false);
  EXPECT_NEAR(y[1], -4 / std::sqrt(12.5) * 0.88079708, 1e-6);
}

// Two tokens at once and one after the other give the same rows and window.
TEST(CausalConv, ReadsItsWindow) {
  const float w[] = {1, 10, 100}; // tap 2 is the current token
  const float x[] = {2, 3};
  int32_t start[] = {0, 2}, slot[] = {1};
  float state[] = {7, 7, 0, 1}, y[2];
  causalConv(x, w, state, y, {2, 1, start, nullptr, slot}, 1, 3, Type::kF32);
  EXPECT_NEAR(y[0], 210, 1e-3); // 0*1 + 1*10 + 2*100; silu(x) = x here
  EXPECT_NEAR(y[1], 321, 1e-3);
  EXPECT_EQ(state[0], 7.0f);
  EXPECT_EQ(state[2], 2.0f);
  EXPECT_EQ(state[3], 3.0f);
}

TEST(GatedAttention, AveragesTheValuesItSees) {
  // q = 0: every place has the same weight. One past token in page 1.
  const float q[] = {0}, k[] = {5}, v[] = {4}, gate[] = {0};
  std::vector<float> key(128), value(128);
  value[64] = 2;
  int32_t start[] = {0, 1}, past[] = {1}, slot[] = {0}, table[] = {1};
  float out[1];
  gatedAttention({1, 1, 1, 1, 1.0f, q, k, v, gate, key.data(), value.data(),
                  table, Type::kF32, out},
                 {1, 1, start, past, slot});
  EXPECT_FLOAT_EQ(out[0], 0.5f * 3.0f);
  EXPECT_EQ(key[65], 5.0f);
  EXPECT_EQ(value[65], 4.0f);
}

TEST(Route, TakesTheLowestIdOnTies) {
  const float x[] = {1}, w[] = {0, 2, 2, 1};
  float weights[2];
  int32_t ids[2];
  route(x, w, weights, ids, 1, 4, 1, 2, true);
  EXPECT_EQ(ids[0], 1);
  EXPECT_EQ(ids[1], 2);
  EXPECT_FLOAT_EQ(weights[0], 0.5f);
  route(x, w, weights, ids, 1, 4, 1, 2, false);
  double e = std::exp(1.0);
  EXPECT_NEAR(weights[0], e * e / (1 + 2 * e * e + e), 1e-6);
}

TEST(Mlp, MultipliesTheGateByUp) {
  const float x[] = {2}, gateUp[] = {1, 3}, down[] = {0.5f}, gate[] = {0};
  float y[1];
  mlp(x, gateUp, down, y, 1, 1, 1);
  EXPECT_NEAR(y[0], 2 * 0.88079708 * 6 * 0.5, 1e-5);
  sharedExpert(x, gateUp, down, gate, y, 1, 1, 1);
  EXPECT_NEAR(y[0], 2 * 0.88079708 * 6 * 0.5 * 0.5, 1e-5);
  const float weights[] = {0.25f, 2.0f};
  const int32_t ids[] = {0, 0};
  experts(x, weights, ids, gateUp, down, y, 1, 2, 1, 1);
  EXPECT_NEAR(y[0], 2.25 * 2 * 0.88079708 * 6 * 0.5, 1e-5);
}

// p is about 0.64, 0.24, 0.09, 0.03 for logits 3, 2, 1, 0.
TEST(Sample, KeepsAPrefixAndDrawsFromIt) {
  const float logits[] = {1, 3, 0, 2, 99};
  auto draw = [&](float temperature, int32_t topK, float topP, float minP,
                  float uniform) {
    int32_t id = -1;
    sample({logits, &temperature, &topK, &topP, &minP, &uniform, 1, 5, 4, 64},
           &id);
    return id;
  };
  EXPECT_EQ(draw(0, 1, 1, 0, 0.99f), 1);
  EXPECT_EQ(draw(1, 64, 1, 0, 0.0f), 1);
  EXPECT_EQ(draw(1, 64, 1, 0, 0.64f), 1);
  EXPECT_EQ(draw(1, 64, 1, 0, 0.65f), 3);
  EXPECT_EQ(draw(1, 64, 1, 0, 0.999f), 2);
  EXPECT_EQ(draw(1, 2, 1, 0, 0.999f), 3);     // top_k
  EXPECT_EQ(draw(1, 64, 0.6f, 0, 0.999f), 1); // top_p
  EXPECT_EQ(draw(1, 64, 0.7f, 0, 0.999f), 3); // top_p reaches over
  EXPECT_EQ(draw(1, 64, 1, 0.2f, 0.999f), 3); // min_p
  EXPECT_EQ(draw(100, 64, 1, 0, 0.76f), 2);   // nearly uniform
}

} // namespace
