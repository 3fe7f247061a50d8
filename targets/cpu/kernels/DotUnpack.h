// Stored floats as f32 vectors of 16 rows: the values of bf16, f16 and fp8
// panels, and the scales of all.
#ifndef QUARTET_TARGETS_CPU_KERNELS_DOTUNPACK_H
#define QUARTET_TARGETS_CPU_KERNELS_DOTUNPACK_H
#include "dialects/Quartet/PackedFormat.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// What unpackFloats' values must be multiplied with: 256 for fp8, else 1. A
/// power of two, so that it can be applied to a sum without a rounding.
double unpackFactor(ValueType value);

/// The columns of the 64-byte line at \p line, each 16 x f32, in their order.
/// fp8 is e4m3fn with subnormals; its NaN reads as 480.
llvm::SmallVector<V> unpackFloats(KernelBuilder &k, ValueType value, V line);

/// Bytes of a scale.
int64_t scaleBytes(ScaleType type);

/// The 16 scales (or mins) at \p pointer as f32.
V loadScales(KernelBuilder &k, ScaleType type, V pointer);

} // namespace quartet::cpu
#endif
