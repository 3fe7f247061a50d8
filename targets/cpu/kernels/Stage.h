// Rows of activations on their way into matrix products: norms, gates, and the
// quantization to int8.
#ifndef QUARTET_TARGETS_CPU_KERNELS_STAGE_H
#define QUARTET_TARGETS_CPU_KERNELS_STAGE_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// Where the parts of a staged row are, in bytes. Group 0: f32 values only,
/// padded to 16 columns. Otherwise int8 values, then for each group an f32
/// scale and the i32 sum of its values; each part padded to 64 bytes.
struct StagedRowLayout {
  StagedRowLayout(int64_t group, int64_t columns);
  int64_t paddedColumns; ///< a multiple of the group, or of 16
  int64_t scales = 0, sums = 0;
  int64_t bytes;
};

/// Bytes of a staged row.
int64_t stagedRowBytes(int64_t group, int64_t columns);

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
