// Stop strings are found across pieces and never printed, not even in part.
#include "runtime/src/app/StopStrings.h"
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {
/// What comes out of \p text in pieces of \p size bytes.
std::string through(StopStrings &stops, const std::string &text, size_t size) {
  std::string out;
  for (size_t i = 0; i < text.size(); i += size)
    out += stops.push(text.substr(i, size));
  return out;
}

TEST(StopStrings, PassesEverythingWithoutStops) {
  StopStrings stops({});
  EXPECT_EQ(stops.push("abc"), "abc");
  EXPECT_EQ(stops.flush(), "");
}

TEST(StopStrings, EndsBeforeTheStopWhateverThePieces) {
  for (size_t size = 1; size != 20; ++size) {
    StopStrings stops({"END", "\n\n"});
    EXPECT_EQ(through(stops, "one\ntwo EN ENDING", size), "one\ntwo EN ");
    EXPECT_TRUE(stops.stopped());
    EXPECT_EQ(stops.push("more"), "");
    EXPECT_EQ(stops.flush(), "");
  }
}

TEST(StopStrings, HoldsBackOnlyWhatMayStillStop) {
  StopStrings stops({"abcd"});
  EXPECT_EQ(stops.push("xxab"), "xx");
  EXPECT_EQ(stops.push("c"), "");
  EXPECT_EQ(stops.push("ab"), "abc");
  EXPECT_EQ(stops.push("y"), "aby");
  EXPECT_EQ(stops.push("ab"), "");
  EXPECT_EQ(stops.flush(), "ab");
  EXPECT_FALSE(stops.stopped());
}

TEST(StopStrings, HandlesOverlap) {
  StopStrings stops({"aab"});
  EXPECT_EQ(stops.push("aa"), "");
  EXPECT_EQ(stops.push("a"), "a");
  EXPECT_EQ(stops.push("b"), "");
  EXPECT_TRUE(stops.stopped());
}

// The stop that is complete first wins, and of two that end together the
// longer; in one piece or byte by byte.
TEST(StopStrings, TheFirstToBeCompleteWins) {
  for (size_t size : {1, 2, 3, 100}) {
    StopStrings inner({"abcdef", "cd"});
    EXPECT_EQ(through(inner, "xabcdef", size), "xab") << size;
    StopStrings ends({"d", "bcd"});
    EXPECT_EQ(through(ends, "abcd", size), "a") << size;
  }
}
} // namespace
