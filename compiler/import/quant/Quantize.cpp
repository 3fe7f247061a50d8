// Transposes rows to lanes, then either rounds them or lets the kernels search
// for scales.
#include "compiler/import/quant/Quantize.h"
#include "compiler/import/Convert.h"
#include <cmath>
#include <cstring>
#include <limits>

using namespace llvm;
using namespace quartet;

namespace {

/// f32 [n][16] at a multiple of 64 bytes.
class Lanes {
public:
  float *resize(int64_t columns) {
    size_t size = size_t(columns * kPanelRows) + 16;
    if (memory.size() < size)
      memory.resize(size);
    auto address = reinterpret_cast<uintptr_t>(memory.data());
    return memory.data() + (-address & 63) / sizeof(float);
  }

private:
  std::vector<float> memory;
};

/// Row \p lane gets \p count of \p values, then zeros.
void fillRows(const float *const (&rows)[kPanelRows],
              const int64_t (&counts)[kPanelRows], int64_t columns,
              float *out) {
  constexpr int64_t block = 16;
  for (int64_t begin = 0; begin < columns; begin += block)
    for (int lane = 0; lane < kPanelRows; ++lane) {
      float *to = out + begin * kPanelRows + lane;
      const float *from = rows[lane];
      int64_t real =
          from ? std::clamp<int64_t>(counts[lane] - begin, 0, block) : 0;
      if (real == block) {
        for (int64_t j = 0; j < block; ++j)
          to[j * kPanelRows] = from[begin + j];
        continue;
      }
      for (int64_t j = 0; j < block; ++j)
        to[j * kPanelRows] = j < real ? from[begin + j] : 0.0f;
    }
}

/// Two columns per word of 32 bits.
template <uint16_t (*convert)(float)>
void storeHalves(const float *x, int64_t columns, uint8_t *out) {
  for (int64_t j = 0; j < columns; j += 2, out += kPanelAlign) {
    uint32_t words[kPanelRows];
    for (int r = 0; r < kPanelRows; ++r)
      words[r] = uint32_t(convert(x[j * kPanelRows + r])) |
                 uint32_t(convert(x[(j + 1) * kPanelRows + r])) << 16;
    std::memcpy(out, words, sizeof words);
  }
}

float loadScale(ScaleType type, const uint8_t *at) {
  if (type == ScaleType::F32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return type == ScaleType::F16 ? halfToFloat(bits) : bf16ToFloat(bits);
}

/// \returns false when the type does not hold \p value.
bool storeScale(ScaleType type, float value, uint8_t *at) {
  if (type == ScaleType::F32) {
    std::memcpy(at, &value, sizeof value);
    return std::isfinite(value);
  }
  uint16_t bits =
      type == ScaleType::F16 ? floatToHalf(value) : floatToBf16(value);
  std::memcpy(at, &bits, sizeof bits);
  return std::isfinite(value) && loadScale(type, at) == value;
}

int64_t bytesOf(ScaleType type) { return type == ScaleType::F32 ? 4 : 2; }

/// What a column of zeros stores next to a zero point \p zero.
uint8_t zeroCode(const PackedFormat &format, uint8_t zero) {
  if (format.zero == ZeroKind::Point)
    return zero;
  if (format.codebook == Codebook::IQ4NL)
    return 8; // 1: the book has no zero
  if (!format.isInteger() || format.zero == ZeroKind::Min ||
      format.codebook != Codebook::None)
    return 0;
  return uint8_t(integerMiddle(format.value));
}

/// Writes 16 stored values of lane \p lane, one byte each, to the lines at
/// \p lines.
void storeCodes(ValueType type, const uint8_t (&codes)[16], int lane,
                uint8_t *lines) {
  uint32_t fours[4], high = 0;
  std::memcpy(fours, codes, sizeof fours);
  uint8_t *at = lines + lane * 4;
  if (integerBits(type) == 8) { // fp8 too
    for (int i = 0; i < 4; ++i)
      std::memcpy(at + i * kPanelAlign, &fours[i], 4);
    return;
  }
  for (int i = 0; i < 4; i += 2) {
    uint32_t word = (fours[i] & 0x0f0f0f0fu) | (fours[i + 1] & 0x0f0f0f0fu)
                                                   << 4;
    std::memcpy(at + i / 2 * kPanelAlign, &word, 4);
  }
  if (type != ValueType::INT6)
    return;
  for (int i = 0; i < 4; ++i)
    high |= (fours[i] >> 4 & 0x03030303u) << 2 * i;
  std::memcpy(at + 2 * kPanelAlign, &high, 4);
}

/// The stored byte, or its bits, of lane \p lane in column \p column.
uint8_t loadCode(ValueType type, const uint8_t *values, int lane,
                 int64_t column) {
  const uint8_t *unit =
      values + lane * 4 +
      column / unitColumns(type) * unitLines(type) * kPanelAlign;
  int64_t j = column % unitColumns(type);
  if (integerBits(type) == 8)
    return unit[j];
  uint8_t byte = unit[j / 8 * kPanelAlign + j % 4];
  int code = j % 8 < 4 ? byte & 15 : byte >> 4;
  if (type == ValueType::INT6)
    code |= (unit[2 * kPanelAlign + j % 4] >> j / 4 * 2 & 3) << 4;
  return uint8_t(code);
}

} // namespace

struct PanelQuantizer::Buffers {
  Lanes values, weights;
  std::optional<SortedCodebook> book;
};

PanelQuantizer::PanelQuantizer(const PackedFormat &format, int64_t columns)
    : format(format), columns(columns), layout(format, columns),
      buffers(std::make_unique<Buffers>()), kernels(panelKernels().back()) {
  if (format.codebook != Codebook::None)
    buffers->book.emplace(format.codebook);
}
PanelQuantizer::~PanelQuantizer() = default;
PanelQuantizer::PanelQuantizer(PanelQuantizer &&) noexcept = default;

void PanelQuantizer::quantize(const PanelRow (&rows)[kPanelRows],
                              uint8_t *panel) {
  const float *values[kPanelRows], *weights[kPanelRows];
  int64_t counts[kPanelRows];
  bool weighted = false;
  for (int r = 0; r < kPanelRows; ++r) {
    values[r] = rows[r].values;
    weights[r] = rows[r].weights;
    counts[r] = rows[r].count;
    weighted |= weights[r] != nullptr;
  }
  float *x = buffers->values.resize(layout.paddedColumns);
  fillRows(values, counts, layout.paddedColumns, x);
  switch (format.value) {
  case ValueType::F32:
    std::memcpy(panel, x, size_t(layout.bytes));
    return;
  case ValueType::BF16:
    return storeHalves<floatToBf16>(x, layout.paddedColumns, panel);
  case ValueType::F16:
    return storeHalves<floatToHalf>(x, layout.paddedColumns, panel);
  default:
    break;
  }
  PanelJob job{format, columns, x, nullptr, nullptr, panel};
  if (buffers->book)
    job.book = &*buffers->book;
  // The gaps after the regions: the file's bytes must not depend on memory.
  std::memset(panel, 0, size_t(layout.valuesOffset));
  if (weighted && format.group) {
    float *w = buffers->weights.resize(layout.paddedColumns);
    fillRows(weights, counts, layout.paddedColumns, w);
    for (int r = 0; r < kPanelRows; ++r)
      for (int64_t j = 0; !weights[r] && j < columns; ++j)
        w[j * kPanelRows + r] = 1.0f;
    job.w = w;
  }
  kernels.quantize(job);
}

float quartet::largestValue(const PackedFormat &format) {
  constexpr float most = std::numeric_limits<float>::max();
  // The last value that does not round to infinity, exclusive of ties.
  constexpr float mostHalf = 0x1.ffdffep15f, mostBf16 = 0x1.fefffep127f;
  if (format.value == ValueType::F16)
    return mostHalf;
  if (format.value == ValueType::BF16)
    return mostBf16;
  if (format.group == 0 || format.scale != ScaleType::F16)
    return most;
  if (format.zero == ZeroKind::Min) // the minimum itself is an f16
    return 65504.0f;
  if (format.value == ValueType::FP8)
    return 65504.0f * 448.0f;
  if (format.codebook != Codebook::None)
    return 65504.0f * (format.codebook == Codebook::E2M1 ? 12.0f : 113.0f);
  return 65504.0f * float(integerMiddle(format.value) - 1);
}

int64_t quartet::findUnusable(ArrayRef<float> values, float limit) {
  constexpr size_t block = 4096;
  for (size_t begin = 0; begin < values.size(); begin += block) {
    size_t end = std::min(begin + block, values.size());
    uint32_t bad = 0;
    // Not "> limit": a NaN is no number that is at most the limit.
    for (size_t i = begin; i < end; ++i)
      bad |= uint32_t(!(std::fabs(values[i]) <= limit));
    for (size_t i = begin; bad && i < end; ++i)
      if (!(std::fabs(values[i]) <= limit))
        return int64_t(i);
  }
  return -1;
}

int64_t quartet::placeRow(const QuantizedRows &rows, int64_t row,
                          int64_t firstColumn, int64_t count,
                          const PanelLayout &layout, int lane, uint8_t *panel) {
  const PackedFormat &format = rows.format;
  int64_t bad = -1, scaleBytes = bytesOf(format.scale);
  int64_t firstGroup = format.group ? firstColumn / format.group : 0;
  int64_t groups = format.group ? (count + format.group - 1) / format.group : 0;
  uint8_t zeroPoint = 0;
  for (int64_t g = 0; g < layout.groups; ++g) {
    int64_t at = row * rows.groups + firstGroup + g;
    int64_t entry = g * kPanelRows + lane;
    float scale = g < groups ? rows.scales[size_t(at)] : 0.0f;
    float zero = g < groups && format.zero != ZeroKind::None
                     ? rows.zeros[size_t(at)]
                     : 0.0f;
    bool fits = storeScale(format.scale, scale, panel + entry * scaleBytes);
    if (format.zero == ZeroKind::Min)
      fits &= storeScale(format.scale, zero,
                         panel + layout.zerosOffset + entry * scaleBytes);
    if (format.zero == ZeroKind::Point) {
      fits &= zero >= 0 && zero <= 255 && zero == std::floor(zero);
      zeroPoint = fits ? uint8_t(zero) : 0;
      panel[layout.zerosOffset + entry] = zeroPoint;
    }
    if (!fits && bad < 0)
      bad = at;
  }
  // Groups above `count` have zero point 0; a last one that is cut has its own.
  uint8_t *lines = panel + layout.valuesOffset;
  const uint8_t *from = rows.values.data() + row * rows.columns + firstColumn;
  constexpr int64_t block = 16;
  for (int64_t j = 0; j < layout.paddedColumns;
       j += block, lines += valueBytes(format.value, block)) {
    uint8_t codes[block];
    if (j + block <= count) {
      std::memcpy(codes, from + j, block);
    } else {
      for (int64_t k = 0; k < block; ++k) {
        int64_t group = format.group ? (j + k) / format.group : 0;
        uint8_t zero =
            format.zero == ZeroKind::Point
                ? panel[layout.zerosOffset + group * kPanelRows + lane]
                : 0;
        codes[k] = j + k < count ? from[j + k] : zeroCode(format, zero);
      }
    }
    storeCodes(format.value, codes, lane, lines);
  }
  return bad;
}

float quartet::fp8ToFloat(uint8_t bits) {
  uint32_t size = bits & 0x7fu;
  float value = size == 0x7f ? std::numeric_limits<float>::quiet_NaN()
                : size < 0x08
                    ? float(size) * 0x1p-9f
                    : llvm::bit_cast<float>((size << 20) + (120u << 23));
  return bits & 0x80u ? -value : value;
}

void quartet::unpackLane(const PackedFormat &format, const PanelLayout &layout,
                         const uint8_t *panel, int lane,
                         MutableArrayRef<float> out) {
  const uint8_t *values = panel + layout.valuesOffset;
  int64_t scaleBytes = bytesOf(format.scale);
  const int8_t *book = codebookValues(format.codebook);
  float scale = 1, minimum = 0, zero = 0;
  if (format.isInteger() && format.zero == ZeroKind::None && !book)
    zero = float(integerMiddle(format.value));
  for (int64_t j = 0; j < int64_t(out.size()); ++j) {
    if (format.group && j % format.group == 0) {
      int64_t entry = j / format.group * kPanelRows + lane;
      const uint8_t *zeros = panel + layout.zerosOffset;
      scale = loadScale(format.scale, panel + entry * scaleBytes);
      if (format.zero == ZeroKind::Point)
        zero = zeros[entry];
      if (format.zero == ZeroKind::Min)
        minimum = loadScale(format.scale, zeros + entry * scaleBytes);
    }
    uint16_t half;
    switch (format.value) {
    case ValueType::F32:
      std::memcpy(&out[size_t(j)], values + j * kPanelAlign + lane * 4, 4);
      break;
    case ValueType::BF16:
    case ValueType::F16:
      std::memcpy(&half, values + j / 2 * kPanelAlign + lane * 4 + j % 2 * 2,
                  2);
      out[size_t(j)] = format.value == ValueType::F16 ? halfToFloat(half)
                                                      : bf16ToFloat(half);
      break;
    case ValueType::FP8:
      out[size_t(j)] =
          scale * fp8ToFloat(loadCode(format.value, values, lane, j));
      break;
    case ValueType::INT8:
    case ValueType::INT6:
    case ValueType::INT4: {
      uint8_t code = loadCode(format.value, values, lane, j);
      out[size_t(j)] =
          book ? scale * float(book[code]) : scale * (float(code) - zero);
      break;
    }
    }
    if (format.zero == ZeroKind::Min)
      out[size_t(j)] += minimum;
  }
}
