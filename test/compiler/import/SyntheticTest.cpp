// Synthetic weights: a function of seed, name and index alone, with the
// distribution that each role asks for.
#include "ImportTesting.h"
#include "compiler/import/Convert.h"
#include "compiler/import/Pack.h"
#include <cmath>
#include <cstring>

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

Weight weightOf(WeightRole role, std::vector<int64_t> shape,
                StringRef name = "w") {
  Weight weight;
  weight.name = name.str();
  weight.role = role;
  weight.shape = std::move(shape);
  weight.dtype = Dtype::F32;
  return weight;
}

std::vector<float> values(const Weight &weight, int64_t begin, int64_t count,
                          uint64_t seed = 1) {
  std::vector<uint8_t> bytes(size_t(count) * 4);
  std::vector<float> floats(static_cast<size_t>(count));
  cantFail(syntheticSource(seed)->read(weight, begin, bytes));
  std::memcpy(floats.data(), bytes.data(), bytes.size());
  return floats;
}

struct Moments {
  double mean = 0, deviation = 0, low = 1e9, high = -1e9;
};

Moments momentsOf(const std::vector<float> &values) {
  Moments moments;
  double squares = 0;
  for (float value : values) {
    moments.mean += value / double(values.size());
    squares += double(value) * value / double(values.size());
    moments.low = std::min<double>(moments.low, value);
    moments.high = std::max<double>(moments.high, value);
  }
  moments.deviation = std::sqrt(squares - moments.mean * moments.mean);
  return moments;
}

constexpr int64_t many = 400000;

TEST(Synthetic, AnyPartIsTheSame) {
  Weight weight = weightOf(WeightRole::Matrix, {100, 1000});
  std::vector<float> all = values(weight, 0, 20000);
  for (int64_t begin : {0, 1, 4095, 4096, 8191, 12345})
    for (int64_t count : {1, 7, 4096, 5000})
      EXPECT_EQ(
          values(weight, begin, count),
          std::vector<float>(all.begin() + begin, all.begin() + begin + count))
          << begin << " " << count;
}

// Pins the generator: a change of it changes every synthetic weights_id.
TEST(Synthetic, HasTheseValues) {
  std::vector<float> got = values(weightOf(WeightRole::Matrix, {4, 16}), 0, 3);
  std::vector<float> want = {0x1.30d6fcp-6f, -0x1.da9482p-2f, -0x1.8ca35cp-2f};
  EXPECT_EQ(got, want);
}

TEST(Synthetic, DependsOnSeedNameAndIndex) {
  Weight weight = weightOf(WeightRole::Matrix, {100, 1000});
  std::vector<float> base = values(weight, 0, 1000);
  auto same = [&](const std::vector<float> &other) {
    int equal = 0;
    for (size_t i = 0; i < base.size(); ++i)
      equal += base[i] == other[i];
    return equal;
  };
  // Of 1021 levels about 1 in 500 agree by chance.
  EXPECT_LT(same(values(weight, 0, 1000, 2)), 20);
  EXPECT_LT(
      same(values(weightOf(WeightRole::Matrix, {100, 1000}, "v"), 0, 1000)),
      20);
  EXPECT_LT(same(values(weight, 4096, 1000)), 20);
  // Elements beyond 2^32, as in big stacks of experts.
  EXPECT_LT(same(values(weight, int64_t(1) << 32, 1000)), 20);
  EXPECT_LT(same(values(weight, 1, 1000)), 20);
}

TEST(Synthetic, MatricesAreNormalByFanIn) {
  for (WeightRole role :
       {WeightRole::Matrix, WeightRole::Router, WeightRole::Embedding}) {
    std::vector<float> all =
        values(weightOf(role, {many / 2500, 2500}), 0, many);
    Moments moments = momentsOf(all);
    EXPECT_NEAR(moments.mean, 0.0, 0.02 * 0.01);
    EXPECT_NEAR(moments.deviation, 0.02, 0.02 * 0.01);
    // Within one deviation: 66.9 percent of a sum of four uniform numbers (68.3
    // of a normal, 57.7 of a uniform one).
    int64_t inside = 0;
    double neighbours = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      inside += std::fabs(all[i]) < 0.02f;
      neighbours += i ? double(all[i]) * all[i - 1] / (0.02 * 0.02) : 0.0;
    }
    EXPECT_NEAR(double(inside) / many, 0.669, 0.005);
    EXPECT_NEAR(neighbours / many, 0.0, 0.01);
  }
  Moments conv =
      momentsOf(values(weightOf(WeightRole::Conv, {many / 4, 4}), 0, many));
  EXPECT_NEAR(conv.deviation, 0.5, 0.005);
}

TEST(Synthetic, NormsAreNearTheirNeutralValue) {
  Moments norm = momentsOf(values(weightOf(WeightRole::Norm, {many}), 0, many));
  EXPECT_NEAR(norm.mean, 0.0, 0.001);
  EXPECT_NEAR(norm.deviation, 0.036, 0.001);
  Moments gated =
      momentsOf(values(weightOf(WeightRole::GatedNorm, {many}), 0, many));
  EXPECT_NEAR(gated.mean, 1.0, 0.001);
  EXPECT_NEAR(gated.deviation, 0.036, 0.001);
}

TEST(Synthetic, DecaysAreInTheirRanges) {
  std::vector<float> decay =
      values(weightOf(WeightRole::ALog, {many}), 0, many);
  for (float &value : decay)
    value = std::exp(value);
  Moments a = momentsOf(decay);
  EXPECT_NEAR(a.low, 1.0, 0.01);
  EXPECT_NEAR(a.high, 16.0, 0.01);
  EXPECT_GE(a.low, 1.0 - 1e-6);
  EXPECT_LE(a.high, 16.0 + 1e-4);
  EXPECT_NEAR(a.mean, 8.5, 0.05);
  std::vector<float> steps =
      values(weightOf(WeightRole::DtBias, {many}), 0, many);
  for (float &value : steps)
    value = std::log(std::log1p(std::exp(value)));
  Moments dt = momentsOf(steps);
  EXPECT_NEAR(dt.low, std::log(0.001), 0.01);
  EXPECT_NEAR(dt.high, std::log(0.1), 0.01);
  EXPECT_NEAR(dt.mean, std::log(0.01), 0.01);
}

TEST(Synthetic, ConvertsToTheWeightsType) {
  Weight weight = weightOf(WeightRole::Matrix, {100, 50});
  std::vector<float> wide = values(weight, 0, 5000);
  for (Dtype dtype : {Dtype::BF16, Dtype::F16}) {
    weight.dtype = dtype;
    std::vector<uint8_t> bytes(10000);
    cantFail(syntheticSource(1)->read(weight, 0, bytes));
    for (size_t i = 0; i < wide.size(); ++i) {
      uint16_t got;
      std::memcpy(&got, &bytes[i * 2], 2);
      ASSERT_EQ(got, dtype == Dtype::F16 ? floatToHalf(wide[i])
                                         : floatToBf16(wide[i]));
    }
  }
}

} // namespace
