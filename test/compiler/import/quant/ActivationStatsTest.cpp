// Calibration files: shapes, bad values, and what they do to a packed matrix.
#include "compiler/import/quant/ActivationStats.h"
#include "QuantTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

class Stats : public ::testing::Test {
protected:
  TemporaryDirectory directory;
  WeightPlan weights;

  void SetUp() override {
    weights.weights = {weightOf("l0.down", {2, 3, 5, 4}),
                       weightOf("l0.q", {2, 16, 4}), weightOf("norm", {4})};
  }

  Expected<ActivationStats> open(StringRef name, StringRef shape,
                                 std::vector<float> values,
                                 StringRef dtype = "F32") {
    StringRef data(reinterpret_cast<const char *>(values.data()),
                   values.size() * 4);
    directory.write("stats",
                    safetensors("{\"" + name.str() + R"(":{"dtype":")" +
                                    dtype.str() + R"(","shape":)" +
                                    shape.str() + R"(,"data_offsets":[0,)" +
                                    std::to_string(data.size()) + "]}}",
                                data));
    return ActivationStats::open(directory.file("stats"));
  }
  std::string check(StringRef name, StringRef shape, size_t count) {
    auto stats = open(name, shape, std::vector<float>(count, 1.0f));
    if (!stats)
      return message(std::move(stats));
    return message(stats->check(weights));
  }
};

TEST_F(Stats, AreWeightsWithAMeanOfOne) {
  auto stats = open("l0.down", "[3,4]", {1, 2, 3, 2, 0, 0, 0, 0, 0, 0, 0, 8});
  ASSERT_TRUE(bool(stats)) << message(std::move(stats));
  EXPECT_EQ(message(stats->check(weights)), "success");
  const Weight &down = weights.weights[0];
  for (int64_t repeat : {0, 1}) { // the file does not tell them apart
    ArrayRef<float> first = stats->columnWeights(down, repeat, 0);
    ASSERT_EQ(first.size(), 4u);
    EXPECT_NEAR(first[0], 0.501, 1e-6);
    EXPECT_NEAR(first[2], 1.501, 1e-6);
    EXPECT_TRUE(stats->columnWeights(down, repeat, 1).empty()); // never used
    ArrayRef<float> last = stats->columnWeights(down, repeat, 2);
    EXPECT_NEAR(last[3], 4.001, 1e-6);
    EXPECT_NEAR(last[0], 0.001, 1e-6);
  }
  EXPECT_TRUE(stats->columnWeights(weights.weights[1], 0, 0).empty());
}

TEST_F(Stats, TellRepeatsAndExpertsApart) {
  std::vector<float> values(24, 1.0f);
  for (size_t row = 0; row < 6; ++row)
    values[row * 4] = float(row) * 10;
  auto stats = open("l0.down", "[2,3,4]", values);
  ASSERT_TRUE(bool(stats)) << message(std::move(stats));
  for (int64_t repeat = 0; repeat < 2; ++repeat)
    for (int64_t expert = 0; expert < 3; ++expert) {
      ArrayRef<float> found =
          stats->columnWeights(weights.weights[0], repeat, expert);
      EXPECT_NEAR((found[0] - 0.001) / (found[1] - 0.001),
                  double(repeat * 3 + expert) * 10, 1e-3);
    }
}

TEST_F(Stats, HaveTheShapeOfTheirWeight) {
  EXPECT_EQ(check("l0.down", "[4]", 4), "success");
  EXPECT_EQ(check("l0.q", "[2,4]", 8), "success");
  EXPECT_TRUE(contains(check("l0.down", "[2,4]", 8),
                       "tensor 'l0.down': shape [2, 4] found, expected [2, 3, "
                       "4] or its last dimensions"));
  EXPECT_TRUE(contains(check("l0.q", "[5]", 5), "shape [5] found"));
  EXPECT_TRUE(contains(check("l0.q", "[1,2,4]", 8), "shape [1, 2, 4] found"));
  EXPECT_TRUE(contains(check("l7.q", "[4]", 4), "no matrix of this name"));
  EXPECT_TRUE(contains(check("norm", "[4]", 4), "no matrix of this name"));
}

TEST_F(Stats, RefuseBadFiles) {
  EXPECT_TRUE(contains(message(open("w", "[2]", {1, -1})),
                       directory.file("stats") +
                           ": tensor 'w': value -1.000000 at 1 found, expected "
                           "a mean square"));
  EXPECT_TRUE(contains(message(open("w", "[2]", {1, NAN})), "value nan at 1"));
  EXPECT_TRUE(contains(message(open("w", "[2]", {INFINITY, 1})), "inf at 0"));
  EXPECT_TRUE(contains(message(open("w", "[2,2]", {1, 1}, "F16")),
                       "type F16 of shape with 2 dimensions found"));
  EXPECT_TRUE(contains(message(open("w", "[]", {1})), "expected F32"));
  EXPECT_TRUE(contains(message(open("w", "[0,4]", {})), "not empty"));
  EXPECT_TRUE(contains(message(ActivationStats::open(directory.file("none"))),
                       "cannot read the file"));
}

TEST_F(Stats, MoveErrorsToColumnsThatDoNotMatter) {
  WeightPlan plan;
  plan.weights = {weightOf("l0.q", {1, 16, 64})};
  TableSource source;
  source.values["l0.q"] = normals(16 * 64);
  std::vector<float> seen(64, 0.01f);
  for (size_t i = 0; i < 64; i += 8)
    seen[i] = 1;
  auto stats = open("l0.q", "[64]", seen);
  ASSERT_TRUE(bool(stats)) << message(std::move(stats));
  PackPlan packed = plainPackPlan(plan);
  packed[0].format = formatOf("int4:64");
  auto errorWith = [&](const ActivationStats *given) {
    PackOptions options;
    options.stats = given;
    auto file = cantFail(writeToMemory(packed, plan, source, options));
    double error = 0;
    for (int64_t i = 0; i < 16 * 64; ++i)
      error +=
          seen[size_t(i % 64)] * std::pow(file.at(0, 0, 0, i / 64, i % 64) -
                                              source.values["l0.q"][size_t(i)],
                                          2);
    return error;
  };
  EXPECT_LT(errorWith(&*stats), 0.9 * errorWith(nullptr));
}

} // namespace
