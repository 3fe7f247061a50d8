// The first program that the CPU can run is taken, and the smallest bucket that
// holds a step; a damaged table is refused.
#include "runtime/src/engine/Programs.h"
#include <gtest/gtest.h>

using namespace quartet::rt;

namespace {
void run(const quartet_step_args *, int64_t, int64_t) {}

const quartet_bucket buckets[] = {{1, 1, 0, 0, 0, 0, 1, run, nullptr, 0},
                                  {16, 16, 0, 0, 0, 0, 1, run, nullptr, 0},
                                  {512, 64, 0, 0, 0, 0, 1, run, nullptr, 0}};
const quartet_program programs[] = {
    {"v4", "avx512f,avx512_vnni", buckets, 3, nullptr, 0, nullptr},
    {"v3", "avx2,fma", buckets, 3, nullptr, 0, nullptr},
    {"amx", "amx_tile", buckets, 3, nullptr, 0, nullptr}};

const char *chosen(const char *features, std::string *error = nullptr) {
  const quartet_program *program =
      chooseProgram(programs, 2, CpuFeatures::of(features), error);
  return program ? program->target : nullptr;
}

TEST(Programs, TakesTheFirstThatFits) {
  EXPECT_STREQ(chosen("avx2,fma,avx512f,avx512vnni"), "v4");
  EXPECT_STREQ(chosen("avx2,fma,avx512f"), "v3");
}

TEST(Programs, SaysWhatEachLacks) {
  std::string error;
  EXPECT_EQ(chosen("fma,avx512f", &error), nullptr);
  for (const char *part : {"'v4' needs avx512_vnni,", "'v3' needs avx2,",
                           "quartetc build --target host"})
    EXPECT_NE(error.find(part), std::string::npos) << error;
  EXPECT_EQ(chooseProgram(programs, 0, CpuFeatures(), &error), nullptr);
  EXPECT_NE(error.find("none at all"), std::string::npos) << error;
}

TEST(Programs, TakesTheOneThatIsWanted) {
  CpuFeatures cpu = CpuFeatures::of("avx2,fma,avx512f,avx512vnni");
  std::string error;
  const quartet_program *program =
      chooseProgram(programs, 2, cpu, &error, "v3");
  ASSERT_TRUE(program) << error;
  EXPECT_STREQ(program->target, "v3");
  EXPECT_FALSE(chooseProgram(programs, 2, cpu, &error, "v5"));
  EXPECT_EQ(error, "this executable has no program 'v5'; it has 'v4', 'v3'");
  // The others do not matter, but what it needs does.
  EXPECT_FALSE(
      chooseProgram(programs, 2, CpuFeatures::of("avx2,fma"), &error, "v4"));
  EXPECT_EQ(error.find("'v3'"), std::string::npos) << error;
  EXPECT_NE(error.find("'v4' needs avx512f,avx512_vnni"), std::string::npos)
      << error;
}

// The system gives tile registers to those who ask, where the CPU has them.
TEST(Programs, AsksForTiles) {
  bool here = CpuFeatures::detect().has("amx_tile");
  std::string error;
  const quartet_program *program =
      chooseProgram(programs + 2, 1, CpuFeatures::of("amx_tile"), &error);
  if (here)
    EXPECT_TRUE(program) << error;
  else if (!program)
    EXPECT_NE(error.find("the system refuses"), std::string::npos) << error;
}

TEST(Programs, TakesTheSmallestBucket) {
  auto tokens = [](int64_t tokens, int64_t sequences) {
    const quartet_bucket *bucket = chooseBucket(programs[0], tokens, sequences);
    return bucket ? bucket->tokens : -1;
  };
  EXPECT_EQ(tokens(1, 1), 1);
  EXPECT_EQ(tokens(2, 1), 16);
  EXPECT_EQ(tokens(16, 16), 16);
  EXPECT_EQ(tokens(17, 1), 512);
  EXPECT_EQ(tokens(16, 17), 512); // sequences count, too
  EXPECT_EQ(tokens(513, 1), -1);
  EXPECT_EQ(tokens(100, 65), -1);
}

TEST(Programs, KnowsWhoRunsBuckets) {
  quartet_bucket mixed[] = {{1, 1, 0, 0, 0, 0, 1, run, nullptr, 0},
                            {2, 2, 0, 0, 0, 0, 0, run, nullptr, 0}};
  EXPECT_TRUE(hasBucket({"", "", mixed, 2, nullptr, 0, nullptr}, true));
  EXPECT_TRUE(hasBucket({"", "", mixed, 2, nullptr, 0, nullptr}, false));
  EXPECT_FALSE(hasBucket({"", "", mixed, 1, nullptr, 0, nullptr}, false));
}

TEST(Programs, RefusesDamagedTables) {
  auto why = [](quartet_bucket second) {
    quartet_bucket list[] = {{8, 8, 0, 0, 64, 0, 1, run, nullptr, 0}, second};
    return whyNotProgram({"v4", "", list, 2, nullptr, 0, nullptr});
  };
  EXPECT_EQ(why({8, 8, 0, 0, 64, 0, 1, run, nullptr, 0}), "");
  EXPECT_NE(why({8, 8, 0, 0, 0, 0, 1, nullptr, nullptr, 0}).find("no code"),
            std::string::npos);
  EXPECT_NE(why({7, 8, 0, 0, 0, 0, 1, run, nullptr, 0}).find("fewer than"),
            std::string::npos);
  EXPECT_NE(why({8, 0, 0, 0, 0, 0, 1, run, nullptr, 0}).find("0 sequences"),
            std::string::npos);
  EXPECT_NE(why({8, 8, 0, 0, 65, 0, 1, run, nullptr, 0}).find("not aligned"),
            std::string::npos);
  EXPECT_NE(why({8, 8, -1, 0, 64, 0, 1, run, nullptr, 0}).find("negative"),
            std::string::npos);
  EXPECT_NE(whyNotProgram({"v4", "", nullptr, 0, nullptr, 0, nullptr})
                .find("no buckets"),
            std::string::npos);
}
} // namespace
