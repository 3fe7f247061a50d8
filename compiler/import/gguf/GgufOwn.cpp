// One decoder per block type, beside those of GgufBlocks.cpp, whose order of
// operations the products of scales have too.
#include "compiler/import/gguf/GgufOwn.h"
#include "compiler/import/gguf/GgufBlockLayout.h"
#include <cmath>
#include <cstring>

namespace quartet {
using namespace gguf;
namespace {

/// The nibbles of a block of 32: low ones first, then high ones.
void nibbles(const uint8_t *codes, uint8_t *values) {
  for (int j = 0; j < 16; ++j) {
    values[j] = codes[j] & 15;
    values[j + 16] = codes[j] >> 4;
  }
}

/// The same with a fifth bit each from \p high; \p added to each.
void fiveBits(const uint8_t *codes, uint32_t high, int added, uint8_t *values) {
  nibbles(codes, values);
  for (int j = 0; j < 32; ++j)
    values[j] = uint8_t((values[j] | (high >> j & 1) << 4) + added);
}

void decodeOwn(const BlockQ4_0 &block, uint8_t *values, float *scales,
               float *) {
  nibbles(block.codes, values);
  *scales = half(block.d);
}

void decodeOwn(const BlockQ4_1 &block, uint8_t *values, float *scales,
               float *minimums) {
  nibbles(block.codes, values);
  *scales = half(block.d);
  *minimums = half(block.m);
}

void decodeOwn(const BlockQ5_0 &block, uint8_t *values, float *scales,
               float *) {
  fiveBits(block.codes, word32(block.high), 32 - 16, values);
  *scales = half(block.d);
}

void decodeOwn(const BlockQ5_1 &block, uint8_t *values, float *scales,
               float *minimums) {
  fiveBits(block.codes, word32(block.high), 0, values);
  *scales = half(block.d);
  *minimums = half(block.m);
}

void decodeOwn(const BlockQ8_0 &block, uint8_t *values, float *scales,
               float *) {
  for (int j = 0; j < 32; ++j)
    values[j] = uint8_t(int(block.codes[j]) + 128);
  *scales = half(block.d);
}

/// Eight groups of 32; \p highBit gives bit 4 of a code.
template <typename Block, typename HighBit>
void decodeK(const Block &block, uint8_t *values, float *scales,
             float *minimums, HighBit highBit) {
  float d = half(block.d), dmin = half(block.dmin);
  for (int group = 0; group < 8; ++group) {
    int scale, minimum;
    scaleAndMin(block.scales, group, scale, minimum);
    scales[group] = d * float(scale);
    minimums[group] = -(dmin * float(minimum));
    const uint8_t *codes = block.codes + 32 * (group / 2);
    for (int l = 0; l < 32; ++l)
      values[32 * group + l] =
          uint8_t(((codes[l] >> 4 * (group % 2)) & 15) | highBit(l, group));
  }
}

void decodeOwn(const BlockQ4_K &block, uint8_t *values, float *scales,
               float *minimums) {
  decodeK(block, values, scales, minimums, [](int, int) { return 0; });
}

void decodeOwn(const BlockQ5_K &block, uint8_t *values, float *scales,
               float *minimums) {
  decodeK(block, values, scales, minimums,
          [&](int l, int group) { return (block.high[l] >> group & 1) << 4; });
}

void decodeOwn(const BlockQ6_K &block, uint8_t *values, float *scales,
               float *) {
  float d = half(block.d);
  for (int group = 0; group < 16; ++group)
    scales[group] = d * float(block.scales[group]);
  for (int n = 0; n < 2; ++n)
    for (int g = 0; g < 4; ++g)
      for (int l = 0; l < 32; ++l) {
        int low = (block.low[64 * n + 32 * (g & 1) + l] >> 4 * (g >> 1)) & 15;
        int high = (block.high[32 * n + l] >> 2 * g) & 3;
        values[128 * n + 32 * g + l] = uint8_t(low | high << 4);
      }
}

void decodeOwn(const BlockIQ4_NL &block, uint8_t *values, float *scales,
               float *) {
  nibbles(block.codes, values);
  *scales = half(block.d);
}

void decodeOwn(const BlockIQ4_XS &block, uint8_t *values, float *scales,
               float *) {
  float d = half(block.d);
  int scalesHigh = word(block.scalesHigh);
  for (int group = 0; group < 8; ++group) {
    int low = (block.scalesLow[group / 2] >> 4 * (group % 2)) & 15;
    int high = (scalesHigh >> 2 * group) & 3;
    scales[group] = d * float((low | high << 4) - 32);
    nibbles(block.codes + 16 * group, values + 32 * group);
  }
}

void decodeOwn(const BlockMXFP4 &block, uint8_t *values, float *scales,
               float *) {
  nibbles(block.codes, values);
  *scales =
      block.exponent == 255 ? NAN : std::ldexp(1.0f, int(block.exponent) - 128);
}

template <typename Block, int64_t elements, int64_t group>
void decodeBlocks(const uint8_t *in, uint8_t *values, float *scales,
                  float *minimums, int64_t blocks) {
  for (int64_t i = 0; i < blocks; ++i) {
    Block block;
    std::memcpy(&block, in + i * int64_t(sizeof block), sizeof block);
    int64_t first = i * (elements / group);
    decodeOwn(block, values + i * elements, scales + first,
              minimums ? minimums + first : nullptr);
  }
}

struct Entry {
  uint32_t type;
  GgufOwn own;
};

constexpr PackedFormat format(ValueType value, int32_t group, ScaleType scale,
                              ZeroKind zero = ZeroKind::None,
                              Codebook codebook = Codebook::None) {
  return {value, group, scale, zero, codebook};
}

constexpr auto int4 = ValueType::INT4, int6 = ValueType::INT6,
               int8 = ValueType::INT8;
constexpr auto f16 = ScaleType::F16, f32 = ScaleType::F32;
constexpr auto plain = ZeroKind::None, withMin = ZeroKind::Min;

template <typename Block, int64_t elements, int64_t group>
constexpr GgufOwn entry(PackedFormat exact, ScaleType keptScale) {
  PackedFormat kept = exact;
  kept.scale = keptScale;
  return {exact, kept, decodeBlocks<Block, elements, group>};
}

const Entry entries[] = {
    {2, entry<BlockQ4_0, 32, 32>(format(int4, 32, f16), f16)},
    {3, entry<BlockQ4_1, 32, 32>(format(int4, 32, f16, withMin), f16)},
    {6, entry<BlockQ5_0, 32, 32>(format(int6, 32, f16), f16)},
    {7, entry<BlockQ5_1, 32, 32>(format(int6, 32, f16, withMin), f16)},
    {8, entry<BlockQ8_0, 32, 32>(format(int8, 32, f16), f16)},
    {12, entry<BlockQ4_K, 256, 32>(format(int4, 32, f32, withMin), f16)},
    {13, entry<BlockQ5_K, 256, 32>(format(int6, 32, f32, withMin), f16)},
    {14, entry<BlockQ6_K, 256, 16>(format(int6, 16, f32), f16)},
    {20, entry<BlockIQ4_NL, 32, 32>(
             format(int4, 32, f16, plain, Codebook::IQ4NL), f16)},
    {23, entry<BlockIQ4_XS, 256, 32>(
             format(int4, 32, f32, plain, Codebook::IQ4NL), f16)},
    // A power of two, which bf16 holds, also below 2^-126.
    {39, entry<BlockMXFP4, 32, 32>(
             format(int4, 32, ScaleType::BF16, plain, Codebook::E2M1),
             ScaleType::BF16)},
};

} // namespace

const GgufOwn *ggufOwn(uint32_t type) {
  for (const Entry &entry : entries)
    if (entry.type == type)
      return &entry.own;
  return nullptr;
}

} // namespace quartet
