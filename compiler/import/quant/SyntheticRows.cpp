// Four values per random word: two uniform fields of each byte are added, which
// gives a triangular distribution. Scales vary by a quarter around their mean.
#include "compiler/import/quant/SyntheticRows.h"
#include "compiler/import/Convert.h"
#include "compiler/import/RandomBits.h"
#include "compiler/import/quant/Quantize.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace quartet;

namespace {

// Keeps these numbers apart from those of f32 weights under the same key.
constexpr uint64_t ownKey = 0x51a7e7c0de5ca1e5u;
constexpr uint32_t scaleIndex = 0x80000000u; // beyond all columns

/// Rounded to what the type of scales holds.
float roundScale(ScaleType type, float value) {
  return type == ScaleType::F16    ? halfToFloat(floatToHalf(value))
         : type == ScaleType::BF16 ? bf16ToFloat(floatToBf16(value))
                                   : value;
}

/// Each byte: 8 + the sum of two fields of 3 bits - 7, so 1 to 15 around 8.
uint32_t fourNibbles(uint32_t bits) {
  return (bits & 0x07070707u) + (bits >> 3 & 0x07070707u) + 0x01010101u;
}

/// Each byte: 1 to 255 around 128. Needs two words of random bits.
uint32_t fourBytes(uint32_t first, uint32_t second) {
  return (first & 0x7f7f7f7fu) + (second & 0x7f7f7f7fu) + 0x01010101u;
}

/// Each byte: 1 to 63 around 32. Needs two words of random bits.
uint32_t fourSixBits(uint32_t first, uint32_t second) {
  return (first & 0x1f1f1f1fu) + (second & 0x1f1f1f1fu) + 0x01010101u;
}

// Of two uniform fields of 3, of 5 and of 7 bits.
const double nibbleDeviation = std::sqrt(2 * (64 - 1) / 12.0);
const double sixBitDeviation = std::sqrt(2 * (1024 - 1) / 12.0);
const double byteDeviation = std::sqrt(2 * (16384 - 1) / 12.0);

/// Deviation from zero of what indices stand for: E2M1's are uniform, as they
/// begin with a sign, IQ4_NL's are drawn by fourNibbles.
double bookDeviation(Codebook codebook) {
  const int8_t *book = codebookValues(codebook);
  double squares = 0;
  for (int a = 0; a < 8; ++a)
    for (int b = 0; b < 8; ++b) {
      int index = codebook == Codebook::E2M1 ? 2 * a + b % 2 : a + b + 1;
      squares += double(book[index]) * book[index] / 64;
    }
  return std::sqrt(squares);
}

/// The fp8 nearest to \p value; the larger one of two.
uint8_t nearestFp8(float value) {
  uint8_t best = 0;
  for (int bits = 0; bits < 256; ++bits)
    if ((bits & 0x7f) != 0x7f && std::fabs(fp8ToFloat(uint8_t(bits)) - value) <
                                     std::fabs(fp8ToFloat(best) - value))
      best = uint8_t(bits);
  return best;
}

} // namespace

SyntheticRows::SyntheticRows(const PackedFormat &format, int64_t columns)
    : format(format), fp8{} {
  double wanted = 1.0 / std::sqrt(double(std::max<int64_t>(columns, 1)));
  double deviation = format.value == ValueType::INT4   ? nibbleDeviation
                     : format.value == ValueType::INT6 ? sixBitDeviation
                                                       : byteDeviation;
  if (format.codebook != Codebook::None)
    deviation = bookDeviation(format.codebook);
  if (format.value == ValueType::FP8) {
    // Without scales the values themselves have the deviation.
    double unit = format.group ? 1.0 : wanted / byteDeviation;
    for (int i = 0; i < 256; ++i)
      fp8[i] = nearestFp8(float((i - 128) * unit));
  }
  // Scales are the mean times 3/4 to 5/4, whose mean square is 1 + 1/48.
  meanScale = float(wanted / deviation / std::sqrt(1 + 1.0 / 48));
}

void SyntheticRows::fill(uint64_t key, int64_t firstRow,
                         QuantizedRows &out) const {
  int64_t columns = out.columns, groups = out.groups;
  bool narrow = format.value == ValueType::INT4;
  bool sixBits = format.value == ValueType::INT6;
  bool point = format.zero == ZeroKind::Point;
  bool uniform = format.codebook == Codebook::E2M1;
  for (int64_t row = 0; row < out.rows; ++row) {
    BlockKey bits(mix64((key ^ ownKey) + uint64_t(firstRow + row)));
    uint8_t *values = out.values.data() + row * columns;
    auto words = uint32_t(columns / 4);
    auto four = [&](uint32_t word) {
      return uniform  ? bits.bits(word) & 0x0f0f0f0fu
             : narrow ? fourNibbles(bits.bits(word))
             : sixBits
                 ? fourSixBits(bits.bits(2 * word), bits.bits(2 * word + 1))
                 : fourBytes(bits.bits(2 * word), bits.bits(2 * word + 1));
    };
    // A loop each, so that it is a plain one over vectors.
    if (uniform)
      for (uint32_t i = 0; i < words; ++i) {
        uint32_t word = bits.bits(i) & 0x0f0f0f0fu;
        std::memcpy(values + 4 * i, &word, 4);
      }
    else if (narrow)
      for (uint32_t i = 0; i < words; ++i) {
        uint32_t word = fourNibbles(bits.bits(i));
        std::memcpy(values + 4 * i, &word, 4);
      }
    else if (sixBits)
      for (uint32_t i = 0; i < words; ++i) {
        uint32_t word = fourSixBits(bits.bits(2 * i), bits.bits(2 * i + 1));
        std::memcpy(values + 4 * i, &word, 4);
      }
    else
      for (uint32_t i = 0; i < words; ++i) {
        uint32_t word = fourBytes(bits.bits(2 * i), bits.bits(2 * i + 1));
        std::memcpy(values + 4 * i, &word, 4);
      }
    if (columns % 4) {
      uint32_t word = four(words);
      std::memcpy(values + 4 * words, &word, size_t(columns % 4));
    }
    if (format.value == ValueType::FP8)
      for (int64_t i = 0; i < columns; ++i)
        values[i] = fp8[values[i]];
    for (int64_t g = 0; g < groups; ++g) {
      uint32_t index = scaleIndex + uint32_t(g);
      double factor = 0.75 + 0.5 * bits.uniform(index);
      float scale = roundScale(format.scale, float(meanScale * factor));
      size_t at = size_t(row * groups + g);
      out.scales[at] = scale;
      // The middle of the drawn numbers; a point also moves down with them.
      auto middle = float(integerMiddle(format.value));
      if (point && bits.bits(index) & 1u) {
        middle -= 1;
        int64_t begin = g * format.group;
        int64_t end = std::min<int64_t>(begin + format.group, columns);
        for (int64_t i = begin; i < end; ++i)
          --values[i];
      }
      if (format.zero != ZeroKind::None)
        out.zeros[at] =
            point ? middle : roundScale(format.scale, -middle * scale);
    }
  }
}
