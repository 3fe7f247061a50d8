// Lists of numbers and how they become the steps of the logits command.
#include "runtime/src/app/TokenList.h"
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {
std::string errorOf(const char *text) {
  std::string error;
  EXPECT_FALSE(parseLists(text, "--tokens", &error)) << text;
  return error;
}

TEST(TokenList, ReadsLists) {
  std::string error;
  EXPECT_EQ(parseLists("1,2,3", "x", &error), (NumberLists{{1, 2, 3}}));
  EXPECT_EQ(parseLists("1,2;3", "x", &error), (NumberLists{{1, 2}, {3}}));
  EXPECT_EQ(parseLists(" 1 , 2 3\n;4 ", "x", &error),
            (NumberLists{{1, 2, 3}, {4}}));
  EXPECT_EQ(parseLists("2147483647", "x", &error), (NumberLists{{2147483647}}));
  EXPECT_EQ(parseList("7", "x", &error), (std::vector<int32_t>{7}));
}

TEST(TokenList, RefusesOtherText) {
  for (const char *text : {"", ";", "1;", ";1", "1,,2", "1,", ",1", "a", "1a",
                           "-1", "1.5", "1;;2", "0x10"})
    EXPECT_NE(errorOf(text).find("--tokens: found"), std::string::npos) << text;
  EXPECT_NE(errorOf("2147483648").find("too large"), std::string::npos);
  std::string error;
  EXPECT_FALSE(parseList("1;2", "x", &error));
  EXPECT_NE(error.find("2 lists, expected one"), std::string::npos);
}

TEST(SplitSequences, UsesOneListForEachSequence) {
  std::string error;
  EXPECT_EQ(splitSequences({3, 3}, {{2, 1}, {3}}, &error),
            (NumberLists{{2, 1}, {3}}));
  EXPECT_EQ(splitSequences({3}, {{1, 1, 1}}, &error), (NumberLists{{1, 1, 1}}));
}

TEST(SplitSequences, SharesASingleListAsFarAsItFits) {
  std::string error;
  EXPECT_EQ(splitSequences({3, 2, 1}, {{2, 1}}, &error),
            (NumberLists{{2, 1}, {2}, {1}}));
}

TEST(SplitSequences, RefusesWhatDoesNotAddUp) {
  auto refusal = [](std::vector<int64_t> lengths, NumberLists split) {
    std::string error;
    EXPECT_FALSE(splitSequences(lengths, split, &error));
    return error;
  };
  EXPECT_NE(
      refusal({3}, {{2}}).find("adds up to 2 for sequence 0, which has 3"),
      std::string::npos);
  EXPECT_NE(refusal({3}, {{2, 2}}).find("adds up to 4"), std::string::npos);
  EXPECT_NE(refusal({3, 9}, {{2, 1}}).find("sequence 1, which has 9"),
            std::string::npos);
  EXPECT_NE(refusal({3, 1, 1}, {{3}, {1}}).find("2 lists for 3 sequences"),
            std::string::npos);
  EXPECT_NE(refusal({3}, {{3, 0}}).find("0 tokens"), std::string::npos);
}

TEST(ChunkSequences, CutsEvenly) {
  EXPECT_EQ(chunkSequences({5, 2}, 2), (NumberLists{{2, 2, 1}, {2}}));
}
} // namespace
