// The quantized types of GGUF as packed formats: integers, scales and minimums
// instead of the floats they stand for.
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFOWN_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFOWN_H
#include "dialects/Quartet/PackedFormat.h"
#include <cstdint>

namespace quartet {

struct GgufOwn {
  /// Holds the blocks exactly. Where a block has factors of scales, the
  /// products need f32.
  PackedFormat exact;
  /// The same with scales of 16 bits, which packed weights have by default: the
  /// products, rounded. Equal to exact for blocks of one scale.
  PackedFormat kept;
  /// Writes the stored values (as QuantizedRows has them) of \p blocks blocks
  /// at \p in, and the scales of their groups; minimums too when the format has
  /// them.
  void (*decode)(const uint8_t *in, uint8_t *values, float *scales,
                 float *minimums, int64_t blocks);
};

/// \returns null for a type that is not quantized or not decoded.
const GgufOwn *ggufOwn(uint32_t type);

} // namespace quartet
#endif
