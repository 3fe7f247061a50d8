// Random bits with the exponent put in place, eight bytes at a time. The bits
// come from the word's number, so that any thread can make any part of them.
#include "runtime/src/engine/WeightFill.h"
#include <algorithm>
#include <cstring>

namespace quartet::rt {

namespace {
/// Plain weights have no panels; blocks of a device take pieces of this size.
constexpr int64_t plainPiece = int64_t(64) << 10;

/// Which bits of eight bytes are random, and what the others are.
struct Pattern {
  uint64_t random = ~uint64_t(0), fixed = 0;
};

/// Sign and mantissa are random, the magnitude is 2^-6 to 2^-5.
Pattern floatPattern(const std::string &type) {
  if (type == "bf16" || type == "BF16")
    return {0x807f807f807f807f, 0x3c803c803c803c80};
  if (type == "f16" || type == "F16")
    return {0x83ff83ff83ff83ff, 0x2400240024002400};
  if (type == "f32" || type == "F32")
    return {0x807fffff807fffff, 0x3c8000003c800000};
  if (type == "fp8" || type == "F8_E4M3")
    return {0x8787878787878787, 0x0808080808080808};
  return {}; // Integers: every value is one.
}

/// A step of splitmix64.
inline uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

/// Eight bytes of a power of two in a panel's scale type; \p exponent is its
/// own.
uint64_t powerWord(const std::string &type, int exponent, bool negative) {
  if (type == "f32")
    return (uint64_t(127 + exponent) << 23 | uint64_t(negative) << 31) *
           0x100000001;
  uint64_t bits = type == "bf16" ? uint64_t(127 + exponent) << 7
                                 : uint64_t(15 + exponent) << 10;
  return (bits | uint64_t(negative) << 15) * 0x1000100010001;
}

/// The words of "int4:64:point:bf16".
struct Format {
  explicit Format(const std::string &text) {
    for (size_t at = 0; at <= text.size();) {
      size_t end = std::min(text.find(':', at), text.size());
      std::string word = text.substr(at, end - at);
      if (at == 0)
        value = word;
      else if (word == "point" || word == "min")
        zero = word;
      else if (word == "bf16" || word == "f32")
        scale = word;
      else if (word == "iq4_nl" || word == "e2m1")
        codebook = word;
      at = end + 1;
    }
  }
  /// Scale 2^n that makes the largest value about 1/32.
  int exponent() const {
    if (value == "int8" || codebook == "iq4_nl")
      return -12; // values up to 127
    return value == "int4" ? -8 : 0;
  }
  /// What puts the middle of the stored values at zero.
  uint64_t zeroWord() const {
    bool int4 = value == "int4";
    if (zero == "point")
      return int4 ? 0x0808080808080808 : 0x8080808080808080;
    return zero == "min" ? powerWord(scale, exponent() + (int4 ? 3 : 7), true)
                         : 0;
  }
  std::string value, zero, codebook, scale = "f16";
};

void repeat(uint64_t word, uint8_t *out, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 8)
    memcpy(out + at, &word, std::min<size_t>(8, bytes - at));
}

/// Words from number \p counter - key on.
void fillValues(const quartet_fill &fill, uint64_t counter, uint8_t *out,
                size_t bytes) {
  uint64_t random = fill.random, fixed = fill.fixed;
  size_t at = 0;
  for (; at + 8 <= bytes; at += 8) {
    uint64_t value = (mix(counter++) & random) | fixed;
    memcpy(out + at, &value, 8);
  }
  uint64_t last = (mix(counter) & random) | fixed;
  memcpy(out + at, &last, bytes - at);
}
} // namespace

quartet_fill weightFill(const WeightInfo &weight, uint64_t seed) {
  quartet_fill fill = {};
  fill.bytes = int64_t(weight.bytes);
  fill.key = mix(seed ^ mix(weight.offset));
  Pattern pattern = floatPattern(weight.dtype);
  fill.panel_bytes = plainPiece;
  if (!weight.format.empty()) {
    Format format(weight.format);
    pattern = floatPattern(format.value);
    fill.panel_bytes = weight.panelBytes;
    fill.scale_bytes = weight.scaleBytes;
    fill.zeros_offset = weight.zerosOffset;
    fill.values_offset = weight.valuesOffset;
    fill.scales = powerWord(format.scale, format.exponent(), false);
    fill.zeros = format.zeroWord();
  }
  fill.random = pattern.random;
  fill.fixed = pattern.fixed;
  return fill;
}

void fillWeight(const quartet_fill &fill, int64_t begin, int64_t end,
                uint8_t *out) {
  for (int64_t at = begin; at < end;) {
    int64_t place = at % fill.panel_bytes, panel = at - place;
    // Up to the end of the part of the panel that this place is in.
    auto upTo = [&](int64_t partEnd) {
      return size_t(std::min(panel + partEnd, end) - at);
    };
    size_t bytes = 0;
    if (place < fill.scale_bytes)
      repeat(fill.scales, out, bytes = upTo(fill.scale_bytes));
    else if (place < fill.zeros_offset)
      repeat(0, out, bytes = upTo(fill.zeros_offset));
    else if (place < fill.values_offset)
      repeat(fill.zeros, out, bytes = upTo(fill.values_offset));
    else
      fillValues(fill, fill.key + uint64_t(at / 8), out,
                 bytes = upTo(fill.panel_bytes));
    at += int64_t(bytes);
    out += bytes;
  }
}

} // namespace quartet::rt
