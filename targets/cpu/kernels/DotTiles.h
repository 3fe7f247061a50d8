// Products of many tokens and bf16 panels by the tile registers of AMX, which
// multiply bf16 only: f32 activations become sums of two bf16 first.
#ifndef QUARTET_TARGETS_CPU_KERNELS_DOTTILES_H
#define QUARTET_TARGETS_CPU_KERNELS_DOTTILES_H
#include "dialects/Quartet/PackedFormat.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// Whether the kernels below multiply \p format on \p isa. Their sums have
/// other bits than matmulKernel's, so all products of a kind of steps take one
/// way.
bool multipliesSplitRows(const Isa &isa, const PackedFormat &format);

/// Bytes of \p tokens split rows: for each 16 tokens and 32 columns two tiles,
/// first the bf16 nearest to the values, then those nearest to what is left.
/// Columns that are missing are zero; rows of missing tokens may hold anything.
int64_t splitRowsBytes(int64_t columns, int64_t tokens);

/// void split_rows(ptr rows, i64 rowStride, i64 columns, i64 tokens, ptr out)
/// Staged rows of group 0 as split rows; columns is a multiple of 16, out
/// 64-byte aligned.
mlir::func::FuncOp splitRowsKernel(KernelBuilder &k);

/// void matmul_split_bf16(ptr panels, i64 panelCount, ptr rows, i64 columns,
///                        i64 tokens, ptr out, i64 outStride, ptr next)
/// matmulKernel of bf16 with split rows. The bits of a result depend on its row
/// and its token alone. \p next: the panels that this core will multiply with
/// afterwards; without any, \p panels again.
mlir::func::FuncOp splitMatmulKernel(KernelBuilder &k);

} // namespace quartet::cpu
#endif
