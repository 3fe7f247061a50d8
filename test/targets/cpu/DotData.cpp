// The layout of panels and staged rows once more, as plain loops.
#include "test/targets/cpu/DotData.h"
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace quartet;
using namespace quartet::test;

static int64_t align(int64_t size, int64_t to) {
  return (size + to - 1) / to * to;
}

AlignedBytes::AlignedBytes(size_t size, uint8_t fill)
    : bytes(static_cast<uint8_t *>(
          std::aligned_alloc(64, align(std::max<size_t>(size, 1), 64)))),
      count(size) {
  std::memset(bytes.get(), fill, align(std::max<size_t>(size, 1), 64));
}

static uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

float test::fromBf16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

uint16_t test::toBf16(float value) {
  uint32_t bits = bitsOf(value);
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

float test::fromF16(uint16_t bits) {
  int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  float size = exponent ? std::ldexp(1024.0f + mantissa, exponent - 25)
                        : std::ldexp(float(mantissa), -24);
  return bits & 0x8000 ? -size : size;
}

uint16_t test::toF16(float value) {
  uint32_t bits = bitsOf(value);
  int exponent = int((bits >> 23) & 255) - 127 + 15;
  uint16_t sign = (bits >> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | exponent << 10 | ((bits >> 13) & 1023);
}

float test::fromFp8(uint8_t bits) {
  int exponent = (bits >> 3) & 15, mantissa = bits & 7;
  float size = exponent ? std::ldexp(8.0f + mantissa, exponent - 10)
                        : std::ldexp(float(mantissa), -9);
  return bits & 0x80 ? -size : size;
}

/// \p value rounded to \p type, and its bits.
static float roundTo(ScaleType type, float value, uint32_t &bits) {
  bits = type == ScaleType::F32   ? bitsOf(value)
         : type == ScaleType::F16 ? toF16(value)
                                  : toBf16(value);
  return type == ScaleType::F32   ? value
         : type == ScaleType::F16 ? fromF16(bits)
                                  : fromBf16(bits);
}

static int randomCode(const PackedFormat &format, std::mt19937 &random) {
  std::normal_distribution<float> normal;
  int code = random() & 255;
  switch (format.value) {
  case ValueType::INT4:
    return code & 15;
  case ValueType::INT6:
    return code & 63;
  case ValueType::INT8: // -128 is not a symmetric value
    return format.zero == ZeroKind::None && code == 0 ? 255 : code;
  case ValueType::FP8:
    return (code & 127) == 127 ? code - 1 : code; // not NaN
  case ValueType::BF16:
    return toBf16(normal(random));
  case ValueType::F16: // now and then a subnormal
    return code < 8 ? code * 9 : toF16(normal(random));
  case ValueType::F32:
    return int(bitsOf(normal(random)));
  }
  return 0;
}

PackedMatrix::PackedMatrix(const PackedFormat &format, int64_t rows,
                           int64_t columns, std::mt19937 &random)
    : format(format), rows(rows), columns(columns),
      paddedColumns(align(columns, format.group ? format.group : 16)) {
  for (int64_t i = 0; i < rows * columns; ++i)
    stored.push_back(randomCode(format, random));
  if (format.group) {
    std::uniform_real_distribution<float> size(0.001f, 0.1f), low(-1, 1);
    uint32_t bits;
    for (int64_t i = 0; i < rows * (paddedColumns / format.group); ++i) {
      scales.push_back(roundTo(format.scale, size(random), bits));
      if (format.zero == ZeroKind::Point)
        offsets.push_back(random() & (format.value == ValueType::INT4   ? 15
                                      : format.value == ValueType::INT6 ? 63
                                                                        : 255));
      if (format.zero == ZeroKind::Min)
        offsets.push_back(roundTo(format.scale, low(random), bits));
    }
  }
  pack();
}

void PackedMatrix::pack() {
  int64_t perRow = format.group ? paddedColumns / format.group : 0;
  int64_t scaleSize = format.scale == ScaleType::None  ? 0
                      : format.scale == ScaleType::F32 ? 4
                                                       : 2;
  int64_t zeroSize = format.zero == ZeroKind::None    ? 0
                     : format.zero == ZeroKind::Point ? 1
                                                      : scaleSize;
  int64_t zerosAt = align(perRow * 16 * scaleSize, 64);
  int64_t valuesAt = zerosAt + align(perRow * 16 * zeroSize, 64);
  bool sixBits = format.value == ValueType::INT6;
  int64_t lineColumns = sixBits ? 8 : unitColumns(format.value);
  int64_t size = valuesAt + paddedColumns / lineColumns * 64;
  if (sixBits) // a third line for every 16 columns
    size += paddedColumns / 16 * 64;
  int64_t panels = (rows + 15) / 16;
  bytes = AlignedBytes(panels * size);
  // Rows and columns of padding hold the stored form of zero.
  int nothing = format.zero != ZeroKind::None        ? 0
                : format.codebook == Codebook::E2M1  ? 0
                : format.codebook == Codebook::IQ4NL ? 8
                : format.value == ValueType::INT8    ? 128
                : format.value == ValueType::INT4    ? 8
                : sixBits                            ? 32
                                                     : 0;
  auto put = [](uint8_t *to, ScaleType type, float value) {
    uint32_t bits;
    roundTo(type, value, bits);
    std::memcpy(to, &bits, type == ScaleType::F32 ? 4 : 2);
  };
  for (int64_t row = 0; row < panels * 16; ++row) {
    uint8_t *panel = bytes.data() + row / 16 * size;
    int64_t r = row % 16;
    for (int64_t g = 0; row < rows && g < perRow; ++g) {
      put(panel + (g * 16 + r) * scaleSize, format.scale,
          scales[row * perRow + g]);
      if (format.zero == ZeroKind::Point)
        panel[zerosAt + g * 16 + r] = uint8_t(offsets[row * perRow + g]);
      if (format.zero == ZeroKind::Min)
        put(panel + zerosAt + (g * 16 + r) * zeroSize, format.scale,
            offsets[row * perRow + g]);
    }
    for (int64_t c = 0; c < paddedColumns; ++c) {
      uint32_t code = nothing;
      if (row < rows && c < columns)
        code = stored[row * columns + c];
      uint8_t *cell = panel + valuesAt + c / lineColumns * 64 + 4 * r;
      int64_t j = c % lineColumns;
      if (sixBits) {
        cell += c / 16 * 64;
        cell[j % 4] |= (code & 15) << (j < 4 ? 0 : 4);
        uint8_t *third = panel + valuesAt + (c / 16 * 3 + 2) * 64 + 4 * r;
        third[c % 4] |= (code >> 4) << c % 16 / 4 * 2;
      } else if (format.value == ValueType::INT4)
        cell[j % 4] |= code << (j < 4 ? 0 : 4);
      else
        std::memcpy(cell + j * (4 / lineColumns), &code, 4 / lineColumns);
    }
  }
}

float PackedMatrix::value(int64_t r, int64_t c) const {
  int code = stored[r * columns + c];
  switch (format.value) {
  case ValueType::F32: {
    float value;
    std::memcpy(&value, &code, 4);
    return value;
  }
  case ValueType::BF16:
    return fromBf16(code);
  case ValueType::F16:
    return fromF16(code);
  case ValueType::FP8:
    return fromFp8(code);
  case ValueType::INT8:
  case ValueType::INT6:
  case ValueType::INT4:
    break;
  }
  if (format.codebook != Codebook::None)
    return codebookValues(format.codebook)[code];
  if (format.zero == ZeroKind::Point)
    return code - offsets[r * groups() + c / format.group];
  if (format.zero == ZeroKind::Min)
    return code;
  return code - (format.value == ValueType::INT8   ? 128
                 : format.value == ValueType::INT6 ? 32
                                                   : 8);
}

StagedRows::StagedRows(const PackedFormat &format, int64_t tokens,
                       int64_t columns, std::mt19937 &random) {
  int64_t padded = align(columns, format.group ? format.group : 16);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < tokens * columns; ++i)
    floats.push_back(normal(random) * (random() % 64 ? 1.0f : 20.0f));
  if (!format.isInteger()) {
    scaleAt = sumAt = 0;
    stride = align(padded * 4, 64);
    bytes = AlignedBytes(tokens * stride);
    for (int64_t t = 0; t < tokens; ++t)
      std::memcpy(bytes.at<float>(t * stride), &floats[t * columns],
                  columns * 4);
    return;
  }
  int64_t groups = padded / format.group;
  scaleAt = align(padded, 64);
  sumAt = scaleAt + align(groups * 4, 64);
  stride = sumAt + align(groups * 4, 64);
  bytes = AlignedBytes(tokens * stride);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t g = 0; g < groups; ++g) {
      int64_t first = g * format.group;
      int64_t last = std::min(columns, first + format.group);
      float largest = 0;
      for (int64_t c = first; c < last; ++c)
        largest = std::max(largest, std::fabs(floats[t * columns + c]));
      float scale = largest / 127.0f;
      int32_t sum = 0;
      for (int64_t c = first; c < last; ++c) {
        float q =
            scale > 0 ? std::nearbyint(floats[t * columns + c] / scale) : 0.0f;
        *bytes.at<int8_t>(t * stride + c) = int8_t(q);
        sum += int32_t(q);
      }
      *bytes.at<float>(t * stride + scaleAt + 4 * g) = scale;
      *bytes.at<int32_t>(t * stride + sumAt + 4 * g) = sum;
    }
}

float test::plainDot(const PackedMatrix &matrix, const StagedRows &rows,
                     int64_t r, int64_t t) {
  const PackedFormat &format = matrix.format;
  int64_t row = t * rows.stride;
  float total = 0;
  if (!format.isInteger()) {
    // Blocks of 16 columns, in groups where there are scales.
    const float *x = rows.bytes.at<float>(row);
    int64_t group = format.group ? format.group : 16;
    for (int64_t g = 0; g < matrix.paddedColumns / group; ++g) {
      float inGroup = 0;
      for (int64_t c = g * group; c < (g + 1) * group; c += 16) {
        float sum = 0;
        for (int64_t i = c; i < std::min(c + 16, matrix.columns); ++i)
          sum = std::fma(matrix.value(r, i), x[i], sum);
        inGroup += sum;
      }
      total =
          format.group
              ? std::fma(inGroup, matrix.scales[r * matrix.groups() + g], total)
              : total + inGroup;
    }
    return total;
  }
  for (int64_t g = 0; g < matrix.groups(); ++g) {
    int64_t exact = 0;
    for (int64_t c = g * format.group;
         c < std::min(matrix.columns, (g + 1) * format.group); ++c)
      exact += int64_t(matrix.value(r, c)) * *rows.bytes.at<int8_t>(row + c);
    float factor = *rows.bytes.at<float>(row + rows.scaleAt + 4 * g);
    int64_t at = r * matrix.groups() + g;
    total = std::fma(float(exact), matrix.scales[at] * factor, total);
    if (format.zero == ZeroKind::Min) {
      int32_t sum = *rows.bytes.at<int32_t>(row + rows.sumAt + 4 * g);
      total = std::fma(matrix.offsets[at], factor * float(sum), total);
    }
  }
  return total;
}
