// What is read of the words of NVIDIA's assembler.
#include "targets/nvidia/Ptxas.h"
#include <gtest/gtest.h>

using namespace quartet::gpu;

namespace {
TEST(Ptxas, ReadsItsReport) {
  std::vector<KernelReport> kernels = parsePtxasReport(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'first' for 'sm_90a'\n"
      "ptxas info    : Function properties for first\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 22 registers, used 1 barriers\n"
      "ptxas info    : Compile time = 3.1 ms\n"
      "ptxas info    : Compiling entry function 'second' for 'sm_90a'\n"
      "ptxas info    : Function properties for second\n"
      "    128 bytes stack frame, 96 bytes spill stores, 100 bytes spill "
      "loads\n"
      "ptxas info    : Used 255 registers, used 1 barriers, 1024 bytes smem, "
      "16 bytes cmem[2]\n");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].kernel, "first");
  EXPECT_EQ(kernels[0].registers, 22);
  EXPECT_EQ(kernels[0].staticShared, 0);
  EXPECT_EQ(kernels[0].spillBytes, 0);
  EXPECT_EQ(kernels[1].kernel, "second");
  EXPECT_EQ(kernels[1].registers, 255);
  EXPECT_EQ(kernels[1].staticShared, 1024);
  EXPECT_EQ(kernels[1].stackBytes, 128);
  EXPECT_EQ(kernels[1].spillBytes, 96);
  EXPECT_TRUE(parsePtxasReport("no such thing").empty());
}

// Functions that a kernel calls follow it; advice comes before all.
TEST(Ptxas, ReadsOfPhasesAndSpeed) {
  std::vector<KernelReport> kernels = parsePtxasReport(
      "ptxas info    : (C7512) Potential Performance Loss: wgmma.mma_async "
      "instructions are serialized due to insufficient register resources for "
      "the function 'peak'\n"
      "ptxas info    : Compiling entry function 'peak' for 'sm_90a'\n"
      "ptxas info    : Compiling entry function 'step' for 'sm_90a'\n"
      "ptxas info    : Function properties for step\n"
      "    8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
      "ptxas info    : Used 255 registers, 24 bytes cumulative stack size\n"
      "ptxas info    : Function properties for step_l0_in\n"
      "    16 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads\n"
      "ptxas info    : Function properties for step_l0_out\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].advice, "wgmma.mma_async instructions are serialized "
                               "due to insufficient register resources");
  EXPECT_EQ(kernels[1].advice, "");
  EXPECT_EQ(kernels[1].stackBytes, 8);
  EXPECT_EQ(kernels[1].spillBytes, 4);
  ASSERT_EQ(kernels[1].phases.size(), 2u);
  EXPECT_EQ(kernels[1].phases[0].name, "step_l0_in");
  EXPECT_EQ(kernels[1].phases[0].spillBytes, 12);
  EXPECT_EQ(kernels[1].phases[1].spillBytes, 0);
}

TEST(Ptxas, FindsTheKernelOfALine) {
  const char *ptx = ".version 8.0\n"
                    ".visible .entry first(\n"
                    "	.param .u64 a\n"
                    ")\n"
                    "{\n"
                    "	ret;\n"
                    "}\n"
                    "\n"
                    ".entry second()\n"
                    "{\n";
  EXPECT_EQ(kernelOfLine(ptx, 1), "");
  EXPECT_EQ(kernelOfLine(ptx, 2), "first");
  EXPECT_EQ(kernelOfLine(ptx, 6), "first");
  EXPECT_EQ(kernelOfLine(ptx, 7), "first");
  EXPECT_EQ(kernelOfLine(ptx, 8), "");
  EXPECT_EQ(kernelOfLine(ptx, 10), "second");
  EXPECT_EQ(kernelOfLine(ptx, 99), "second");
}

TEST(Ptxas, AWantedOneMustBeThere) {
  EXPECT_EQ(llvm::toString(findPtxas("/nowhere/ptxas").takeError()),
            "'/nowhere/ptxas' is no program; expected the path of ptxas");
  EXPECT_EQ(llvm::cantFail(findPtxas("none")), "");
  EXPECT_EQ(llvm::cantFail(findPtxas("/bin/sh")), "/bin/sh");
}
} // namespace
