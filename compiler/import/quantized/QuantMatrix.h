// One quantized matrix of a safetensors checkpoint: the tensors that it is made
// of, and how to get its rows out of them.
#ifndef QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTMATRIX_H
#define QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTMATRIX_H
#include "compiler/import/Safetensors.h"
#include "compiler/import/quant/QuantizedRows.h"

namespace quartet {

/// How the codes of a matrix of N rows (outputs) and K columns (inputs) lie.
enum class CodeLayout {
  Fp8,    ///< e4m3 [N, K]
  Int8,   ///< int8 [N, K]
  Packed, ///< compressed-tensors: int32 [N, K * bits / 32], low bits first
  Gptq,   ///< int32 [K * bits / 32, N], low bits first
  Awq,    ///< int32 [K, N / 8], in the order 0, 2, 4, 6, 1, 3, 5, 7
  Fp4,    ///< e2m1 [N, K / 2], low nibble first
};

/// Checked shapes and types: every element of the tensors that the members
/// below lead to exists. A matrix may have several slices (experts), one after
/// the other in every tensor, each with N rows.
struct QuantMatrix {
  std::string name; ///< of the tensor that it stands for: "X.weight"
  std::string kind; ///< "GPTQ int4", for messages
  CodeLayout layout = CodeLayout::Fp8;
  int64_t slices = 1, rows = 0, columns = 0; ///< of a slice: N, K
  int64_t bits = 8;

  const StoredTensor *codes = nullptr;
  /// [scaleRows, scaleColumns], for GPTQ and AWQ [scaleColumns, scaleRows]: one
  /// for each blockRows rows and blockColumns columns.
  const StoredTensor *scales = nullptr;
  int64_t scaleRows = 1, scaleColumns = 1, blockRows = 1, blockColumns = 1;
  /// Absent for symmetric codes. GPTQ: [scaleColumns, N * bits / 32], AWQ the
  /// same in its order, Packed [N * bits / 32, scaleColumns], all int32; Int8
  /// the type and shape of scales with int8.
  const StoredTensor *zeros = nullptr;
  int64_t zeroAdded = 0; ///< to each stored zero point
  /// A factor of all scales of a slice, or divisor; one, or one per slice.
  const StoredTensor *global = nullptr;
  bool globalDivides = false;
  /// The scale column of each column, [K] int32, where columns are not in the
  /// order of their scales.
  const StoredTensor *order = nullptr;

  /// How rows are given. Nothing is rounded but for what the next two say.
  PackedFormat format;
  /// Scales are products that f32 holds only to 24 bits.
  bool scalesRounded = false;
  /// Columns are not in the order of their scales, which no packed format
  /// holds: the values are rounded to int8.
  bool requantized = false;

  int64_t allRows() const { return slices * rows; }
};

/// Finds out what the data say about \p matrix: whether the zero points are
/// those of symmetric codes and the columns in order; sets format,
/// scalesRounded and requantized, drops zeros and order where they say nothing.
/// Fails when an entry of the order is out of range, and at a global scale that
/// is not a positive number.
llvm::Error analyze(const Checkpoint &checkpoint, QuantMatrix &matrix);

/// Rows [firstRow, firstRow + rows), counted over all slices, in matrix.format;
/// sets the sizes of \p out. Fails at a NaN among codes, at a scale that is not
/// finite, a negative one of a format that has none, and at a scale of zero of
/// values that are not.
llvm::Error readMatrixRows(const Checkpoint &checkpoint,
                           const QuantMatrix &matrix, int64_t firstRow,
                           int64_t rows, QuantizedRows &out);

/// The values of the rows as f32, as the checkpoint's authors define them (not
/// rounded to matrix.format when they are requantized), [rows][columns].
llvm::Error readMatrixValues(const Checkpoint &checkpoint,
                             const QuantMatrix &matrix, int64_t firstRow,
                             int64_t rows, float *out);

} // namespace quartet
#endif
