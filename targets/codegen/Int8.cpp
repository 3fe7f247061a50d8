// One rule of rounding for all rows of int8.
#include "targets/codegen/Int8.h"

using namespace quartet;

V quartet::sizeBits(CodeBuilder &k, V value) {
  return k.bitcast(value, k.withElement(value.type(), k.i32())) &
         int64_t(0x7fffffff);
}

Int8Scale quartet::int8Scale(CodeBuilder &k, V largest) {
  V scale = k.bitcast(largest, k.f32()) / k.f32(127);
  return {scale, k.select(scale > k.f32(0), k.f32(1) / scale, k.f32(0))};
}

V quartet::roundToInt8(CodeBuilder &k, V value, V factor) {
  V limit = k.constant(value.type(), 127.0);
  // The bounds hold unless 1 / scale overflowed or the scale is NaN.
  V rounded = k.roundEven(value * factor);
  rounded = k.max(k.min(rounded, limit), k.neg(limit));
  return k.toInt(rounded, k.withElement(value.type(), k.i32()));
}
