// The block decoders against values that ggml's own decoders gave for the same
// bytes, and the plain types.
#include "compiler/import/gguf/GgufBlocks.h"
#include "compiler/import/Convert.h"
#include "gtest/gtest.h"
#include <vector>

using namespace quartet;

namespace {

struct Golden {
  uint32_t id;
  const char *name;
  int d, m; ///< positions of the half fields; -1: none
  double first, second, middle, last, sum, weighted;
};

// Byte i of the block is 37 i + 11; then d is 0.5, and dmin or m 0.25.
const Golden goldens[] = {
    {2, "Q4_0", 0, -1, -1.5, 1, -1.5, 0, -10.5, -248.5},
    {3, "Q4_1", 0, 2, 7.75, 2.25, 4.75, 6.25, 130.5, 1993},
    {6, "Q5_0", 0, -1, 4.5, -1, 7, 0.5, 7.5, 48.5},
    {7, "Q5_1", 0, 2, 9.75, 12.25, 9.75, 2.75, 260.5, 3822},
    {8, "Q8_0", 0, -1, 42.5, 61, -45.5, -24, -88, -3952},
    {12, "Q4_K", 0, 2, 157.75, -12.75, 211.5, 24.25, 27220, 3759200},
    {13, "Q5_K", 0, 2, 405.75, -12.75, 523.5, 54.25, 58108, 7955616},
    {14, "Q6_K", 208, -1, -715.5, 848, -175.5, -30, 2306, 389904},
    {20, "IQ4_NL", 0, -1, -17.5, 12.5, -17.5, 0.5, -128.5, -3331},
    {23, "IQ4_XS", 0, -1, 32.5, -0.5, -292.5, -8, -5502.5, -1040064.5},
    {39, "MXFP4", -1, -1, 0, 3, 1.5, 3, 12.5, 306.5},
};

void setHalf(std::vector<uint8_t> &block, int position, float value) {
  if (position < 0)
    return;
  uint16_t bits = floatToHalf(value);
  block[size_t(position)] = uint8_t(bits);
  block[size_t(position) + 1] = uint8_t(bits >> 8);
}

TEST(GgufBlocks, DecodesAsGgmlDoes) {
  for (const Golden &golden : goldens) {
    SCOPED_TRACE(golden.name);
    const GgufType *type = ggufType(golden.id);
    ASSERT_TRUE(type);
    EXPECT_STREQ(type->name, golden.name);
    EXPECT_FALSE(type->plain);
    std::vector<uint8_t> block(size_t(type->blockBytes));
    for (size_t i = 0; i < block.size(); ++i)
      block[i] = uint8_t(37 * i + 11);
    setHalf(block, golden.d, 0.5f);
    setHalf(block, golden.m, 0.25f);
    if (golden.id == 39)
      block[0] = 127;
    // Twice, at an odd address: the second block must not depend on the first.
    std::vector<uint8_t> two(1, 0);
    two.insert(two.end(), block.begin(), block.end());
    two.insert(two.end(), block.begin(), block.end());
    size_t n = size_t(type->blockElements);
    std::vector<float> y(2 * n, -1);
    type->decode(two.data() + 1, y.data(), 2);
    double sum = 0, weighted = 0;
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(y[i], y[n + i]) << i;
      sum += y[i];
      weighted += double(i) * y[i];
    }
    EXPECT_EQ(y[0], golden.first);
    EXPECT_EQ(y[1], golden.second);
    EXPECT_EQ(y[n / 2], golden.middle);
    EXPECT_EQ(y[n - 1], golden.last);
    EXPECT_EQ(sum, golden.sum);
    EXPECT_EQ(weighted, golden.weighted);
  }
}

TEST(GgufBlocks, Mxfp4HasSubnormalScales) {
  uint8_t block[17] = {0, 2}; // 2^-128 * 2
  float y[32];
  ggufType(39)->decode(block, y, 1);
  EXPECT_EQ(y[0], 0x1p-127f);
  block[0] = 254;
  ggufType(39)->decode(block, y, 1);
  EXPECT_EQ(y[0], 0x1p127f);
}

TEST(GgufBlocks, DecodesPlainTypes) {
  const uint8_t bytes[] = {0x80, 0xbf, 0x00, 0x3c};
  float y[2];
  ggufType(30)->decode(bytes, y, 1);
  EXPECT_EQ(y[0], -1.0f);
  ggufType(1)->decode(bytes + 2, y, 1);
  EXPECT_EQ(y[0], 1.0f);
  const uint8_t single[] = {0, 0, 0xc0, 0x3f};
  ggufType(0)->decode(single, y, 1);
  EXPECT_EQ(y[0], 1.5f);
  EXPECT_EQ(ggufType(0)->plain, Dtype::F32);
}

TEST(GgufBlocks, NamesTypesItDoesNotDecode) {
  EXPECT_EQ(ggufType(16), nullptr);
  EXPECT_EQ(ggufTypeName(16), "IQ2_XXS");
  EXPECT_EQ(ggufTypeName(12), "Q4_K");
  EXPECT_EQ(ggufTypeName(1000), "1000");
}

} // namespace
