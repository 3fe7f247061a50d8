// Conversions between the element types of weights, exact or rounded to nearest
// even, without branches so that compilers vectorise them.
#ifndef QUARTET_COMPILER_IMPORT_CONVERT_H
#define QUARTET_COMPILER_IMPORT_CONVERT_H
#include "models/Config.h"
#include "llvm/ADT/bit.h"

namespace quartet {

// One value. A NaN stays a NaN (its payload may change), infinities, signed
// zeros and subnormals are kept.

inline float bf16ToFloat(uint16_t value) {
  return llvm::bit_cast<float>(uint32_t(value) << 16);
}

inline float halfToFloat(uint16_t value) {
  uint32_t magnitude = value & 0x7fffu;
  // Exponent and fraction in place, then the difference of the biases as a
  // factor: exact, and it normalises subnormals.
  float scaled = llvm::bit_cast<float>(magnitude << 13) * 0x1p112f;
  uint32_t bits = llvm::bit_cast<uint32_t>(scaled);
  bits |= magnitude >= 0x7c00u ? 0x7f800000u : 0u; // infinity, NaN
  return llvm::bit_cast<float>(bits | (uint32_t(value) & 0x8000u) << 16);
}

inline uint16_t floatToBf16(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  uint32_t quiet = bits >> 16 | 0x40u;
  return uint16_t((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

inline uint16_t floatToHalf(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  // Normal results: round the 13 dropped bits to nearest even, then rebias. A
  // carry out of the fraction goes into the exponent, up to infinity.
  uint32_t normal =
      (magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
  normal = magnitude >= 0x47800000u ? 0x7c00u : normal; // 2^16 and above
  // Subnormal results: adding 0.5 lets the addition itself round to 2^-24.
  float sum = llvm::bit_cast<float>(magnitude) + 0.5f;
  uint32_t subnormal = llvm::bit_cast<uint32_t>(sum) - 0x3f000000u;
  uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude > 0x7f800000u ? 0x7e00u : result;
  return uint16_t(sign | result);
}

/// Converts \p count elements at \p in (type \p from) to \p out (type \p to).
/// Neither pointer needs alignment; the ranges must not overlap. \returns the
/// index of the first finite element that became infinite, or -1.
int64_t convertElements(Dtype from, const uint8_t *in, Dtype to, uint8_t *out,
                        int64_t count);

} // namespace quartet
#endif
