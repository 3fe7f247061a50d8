// Rows of a quantized matrix before they are put into panels: what a quantized
// checkpoint stores, one row after the other.
#ifndef QUARTET_COMPILER_IMPORT_QUANT_QUANTIZEDROWS_H
#define QUARTET_COMPILER_IMPORT_QUANT_QUANTIZEDROWS_H
#include "dialects/Quartet/PackedFormat.h"
#include <vector>

namespace quartet {

/// [rows][columns] values of a format with integers or fp8.
struct QuantizedRows {
  PackedFormat format;
  int64_t rows = 0, columns = 0;
  int64_t groups = 0; ///< per row: columns / group, rounded up; 0 without
  /// [rows][columns], one byte per value as dialects/Quartet/PackedFormat.h
  /// says it is stored: integers unsigned (symmetric: q + integerMiddle), an
  /// index for a codebook, the bits of an fp8.
  std::vector<uint8_t> values;
  /// [rows][groups]; must be exact in the format's type of scales.
  std::vector<float> scales;
  /// [rows][groups]: with ZeroKind::Point the u8 zero point, with
  /// ZeroKind::Min the minimum, exact in the type of scales; else empty.
  std::vector<float> zeros;

  /// Sets the sizes for \p rowCount rows; the contents are unspecified.
  void reset(const PackedFormat &newFormat, int64_t rowCount,
             int64_t columnCount) {
    format = newFormat;
    rows = rowCount;
    columns = columnCount;
    groups = format.group ? (columns + format.group - 1) / format.group : 0;
    values.resize(size_t(rows * columns));
    scales.resize(size_t(rows * groups));
    zeros.resize(format.zero == ZeroKind::None ? 0 : size_t(rows * groups));
  }
};

} // namespace quartet
#endif
