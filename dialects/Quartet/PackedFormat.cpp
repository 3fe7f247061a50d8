// Names and sizes of packed matrices.
#include "dialects/Quartet/PackedFormat.h"
#include <array>

using namespace quartet;

static constexpr std::array<const char *, 7> kValueNames = {
    "f32", "bf16", "f16", "fp8", "int8", "int4", "int6"};
static constexpr std::array<const char *, 4> kScaleNames = {"none", "f16",
                                                            "bf16", "f32"};

static int64_t alignUp(int64_t size, int64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

std::string PackedFormat::whyInvalid() const {
  bool mayScale = isInteger() || value == ValueType::FP8;
  if (group == 0)
    return isInteger()                  ? "integers need a group size"
           : scale != ScaleType::None   ? "scales need a group size"
           : zero != ZeroKind::None     ? "zero points need a group size"
           : codebook != Codebook::None ? "only int4 has a codebook"
                                        : "";
  if (!mayScale)
    return "only fp8, int8, int6 and int4 have groups";
  if (group != 16 && group != 32 && group != 64 && group != 128)
    return "the group size is 16, 32, 64 or 128, not " + std::to_string(group);
  if (scale == ScaleType::None)
    return "a group needs a type of scales";
  if (value == ValueType::FP8 && zero != ZeroKind::None)
    return "fp8 has no zero points";
  if (codebook != Codebook::None &&
      (value != ValueType::INT4 || zero != ZeroKind::None))
    return "a codebook needs symmetric int4";
  return "";
}

std::string PackedFormat::str() const {
  std::string text = kValueNames[size_t(value)];
  if (group)
    text += ":" + std::to_string(group);
  if (zero == ZeroKind::Point)
    text += ":point";
  if (zero == ZeroKind::Min)
    text += ":min";
  if (codebook == Codebook::IQ4NL)
    text += ":iq4_nl";
  if (codebook == Codebook::E2M1)
    text += ":e2m1";
  if (scale != ScaleType::None && scale != ScaleType::F16)
    text += std::string(":") + kScaleNames[size_t(scale)];
  return text;
}

std::optional<PackedFormat> PackedFormat::parse(std::string_view text) {
  PackedFormat format;
  bool first = true;
  while (first || !text.empty()) {
    size_t colon = text.find(':');
    std::string_view word = text.substr(0, colon);
    text = colon == text.npos ? "" : text.substr(colon + 1);
    if (colon != text.npos && word.empty())
      return std::nullopt;
    if (first) {
      first = false;
      size_t i = 0;
      while (i < kValueNames.size() && word != kValueNames[i])
        ++i;
      if (i == kValueNames.size())
        return std::nullopt;
      format.value = ValueType(i);
      continue;
    }
    if (word == "16" || word == "32" || word == "64" || word == "128") {
      if (format.group)
        return std::nullopt;
      format.group = std::stoi(std::string(word));
      if (format.scale == ScaleType::None)
        format.scale = ScaleType::F16;
    } else if (word == "point") {
      format.zero = ZeroKind::Point;
    } else if (word == "min") {
      format.zero = ZeroKind::Min;
    } else if (word == "iq4_nl") {
      format.codebook = Codebook::IQ4NL;
    } else if (word == "e2m1") {
      format.codebook = Codebook::E2M1;
    } else if (word == "f16" || word == "bf16" || word == "f32") {
      format.scale = word == "f16"    ? ScaleType::F16
                     : word == "bf16" ? ScaleType::BF16
                                      : ScaleType::F32;
    } else {
      return std::nullopt;
    }
  }
  if (!format.whyInvalid().empty())
    return std::nullopt;
  return format;
}

PanelLayout::PanelLayout(const PackedFormat &format, int64_t columns) {
  paddedColumns = alignUp(columns, format.group ? format.group : 16);
  groups = format.group ? paddedColumns / format.group : 0;
  int64_t scaleBytes = format.scale == ScaleType::None  ? 0
                       : format.scale == ScaleType::F32 ? 4
                                                        : 2;
  int64_t zeroBytes = format.zero == ZeroKind::None    ? 0
                      : format.zero == ZeroKind::Point ? 1
                                                       : scaleBytes;
  zerosOffset = alignUp(groups * kPanelRows * scaleBytes, kPanelAlign);
  valuesOffset =
      zerosOffset + alignUp(groups * kPanelRows * zeroBytes, kPanelAlign);
  bytes = valuesOffset + valueBytes(format.value, paddedColumns);
}

const int8_t *quartet::codebookValues(Codebook codebook) {
  // ggml's non-linear 4-bit values, and fp4 e2m1 times two.
  static constexpr int8_t kIq4Nl[16] = {
      -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  static constexpr int8_t kE2M1[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                       0, -1, -2, -3, -4, -6, -8, -12};
  return codebook == Codebook::IQ4NL  ? kIq4Nl
         : codebook == Codebook::E2M1 ? kE2M1
                                      : nullptr;
}
