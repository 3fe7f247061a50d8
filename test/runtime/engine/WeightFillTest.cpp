// Weights that are made up, byte by byte, against the words of abi.h's
// quartet_fill in plain loops.
#include "runtime/src/engine/WeightFill.h"
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {
uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

uint8_t byteAt(const quartet_fill &fill, int64_t at) {
  int64_t place = at % fill.panel_bytes;
  auto word = uint64_t(at / 8);
  uint64_t bits = (mix(fill.key + word) & fill.random) | fill.fixed;
  if (place < fill.values_offset)
    bits = place < fill.scale_bytes    ? fill.scales
           : place < fill.zeros_offset ? 0
                                       : fill.zeros;
  return uint8_t(bits >> (8 * (at % 8)));
}

WeightInfo plain(const char *dtype, uint64_t bytes) {
  WeightInfo info;
  info.dtype = dtype;
  info.bytes = bytes;
  return info;
}

/// Three panels.
WeightInfo packed(const char *format, int64_t scaleBytes, int64_t zerosOffset,
                  int64_t valuesOffset, int64_t panelBytes) {
  WeightInfo info = plain("U8", uint64_t(3 * panelBytes));
  info.format = format;
  info.panelBytes = panelBytes;
  info.scaleBytes = scaleBytes;
  info.zerosOffset = zerosOffset;
  info.valuesOffset = valuesOffset;
  return info;
}

std::vector<WeightInfo> allKinds() {
  return {plain("F32", 4),
          plain("BF16", 70006), // more than a piece of a device's block
          plain("F16", 1),
          plain("I8", 257),
          packed("bf16", 0, 0, 0, 512),
          packed("int4:64", 64, 64, 64, 1088),
          packed("int4:32:iq4_nl", 32, 64, 64, 1088),
          packed("int4:64:point:bf16", 32, 64, 128, 1152),
          packed("int8:128:min", 32, 64, 128, 2176),
          packed("fp8:128:f32", 64, 64, 64, 2112)};
}

std::string nameOf(const WeightInfo &info) {
  return info.format.empty() ? info.dtype : info.format;
}

/// Eight bytes of the scales and of the zero points of a format.
struct Words {
  const char *format;
  uint64_t scales, zeros;
};

TEST(WeightFill, ScalesAndZeroPointsFitTheFormat) {
  for (const Words &words : std::initializer_list<Words>{
           {"int4:64", 0x1c001c001c001c00, 0}, // f16 2^-8
           {"int4:64:point:bf16", 0x3b803b803b803b80, 0x0808080808080808},
           {"int4:64:min", 0x1c001c001c001c00, 0xa800a800a800a800}, // -2^-5
           {"int4:32:iq4_nl", 0x0c000c000c000c00, 0},               // 2^-12
           {"int8:128:min", 0x0c000c000c000c00, 0xa800a800a800a800},
           {"int8:32:point", 0x0c000c000c000c00, 0x8080808080808080},
           {"fp8:128:f32", 0x3f8000003f800000, 0}}) {
    quartet_fill fill = weightFill(packed(words.format, 64, 64, 128, 1152), 1);
    EXPECT_EQ(fill.scales, words.scales) << words.format;
    EXPECT_EQ(fill.zeros, words.zeros) << words.format;
  }
}

TEST(WeightFill, EveryByteIsInItsPlace) {
  for (const WeightInfo &info : allKinds()) {
    quartet_fill fill = weightFill(info, 5);
    std::vector<uint8_t> all(info.bytes + 1, 0xee);
    fillWeight(fill, 0, fill.bytes, all.data());
    for (int64_t at = 0; at != fill.bytes; ++at)
      ASSERT_EQ(all[size_t(at)], byteAt(fill, at)) << nameOf(info) << " " << at;
    EXPECT_EQ(all.back(), 0xee) << nameOf(info);
  }
}

TEST(WeightFill, PartsAreThoseOfTheWhole) {
  for (const WeightInfo &info : allKinds()) {
    quartet_fill fill = weightFill(info, 5);
    std::vector<uint8_t> all(info.bytes), parts(info.bytes);
    fillWeight(fill, 0, fill.bytes, all.data());
    for (int64_t size : {8, 24, 1000}) {
      parts.assign(parts.size(), 0xee);
      for (int64_t at = 0; at < fill.bytes; at += size)
        fillWeight(fill, at, std::min(at + size, fill.bytes),
                   &parts[size_t(at)]);
      EXPECT_EQ(parts, all) << nameOf(info) << " in parts of " << size;
    }
  }
}

TEST(WeightFill, PlaceAndSeedDecide) {
  WeightInfo here = plain("U8", 64), there = here;
  there.offset = 64;
  auto bytes = [](const WeightInfo &info, uint64_t seed) {
    std::vector<uint8_t> made(info.bytes);
    quartet_fill fill = weightFill(info, seed);
    fillWeight(fill, 0, fill.bytes, made.data());
    return made;
  };
  EXPECT_EQ(bytes(here, 1), bytes(here, 1));
  EXPECT_NE(bytes(here, 1), bytes(here, 2));
  EXPECT_NE(bytes(here, 1), bytes(there, 1));
}
} // namespace
