// The inner loops of quantization, once per instruction set. Internal to this
// folder and its tests; everyone else calls Quantize.h.
#ifndef QUARTET_COMPILER_IMPORT_QUANT_PANELKERNELS_H
#define QUARTET_COMPILER_IMPORT_QUANT_PANELKERNELS_H
#include "dialects/Quartet/PackedFormat.h"
#include "llvm/ADT/ArrayRef.h"

namespace quartet {

/// Divisors of a group's peak that are tried as scales.
struct Divisors {
  int count = 0;
  float values[16] = {};
};

/// A codebook in ascending order of its values.
struct SortedCodebook {
  explicit SortedCodebook(Codebook codebook);
  float values[16];   ///< a value twice where the book has two zeros
  uint32_t codes[16]; ///< the index in the book
  float middles[15];  ///< between a value and the next
  float steps[15];    ///< from a value to the next
  Divisors divisors;
};

/// A panel with scales, or of fp8.
struct PanelJob {
  PackedFormat format;
  int64_t columns;            ///< of the matrix
  const float *x;             ///< [padded columns][16], 64-byte aligned
  const float *w;             ///< the same for weights; null without
  const SortedCodebook *book; ///< when the format has one
  uint8_t *panel;
};

struct PanelKernels {
  const char *name;
  void (*quantize)(const PanelJob &job);
};

/// Those that this machine can run, the fastest last. All give the same bits.
llvm::ArrayRef<PanelKernels> panelKernels();

} // namespace quartet
#endif
