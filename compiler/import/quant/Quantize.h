// Makes panels (dialects/Quartet/PackedFormat.h) of rows, and rows of panels.
#ifndef QUARTET_COMPILER_IMPORT_QUANT_QUANTIZE_H
#define QUARTET_COMPILER_IMPORT_QUANT_QUANTIZE_H
#include "compiler/import/quant/PanelKernels.h"
#include "compiler/import/quant/QuantizedRows.h"
#include <memory>

namespace quartet {

/// A row of f32 for a panel.
struct PanelRow {
  const float *values = nullptr; ///< [count]; null: a row of zeros
  int64_t count = 0;             ///< the matrix's further columns are zero
  /// [count] how much the squared error of a column counts, >= 0; null: all the
  /// same.
  const float *weights = nullptr;
};

/// The largest magnitude that \p format holds: beyond its values, or beyond its
/// largest number times its largest scale. fp8 without scales saturates, so it
/// has no limit.
float largestValue(const PackedFormat &format);

/// Index of the first value that is not finite, or whose magnitude is above
/// \p limit; -1 when there is none.
int64_t findUnusable(llvm::ArrayRef<float> values, float limit);

/// Quantizes rows of f32 into panels, one at a time. Each group of columns gets
/// the scale, out of about fifteen candidates and two least-squares steps, with
/// the smallest squared error after the scale is rounded to its type. A row's
/// bytes depend on that row alone. Keeps buffers: one per thread.
class PanelQuantizer {
public:
  /// Panels of matrices with \p columns columns in \p format.
  PanelQuantizer(const PackedFormat &format, int64_t columns);
  ~PanelQuantizer();
  PanelQuantizer(PanelQuantizer &&) noexcept;

  /// Writes the whole panel. \p rows must be usable (findUnusable).
  void quantize(const PanelRow (&rows)[kPanelRows], uint8_t *panel);

  /// The same with other kernels, for tests.
  void use(const PanelKernels &other) { kernels = other; }

  PackedFormat format;
  int64_t columns;
  PanelLayout layout;

private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers;
  PanelKernels kernels;
};

/// Copies columns [firstColumn, firstColumn + count) of row \p row of \p rows
/// into lane \p lane of a panel of \p columns columns; further columns of the
/// panel get zero values and, where whole groups, scale 0. firstColumn must be
/// a multiple of the group; count too, or end at the last column of \p rows.
/// \returns the index of a scale or zero point that the format cannot hold, or
/// -1.
int64_t placeRow(const QuantizedRows &rows, int64_t row, int64_t firstColumn,
                 int64_t count, const PanelLayout &layout, int lane,
                 uint8_t *panel);

/// The values of lane \p lane, columns [0, out.size()), as a dot product sees
/// them: f32, with one rounding per operation.
void unpackLane(const PackedFormat &format, const PanelLayout &layout,
                const uint8_t *panel, int lane,
                llvm::MutableArrayRef<float> out);

/// The value of an fp8 (E4M3, no infinities); NaN for 0x7f and 0xff.
float fp8ToFloat(uint8_t bits);

} // namespace quartet
#endif
