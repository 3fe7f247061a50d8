// Rows of activations on their way into matrix products, by a whole block:
// norms and gates into f32 rows, and their quantization to int8.
#ifndef QUARTET_TARGETS_GPU_KERNELS_STAGE_H
#define QUARTET_TARGETS_GPU_KERNELS_STAGE_H
#include "dialects/Tile/StagedRow.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// quartet.rms_norm of \p rows rows of \p columns f32, all threads together.
/// from(row) and to(row) give their addresses; a row may be its own result. The
/// sum of squares has one order for every number of rows: thread t adds columns
/// t, t + threads, ..., then lanes by a butterfly, then warps. The block
/// has met since others used the shared memory. Meets; the results are complete
/// for all threads behind the next barrier. \p mostRows bounds rows.
void rmsNormRows(DeviceBuilder &k, V rows, int64_t mostRows, int64_t columns,
                 V weight, V eps, llvm::function_ref<V(V row)> from,
                 llvm::function_ref<V(V row)> to);

/// quartet.gated_rms_norm of one head of \p width f32 by a warp:
/// out = x * rsqrt(mean(x^2) + eps) * weight * act(gate).
void gatedNormHead(DeviceBuilder &k, int64_t width, V x, V gate, V weight,
                   V eps, bool silu, V out);

/// Quantizes one group of \p group values by a warp, as
/// cpu::quantizeGroups: value(i) is element i (an i64 that differs between
/// lanes), f32. To \p values (int8 [group]), \p scale (f32) and \p sum (i32).
void quantizeGroup(DeviceBuilder &k, int64_t group,
                   llvm::function_ref<V(V i)> value, V values, V scale, V sum);

/// Quantizes \p rows rows of \p columns f32, from(row), into staged rows of
/// \p group, to(row); all threads together, a warp per group.
void quantizeRows(DeviceBuilder &k, int64_t group, V rows, int64_t columns,
                  llvm::function_ref<V(V row)> from,
                  llvm::function_ref<V(V row)> to);

/// Copies rows of f32 and puts zeros behind them up to \p paddedColumns.
void stageFloatRows(DeviceBuilder &k, V rows, int64_t columns,
                    int64_t paddedColumns, llvm::function_ref<V(V row)> from,
                    llvm::function_ref<V(V row)> to);

} // namespace quartet::gpu
#endif
