// How floats become int8, on every target: rows of activations and of the KV
// cache. Scalars and vectors alike.
#ifndef QUARTET_TARGETS_CODEGEN_INT8_H
#define QUARTET_TARGETS_CODEGEN_INT8_H
#include "targets/codegen/CodeBuilder.h"

namespace quartet {

/// scale = largest size / 127, NaN if one is; factor = 1 / scale, or 0 if the
/// scale is 0 or NaN. Both f32.
struct Int8Scale {
  V scale, factor;
};
/// The bits of \p value, f32, without its sign, as integers: they are in the
/// order of the sizes, NaN last, so that one NaN makes the scale, and so every
/// result, NaN.
V sizeBits(CodeBuilder &k, V value);
/// Of values whose largest sizeBits are \p largest, an i32.
Int8Scale int8Scale(CodeBuilder &k, V largest);
/// value * factor to the nearest integer, ties to even, within -127..127, as
/// i32; of one type.
V roundToInt8(CodeBuilder &k, V value, V factor);

} // namespace quartet
#endif
