// Conversions between float and the two 16-bit types, by integer arithmetic,
// and rows of int8.
#include "runtime/reference/Reference.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace quartet::reference;

uint16_t quartet::reference::toBits(Type type, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (type == Type::kBF16) {
    if (std::isnan(value))
      return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  if (std::isnan(value))
    return sign | 0x7e00;
  double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude >=
      65520.0) // halfway between the largest f16 and the next power
    return sign | 0x7c00;
  if (magnitude < 0x1p-14) // subnormal: multiples of 2^-24
    return sign | static_cast<uint16_t>(std::nearbyint(magnitude * 0x1p24));
  int exponent;
  double fraction = std::frexp(magnitude, &exponent); // in [0.5, 1)
  auto mantissa =
      static_cast<uint32_t>(std::nearbyint(fraction * 2048)); // 11 bits
  // A mantissa that rounds up to 2048 carries into the exponent by the
  // addition.
  return sign | static_cast<uint16_t>(((exponent + 13) << 10) + mantissa);
}

float quartet::reference::fromBits(Type type, uint16_t bits) {
  if (type == Type::kBF16) {
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof(value));
    return value;
  }
  int exponent = bits >> 10 & 31;
  int mantissa = bits & 1023;
  double magnitude;
  if (exponent == 31)
    magnitude = mantissa ? NAN : INFINITY;
  else if (exponent == 0)
    magnitude = std::ldexp(mantissa, -24);
  else
    magnitude = std::ldexp(1024 + mantissa, exponent - 25);
  return static_cast<float>(bits & 0x8000 ? -magnitude : magnitude);
}

float quartet::reference::roundTo(Type type, float value) {
  return type == Type::kF32 ? value : fromBits(type, toBits(type, value));
}

float quartet::reference::quantizeRow(const float *x, int64_t width,
                                      int8_t *q) {
  float largest = 0.0f;
  for (int64_t d = 0; d < width; ++d)
    if (!(std::fabs(x[d]) <= largest)) // NaN stays
      largest = std::isnan(largest) ? largest : std::fabs(x[d]);
  float scale = largest / 127.0f;
  float factor = scale > 0.0f ? 1.0f / scale : 0.0f;
  for (int64_t d = 0; d < width; ++d)
    q[d] = std::isnan(scale) ? 0
                             : static_cast<int8_t>(std::nearbyint(
                                   std::clamp(x[d] * factor, -127.0f, 127.0f)));
  return scale;
}
