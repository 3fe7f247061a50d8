// Slots come back zeroed in every state with slots, and only there; pages are
// handed out once each.
#include "runtime/src/engine/States.h"
#include "TestManifest.h"
#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <set>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
class StatesTest : public testing::Test {
protected:
  void SetUp() override {
    states = States::create(manifest, slots, pages, &error);
    ASSERT_TRUE(states) << error;
    conv = static_cast<float *>(states->pointers()[0]);
    delta = static_cast<float *>(states->pointers()[1]);
    key = static_cast<float *>(states->pointers()[2]);
  }
  static constexpr int64_t slots = 3, pages = 5;
  static constexpr int64_t convSize = 2 * slots * 3, deltaSize = slots * 5,
                           keySize = 2 * pages * 64;
  Manifest manifest = parse(manifestJson());
  std::string error;
  std::unique_ptr<States> states;
  float *conv, *delta, *key;
};

TEST_F(StatesTest, StartsAllZero) {
  auto zero = [](float value) { return value == 0; };
  EXPECT_TRUE(std::all_of(conv, conv + convSize, zero));
  EXPECT_TRUE(std::all_of(delta, delta + deltaSize, zero));
  EXPECT_TRUE(std::all_of(key, key + keySize, zero));
}

TEST_F(StatesTest, ZeroesASlotThatWasUsedAndNothingElse) {
  for (int32_t slot = 0; slot != slots; ++slot)
    EXPECT_EQ(states->allocateSlot(), slot);
  EXPECT_EQ(states->allocateSlot(), -1);
  std::fill(conv, conv + convSize, 1.0f);
  std::fill(delta, delta + deltaSize, 1.0f);
  std::fill(key, key + keySize, 1.0f);
  states->freeSlot(1);
  EXPECT_EQ(states->allocateSlot(), 1);
  // conv is [2, slots, 3]: the slot is cleared in both blocks.
  for (int64_t i = 0; i != convSize; ++i)
    EXPECT_EQ(conv[i], i / 3 % slots == 1 ? 0.0f : 1.0f) << i;
  for (int64_t i = 0; i != deltaSize; ++i)
    EXPECT_EQ(delta[i], i / 5 == 1 ? 0.0f : 1.0f) << i;
  EXPECT_EQ(std::count(key, key + keySize, 1.0f), keySize);
}

TEST_F(StatesTest, HandsOutEachPageOnce) {
  std::set<int32_t> taken;
  for (int64_t i = 0; i != pages; ++i)
    taken.insert(states->allocatePage());
  EXPECT_EQ(taken, (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(states->allocatePage(), -1);
  EXPECT_EQ(states->freePages(), 0);
  states->freePage(4);
  states->freePage(2);
  EXPECT_EQ(states->freePages(), 2);
  EXPECT_EQ(states->allocatePage(), 2); // the lowest: memory stays compact
}

TEST_F(StatesTest, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(States::create(manifest, 1, INT64_MAX / 8, &error));
  EXPECT_NE(error.find("state 'key'"), std::string::npos) << error;
  EXPECT_NE(error.find("--context"), std::string::npos) << error;
}
} // namespace
