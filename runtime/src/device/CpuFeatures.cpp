// cpuid and xgetbv on x86, the auxiliary vector on Arm.
#include "runtime/src/device/CpuFeatures.h"
#include <cstdint>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace quartet::rt {

namespace {
/// Spellings of one feature that are more than punctuation apart.
constexpr struct {
  const char *name, *same;
} aliases[] = {{"dotprod", "asimddp"},  {"neon", "asimd"},
               {"fullfp16", "asimdhp"}, {"lse", "atomics"},
               {"sse3", "pni"},         {"lzcnt", "abm"},
               {"bmi", "bmi1"},         {"pclmul", "pclmulqdq"}};

/// Lower case without "_", "-" and ".", so that spellings agree.
std::string normalise(std::string_view name) {
  std::string text;
  for (char c : name)
    if (c != '_' && c != '-' && c != '.' && c != ' ')
      text += c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  for (const auto &alias : aliases)
    if (text == alias.name)
      return alias.same;
  return text;
}

/// Calls \p each with the names in a list separated by commas.
template <typename Each> void forEachName(std::string_view list, Each each) {
  while (!list.empty()) {
    size_t end = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, end);
    if (name.find_first_not_of(' ') != std::string_view::npos)
      each(name);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

#if defined(__x86_64__)
/// Where cpuid reports a feature, and which state the system must save for it.
struct Bit {
  const char *name;
  uint32_t leaf, subleaf;
  int reg; ///< 0..3 = eax, ebx, ecx, edx
  int bit;
  uint64_t state; ///< bits of XCR0
};
constexpr uint64_t none = 0, ymm = 0x6, zmm = 0xe6, tile = 0x60000,
                   apx = 0x80000;
enum { A, B, C, D };
constexpr Bit bits[] = {
    {"sse", 1, 0, D, 25, none},
    {"sse2", 1, 0, D, 26, none},
    {"pni", 1, 0, C, 0, none},
    {"pclmulqdq", 1, 0, C, 1, none},
    {"ssse3", 1, 0, C, 9, none},
    {"fma", 1, 0, C, 12, ymm},
    {"cx16", 1, 0, C, 13, none},
    {"sse4_1", 1, 0, C, 19, none},
    {"sse4_2", 1, 0, C, 20, none},
    {"movbe", 1, 0, C, 22, none},
    {"popcnt", 1, 0, C, 23, none},
    {"aes", 1, 0, C, 25, none},
    {"avx", 1, 0, C, 28, ymm},
    {"f16c", 1, 0, C, 29, ymm},
    {"bmi1", 7, 0, B, 3, none},
    {"avx2", 7, 0, B, 5, ymm},
    {"bmi2", 7, 0, B, 8, none},
    {"avx512f", 7, 0, B, 16, zmm},
    {"avx512dq", 7, 0, B, 17, zmm},
    {"adx", 7, 0, B, 19, none},
    {"avx512ifma", 7, 0, B, 21, zmm},
    {"avx512cd", 7, 0, B, 28, zmm},
    {"avx512bw", 7, 0, B, 30, zmm},
    {"avx512vl", 7, 0, B, 31, zmm},
    {"avx512vbmi", 7, 0, C, 1, zmm},
    {"avx512_vbmi2", 7, 0, C, 6, zmm},
    {"gfni", 7, 0, C, 8, none},
    {"vaes", 7, 0, C, 9, ymm},
    {"vpclmulqdq", 7, 0, C, 10, ymm},
    {"avx512_vnni", 7, 0, C, 11, zmm},
    {"avx512_bitalg", 7, 0, C, 12, zmm},
    {"avx512_vpopcntdq", 7, 0, C, 14, zmm},
    {"avx512_vp2intersect", 7, 0, D, 8, zmm},
    {"amx_bf16", 7, 0, D, 22, tile},
    {"avx512_fp16", 7, 0, D, 23, zmm},
    {"amx_tile", 7, 0, D, 24, tile},
    {"amx_int8", 7, 0, D, 25, tile},
    {"avx_vnni", 7, 1, A, 4, ymm},
    {"avx512_bf16", 7, 1, A, 5, zmm},
    {"amx_fp16", 7, 1, A, 21, tile},
    {"cmpccxadd", 7, 1, A, 7, none},
    {"avx_ifma", 7, 1, A, 23, ymm},
    {"avx_vnni_int8", 7, 1, D, 4, ymm},
    {"avx_ne_convert", 7, 1, D, 5, ymm},
    {"apx_f", 7, 1, D, 21, apx},
    {"lahf_lm", 0x80000001, 0, C, 0, none},
    {"abm", 0x80000001, 0, C, 5, none},
    {"sse4a", 0x80000001, 0, C, 6, none},
    {"xop", 0x80000001, 0, C, 11, ymm},
    {"fma4", 0x80000001, 0, C, 16, ymm},
    {"tbm", 0x80000001, 0, C, 21, none},
    {"prfchw", 0x80000001, 0, C, 8, none},
};

/// XCR0: which registers the system saves; 0 when it says nothing.
uint64_t savedState() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
    return 0;
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

void detectInto(std::set<std::string> &known) {
  uint64_t saved = savedState();
  for (const Bit &bit : bits) {
    uint32_t regs[4] = {};
    if (__get_cpuid_count(bit.leaf, bit.subleaf, &regs[A], &regs[B], &regs[C],
                          &regs[D]) &&
        regs[bit.reg] >> bit.bit & 1 && (saved & bit.state) == bit.state)
      known.insert(normalise(bit.name));
  }
}
#elif defined(__aarch64__)
void detectInto(std::set<std::string> &known) {
  // Bits of asm/hwcap.h, spelled out because older headers lack some.
  static constexpr struct {
    const char *name;
    unsigned long type;
    int bit;
  } bits[] = {{"fp", AT_HWCAP, 0},        {"asimd", AT_HWCAP, 1},
              {"aes", AT_HWCAP, 3},       {"pmull", AT_HWCAP, 4},
              {"crc32", AT_HWCAP, 7},     {"atomics", AT_HWCAP, 8},
              {"fphp", AT_HWCAP, 9},      {"asimdhp", AT_HWCAP, 10},
              {"asimdrdm", AT_HWCAP, 12}, {"fcma", AT_HWCAP, 14},
              {"lrcpc", AT_HWCAP, 15},    {"asimddp", AT_HWCAP, 20},
              {"sve", AT_HWCAP, 22},      {"asimdfhm", AT_HWCAP, 23},
              {"ilrcpc", AT_HWCAP, 26},   {"cssc", AT_HWCAP2, 34},
              {"mops", AT_HWCAP2, 43},    {"sve2", AT_HWCAP2, 1},
              {"svei8mm", AT_HWCAP2, 9},  {"svebf16", AT_HWCAP2, 12},
              {"i8mm", AT_HWCAP2, 13},    {"bf16", AT_HWCAP2, 14},
              {"sme", AT_HWCAP2, 23}};
  for (const auto &bit : bits)
    if (getauxval(bit.type) >> bit.bit & 1)
      known.insert(normalise(bit.name));
}
#else
void detectInto(std::set<std::string> &) {}
#endif
} // namespace

CpuFeatures CpuFeatures::detect() {
  CpuFeatures features;
  detectInto(features.known);
  return features;
}

CpuFeatures CpuFeatures::of(std::string_view names) {
  CpuFeatures features;
  forEachName(names, [&](std::string_view name) {
    features.known.insert(normalise(name));
  });
  return features;
}

bool CpuFeatures::has(std::string_view name) const {
  return known.count(normalise(name)) != 0;
}

std::string CpuFeatures::missing(std::string_view needed) const {
  std::string list;
  forEachName(needed, [&](std::string_view name) {
    if (!has(name))
      list += (list.empty() ? "" : ",") + std::string(name);
  });
  return list;
}

bool requestTileData() {
#if defined(__x86_64__)
  constexpr long requestPermission = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
  return true;
#endif
}

} // namespace quartet::rt
