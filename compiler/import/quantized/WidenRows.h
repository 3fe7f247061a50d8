// Quantized rows from one packed format to another that holds the same values.
// A weight of the program is made of many tensors of a checkpoint, which need
// not be quantized alike.
#ifndef QUARTET_COMPILER_IMPORT_QUANTIZED_WIDENROWS_H
#define QUARTET_COMPILER_IMPORT_QUANTIZED_WIDENROWS_H
#include "compiler/import/quant/QuantizedRows.h"

namespace quartet {

/// The smallest format that holds what each of \p a and \p b holds, exactly but
/// for scales of f32; nothing when there is none: fp8 beside integers, or one
/// of them not quantized.
std::optional<PackedFormat> joinFormats(const PackedFormat &a,
                                        const PackedFormat &b);

/// Does \p wide hold what \p narrow holds, in the sense of joinFormats?
bool holdsFormat(const PackedFormat &wide, const PackedFormat &narrow);

/// Writes the values of \p in to \p out, whose format and sizes are set and
/// whose format holds in.format; its scales may have fewer bits, to which they
/// are rounded. \returns false when a scale or minimum is too large for the
/// type of scales.
bool widenRows(const QuantizedRows &in, QuantizedRows &out);

/// The values as f32, [rows][columns].
void dequantizeRows(const QuantizedRows &in, float *out);

/// Quantizes \p in, [rows][columns] finite values, to \p out, whose sizes are
/// set and whose format is symmetric int8 with scales of f16: scale = absmax /
/// 127, and the nearest multiple of the rounded scale. \returns false when a
/// scale is too large for f16.
bool quantizeToInt8(const float *in, QuantizedRows &out);

} // namespace quartet
#endif
