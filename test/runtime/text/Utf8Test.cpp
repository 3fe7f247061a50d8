// Repair of bytes that are not UTF-8. Many more such inputs, with Python's
// answers, are in cases.jsonl.
#include "runtime/src/text/Utf8.h"
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {

const std::string replacement = "\xef\xbf\xbd";

std::string repair(std::string_view bytes) {
  std::string text;
  EXPECT_EQ(appendUtf8(bytes, /*last=*/true, text), bytes.size());
  return text;
}

TEST(Utf8, ReplacesEachMaximalSubpart) {
  EXPECT_EQ(repair("a\xff"
                   "b"),
            "a" + replacement + "b");
  EXPECT_EQ(repair("\xe2\x82"), replacement); // one subpart
  EXPECT_EQ(repair("\xe2\x82"
                   "a"),
            replacement + "a");
  EXPECT_EQ(repair("\xc0\x80"), replacement + replacement); // overlong
  EXPECT_EQ(repair("\xed\xa0\x80"),                         // surrogate
            replacement + replacement + replacement);
  EXPECT_EQ(repair("\xf4\x90\x80\x80"), // above U+10FFFF
            replacement + replacement + replacement + replacement);
  EXPECT_EQ(repair("\xf0\x9f\x98\xf0\x9f\x98\x80"),
            replacement + "\xf0\x9f\x98\x80");
}

TEST(Utf8, KeepsValidText) {
  std::string text("z\0\xc3\xa9\xe2\x82\xac\xf4\x8f\xbf\xbf", 11);
  EXPECT_TRUE(isUtf8(text));
  EXPECT_EQ(repair(text), text);
  EXPECT_FALSE(isUtf8("\xe2\x82"));
  EXPECT_FALSE(isUtf8("\x80"));
}

TEST(Utf8, HoldsBackTheIncompleteEnd) {
  std::string text;
  EXPECT_EQ(appendUtf8("a\xff\xf0\x9f\x98", /*last=*/false, text), 2u);
  EXPECT_EQ(text, "a" + replacement);
  EXPECT_EQ(appendUtf8("\xc3\xa9", /*last=*/false, text), 2u);
  EXPECT_EQ(text, "a" + replacement + "\xc3\xa9");
}

TEST(Utf8, FindsCodePoints) {
  EXPECT_EQ(codePoint("a", 1), 0x61u);
  EXPECT_EQ(codePoint("\xc3\xa9", 2), 0xe9u);
  EXPECT_EQ(codePoint("\xe2\x82\xac", 3), 0x20acu);
  EXPECT_EQ(codePoint("\xf4\x8f\xbf\xbf", 4), 0x10ffffu);
}

} // namespace
