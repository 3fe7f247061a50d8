// Made-up weights are finite, small, the same for the same seed, and packed
// matrices have scales and zero points where their format has them.
#include "runtime/src/engine/SyntheticWeights.h"
#include "TestManifest.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <set>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
using Json = nlohmann::ordered_json;

/// A manifest with one packed matrix of \p panels panels of 128 columns.
Manifest packedManifest(const char *format, int64_t scaleBytes,
                        int64_t zerosOffset, int64_t valuesOffset,
                        int64_t valueBytes, int64_t panels = 3) {
  Json json = manifestJson();
  int64_t panel = valuesOffset + valueBytes, bytes = panels * panel;
  json["weights_bytes"] = bytes;
  json["weights"] = {{{"name", "m"},
                      {"dtype", "U8"},
                      {"shape", {1, 1, panels, panel}},
                      {"offset", 0},
                      {"bytes", bytes},
                      {"format", format},
                      {"logical_shape", {1, 1, 16 * panels, 128}},
                      {"panel_bytes", panel},
                      {"scale_bytes", scaleBytes},
                      {"zeros_offset", zerosOffset},
                      {"values_offset", valuesOffset}}};
  return parse(json);
}

std::unique_ptr<SyntheticWeights>
make(const Manifest &manifest, uint64_t seed = 1, unsigned threads = 2) {
  Team team(threads);
  std::string error;
  auto weights = SyntheticWeights::create(manifest, seed, team, &error);
  EXPECT_TRUE(weights) << error;
  return weights;
}

float half(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  float value = std::ldexp(float((bits & 1023) | 1024), exponent - 25);
  return bits >> 15 ? -value : value;
}

TEST(SyntheticWeights, PlainOnesAreSmall) {
  Manifest manifest = parse(manifestJson());
  auto weights = make(manifest);
  for (int i = 0; i != 4; ++i) { // "b", F32 [4], is first
    float value;
    memcpy(&value, static_cast<char *>(weights->pointers()[0]) + 4 * i, 4);
    EXPECT_GE(std::abs(value), 1.0f / 64) << i;
    EXPECT_LT(std::abs(value), 1.0f / 32) << i;
  }
  for (int i = 0; i != 6; ++i) { // "a", BF16 [2, 3]
    uint32_t bits = 0;
    memcpy(reinterpret_cast<char *>(&bits) + 2,
           static_cast<char *>(weights->pointers()[1]) + 2 * i, 2);
    float value;
    memcpy(&value, &bits, 4);
    EXPECT_GE(std::abs(value), 1.0f / 64) << i;
    EXPECT_LT(std::abs(value), 1.0f / 32) << i;
  }
}

TEST(SyntheticWeights, Int4HasScales) {
  auto weights = make(packedManifest("int4:64", 64, 64, 64, 1024));
  std::set<uint8_t> values;
  for (int panel = 0; panel != 3; ++panel) {
    const uint8_t *at = weights->data() + panel * 1088;
    for (int i = 0; i != 32; ++i) {
      uint16_t scale;
      memcpy(&scale, at + 2 * i, 2);
      EXPECT_EQ(half(scale), 1.0f / 256);
    }
    values.insert(at + 64, at + 1088);
  }
  EXPECT_GT(values.size(), 200u) << "the values are not random";
}

// The minimum puts the middle of the stored values at zero.
TEST(SyntheticWeights, MinimaAndZeroPointsCentre) {
  auto weights = make(packedManifest("int8:128:min", 32, 64, 128, 2048));
  uint16_t scale, least;
  memcpy(&scale, weights->data() + 30, 2);
  memcpy(&least, weights->data() + 64, 2);
  EXPECT_EQ(half(scale), 1.0f / 4096);
  EXPECT_EQ(half(least), -128.0f / 4096);
  weights = make(packedManifest("int4:64:point:bf16", 64, 64, 128, 1024));
  EXPECT_EQ(weights->data()[64], 8);
  EXPECT_EQ(weights->data()[1] << 8 | weights->data()[0], (127 - 8) << 7);
}

TEST(SyntheticWeights, Fp8IsNeverNan) {
  auto weights = make(packedManifest("fp8:128:f32", 64, 64, 64, 2048));
  float scale;
  memcpy(&scale, weights->data(), 4);
  EXPECT_EQ(scale, 1.0f);
  for (int i = 64; i != 64 + 2048; ++i)
    EXPECT_NE(weights->data()[i] & 0x7f, 0x7f) << i;
}

// 10 MB are several pieces, filled by any worker.
TEST(SyntheticWeights, TheSeedDecides) {
  Manifest manifest = packedManifest("int4:64", 64, 64, 64, 1024, 10000);
  auto a = make(manifest, 1, 1), b = make(manifest, 1, 3),
       c = make(manifest, 2);
  EXPECT_EQ(memcmp(a->data(), b->data(), a->bytes()), 0);
  EXPECT_NE(memcmp(a->data(), c->data(), a->bytes()), 0);
  // The last byte is filled, too.
  const uint8_t *end = a->data() + a->bytes();
  EXPECT_TRUE(std::any_of(end - 16, end, [](uint8_t byte) { return byte; }));
}
} // namespace
