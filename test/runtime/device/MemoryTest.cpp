// Memory is zero, aligned, and as much as was asked for.
#include "runtime/src/device/Memory.h"
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {
TEST(Memory, IsZeroAndAligned) {
  Memory memory;
  for (uint64_t bytes : {uint64_t(0), uint64_t(1), uint64_t(5) << 20}) {
    ASSERT_TRUE(memory.allocate(bytes));
    EXPECT_EQ(memory.size(), bytes);
    ASSERT_NE(memory.data(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 4096, 0u);
    for (uint64_t at = 0; at < bytes; at += 4096)
      ASSERT_EQ(memory.data()[at], 0);
    if (bytes) {
      memory.data()[bytes - 1] = 1; // and the end is ours
      EXPECT_EQ(memory.data()[bytes - 1], 1);
    }
  }
}

TEST(Memory, SaysWhenThereIsNone) {
  Memory memory;
  EXPECT_FALSE(memory.allocate(uint64_t(INT64_MAX)));
  EXPECT_FALSE(memory.allocate(uint64_t(1) << 60));
  EXPECT_TRUE(memory.allocate(64));
}
} // namespace
