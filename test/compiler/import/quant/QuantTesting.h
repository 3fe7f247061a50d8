// What the tests of packed matrices share: the layout as a formula, a source
// with quantized values of its own, and random numbers.
#ifndef QUARTET_TEST_COMPILER_IMPORT_QUANT_QUANTTESTING_H
#define QUARTET_TEST_COMPILER_IMPORT_QUANT_QUANTTESTING_H
#include "../ImportTesting.h"
#include "compiler/import/Convert.h"
#include "compiler/import/Pack.h"
#include "compiler/import/quant/Quantize.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

namespace quartet::testing {

inline PackedFormat formatOf(const std::string &text) {
  std::optional<PackedFormat> format = PackedFormat::parse(text);
  EXPECT_TRUE(format) << text;
  return format.value_or(PackedFormat());
}

/// Every kind of value, zero, codebook and scale.
inline const std::vector<std::string> kAllFormats = {"f32",
                                                     "bf16",
                                                     "f16",
                                                     "fp8",
                                                     "fp8:64",
                                                     "fp8:128:f32",
                                                     "fp8:16:bf16",
                                                     "int8:32",
                                                     "int8:64:bf16",
                                                     "int8:32:min",
                                                     "int8:64:point",
                                                     "int6:16",
                                                     "int6:32:min",
                                                     "int6:64:point:bf16",
                                                     "int4:16",
                                                     "int4:32",
                                                     "int4:64",
                                                     "int4:128",
                                                     "int4:64:f32",
                                                     "int4:64:point",
                                                     "int4:32:min",
                                                     "int4:64:min:bf16",
                                                     "int4:32:iq4_nl",
                                                     "int4:32:e2m1",
                                                     "int4:16:e2m1:f32"};

/// Value of one element of a matrix of panels, straight from the description
/// in docs: nothing of the packer's code but the size of a panel.
inline float valueAt(const PackedFormat &format, int64_t columns,
                     const uint8_t *panels, int64_t row, int64_t column) {
  const uint8_t *panel = panels + row / 16 * PanelLayout(format, columns).bytes;
  int64_t lane = row % 16;
  int64_t group = format.group ? format.group : 16;
  int64_t groups = format.group ? (columns + group - 1) / group : 0;
  auto roundUp = [](int64_t n) { return (n + 63) / 64 * 64; };
  auto number = [&](const uint8_t *at, ScaleType type) {
    uint16_t half;
    float single;
    std::memcpy(&half, at, 2);
    if (type == ScaleType::F16)
      return halfToFloat(half);
    if (type == ScaleType::BF16)
      return bf16ToFloat(half);
    std::memcpy(&single, at, 4);
    return single;
  };
  int64_t scaleSize = format.scale == ScaleType::F32 ? 4 : 2;
  int64_t zeroSize = format.zero == ZeroKind::Point ? 1
                     : format.zero == ZeroKind::Min ? scaleSize
                                                    : 0;
  int64_t entry = format.group ? column / group * 16 + lane : 0;
  const uint8_t *zeros = panel + roundUp(groups * 16 * scaleSize);
  const uint8_t *values = zeros + roundUp(groups * 16 * zeroSize);
  float scale =
      format.group ? number(panel + entry * scaleSize, format.scale) : 1.0f;
  auto word = [&](int64_t perLine) {
    return values + column / perLine * 64 + 4 * lane;
  };
  switch (format.value) {
  case ValueType::F32:
    return number(word(1), ScaleType::F32);
  case ValueType::BF16:
    return number(word(2) + column % 2 * 2, ScaleType::BF16);
  case ValueType::F16:
    return number(word(2) + column % 2 * 2, ScaleType::F16);
  case ValueType::FP8:
    return scale * fp8ToFloat(word(4)[column % 4]);
  default:
    break;
  }
  int stored = 0, middle = 128;
  if (format.value == ValueType::INT8) {
    stored = word(4)[column % 4];
  } else if (format.value == ValueType::INT6) {
    int j = int(column % 16);
    const uint8_t *unit = values + column / 16 * 192 + 4 * lane;
    int low = unit[j / 8 * 64 + j % 4] >> (j % 8 < 4 ? 0 : 4) & 15;
    stored = low | (unit[128 + j % 4] >> j / 4 * 2 & 3) << 4;
    middle = 32;
  } else {
    int j = int(column % 8);
    stored = j < 4 ? word(8)[j] & 15 : word(8)[j - 4] >> 4;
    middle = 8;
  }
  if (format.codebook != Codebook::None)
    return scale * float(codebookValues(format.codebook)[stored]);
  if (format.zero == ZeroKind::Min)
    return scale * float(stored) +
           number(zeros + entry * scaleSize, format.scale);
  return scale * float(stored - (format.zero == ZeroKind::Point ? zeros[entry]
                                                                : middle));
}

inline std::vector<float> normals(size_t count, float deviation = 1.0f,
                                  unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(random);
  return values;
}

inline Weight weightOf(llvm::StringRef name, std::vector<int64_t> shape) {
  Weight weight;
  weight.name = name.str();
  weight.shape = std::move(shape);
  weight.dtype = Dtype::F32;
  return weight;
}

/// Values by (weight, element), and for some weights quantized rows.
class TableSource final : public WeightSource {
public:
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, QuantizedRows> own;

  llvm::Error read(const Weight &weight, int64_t begin,
                   llvm::MutableArrayRef<uint8_t> out) override {
    const std::vector<float> &from = values.at(weight.name);
    int64_t count = int64_t(out.size()) / byteSize(weight.dtype);
    EXPECT_LE(size_t(begin + count), from.size());
    convertElements(Dtype::F32,
                    reinterpret_cast<const uint8_t *>(from.data() + begin),
                    weight.dtype, out.data(), count);
    return llvm::Error::success();
  }

  std::optional<PackedFormat> ownFormat(const Weight &weight) const override {
    auto found = own.find(weight.name);
    if (found == own.end())
      return std::nullopt;
    return found->second.format;
  }

  llvm::Error readOwn(const Weight &weight, int64_t firstRow, int64_t rows,
                      QuantizedRows &out) override {
    const QuantizedRows &from = own.at(weight.name);
    EXPECT_EQ(out.rows, rows);
    EXPECT_LE(firstRow + rows, from.rows);
    auto copy = [&](const auto &all, auto &part, int64_t width) {
      std::copy_n(all.begin() + firstRow * width, part.size(), part.begin());
    };
    copy(from.values, out.values, from.columns);
    copy(from.scales, out.scales, from.groups);
    copy(from.zeros, out.zeros, from.zeros.empty() ? 0 : from.groups);
    return llvm::Error::success();
  }

  /// Random quantized rows as the weight's own, with their f32 values.
  void addOwn(const Weight &weight, const PackedFormat &format,
              unsigned seed = 1) {
    int64_t columns = weight.shape.back(), rows = 1;
    for (size_t i = 0; i + 1 < weight.shape.size(); ++i)
      rows *= weight.shape[i];
    QuantizedRows &q = own[weight.name];
    q.reset(format, rows, columns);
    std::mt19937 random(seed);
    for (uint8_t &value : q.values) {
      value = uint8_t(random());
      if (format.value == ValueType::INT4)
        value &= 15;
      else if (format.value == ValueType::INT6)
        value &= 63;
      else if (format.value == ValueType::FP8)
        value &= 0xf7; // no NaN
    }
    for (float &scale : q.scales)
      scale = bf16ToFloat(uint16_t(0x3c00 + random() % 0x80)); // f16 has it too
    for (float &zero : q.zeros)
      zero = format.zero == ZeroKind::Point
                 ? float(random() % 16)
                 : -bf16ToFloat(uint16_t(0x3d00 + random() % 0x80));
    std::vector<float> &f = values[weight.name];
    f.resize(size_t(rows * columns));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        f[size_t(r * columns + c)] = ownValue(weight.name, r, c);
  }

  float ownValue(const std::string &name, int64_t row, int64_t column) const {
    const QuantizedRows &q = own.at(name);
    int64_t at = q.groups ? row * q.groups + column / q.format.group : 0;
    float scale = q.groups ? q.scales[size_t(at)] : 1.0f;
    uint8_t code = q.values[size_t(row * q.columns + column)];
    if (q.format.value == ValueType::FP8)
      return scale * fp8ToFloat(code);
    if (q.format.codebook != Codebook::None)
      return scale * float(codebookValues(q.format.codebook)[code]);
    if (q.format.zero == ZeroKind::Min)
      return scale * float(code) + q.zeros[size_t(at)];
    float zero = q.format.zero == ZeroKind::Point    ? q.zeros[size_t(at)]
                 : q.format.value == ValueType::INT4 ? 8.0f
                 : q.format.value == ValueType::INT6 ? 32.0f
                                                     : 128.0f;
    return scale * (float(code) - zero);
  }
};

/// A weight file in memory.
struct WrittenFile {
  WeightLayout layout;
  std::string id, bytes;
  uint64_t dataStart = 0;

  const uint8_t *data(size_t index) const {
    return reinterpret_cast<const uint8_t *>(bytes.data()) + dataStart +
           layout.weights[index].offset;
  }
  /// An element of a packed matrix.
  float at(size_t index, int64_t repeat, int64_t expert, int64_t row,
           int64_t column) const {
    const PackedWeight &weight = layout.weights[index];
    int64_t panels = panelCount(weight.shape[2]);
    int64_t first = (repeat * weight.shape[1] + expert) * panels;
    return valueAt(*weight.format, weight.shape[3], data(index),
                   first * 16 + row, column);
  }
};

inline llvm::Expected<WrittenFile> writeToMemory(const PackPlan &plan,
                                                 const WeightPlan &weights,
                                                 WeightSource &source,
                                                 PackOptions options = {}) {
  TemporaryDirectory directory;
  WrittenFile file;
  options.progress = false;
  file.layout = layoutWeights(plan, weights);
  auto id = writeWeights(plan, weights, file.layout, source,
                         directory.file("out"), options);
  if (!id) {
    EXPECT_TRUE(directory.list().empty());
    return id.takeError();
  }
  file.id = *id;
  file.bytes = directory.read("out");
  auto header =
      parseSafetensors(llvm::arrayRefFromStringRef(file.bytes), "out");
  if (!header)
    return header.takeError();
  file.dataStart = header->dataStart;
  return file;
}

} // namespace quartet::testing
#endif
