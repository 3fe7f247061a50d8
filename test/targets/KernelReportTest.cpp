// How many blocks fit in a unit, and what is worth a warning.
#include "targets/gpu/KernelReport.h"
#include "targets/Chips.h"
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::gpu;

namespace {
GpuFacts chip(const char *name) { return llvm::cantFail(findGpuFacts(name)); }

KernelReport kernel(int64_t registers, int64_t shared) {
  KernelReport report;
  report.kernel = "l0.in";
  report.registers = registers;
  report.dynamicShared = shared;
  return report;
}

/// Against NVIDIA's occupancy calculator, blocks of 256 threads.
TEST(KernelReport, BlocksOfNvidia) {
  GpuFacts hopper = chip("sm_90a");
  EXPECT_EQ(residentBlocks(hopper, kernel(32, 0)), 8);  // threads
  EXPECT_EQ(residentBlocks(hopper, kernel(33, 0)), 6);  // 40 registers
  EXPECT_EQ(residentBlocks(hopper, kernel(128, 0)), 2); // registers
  EXPECT_EQ(residentBlocks(hopper, kernel(129, 0)), 1);
  EXPECT_EQ(residentBlocks(hopper, kernel(255, 0)), 1);
  EXPECT_EQ(residentBlocks(hopper, kernel(32, 113 * 1024)), 2); // shared
  EXPECT_EQ(residentBlocks(hopper, kernel(32, 113 * 1024 + 1)), 1);
  EXPECT_EQ(residentBlocks(hopper, kernel(32, 228 * 1024)), 0);
  EXPECT_EQ(residentBlocks(chip("sm_86"), kernel(32, 0)), 6);
}

/// Against the tables of AMD's documentation: waves per SIMD times four, over
/// the waves of a block.
TEST(KernelReport, BlocksOfAmd) {
  GpuFacts cdna = chip("gfx942"); // 512 registers per lane and SIMD
  EXPECT_EQ(residentBlocks(cdna, kernel(64, 0)), 8);
  EXPECT_EQ(residentBlocks(cdna, kernel(65, 0)), 7);
  EXPECT_EQ(residentBlocks(cdna, kernel(512, 0)), 1);
  EXPECT_EQ(residentBlocks(cdna, kernel(64, 65536)), 1);
  GpuFacts rdna = chip("gfx1100"); // 1536, given in pieces of 24
  EXPECT_EQ(residentBlocks(rdna, kernel(96, 0)), 8);
  EXPECT_EQ(residentBlocks(rdna, kernel(97, 0)), 6);
  EXPECT_EQ(residentBlocks(rdna, kernel(256, 0)), 2);
  EXPECT_EQ(residentBlocks(rdna, kernel(96, 32768)), 4);
}

TEST(KernelReport, WarnsOfSpillsAndOfFewBlocks) {
  GpuFacts hopper = chip("sm_90a");
  EXPECT_TRUE(kernelWarnings(hopper, kernel(128, 113 * 1024)).empty());
  KernelReport bad = kernel(128, 114 * 1024);
  bad.spillBytes = 24;
  bad.phases = {{"l0_in", 8}, {"l0_out", 0}};
  bad.advice = "it waits";
  std::vector<std::string> warnings = kernelWarnings(hopper, bad);
  ASSERT_EQ(warnings.size(), 4u);
  EXPECT_EQ(warnings[0],
            "kernel 'l0.in' spills 24 bytes per thread with 128 registers");
  EXPECT_EQ(warnings[1], "kernel 'l0.in' spills 8 bytes per thread in its "
                         "phase 'l0_in' with 128 registers");
  EXPECT_EQ(warnings[2], "kernel 'l0.in' may be slow: it waits");
  EXPECT_EQ(warnings[3],
            "kernel 'l0.in' fits 1 times in a unit of sm_90a, the program "
            "counts on 2: 128 registers per thread, 116736 bytes of shared "
            "memory");
}

TEST(KernelReport, PrintsATable) {
  KernelReport report = kernel(40, 1000);
  report.staticShared = 24;
  report.stackBytes = 8;
  report.spillBytes = 1;
  report.phases = {{"l0_in", 3}};
  report.codeBytes = 768;
  std::string text;
  llvm::raw_string_ostream stream(text);
  printKernels(chip("sm_90a"), report, stream);
  EXPECT_EQ(text,
            "kernel  registers  shared  stack  spills    code  blocks per "
            "unit\n"
            "l0.in          40    1024      8       4     768                "
            "6\n");
}
} // namespace
