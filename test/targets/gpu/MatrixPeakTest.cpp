// The kernels that measure matrix instructions do as many as they say, without
// what the emulator finds wrong, with the instructions of every family.
#include "targets/gpu/kernels/MatrixPeak.h"
#include "runtime/include/quartet/abi.h"
#include "targets/Chips.h"
#include "test/targets/gpu/DeviceRunner.h"
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::test;

TEST(GpuMatrixPeak, CountsItsOperations) {
  struct Expected {
    const char *chip;
    int64_t int8, bf16; ///< of a block in one round
  };
  // 8 sums of 8 warps, each of 16 x 8 x 32 products; a warp group of 64 x 128 x
  // 32 has 16 instructions. Four waves of 16 x 16 x 32; eight of 16 x 16 x 16.
  const Expected cases[] = {
      {"sm_80", 2 * 64 * 16 * 8 * 32, 2 * 64 * 16 * 8 * 16},
      {"sm_90a", 2 * 2 * 16 * 64 * 128 * 32, 2 * 2 * 16 * 64 * 128 * 16},
      {"gfx942", 2 * 32 * 16 * 16 * 32, 2 * 32 * 16 * 16 * 16},
      {"gfx1100", 2 * 64 * 16 * 16 * 16, 2 * 64 * 16 * 16 * 16}};
  for (const Expected &expected : cases) {
    SCOPED_TRACE(expected.chip);
    DeviceRunner runner(llvm::cantFail(findGpuFacts(expected.chip)));
    std::vector<ProgramLaunch> launches = gpu::addMatrixPeaks(runner.k());
    ASSERT_EQ(launches.size(), 2u);
    for (int i = 0; i < 2; ++i) {
      std::vector<int64_t> done(4, -1);
      runner.forget();
      runner.know(done, "done", emu::RegionKind::ReadWrite);
      constexpr int64_t rounds = 3;
      runner.added(launches[i].kernel, launches[i].sharedBytes);
      runner.launch(launches[i].kernel, 2, {rounds, done.data()}, 1);
      int64_t each = rounds * (i ? expected.bf16 : expected.int8);
      EXPECT_EQ(done, (std::vector<int64_t>{each, -1, each, -1}));
    }
  }
}
