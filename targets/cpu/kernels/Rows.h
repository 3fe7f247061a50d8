// Small kernels on rows: embedding look-up, copies, residual additions, the
// gathering of an expert's tokens and the weighted sum of its results.
#ifndef QUARTET_TARGETS_CPU_KERNELS_ROWS_H
#define QUARTET_TARGETS_CPU_KERNELS_ROWS_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// void(ptr table, ptr ids i32, i64 count, i64 columns, ptr out, i64 outStride)
/// out[i] = table[ids[i]] widened from \p element (f32, bf16 or f16).
mlir::func::FuncOp embedKernel(KernelBuilder &k, mlir::Type element);

/// void(ptr from, i64 fromStride, ptr to, i64 toStride, i64 rows, i64 columns)
/// f32; with \p add: to += from.
mlir::func::FuncOp copyRowsKernel(KernelBuilder &k, bool add);

/// void(ptr rows, i64 stride, ptr tokens i32, i64 count, ptr out)
/// out[i] = rows[tokens[i]], whole rows of `stride` bytes, a multiple of 64.
mlir::func::FuncOp gatherRowsKernel(KernelBuilder &k);

/// void(ptr from, i64 fromStride, ptr weights f32, ptr tokens i32, i64 count,
///      ptr to, i64 toStride, i64 columns)
/// to[tokens[i]] = fma(weights[i], from[i], to[tokens[i]]), i ascending.
mlir::func::FuncOp addWeightedRowsKernel(KernelBuilder &k);

/// void(ptr row, i64 count, ptr out): *out = the largest of count f32, -inf for
/// none.
mlir::func::FuncOp rowMaxKernel(KernelBuilder &k);

} // namespace quartet::cpu
#endif
