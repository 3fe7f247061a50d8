// NFC: composition, order of marks, Hangul, and the characters that must stay.
#include "runtime/src/text/Normalizer.h"
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {

TEST(Normalizer, Composes) {
  EXPECT_EQ(normalizeNfc("cafe\u0301!"), "caf\u00e9!");
  EXPECT_EQ(normalizeNfc("s\u0307\u0323 s\u0323\u0307"), "\u1e69 \u1e69");
  EXPECT_EQ(normalizeNfc("\u1100\u1161\u11a8\uac00\u11a8"), "\uac01\uac01");
  EXPECT_EQ(normalizeNfc("\u212b\u2126"), "\u00c5\u03a9");
}

TEST(Normalizer, KeepsWhatMustNotCompose) {
  EXPECT_EQ(normalizeNfc("\u0958"), "\u0915\u093c");         // exclusion
  EXPECT_EQ(normalizeNfc("\u0301e"), "\u0301e");             // no starter
  EXPECT_EQ(normalizeNfc("e\u0302\u0323"), "\u1ec7");        // not blocked
  EXPECT_EQ(normalizeNfc("a\u0345\u0334"), "a\u0334\u0345"); // order only
  EXPECT_EQ(normalizeNfc("ab"), "ab");
  EXPECT_EQ(normalizeNfc(""), "");
}

// The `tokenizers` library knows Unicode 9: it takes later marks for letters.
TEST(Normalizer, PassesByWhatIsNewerThanUnicode9) {
  EXPECT_EQ(normalizeNfc("q\u0345\u1ac1"), "q\u0345\u1ac1");
  EXPECT_EQ(normalizeNfc("\U00011935\U00011930"), "\U00011935\U00011930");
  EXPECT_EQ(normalizeNfc("\U00011938"), "\U00011938");
  EXPECT_EQ(normalizeNfc("e\u1ac1\u0301"), "e\u1ac1\u0301");
}

} // namespace
