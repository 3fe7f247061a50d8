// Random quantized weights, drawn as integers and scales.
#ifndef QUARTET_COMPILER_IMPORT_QUANT_SYNTHETICROWS_H
#define QUARTET_COMPILER_IMPORT_QUANT_SYNTHETICROWS_H
#include "compiler/import/quant/QuantizedRows.h"

namespace quartet {

/// Rows of matrices with \p columns columns whose values have the mean 0 (near
/// 0 with a minimum or IQ4_NL) and the deviation 1 / sqrt(columns).
class SyntheticRows {
public:
  SyntheticRows(const PackedFormat &format, int64_t columns);

  /// Fills \p out, which has its sizes, with rows from \p firstRow on. A value
  /// depends on the key, the row and the column.
  void fill(uint64_t key, int64_t firstRow, QuantizedRows &out) const;

private:
  PackedFormat format;
  float meanScale;  ///< of a group
  uint8_t fp8[256]; ///< of a symmetric byte
};

} // namespace quartet
#endif
