// How a quantized or plain matrix lies in the weight file for CPUs: panels of
// 16 rows, each one aligned piece with its scales, zero points and values in
// the order in which a dot product reads them. The packer writes it, micro
// kernels read it, and nothing else knows it. Plain C++: no MLIR.
#ifndef QUARTET_DIALECTS_PACKEDFORMAT_H
#define QUARTET_DIALECTS_PACKEDFORMAT_H
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quartet {

/// Element type of the stored values.
enum class ValueType : uint8_t { F32, BF16, F16, FP8, INT8, INT4, INT6 };
/// Element type of the scales.
enum class ScaleType : uint8_t { None, F16, BF16, F32 };
/// What a quantized value is relative to.
enum class ZeroKind : uint8_t {
  None,  ///< symmetric: value = scale * (stored - integerMiddle)
  Point, ///< value = scale * (stored - zero), zero a u8
  Min,   ///< value = scale * stored + min, min of the scale's type
};
/// What an int4 index stands for.
enum class Codebook : uint8_t { None, IQ4NL, E2M1 };

struct PackedFormat {
  ValueType value = ValueType::BF16;
  int32_t group = 0; ///< columns per scale: 16, 32, 64, 128; 0 = no scales
  ScaleType scale = ScaleType::None;
  ZeroKind zero = ZeroKind::None;
  Codebook codebook = Codebook::None;

  bool operator==(const PackedFormat &other) const {
    return value == other.value && group == other.group &&
           scale == other.scale && zero == other.zero &&
           codebook == other.codebook;
  }
  bool operator!=(const PackedFormat &other) const { return !(*this == other); }
  /// Integer values: activations are quantized to int8 per group.
  bool isInteger() const {
    return value == ValueType::INT8 || value == ValueType::INT6 ||
           value == ValueType::INT4;
  }
  /// The group that activations are quantized by in front of such a matrix; 0:
  /// they stay f32.
  int64_t activationGroup() const { return isInteger() ? group : 0; }
  /// Why the format cannot exist; empty when it can.
  std::string whyInvalid() const;
  /// "bf16", "int4:64", "int8:32:min", "int4:32:iq4_nl", "int4:128:point:bf16",
  /// "fp8:128:f32". The scale type is left out when it is f16.
  std::string str() const;
  /// The inverse of str(); nothing when \p text is not a format.
  static std::optional<PackedFormat> parse(std::string_view text);
};

/// Rows of a panel.
constexpr int64_t kPanelRows = 16;
/// Alignment of panels and of the regions in them, in bytes.
constexpr int64_t kPanelAlign = 64;

/// Where the pieces of a panel of a [rows, columns] matrix are, in bytes.
struct PanelLayout {
  PanelLayout(const PackedFormat &format, int64_t columns);

  int64_t paddedColumns; ///< multiple of the group (of 16 without groups)
  int64_t groups;        ///< 0 without scales
  int64_t zerosOffset, valuesOffset; ///< from the panel's start; scales at 0
  int64_t bytes;                     ///< of a panel
};

/// Panels of a matrix with \p rows rows.
constexpr int64_t panelCount(int64_t rows) {
  return (rows + kPanelRows - 1) / kPanelRows;
}

/// The fewest 64-byte lines of values that hold whole columns, and the columns
/// of one row in them. In a line of int4, the low nibbles are columns 0 to 3
/// and the high ones columns 4 to 7. int6 has two such lines with the low four
/// bits of its 16 columns; a third has their high two: byte j of a row those of
/// columns j, 4 + j, 8 + j and 12 + j, from its lowest bits up.
constexpr int64_t unitLines(ValueType value) {
  return value == ValueType::INT6 ? 3 : 1;
}
constexpr int64_t unitColumns(ValueType value) {
  return value == ValueType::F32                               ? 1
         : value == ValueType::INT4                            ? 8
         : value == ValueType::INT6                            ? 16
         : value == ValueType::BF16 || value == ValueType::F16 ? 2
                                                               : 4;
}
/// Bytes of the values of \p columns columns, whole units, of 16 rows.
constexpr int64_t valueBytes(ValueType value, int64_t columns) {
  return columns / unitColumns(value) * unitLines(value) * kPanelAlign;
}

/// Bits of a stored integer.
constexpr int integerBits(ValueType value) {
  return value == ValueType::INT4 ? 4 : value == ValueType::INT6 ? 6 : 8;
}
/// What a stored integer without a zero of its own is relative to: 8, 32, 128.
constexpr int integerMiddle(ValueType value) {
  return 1 << (integerBits(value) - 1);
}

/// The int8 values that indices of a codebook stand for.
const int8_t *codebookValues(Codebook codebook);

} // namespace quartet
#endif
