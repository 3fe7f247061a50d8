// Compiles PanelKernels.inc for the instruction sets that matter and picks one.
#include "compiler/import/quant/PanelKernels.h"
#include "compiler/import/Convert.h"
#include "llvm/ADT/SmallVector.h"
#include <algorithm>
#include <cstring>
#include <numeric>

using namespace quartet;

// Products and sums are rounded one by one on every machine.
#pragma STDC FP_CONTRACT OFF
#ifdef __clang__
// Vectors are passed between inlined functions only.
#pragma clang diagnostic ignored "-Wpsabi"
#else
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#define INLINE static inline __attribute__((always_inline))
#define INLINE_MEMBER inline __attribute__((always_inline))

namespace {

using F = float __attribute__((vector_size(64)));
using U = uint32_t __attribute__((vector_size(64)));
using I = int32_t __attribute__((vector_size(64)));
static_assert(sizeof(F) == kPanelRows * sizeof(float), "a lane per row");

// Divisors below the largest number clip nothing and waste range; those above
// clip the peak, which pays when it stands alone. Negative ones put the peak on
// -8, which has no counterpart. Found by measuring on normal and Laplace data.
constexpr Divisors kInt4Divisors = {14,
                                    {-8.0f, -7.5f, -7.0f, -6.5f, -8.5f, -9.0f,
                                     -9.5f, -10.25f, 7.0f, 7.5f, 6.5f, 8.0f,
                                     8.75f, 6.0f}};
constexpr Divisors kInt6Divisors = {
    8, {-32.0f, 31.0f, -31.0f, 30.0f, -30.0f, 29.0f, 28.0f, 27.0f}};
constexpr Divisors kInt8Divisors = {3, {127.0f, 125.0f, 121.0f}};
// The last one leaves room below for scales that are small in f16.
constexpr Divisors kFp8Divisors = {
    8, {448.0f, 416.0f, 384.0f, 352.0f, 320.0f, 288.0f, 256.0f, 28.0f}};
/// Parts of the range between a group's ends that are tried.
constexpr int kShrinkCount = 8;
constexpr float kShrink[kShrinkCount] = {1.0f,  0.96f, 0.92f, 0.88f,
                                         0.84f, 0.8f,  0.75f, 0.7f};

namespace baseline {
#include "compiler/import/quant/PanelKernels.inc"
} // namespace baseline

#if defined(__x86_64__) && defined(__clang__)
#define QUARTET_X86_KERNELS
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))),        \
                             apply_to = function)
namespace avx2 {
#include "compiler/import/quant/PanelKernels.inc"
} // namespace avx2
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))),        \
                             apply_to = function)
namespace avx512 {
#include "compiler/import/quant/PanelKernels.inc"
} // namespace avx512
#pragma clang attribute pop
#endif

} // namespace

SortedCodebook::SortedCodebook(Codebook codebook) {
  const int8_t *book = codebookValues(codebook);
  std::iota(codes, codes + 16, 0u);
  // Of the two zeros of E2M1 the plain one comes last and is the one found.
  std::stable_sort(codes, codes + 16, [&](uint32_t a, uint32_t b) {
    return std::pair(book[a], -int(a)) < std::pair(book[b], -int(b));
  });
  for (int i = 0; i < 16; ++i)
    values[i] = book[codes[i]];
  for (int i = 0; i < 15; ++i) {
    middles[i] = (values[i] + values[i + 1]) / 2;
    steps[i] = values[i + 1] - values[i];
  }
  for (float part : {1.0f, 1.08f, 0.92f, 0.84f, 0.76f, 1.16f}) {
    divisors.values[divisors.count++] = values[0] * part;
    divisors.values[divisors.count++] = values[15] * part;
  }
}

llvm::ArrayRef<PanelKernels> quartet::panelKernels() {
  static const llvm::SmallVector<PanelKernels, 3> kernels = [] {
    llvm::SmallVector<PanelKernels, 3> list = {
        {"baseline", baseline::quantize}};
#ifdef QUARTET_X86_KERNELS
    if (__builtin_cpu_supports("x86-64-v3"))
      list.push_back({"avx2", avx2::quantize});
    if (__builtin_cpu_supports("x86-64-v4"))
      list.push_back({"avx512", avx512::quantize});
#endif
    return list;
  }();
  return kernels;
}
