// The pattern language: what is rewritten, and that what can't be is refused.
#include "compiler/import/SplitPattern.h"
#include "runtime/src/text/Pretokenizer.h"
#include <gtest/gtest.h>

using namespace quartet;

namespace {

std::string convert(llvm::StringRef pattern) {
  auto converted = convertSplitPattern(pattern);
  return converted ? *converted : "! " + llvm::toString(converted.takeError());
}

std::vector<std::string_view> split(llvm::StringRef pattern,
                                    std::string_view text) {
  rt::Pretokenizer pretokenizer;
  std::string error;
  EXPECT_TRUE(pretokenizer.compile(convert(pattern), error)) << error;
  std::vector<std::string_view> pieces;
  EXPECT_TRUE(pretokenizer.split(text, pieces, error)) << error;
  return pieces;
}

using Pieces = std::vector<std::string_view>;

TEST(SplitPattern, WritesPlainAscii) {
  EXPECT_EQ(convert("a|b\\r\\n"), "a|b\\x{d}\\x{a}");
  EXPECT_EQ(convert("(?:a|'b)?c{1,3}+"), "! at byte 15: a quantifier after a "
                                         "quantifier is not supported");
  EXPECT_EQ(convert("(a)?[^b-d\\]]++é{2,}"), "(?:a)?[^b-d\\]]++\\x{e9}{2,}");
  EXPECT_EQ(convert("[-a][a-]{01}"), "[\\-a][a\\-]{1}");
}

TEST(SplitPattern, WhitespaceIsThatOfUnicode) {
  // PCRE2's own \s would take U+180E.
  EXPECT_EQ(split("\\s+", "a \u0085\u3000\u180e"),
            (Pieces{"a", " \u0085\u3000", "\u180e"}));
  EXPECT_EQ(split("\\S+", " \u180e"), (Pieces{" ", "\u180e"}));
  EXPECT_EQ(split("[^\\s]+", "\u200b\u2028"), (Pieces{"\u200b", "\u2028"}));
}

TEST(SplitPattern, PropertiesAreThoseOfUnicode16) {
  EXPECT_EQ(split("\\p{L}+", ".a\U000323af\u1c89."),
            (Pieces{".", "a\U000323af\u1c89", "."}));
  EXPECT_EQ(split("[\\p{M}]+", "a\u0301\u0897b"),
            (Pieces{"a", "\u0301\u0897", "b"}));
  EXPECT_EQ(split("\\p{N}", "1\U00010d40"), (Pieces{"1", "\U00010d40"}));
  EXPECT_EQ(split("\\P{L}+", "a\U000323af.."), (Pieces{"a\U000323af", ".."}));
  EXPECT_EQ(split("\\p{^L}+", "a.."), (Pieces{"a", ".."}));
}

TEST(SplitPattern, FoldsCase) {
  EXPECT_EQ(split("(?i:'s)", "x'S'\u017fy"),
            (Pieces{"x", "'S", "'\u017f", "y"}));
}

TEST(SplitPattern, RefusesWhatTheEnginesReadDifferently) {
  const std::pair<const char *, const char *> cases[] = {
      {"a.b", "at byte 1: '.' is not supported here"},
      {"^a", "at byte 0: '^'"},
      {"a$", "at byte 1: '$'"},
      {"a\\d", "at byte 2: this escape is not supported"},
      {"\\ba", "this escape is not supported"},
      {"\\h", "this escape is not supported"},
      {"(?<=a)b", "at byte 0: this kind of group is not supported"},
      {"(?m:a)", "this kind of group is not supported"},
      {"(?:ab)+c", "a repeated group is not supported"},
      {"(?!a)*b", "a repeated group is not supported"},
      {"\\p{Greek}", "unknown property"},
      {"\\p{L", "unknown property"},
      {"[a[b]]", "'[' within [ ] must be escaped"},
      {"[]a]", "']' within [ ] must be escaped"},
      {"[a&&b]", "'&' within [ ] must be escaped"},
      {"[\\S]", "a negated set within [ ]"},
      {"[\\s-a]", "'-' within [ ] must be escaped"},
      {"[b-a]", "a range that ends before it starts"},
      {"[a", "']' expected"},
      {"[a-", "the end of a range expected"},
      {"(a", "')' expected"},
      {"a)", "')' without '('"},
      {"a**", "a quantifier after a quantifier"},
      {"a{2}?", "a quantifier after a quantifier"},
      {"a{,2}", "{n}, {n,} or {n,m} expected"},
      {"a{3,2}", "{n}, {n,} or {n,m} expected"},
      {"a{99999}", "{n}, {n,} or {n,m} expected"},
      {"a{", "{n}, {n,} or {n,m} expected"},
      {"*a", "at byte 0: '*' is not supported here"},
      {"(?i:ss)", "'ss' under (?i: ) is not supported"},
      {"(?i:\\p{L})", "a property under (?i: ) is not supported"},
      {"(?i:é)", "outside ASCII under (?i: )"},
      {"(?i:[é])", "outside ASCII under (?i: )"},
      {"a*", "it can match no text at all"},
      {"a|", "it can match no text at all"},
      {"(?=a)", "it can match no text at all"},
      {"", "it can match no text at all"},
      {"\\", "this escape is not supported"},
      {"a\xff", "at byte 1: invalid UTF-8"},
  };
  for (auto [pattern, message] : cases)
    EXPECT_NE(convert(pattern).find(std::string(message)), std::string::npos)
        << pattern << " gave " << convert(pattern);
  EXPECT_NE(convert(std::string(100, '(')).find("nested deeper"),
            std::string::npos);
  EXPECT_NE(convert(std::string(5000, 'a')).find("at most 4096"),
            std::string::npos);
}

TEST(Pretokenizer, StopsAPatternThatTakesTooLong) {
  rt::Pretokenizer pretokenizer;
  std::string error;
  ASSERT_TRUE(pretokenizer.compile("(?:a+)+b", error)) << error;
  std::vector<std::string_view> pieces;
  EXPECT_FALSE(pretokenizer.split(std::string(64, 'a') + "cb", pieces, error));
  EXPECT_NE(error.find("tokenizer pattern at byte 0 of the text: match limit"),
            std::string::npos)
      << error;
  EXPECT_FALSE(pretokenizer.compile("(", error));
  EXPECT_NE(error.find("tokenizer pattern, byte 1"), std::string::npos)
      << error;
}

} // namespace
