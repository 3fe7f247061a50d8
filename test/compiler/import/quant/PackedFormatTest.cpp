// Names of packed formats, and where the pieces of a panel are.
#include "dialects/Quartet/PackedFormat.h"
#include "QuantTesting.h"

using namespace quartet;
using namespace quartet::testing;

namespace {

TEST(PackedFormat, NamesComeBack) {
  for (const std::string &text : kAllFormats) {
    EXPECT_EQ(formatOf(text).str(), text);
    EXPECT_EQ(formatOf(text).whyInvalid(), "") << text;
  }
  EXPECT_EQ(formatOf("int4:64:f16").str(),
            "int4:64"); // the default is left out
  EXPECT_EQ(formatOf("int4:64:bf16:min"), formatOf("int4:64:min:bf16"));
  EXPECT_NE(formatOf("int4:64"), formatOf("int4:64:min"));
  EXPECT_NE(formatOf("int4:64"), formatOf("int4:32"));
  EXPECT_NE(formatOf("int4:32:e2m1"), formatOf("int4:32:iq4_nl"));
}

TEST(PackedFormat, OtherNamesAreNone) {
  for (const char *text : {"",
                           "int5",
                           "int4",
                           "int8",
                           "int6",
                           "int6:32:iq4_nl",
                           "int4:48",
                           "int4:0",
                           "int4:64:64",
                           "bf16:64",
                           "f32:min",
                           "fp8:64:point",
                           "int8:32:e2m1",
                           "int4:32:e2m1:min",
                           "int4::64",
                           ":int4",
                           "int4:64:f8",
                           "INT4:64",
                           "fp8:f32",
                           "int4:64 "})
    EXPECT_FALSE(PackedFormat::parse(text)) << text;
}

TEST(PackedFormat, PanelsHaveAlignedRegions) {
  PanelLayout plain(formatOf("bf16"), 30); // columns in steps of 16
  EXPECT_EQ(plain.paddedColumns, 32);
  EXPECT_EQ(plain.bytes, 32 * 16 * 2);
  PanelLayout point(formatOf("int4:64:point"), 200);
  EXPECT_EQ(point.paddedColumns, 256);
  EXPECT_EQ(point.groups, 4);
  EXPECT_EQ(point.zerosOffset, 4 * 16 * 2);
  EXPECT_EQ(point.valuesOffset, 128 + 64);
  EXPECT_EQ(point.bytes, 192 + 256 * 16 / 2);
  PanelLayout min(formatOf("int8:32:min:f32"), 32);
  EXPECT_EQ(min.zerosOffset, 64);
  EXPECT_EQ(min.valuesOffset, 128);
  EXPECT_EQ(min.bytes, 128 + 32 * 16);
  PanelLayout six(formatOf("int6:16"), 40);
  EXPECT_EQ(six.paddedColumns, 48);
  EXPECT_EQ(six.valuesOffset, 128); // 3 groups of 32 bytes
  EXPECT_EQ(six.bytes, 128 + 48 * 16 * 6 / 8);
  PanelLayout one(formatOf("fp8:16:bf16"), 16); // 32 bytes of scales
  EXPECT_EQ(one.valuesOffset, 64);
}

} // namespace
