// Which format holds which, and that wider rows have the same values.
#include "compiler/import/quantized/WidenRows.h"
#include "QuantTesting.h"
#include "gtest/gtest.h"

using namespace quartet;
using namespace quartet::testing;

namespace {

PackedFormat parsed(const std::string &text) {
  std::optional<PackedFormat> format = PackedFormat::parse(text);
  EXPECT_TRUE(format) << text;
  return format.value_or(PackedFormat());
}

std::string joined(const std::string &a, const std::string &b) {
  auto one = joinFormats(parsed(a), parsed(b));
  auto other = joinFormats(parsed(b), parsed(a));
  EXPECT_EQ(one, other);
  return one ? one->str() : "none";
}

TEST(WidenRows, JoinsFormats) {
  EXPECT_EQ(joined("int4:64", "int4:64"), "int4:64");
  EXPECT_EQ(joined("int4:64", "int4:32"), "int4:32");
  EXPECT_EQ(joined("int4:64", "int8:128"), "int8:64");
  EXPECT_EQ(joined("int4:32", "int4:32:point"), "int4:32:point");
  EXPECT_EQ(joined("int4:32", "int4:32:min"), "int4:32:min");
  // A zero point times a scale of 11 bits needs more than those.
  EXPECT_EQ(joined("int4:32:point", "int4:32:min"), "int4:32:min:f32");
  EXPECT_EQ(joined("int4:32", "int4:32:bf16"), "int4:32:f32");
  EXPECT_EQ(joined("int4:32:iq4_nl", "int4:32:iq4_nl"), "int4:32:iq4_nl");
  EXPECT_EQ(joined("int4:32:iq4_nl", "int4:16:iq4_nl:f32"),
            "int4:16:iq4_nl:f32");
  EXPECT_EQ(joined("int4:32:iq4_nl", "int4:32"), "int8:32");
  EXPECT_EQ(joined("int4:32:iq4_nl", "int4:16:e2m1:f32"), "int8:16:f32");
  EXPECT_EQ(joined("int4:32:e2m1:bf16", "int8:32:min"), "int8:32:min:f32");
  EXPECT_EQ(joined("int4:32:min", "int6:16"), "int6:16:min"); // Q4_K, Q6_K
  EXPECT_EQ(joined("int6:16", "int8:32"), "int8:16");         // Q6_K, Q8_0
  EXPECT_EQ(joined("int6:16", "int4:32:iq4_nl"), "int8:16");
  EXPECT_EQ(joined("fp8:128:f32", "fp8:32:bf16"), "fp8:32:f32");
  EXPECT_EQ(joined("fp8:128:f32", "int8:128"), "none");
  EXPECT_EQ(joined("bf16", "int8:128"), "none");
  EXPECT_TRUE(
      holdsFormat(parsed("int8:16:min:f32"), parsed("int4:128:iq4_nl")));
  EXPECT_FALSE(holdsFormat(parsed("int4:32"), parsed("int4:64:point")));
}

QuantizedRows sample(const PackedFormat &format) {
  QuantizedRows rows;
  rows.reset(format, 3, 160); // the last group of 64 and 128 is not whole
  for (size_t i = 0; i < rows.values.size(); ++i) {
    uint32_t value = mixed(uint32_t(i));
    rows.values[i] = uint8_t(format.value == ValueType::INT4   ? value % 16
                             : format.value == ValueType::INT6 ? value % 64
                             : format.value == ValueType::FP8  ? value % 127
                                                               : value % 256);
  }
  for (size_t i = 0; i < rows.scales.size(); ++i)
    rows.scales[i] = float(1 + i % 50) / 512;
  for (size_t i = 0; i < rows.zeros.size(); ++i)
    rows.zeros[i] =
        format.zero == ZeroKind::Point ? float(i % 16) : float(i % 37) / -64;
  return rows;
}

TEST(WidenRows, KeepsValues) {
  const char *formats[] = {
      "int4:128",       "int4:64",           "int4:32:point", "int4:64:min",
      "int4:32:iq4_nl", "int4:16:e2m1:f32",  "int8:64",       "int8:128:point",
      "int8:32:min",    "int8:16:min:f32",   "fp8:128:f32",   "fp8:16:bf16",
      "int4:32:bf16",   "int4:32:e2m1:bf16", "int6:16",       "int6:32:min",
      "int6:64:point"};
  int pairs = 0;
  for (const char *narrow : formats)
    for (const char *other : formats) {
      std::optional<PackedFormat> wide =
          joinFormats(parsed(narrow), parsed(other));
      if (!wide)
        continue;
      ++pairs;
      QuantizedRows rows = sample(parsed(narrow)), out;
      out.reset(*wide, rows.rows, rows.columns);
      ASSERT_TRUE(widenRows(rows, out));
      std::vector<float> expected(rows.values.size()), found(expected.size());
      dequantizeRows(rows, expected.data());
      dequantizeRows(out, found.data());
      EXPECT_EQ(found, expected) << narrow << " in " << wide->str();
    }
  EXPECT_GT(pairs, 100);
}

TEST(WidenRows, RoundsScalesWhenAskedTo) {
  QuantizedRows rows = sample(parsed("int4:32:min:f32")), out;
  rows.scales[0] = 1.0f + 0x1p-20f;
  rows.zeros[1] = -3.0f - 0x1p-20f;
  out.reset(parsed("int4:32:min"), rows.rows, rows.columns);
  ASSERT_TRUE(widenRows(rows, out));
  EXPECT_EQ(out.scales[0], 1.0f);
  EXPECT_EQ(out.zeros[1], -3.0f);
  rows.scales[2] = 70000;
  EXPECT_FALSE(widenRows(rows, out));
  rows.scales[2] = 1;
  rows.zeros[2] = -70000;
  EXPECT_FALSE(widenRows(rows, out));
}

TEST(WidenRows, QuantizesToInt8) {
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = i < 32 ? 0 : std::sin(float(i)) * 3;
  QuantizedRows out;
  out.reset(parsed("int8:32"), 1, 64);
  ASSERT_TRUE(quantizeToInt8(values.data(), out));
  std::vector<float> found(64);
  dequantizeRows(out, found.data());
  EXPECT_EQ(out.scales[0], 0);
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(found[i], values[i], 3.0 / 127 * 0.51) << i;
  values[5] = 1e9f;
  EXPECT_FALSE(quantizeToInt8(values.data(), out));
}

} // namespace
