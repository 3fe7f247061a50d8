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
