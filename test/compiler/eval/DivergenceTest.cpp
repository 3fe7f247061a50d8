// KL divergence, perplexity and agreement against values by hand.
#include "compiler/eval/Divergence.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>

using namespace quartet;

// p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2), shifted by any constant:
// KL = 1/2 log 2 + 0 - 1/4 log 2.
TEST(Divergence, RowByHand) {
  float l = std::log(2.0f);
  std::vector<float> p{3 + l, 3, 3}, q{-7, -7, -7 + l};
  auto row = compareRows(p, q, 2);
  ASSERT_TRUE(row);
  EXPECT_NEAR(row->divergence, 0.25 * std::log(2.0), 1e-6);
  EXPECT_NEAR(row->referenceLoss, std::log(4.0), 1e-6);
  EXPECT_NEAR(row->quantizedLoss, std::log(2.0), 1e-6);
  EXPECT_FALSE(row->sameTop);
  // It is not symmetric: from q to a uniform row it is something else.
  std::vector<float> uniform{0, 0, 0};
  double there = compareRows(p, uniform, 0)->divergence;
  double back = compareRows(uniform, p, 0)->divergence;
  EXPECT_NEAR(there, std::log(3.0) - 1.5 * std::log(2.0), 1e-6);
  EXPECT_NEAR(back, -std::log(3.0) + 5.0 / 3 * std::log(2.0), 1e-6);
}

TEST(Divergence, EqualRowsAreExactlyZeroApart) {
  std::vector<float> row;
  for (int i = 0; i != 1000; ++i)
    row.push_back(float(std::sin(i) * 30));
  auto found = compareRows(row, row, 17);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->divergence, 0.0);
  EXPECT_EQ(found->referenceLoss, found->quantizedLoss);
  EXPECT_TRUE(found->sameTop);
}

// A difference far below what a float keeps of the sums is still seen, and
// never negative.
TEST(Divergence, SmallDifferences) {
  std::vector<float> p(4096, 0.0f), q = p;
  q[5] = 1e-3f;
  auto row = compareRows(p, q, 0);
  ASSERT_TRUE(row);
  // One of 4096 equal tokens is e^d times as likely: about 1.2e-10.
  double share = 1.0 / 4096, d = q[5];
  double expected = std::log1p(share * std::expm1(d)) - share * d;
  EXPECT_NEAR(row->divergence, expected, 1e-3 * expected);
  q = p;
  std::swap(p[0], p[1]);
  EXPECT_GE(compareRows(p, q, 0)->divergence, 0.0);
}

TEST(Divergence, TiesAndImpossibleTokens) {
  float never = -std::numeric_limits<float>::infinity();
  // Ruled out by both, or by the reference alone: fine.
  auto row = compareRows({1, 1, never}, {1, 1, never}, 0);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->divergence, 0.0);
  EXPECT_TRUE(row->sameTop);
  EXPECT_NEAR(compareRows({0, never}, {0, 0}, 0)->divergence, std::log(2.0),
              1e-12);
  // Ruled out by the quantized build alone: infinitely far.
  EXPECT_TRUE(std::isinf(compareRows({0, 0}, {0, never}, 0)->divergence));
}

TEST(Divergence, RefusesRowsWithoutADistribution) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  float infinity = std::numeric_limits<float>::infinity();
  for (float bad : {nan, infinity})
    for (size_t place : {0, 1, 2}) {
      std::vector<float> good{1, 2, 3}, row = good;
      row[place] = bad;
      EXPECT_FALSE(compareRows(row, good, 0)) << bad << " at " << place;
      EXPECT_FALSE(compareRows(good, row, 0)) << bad << " at " << place;
    }
  EXPECT_FALSE(compareRows({-infinity, -infinity}, {0, 0}, 0));
}

TEST(Divergence, SummaryByHand) {
  DivergenceStatistics statistics;
  for (int i = 1; i <= 200; ++i)
    statistics.add(
        {std::log(8.0), std::log(i % 2 ? 8.0 : 32.0), double(i), i % 4 != 0});
  DivergenceSummary s = statistics.summary();
  EXPECT_EQ(s.rows, 200);
  EXPECT_NEAR(s.referencePerplexity, 8, 1e-9);
  EXPECT_NEAR(s.quantizedPerplexity, 16, 1e-9); // sqrt(8 * 32)
  EXPECT_NEAR(s.perplexityRatio, 2, 1e-9);
  EXPECT_DOUBLE_EQ(s.mean, 100.5);
  // The variance of 1..n is n (n + 1) / 12.
  EXPECT_NEAR(s.meanError, std::sqrt(200 * 201 / 12.0 / 200), 1e-9);
  EXPECT_EQ(s.median, 100);
  EXPECT_EQ(s.percentile99, 198);
  EXPECT_EQ(s.max, 200);
  EXPECT_DOUBLE_EQ(s.sameTop, 0.75);
}

TEST(Divergence, SummaryOfOneRow) {
  DivergenceStatistics statistics;
  statistics.add({1, 1, 0.5, true});
  DivergenceSummary s = statistics.summary();
  EXPECT_EQ(s.median, 0.5);
  EXPECT_EQ(s.percentile99, 0.5);
  EXPECT_EQ(s.max, 0.5);
  EXPECT_EQ(s.meanError, 0);
}
