// Makes panels of a packed matrix out of the source's rows: the step between a
// source of weights and the bytes of the weight file. Fake quantization takes
// the same step and comes back.
#ifndef QUARTET_COMPILER_IMPORT_PACKROWS_H
#define QUARTET_COMPILER_IMPORT_PACKROWS_H
#include "compiler/import/PackPlan.h"
#include "compiler/import/WeightSource.h"
#include "compiler/import/quant/ActivationStats.h"
#include "compiler/import/quant/Quantize.h"
#include "llvm/ADT/StringMap.h"

namespace quartet {

/// The weights of a plan by name, with dtype F32, so that a source gives f32
/// without a rounding in between.
class WideWeights {
public:
  explicit WideWeights(const WeightPlan &plan);
  const Weight &operator[](llvm::StringRef name) const {
    return *byName.lookup(name);
  }

private:
  std::vector<Weight> weights;
  llvm::StringMap<const Weight *> byName;
};

/// Consecutive rows of a packed matrix that come from one part.
struct PartRows {
  const PackedPart *part = nullptr;
  const Weight *weight = nullptr;
  int64_t repeat = 0, expert = 0; ///< of the source
  int64_t firstRow = 0;           ///< in the matrix
  int64_t rows = 0;
  int64_t sourceRow = 0; ///< of the first row, over all leading dimensions
  bool own = false;      ///< the source's quantized values, not f32
  QuantizedRows quantized;
  std::vector<float> values; ///< [rows][the source's columns]
};

/// Reads rows of parts and packs them. The matrix, the weights, the source and
/// the statistics must outlive it.
class RowPacker {
public:
  /// \p stats may be null.
  RowPacker(const PackedMatrix &matrix, const WideWeights &weights,
            WeightSource &source, const ActivationStats *stats);

  /// Reads what parts hold of rows [firstRow, firstRow + rows) of one expert;
  /// calls the source.
  llvm::Expected<std::vector<PartRows>>
  read(int64_t repeat, int64_t expert, int64_t firstRow, int64_t rows) const;

  /// Reads the rows of \p part at matrix rows [firstRow, firstRow + rows).
  llvm::Expected<PartRows> readPart(const PackedPart &part, int64_t repeat,
                                    int64_t expert, int64_t firstRow,
                                    int64_t rows) const;

  /// Writes the panel that begins at matrix row \p firstRow; rows that no
  /// element of \p rows has are zero. \p quantizer is of the matrix's format
  /// and columns. Does not call the source.
  llvm::Error pack(llvm::ArrayRef<PartRows> rows, int64_t firstRow,
                   PanelQuantizer &quantizer, uint8_t *panel) const;

private:
  const PackedMatrix &matrix;
  const WideWeights &weights;
  WeightSource &source;
  const ActivationStats *stats;

  bool takesOwn(const PackedPart &part, const Weight &weight) const;
  llvm::Error unusable(const PartRows &rows, int64_t row, int64_t column) const;
};

} // namespace quartet
#endif
