// Formats form a lattice: finer groups, more bits, a zero point instead of the
// fixed one, a minimum instead of a zero point, wider scales.
#include "compiler/import/quantized/WidenRows.h"
#include "compiler/import/Convert.h"
#include "compiler/import/quant/Quantize.h"
#include <algorithm>
#include <cmath>

namespace quartet {
namespace {

/// A codebook's values as symmetric int8, which holds them all.
PackedFormat withoutCodebook(PackedFormat format) {
  if (format.codebook == Codebook::None)
    return format;
  format.value = ValueType::INT8;
  format.codebook = Codebook::None;
  return format;
}

ScaleType joinScales(ScaleType a, ScaleType b) {
  return a == b ? a : ScaleType::F32;
}

float roundScale(float value, ScaleType type) {
  return type == ScaleType::F16    ? halfToFloat(floatToHalf(value))
         : type == ScaleType::BF16 ? bf16ToFloat(floatToBf16(value))
                                   : value;
}

} // namespace

std::optional<PackedFormat> joinFormats(const PackedFormat &first,
                                        const PackedFormat &second) {
  if (first == second)
    return first;
  PackedFormat a = first, b = second;
  if (a.group == 0 || b.group == 0 ||
      (a.value == ValueType::FP8) != (b.value == ValueType::FP8))
    return std::nullopt;
  if (a.codebook != b.codebook || a.zero != b.zero || a.value != b.value) {
    a = withoutCodebook(a);
    b = withoutCodebook(b);
  }
  PackedFormat result = a;
  result.group = std::min(a.group, b.group);
  result.scale = joinScales(a.scale, b.scale);
  if (integerBits(b.value) > integerBits(a.value))
    result.value = b.value;
  result.zero = std::max(a.zero, b.zero); // None, Point, Min
  if (result.zero != ZeroKind::Min)
    return result;
  // Minimum = -zero * scale: 8 bits more than the scale, but where the zero is
  // a power of two.
  for (const PackedFormat &side : {a, b})
    if (side.zero == ZeroKind::Point)
      result.scale = ScaleType::F32;
  return result;
}

bool holdsFormat(const PackedFormat &wide, const PackedFormat &narrow) {
  return joinFormats(wide, narrow) == wide;
}

bool widenRows(const QuantizedRows &in, QuantizedRows &out) {
  const PackedFormat &from = in.format, &to = out.format;
  const int8_t *codebook =
      from.codebook == to.codebook ? nullptr : codebookValues(from.codebook);
  // The fixed zero of the values once they are out of the codebook.
  int fixed = integerMiddle(codebook ? ValueType::INT8 : from.value);
  // Symmetric values move when their type gets wider; others are raw.
  int shift = to.zero == ZeroKind::None && to.value != ValueType::FP8 &&
                      to.codebook == Codebook::None
                  ? integerMiddle(to.value) - fixed
                  : 0;
  for (size_t i = 0; i < in.values.size(); ++i) {
    int value = codebook ? codebook[in.values[i] & 15] + 128 : in.values[i];
    out.values[i] = uint8_t(value + shift);
  }
  int64_t ratio = from.group / to.group;
  for (int64_t row = 0; row < out.rows; ++row)
    for (int64_t group = 0; group < out.groups; ++group) {
      size_t source = size_t(row * in.groups + group / ratio);
      size_t target = size_t(row * out.groups + group);
      float scale = in.scales[source];
      out.scales[target] = roundScale(scale, to.scale);
      if (!std::isfinite(out.scales[target]))
        return false;
      if (to.zero == ZeroKind::None)
        continue;
      float zero =
          from.zero == ZeroKind::None ? float(fixed) : in.zeros[source];
      if (to.zero == ZeroKind::Min && from.zero != ZeroKind::Min)
        zero = -zero * scale;
      out.zeros[target] =
          to.zero == ZeroKind::Min ? roundScale(zero, to.scale) : zero;
      if (!std::isfinite(out.zeros[target]))
        return false;
    }
  return true;
}

void dequantizeRows(const QuantizedRows &in, float *out) {
  const PackedFormat &format = in.format;
  const int8_t *codebook = codebookValues(format.codebook);
  int64_t group = format.group ? format.group : in.columns;
  for (int64_t row = 0; row < in.rows; ++row)
    for (int64_t begin = 0, g = 0; begin < in.columns; begin += group, ++g) {
      float scale = in.groups ? in.scales[size_t(row * in.groups + g)] : 1.0f;
      float zero = format.zero == ZeroKind::None
                       ? float(integerMiddle(format.value))
                       : in.zeros[size_t(row * in.groups + g)];
      int64_t end = std::min(begin + group, in.columns);
      for (int64_t i = row * in.columns + begin; i < row * in.columns + end;
           ++i) {
        uint8_t stored = in.values[size_t(i)];
        if (format.value == ValueType::FP8)
          out[i] = scale * fp8ToFloat(stored);
        else if (codebook)
          out[i] = scale * float(codebook[stored & 15]);
        else if (format.zero == ZeroKind::Min)
          out[i] = std::fma(scale, float(stored), zero);
        else
          out[i] = scale * (float(stored) - zero);
      }
    }
}

bool quantizeToInt8(const float *in, QuantizedRows &out) {
  int64_t group = out.format.group;
  for (int64_t row = 0; row < out.rows; ++row)
    for (int64_t begin = 0, g = 0; begin < out.columns; begin += group, ++g) {
      int64_t first = row * out.columns + begin;
      int64_t last = row * out.columns + std::min(begin + group, out.columns);
      float largest = 0;
      for (int64_t i = first; i < last; ++i)
        largest = std::max(largest, std::fabs(in[i]));
      float scale = roundScale(largest / 127, ScaleType::F16);
      if (!std::isfinite(scale))
        return false;
      out.scales[size_t(row * out.groups + g)] = scale;
      float inverse = scale == 0 ? 0 : 1 / scale;
      for (int64_t i = first; i < last; ++i) {
        float code = std::nearbyint(in[i] * inverse);
        out.values[size_t(i)] =
            uint8_t(int(std::clamp(code, -127.0f, 127.0f)) + 128);
      }
    }
  return true;
}

} // namespace quartet
