// Rows of activations on their way into matrix products: norms, gates, and the
// quantization to int8.
#ifndef QUARTET_TARGETS_CPU_KERNELS_STAGE_H
#define QUARTET_TARGETS_CPU_KERNELS_STAGE_H
#include "dialects/Tile/StagedRow.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

using tile::stagedRowBytes;
using tile::StagedRowLayout;

/// void rms_norm(ptr x, ptr weight, f32 eps, i64 columns, ptr out)
/// quartet.rms_norm of one row, all f32; out may be x.
mlir::func::FuncOp rmsNormRow(KernelBuilder &k);

/// void gated_norm(ptr x, ptr z, ptr weight, f32 eps, i64 heads, i64 width,
///                 ptr out)
/// quartet.gated_rms_norm of one token, [heads][width] f32; the gate is silu or
/// sigmoid.
mlir::func::FuncOp gatedNormRow(KernelBuilder &k, bool silu);

/// void silu_mul(ptr gate, ptr up, i64 columns, ptr out)
/// out = silu(gate) * up; columns is a multiple of 16.
mlir::func::FuncOp siluMulRow(KernelBuilder &k);

/// void stage_row(ptr x, i64 columns, ptr out): a staged row of group 0.
mlir::func::FuncOp stageFloatRow(KernelBuilder &k);

/// void quantize_row_<group>(ptr x, i64 columns, ptr out)
/// A staged row of f32 x. In each group: scale = absmax / 127, value =
/// x * (1 / scale) rounded to nearest even, in -127..127; all zero when absmax
/// is 0. A NaN makes its group's scale NaN.
mlir::func::FuncOp quantizeRow(KernelBuilder &k, int64_t group);

/// void quantize_groups_<group>(ptr x, i64 columns, ptr values, ptr scales,
///                              ptr sums)
/// The same for whole groups, into a part of a staged row.
mlir::func::FuncOp quantizeGroups(KernelBuilder &k, int64_t group);

} // namespace quartet::cpu
#endif
