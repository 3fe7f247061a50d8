// Spellings of features, what is missing, and that detection agrees with the
// compiler's own and with the system's list.
#include "runtime/src/device/CpuFeatures.h"
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace quartet::rt;

namespace {
TEST(CpuFeatures, UnderstandsSpellings) {
  CpuFeatures cpu = CpuFeatures::of("avx512f,avx512_vnni,amx_tile,asimddp");
  for (const char *name : {"avx512f", "avx512vnni", "avx512_vnni",
                           "AVX512-VNNI", "amx-tile", "dotprod"})
    EXPECT_TRUE(cpu.has(name)) << name;
  EXPECT_FALSE(cpu.has("avx512"));
  EXPECT_FALSE(cpu.has("quantum"));
  EXPECT_EQ(CpuFeatures::of("sse4_1,abm").missing("sse4.1,lzcnt"), "");
}

TEST(CpuFeatures, NamesWhatIsMissing) {
  CpuFeatures cpu = CpuFeatures::of("avx,fma");
  EXPECT_EQ(cpu.missing(""), "");
  EXPECT_EQ(cpu.missing("fma,avx"), "");
  EXPECT_EQ(cpu.missing("avx,amx_int8,fma,quantum,"), "amx_int8,quantum");
}

// The list of /proc/cpuinfo is the kernel's view of the same bits.
TEST(CpuFeatures, AgreesWithTheSystem) {
  std::ifstream file("/proc/cpuinfo");
  std::string line, flags;
  while (flags.empty() && std::getline(file, line))
    if (line.rfind("flags", 0) == 0 || line.rfind("Features", 0) == 0)
      flags = line.substr(line.find(':') + 1) + " ";
  if (flags.empty())
    GTEST_SKIP() << "/proc/cpuinfo has no flags";
  CpuFeatures cpu = CpuFeatures::detect();
#if defined(__x86_64__)
  for (const char *name :
       {"sse2",        "pni",         "ssse3",       "sse4_1",   "sse4_2",
        "popcnt",      "fma",         "avx",         "f16c",     "bmi1",
        "bmi2",        "abm",         "movbe",       "avx2",     "avx512f",
        "avx512dq",    "avx512cd",    "avx512bw",    "avx512vl", "avx512vbmi",
        "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "gfni",
        "vaes",        "amx_tile",    "amx_int8",    "amx_bf16"})
    EXPECT_EQ(cpu.has(name),
              flags.find(" " + std::string(name) + " ") != std::string::npos)
        << name;
#elif defined(__aarch64__)
  for (const char *name : {"fp", "asimd", "asimddp", "asimdhp", "atomics",
                           "i8mm", "bf16", "sve", "sve2"})
    EXPECT_EQ(cpu.has(name),
              flags.find(" " + std::string(name) + " ") != std::string::npos)
        << name;
#endif
}
} // namespace
