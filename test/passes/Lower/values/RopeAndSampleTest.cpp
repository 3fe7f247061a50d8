// Values of quartet.rope and quartet.sample.
#include "test/passes/Lower/values/Values.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace quartet::test;
namespace reference = quartet::reference;

namespace {

//===- rope ---------------------------------------------------------------===//

constexpr int64_t kPairs = 8;
constexpr int64_t kWidth = 24;
/// The family's interleaving of time, height and width.
constexpr int32_t kAxes[kPairs] = {0, 1, 2, 0, 1, 2, 0, 1};

std::vector<float> frequencies() {
  std::vector<float> values(kPairs);
  for (int64_t p = 0; p < kPairs; ++p)
    values[p] =
        static_cast<float>(std::pow(1e7, -static_cast<double>(p) / kPairs));
  return values;
}

Buffer runRope(Buffer x, Buffer positions) {
  std::string text = "quartet.rope %x, %positions inv_freq [";
  for (float frequency : frequencies()) {
    char digits[32];
    std::snprintf(digits, sizeof(digits), "%s%.9e",
                  text.back() == '[' ? "" : ", ",
                  static_cast<double>(frequency));
    text += digits;
  }
  Buffer y(x.element, x.shape);
  OpRunner(text + "] axes [0, 1, 2, 0, 1, 2, 0, 1] scale 1.25")
      .input("x", x, {0})
      .input("positions", positions, {1})
      .output(y)
      .run();
  return y;
}

// Positions up to the end of the extended context: angles of a million radians
// need a full range reduction.
TEST(Rope, MatchesTheReferenceAndKeepsBitsAlone) {
  uint32_t seed = 1;
  for (Element type : {Element::kF32, Element::kF16, Element::kBF16})
    for (int64_t n : {1, 3, 17}) {
      Random random(seed++);
      Buffer x = random.normal(type, {n, 3, kWidth});
      Buffer positions({3, n}, random.below(3 * n, 1010000));
      Buffer y = runRope(x, positions);
      std::vector<float> expected(x.size());
      reference::rope(x.floats().data(), positions.ints(), frequencies().data(),
                      kAxes, 1.25f, expected.data(), n, 3, kWidth, kPairs);
      expectClose("rope", y, expected);
      for (int64_t t = 0; t < n; ++t) {
        const int32_t *all = positions.ints();
        Buffer own({3, 1}, {all[t], all[n + t], all[2 * n + t]});
        EXPECT_EQ(runRope(slice(x, t, 1), own).rows(0, 1), y.rows(t, 1)) << t;
      }
    }
}

//===- sample -------------------------------------------------------------===//

struct Row {
  std::vector<float> logits;
  float temperature;
  int32_t topK;
  float topP, minP, uniform;
};

std::vector<int32_t> runSample(const std::vector<Row> &rows, int64_t vocab,
                               int64_t limit, bool useReference) {
  auto count = static_cast<int64_t>(rows.size());
  std::vector<float> logits, temperature, topP, minP, uniform;
  std::vector<int32_t> topK;
  for (const Row &row : rows) {
    logits.insert(logits.end(), row.logits.begin(), row.logits.end());
    temperature.push_back(row.temperature);
    topK.push_back(row.topK);
    topP.push_back(row.topP);
    minP.push_back(row.minP);
    uniform.push_back(row.uniform);
  }
  std::vector<int32_t> ids(count);
  if (useReference) {
    reference::sample({logits.data(), temperature.data(), topK.data(),
                       topP.data(), minP.data(), uniform.data(), count, vocab,
                       limit, 16},
                      ids.data());
    return ids;
  }
  RowOp op{"quartet.sample %l, %t, %k, %p, %m, %u token_limit " +
               std::to_string(limit) + " candidates 16",
           {{"l", Buffer(Element::kF32, {count, vocab}, logits), true},
            {"t", Buffer(Element::kF32, {count}, temperature), true},
            {"k", Buffer({count}, topK), true},
            {"p", Buffer(Element::kF32, {count}, topP), true},
            {"m", Buffer(Element::kF32, {count}, minP), true},
            {"u", Buffer(Element::kF32, {count}, uniform), true}},
           {Buffer(Element::kI32, {count})}};
  op.runAll();
  return std::vector<int32_t>(op.results[0].ints(),
                              op.results[0].ints() + count);
}

// All of the parameters over their ranges, greedy rows among them.
TEST(Sample, MatchesTheReferenceAndKeepsBitsAlone) {
  constexpr int64_t vocab = 100, limit = 90;
  Random random(1);
  std::vector<Row> rows;
  for (int i = 0; i < 60; ++i) {
    std::vector<float> u = random.uniform(4, 0.0f, 1.0f);
    rows.push_back(
        {random.normal(vocab, 3.0f), i % 5 ? 0.2f + 1.5f * u[0] : 0.0f,
         1 + random.below(1, 16)[0], i % 3 ? 0.05f + 0.95f * u[1] : 1.0f,
         i % 2 ? 0.3f * u[2] : 0.0f, u[3]});
  }
  EXPECT_EQ(runSample(rows, vocab, limit, false),
            runSample(rows, vocab, limit, true));
}

TEST(Sample, IgnoresIdsFromTheLimitOn) {
  std::vector<float> logits{1, 2, 0, 50};
  EXPECT_EQ(runSample({{logits, 0, 1, 1, 0, 0}}, 4, 3, false)[0], 1);
  EXPECT_EQ(runSample({{logits, 1, 16, 1, 0, 0.999f}}, 4, 3, false)[0], 2);
}

TEST(Sample, BreaksTiesByTheLowestId) {
  std::vector<float> logits{0, 7, 7, 7, 1};
  EXPECT_EQ(runSample({{logits, 0, 1, 1, 0, 0.9f}}, 5, 5, false)[0], 1);
  EXPECT_EQ(runSample({{logits, 1, 2, 1, 0, 0.4f}}, 5, 5, false)[0], 1);
  EXPECT_EQ(runSample({{logits, 1, 2, 1, 0, 0.6f}}, 5, 5, false)[0], 2);
}

// Logits of a grammar's mask: the rest of the row has no chance.
TEST(Sample, TakesMaskedLogits) {
  std::vector<float> logits(20, -INFINITY);
  logits[11] = -3;
  EXPECT_EQ(runSample({{logits, 0, 1, 1, 0, 0}}, 20, 20, false)[0], 11);
  EXPECT_EQ(runSample({{logits, 1, 16, 1, 0, 0.999f}}, 20, 20, false)[0], 11);
}

} // namespace
