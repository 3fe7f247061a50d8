// One head of q or k between its projection and attention: norm, rotation, and
// the way into the KV cache.
#ifndef QUARTET_TARGETS_CPU_KERNELS_HEADROW_H
#define QUARTET_TARGETS_CPU_KERNELS_HEADROW_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// void ropeTable(positions, axisStride, tokens, table, tableStride)   "piipi"
/// Row t of table (f32, 2P, P = \p invFreq's size): cos(angle) * scale of the
/// P frequencies, then sin, with angle = f32(positions[axes[p]][t]) *
/// invFreq[p] rounded to f32. positions i32 [3][tokens], axisStride bytes from
/// an axis to the next. Calls cosf and sinf, which reduce the full range.
mlir::func::FuncOp ropeTableKernel(KernelBuilder &k,
                                   llvm::ArrayRef<float> invFreq,
                                   llvm::ArrayRef<int32_t> axes, float scale);

/// void headRow(x, weight, eps, cosSin, out)    "ppfpp"
/// out[width] = rope(rms_norm(x)): zero-centred norm with \p weight, then the
/// elements i and i + pairs, i < pairs, rotated by the token's row of
/// ropeTable. All f32; out may be x.
mlir::func::FuncOp headRowKernel(KernelBuilder &k, int64_t width,
                                 int64_t pairs);

/// void storeHead(x, to)    "pp"
/// Rounds f32 x[width] to \p cacheType, to nearest even, into a row of a page.
mlir::func::FuncOp storeHeadKernel(KernelBuilder &k, int64_t width,
                                   mlir::Type cacheType);

/// void storeHeadInt8(x, to, scale)    "ppp"
/// The same as int8, with the row's scale (see Int8Scale) at \p scale, f32 of
/// any alignment.
mlir::func::FuncOp storeHeadInt8Kernel(KernelBuilder &k, int64_t width);

} // namespace quartet::cpu
#endif
