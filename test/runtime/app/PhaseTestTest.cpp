// When two memories of unknown types agree, and which programs can be compared.
#include "runtime/src/app/PhaseTest.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {
struct Bytes {
  std::vector<uint8_t> bytes = std::vector<uint8_t>(1024, 0);
  template <typename T> void set(size_t at, T value) {
    memcpy(bytes.data() + at, &value, sizeof(value));
  }
};
MemoryDifference compare(const Bytes &found, const Bytes &expected,
                         const Bytes &before = Bytes()) {
  return compareMemory(found.bytes.data(), expected.bytes.data(),
                       before.bytes.data(), found.bytes.size());
}
} // namespace

TEST(PhaseTest, CountsWhatWasWritten) {
  Bytes found, expected, before;
  EXPECT_EQ(compare(found, expected).words, 0);
  found.set(8, 2.0f);
  expected.set(8, 2.0f);
  EXPECT_EQ(compare(found, expected).words, 1);
  EXPECT_EQ(compare(found, expected, expected).words, 0);
  found.set(600, 1.0f); // the device alone
  MemoryDifference difference = compare(found, expected);
  EXPECT_EQ(difference.words, 2);
  EXPECT_EQ(difference.wrong, 1);
  EXPECT_EQ(difference.first, 600);
}

TEST(PhaseTest, FloatsAreCloseToThoseAround) {
  Bytes found, expected;
  expected.set(0, 100.0f);
  found.set(0, 100.001f);
  expected.set(4, 0.001f); // against 100
  found.set(4, 0.3f);
  MemoryDifference difference = compare(found, expected);
  EXPECT_EQ(difference.wrong, 0);
  EXPECT_NEAR(difference.largest, 0.00299, 1e-5);
  found.set(0, 102.0f);
  EXPECT_EQ(compare(found, expected).wrong, 1);
  // Not with what lies far away.
  Bytes far, other;
  other.set(512, 100.0f);
  far.set(512, 100.0f);
  other.set(4, 0.001f);
  far.set(4, 0.3f);
  EXPECT_EQ(compare(far, other).wrong, 1);
  // bf16, one unit in the last place apart.
  Bytes half, halves;
  halves.set<uint32_t>(0, 0x3f813f80);
  half.set<uint32_t>(0, 0x3f803f80);
  EXPECT_EQ(compare(half, halves).wrong, 0);
  half.set<uint32_t>(0, 0x3f903f80);
  EXPECT_EQ(compare(half, halves).wrong, 1);
}

TEST(PhaseTest, IntegersAreNeighbours) {
  Bytes found, expected;
  expected.set<uint32_t>(0, 0x7f80ff00); // 127, -128, -1, 0
  found.set<uint32_t>(0, 0x7e8100ff);    // 126, -127, 0, -1
  EXPECT_EQ(compare(found, expected).wrong, 0);
  found.set<uint32_t>(0, 0x7e8101ff);
  EXPECT_EQ(compare(found, expected).wrong, 1);
}

TEST(PhaseTest, WhatIsNoNumberIsWrong) {
  Bytes found, expected;
  expected.set(0, 1.0f);
  for (float odd : {NAN, INFINITY, -INFINITY, 1e30f}) {
    found.set(0, odd);
    EXPECT_EQ(compare(found, expected).wrong, 1) << odd;
    EXPECT_EQ(compare(expected, found).wrong, 1) << odd;
  }
}

TEST(PhaseTest, SamePhases) {
  quartet_launch launches[2] = {}, others[2] = {};
  launches[0].kernel = others[0].kernel = "a";
  launches[1].kernel = others[1].kernel = "b";
  quartet_bucket bucket = {}, other = {};
  bucket.tokens = other.tokens = 16;
  bucket.num_launches = other.num_launches = 2;
  bucket.launches = launches;
  other.launches = others;
  quartet_program program = {}, compared = {};
  program.buckets = &bucket;
  compared.buckets = &other;
  program.num_buckets = compared.num_buckets = 1;
  EXPECT_TRUE(samePhases(program, compared));
  others[1].kernel = "c";
  EXPECT_FALSE(samePhases(program, compared));
  others[1].kernel = "b";
  others[1].layer = 1;
  EXPECT_FALSE(samePhases(program, compared));
  others[1].layer = 0;
  other.scratch_bytes = 64;
  EXPECT_FALSE(samePhases(program, compared));
  other.scratch_bytes = 0;
  other.num_launches = 1;
  EXPECT_FALSE(samePhases(program, compared));
  other.num_launches = 2;
  compared.num_buckets = 0;
  EXPECT_FALSE(samePhases(program, compared));
}
