// What code says it needs, and which of two CPUs' programs is the better one.
#include "targets/cpu/Features.h"
#include "targets/Chips.h"
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::cpu;

namespace {
constexpr const char *kX86 = "x86_64-unknown-linux-gnu";
constexpr const char *kArm = "aarch64-unknown-linux-gnu";

std::string plain(const char *triple, const char *cpu,
                  const char *features = "") {
  return llvm::cantFail(plainFeatures(triple, cpu, features));
}

TEST(Features, ListsWhatLlvmMayUse) {
  EXPECT_EQ(plain(kX86, "x86-64"), "");
  EXPECT_EQ(plain(kX86, "x86-64-v2"), "sse4_2,popcnt");
  EXPECT_EQ(plain(kX86, "x86-64-v3"), "abm,bmi1,bmi2,movbe,avx2,fma,f16c");
  EXPECT_EQ(plain(kX86, "x86-64-v3", "-bmi2,-avx2"),
            "popcnt,abm,bmi1,movbe,avx,fma,f16c");
  EXPECT_EQ(plain(kArm, "generic"), "");
  EXPECT_EQ(plain(kArm, "generic", "+dotprod,+lse"), "atomics,asimddp");
}

TEST(Features, AddsTilesForKernelsOnly) {
  EXPECT_EQ(plain(kX86, "sapphirerapids").find("amx"), std::string::npos);
  std::string kernels =
      llvm::cantFail(kernelFeatures(kX86, "sapphirerapids", ""));
  EXPECT_NE(kernels.find(",amx_tile,amx_int8,amx_bf16"), std::string::npos)
      << kernels;
  EXPECT_EQ(llvm::cantFail(kernelFeatures(kX86, "x86-64-v3", "")),
            plain(kX86, "x86-64-v3"));
}

TEST(Features, RanksTheMoreCapableHigher) {
  auto rank = [](const char *name) {
    Capabilities facts = llvm::cantFail(findChip(name)).capabilities;
    return llvm::cantFail(rankOf(facts.triple, facts.cpu, facts.features));
  };
  const char *ascending[] = {"x86-64", "x86-64-v3", "x86-64-v4",
                             "sapphirerapids"};
  for (size_t i = 1; i < std::size(ascending); ++i) {
    EXPECT_TRUE(rank(ascending[i]) > rank(ascending[i - 1])) << ascending[i];
    EXPECT_FALSE(rank(ascending[i - 1]) > rank(ascending[i])) << ascending[i];
  }
  EXPECT_TRUE(rank("aarch64") > rank("armv8-a"));
  EXPECT_FALSE(rank("aarch64") > rank("aarch64"));
}

TEST(Features, RefusesOtherTriples) {
  auto found = plainFeatures("pdp11-unknown-none", "x", "");
  ASSERT_FALSE(bool(found));
  EXPECT_NE(llvm::toString(found.takeError()).find("pdp11"), std::string::npos);
}
} // namespace
