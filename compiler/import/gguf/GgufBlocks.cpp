// One decoder per block type. A value is scale * (code - zero) in f32, in the
// order of operations of ggml's reference, which gives the same bits.
#include "compiler/import/gguf/GgufBlocks.h"
#include "compiler/import/gguf/GgufBlockLayout.h"
#include <cstring>
#include <iterator>

namespace quartet {
using namespace gguf;
namespace {

/// The levels of IQ4_NL and IQ4_XS.
constexpr float levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                              1,    13,   25,  38,  53,  69,  89,  113};
/// E2M1 times two, which MXFP4's exponent bias of 128 takes back.
constexpr float doubledE2m1[16] = {0,    1,  2,  3,  4,  6,  8,  12,
                                   -0.f, -1, -2, -3, -4, -6, -8, -12};

void decodeBlock(const BlockQ4_0 &block, float *out) {
  float d = half(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * float(int(block.codes[j] & 15) - 8);
    out[j + 16] = d * float(int(block.codes[j] >> 4) - 8);
  }
}

void decodeBlock(const BlockQ4_1 &block, float *out) {
  float d = half(block.d), m = half(block.m);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * float(block.codes[j] & 15) + m;
    out[j + 16] = d * float(block.codes[j] >> 4) + m;
  }
}

/// The five-bit codes of Q5_0 and Q5_1.
template <typename Block, typename Value>
void decodeFiveBits(const Block &block, float *out, Value value) {
  uint32_t high = word32(block.high);
  for (int j = 0; j < 16; ++j) {
    out[j] = value(int(block.codes[j] & 15) | int(high >> j & 1) << 4);
    out[j + 16] =
        value(int(block.codes[j] >> 4) | int(high >> (j + 16) & 1) << 4);
  }
}

void decodeBlock(const BlockQ5_0 &block, float *out) {
  float d = half(block.d);
  decodeFiveBits(block, out, [=](int code) { return d * float(code - 16); });
}

void decodeBlock(const BlockQ5_1 &block, float *out) {
  float d = half(block.d), m = half(block.m);
  decodeFiveBits(block, out, [=](int code) { return d * float(code) + m; });
}

void decodeBlock(const BlockQ8_0 &block, float *out) {
  float d = half(block.d);
  for (int j = 0; j < 32; ++j)
    out[j] = d * float(block.codes[j]);
}

/// Eight groups of 32, each with its scale and minimum; \p highBit gives bit 4
/// of the code.
template <typename Block, typename HighBit>
void decodeK(const Block &block, float *out, HighBit highBit) {
  float d = half(block.d), dmin = half(block.dmin);
  for (int group = 0; group < 8; ++group) {
    int scale, minimum;
    scaleAndMin(block.scales, group, scale, minimum);
    float step = d * float(scale), low = dmin * float(minimum);
    const uint8_t *codes = block.codes + 32 * (group / 2);
    for (int l = 0; l < 32; ++l) {
      int code = (codes[l] >> 4 * (group % 2)) & 15;
      out[32 * group + l] = step * float(code | highBit(l, group)) - low;
    }
  }
}

void decodeBlock(const BlockQ4_K &block, float *out) {
  decodeK(block, out, [](int, int) { return 0; });
}

void decodeBlock(const BlockQ5_K &block, float *out) {
  decodeK(block, out,
          [&](int l, int group) { return (block.high[l] >> group & 1) << 4; });
}

void decodeBlock(const BlockQ6_K &block, float *out) {
  float d = half(block.d);
  for (int n = 0; n < 2; ++n)
    for (int g = 0; g < 4; ++g)
      for (int l = 0; l < 32; ++l) {
        int low = (block.low[64 * n + 32 * (g & 1) + l] >> 4 * (g >> 1)) & 15;
        int high = (block.high[32 * n + l] >> 2 * g) & 3;
        float scale = d * float(block.scales[8 * n + 2 * g + l / 16]);
        out[128 * n + 32 * g + l] = scale * float((low | high << 4) - 32);
      }
}

void decodeBlock(const BlockIQ4_NL &block, float *out) {
  float d = half(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * levels[block.codes[j] & 15];
    out[j + 16] = d * levels[block.codes[j] >> 4];
  }
}

void decodeBlock(const BlockIQ4_XS &block, float *out) {
  float d = half(block.d);
  int scalesHigh = word(block.scalesHigh);
  for (int group = 0; group < 8; ++group) {
    int low = (block.scalesLow[group / 2] >> 4 * (group % 2)) & 15;
    int high = (scalesHigh >> 2 * group) & 3;
    float scale = d * float((low | high << 4) - 32);
    for (int j = 0; j < 16; ++j) {
      uint8_t codes = block.codes[16 * group + j];
      out[32 * group + j] = scale * levels[codes & 15];
      out[32 * group + 16 + j] = scale * levels[codes >> 4];
    }
  }
}

void decodeBlock(const BlockMXFP4 &block, float *out) {
  // 2^(e-128): subnormal for the two smallest exponents.
  uint32_t e = block.exponent;
  float scale = llvm::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
  for (int j = 0; j < 16; ++j) {
    out[j] = scale * doubledE2m1[block.codes[j] & 15];
    out[j + 16] = scale * doubledE2m1[block.codes[j] >> 4];
  }
}

template <typename Block, int64_t elements>
void decodeBlocks(const uint8_t *in, float *out, int64_t blocks) {
  for (int64_t i = 0; i < blocks; ++i) {
    Block block;
    std::memcpy(&block, in + i * int64_t(sizeof block), sizeof block);
    decodeBlock(block, out + i * elements);
  }
}

template <Dtype type>
void decodePlain(const uint8_t *in, float *out, int64_t count) {
  convertElements(type, in, Dtype::F32, reinterpret_cast<uint8_t *>(out),
                  count);
}

template <typename Block, int64_t elements>
constexpr GgufType quantized(uint32_t id, const char *name) {
  return {id,           name,
          elements,     int64_t(sizeof(Block)),
          std::nullopt, decodeBlocks<Block, elements>};
}

const GgufType types[] = {
    {0, "F32", 1, 4, Dtype::F32, decodePlain<Dtype::F32>},
    {1, "F16", 1, 2, Dtype::F16, decodePlain<Dtype::F16>},
    {30, "BF16", 1, 2, Dtype::BF16, decodePlain<Dtype::BF16>},
    quantized<BlockQ4_0, 32>(2, "Q4_0"),
    quantized<BlockQ4_1, 32>(3, "Q4_1"),
    quantized<BlockQ5_0, 32>(6, "Q5_0"),
    quantized<BlockQ5_1, 32>(7, "Q5_1"),
    quantized<BlockQ8_0, 32>(8, "Q8_0"),
    quantized<BlockQ4_K, 256>(12, "Q4_K"),
    quantized<BlockQ5_K, 256>(13, "Q5_K"),
    quantized<BlockQ6_K, 256>(14, "Q6_K"),
    quantized<BlockIQ4_NL, 32>(20, "IQ4_NL"),
    quantized<BlockIQ4_XS, 256>(23, "IQ4_XS"),
    quantized<BlockMXFP4, 32>(39, "MXFP4"),
};

struct OtherType {
  uint32_t id;
  const char *name;
};
/// Known, for messages.
const OtherType otherTypes[] = {
    {9, "Q8_1"},     {10, "Q2_K"},   {11, "Q3_K"},    {15, "Q8_K"},
    {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"},
    {21, "IQ3_S"},   {22, "IQ2_S"},  {24, "I8"},      {25, "I16"},
    {26, "I32"},     {27, "I64"},    {28, "F64"},     {29, "IQ1_M"},
    {34, "TQ1_0"},   {35, "TQ2_0"},  {40, "NVFP4"},
};

} // namespace

const GgufType *ggufType(uint32_t id) {
  for (const GgufType &type : types)
    if (type.id == id)
      return &type;
  return nullptr;
}

std::string ggufTypeName(uint32_t id) {
  if (const GgufType *type = ggufType(id))
    return type->name;
  for (const OtherType &type : otherTypes)
    if (type.id == id)
      return type.name;
  return std::to_string(id);
}

std::string decodedGgufTypes() {
  std::string text;
  for (const GgufType &type : types)
    text += (text.empty() ? "" : ", ") + std::string(type.name);
  return text;
}

} // namespace quartet
