// Matrix products of a block: panels of packed weights times staged rows of
// activations, with the machine's matrix instructions.
#ifndef QUARTET_TARGETS_GPU_KERNELS_MATMUL_H
#define QUARTET_TARGETS_GPU_KERNELS_MATMUL_H
#include "dialects/Quartet/PackedFormat.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// Rows of activations, staged (StagedRowLayout of dialects/Tile/StagedRow.h):
/// row i at data + i * stride, or with `gather` (i32 [count]) at data +
/// gather[i] * stride. data and gather: global or shared memory. data is
/// aligned to 64 bytes and stride, in bytes, a multiple of 16. In shared memory
/// a stride of 32 more than a multiple of 128 has no bank conflicts. With
/// \p parts, floats are sums of so many bf16 (SplitRow.h) in global memory.
struct RowsOperand {
  V data, stride;
  V count; ///< i64, 0 is fine
  V gather;
  int parts = 0;
};

/// Byte offset of row \p token (i64) of \p rows from its data; beyond the last
/// row it is that one's.
V rowOffset(DeviceBuilder &k, const RowsOperand &rows, V token);

/// `panels` panels (PanelLayout) one after the other from data on, in global
/// memory; i64, 0 is fine.
struct WeightsOperand {
  V data;
  V panels;
};

/// bf16 parts that are an f32, and those of weights at most where activations
/// are not all of one: an f16 is two.
constexpr int kExactParts = 3, kWeightParts = 2;

/// acc[t * accStride / 4 + r] = sum_c rows[t, c] * weights[r, c], f32, for t <
/// rows.count (at most \p mostRows) and r < 16 * weights.panels (at most
/// \p mostPanels). acc: shared or global memory, like accStride (bytes) aligned
/// to 16. The whole block works on it, has met since others used the shared
/// memory or wrote rows, and meets at the end, so that every thread has all of
/// acc.
///
/// Groups of integers are added up exactly and then scaled as on CPUs. Floats
/// are multiplied as bf16: as sums of so many parts that results have the
/// accuracy of f32, or of \p parts parts (1: that of bf16); of rows that have
/// parts, of those. A result does not depend on the other rows, on mostRows, on
/// panels or on the number of blocks. Takes shared memory while it runs, less
/// when there is little left.
void matmul(DeviceBuilder &k, PackedFormat format, int64_t columns,
            const WeightsOperand &weights, int64_t mostPanels,
            const RowsOperand &rows, int64_t mostRows, V acc, V accStride,
            int parts = kExactParts);

/// One of several products that a block makes together.
struct MatmulJob {
  WeightsOperand weights; ///< panels >= 1
  RowsOperand rows;       ///< count >= 1
  V acc, accStride;       ///< as of matmul
};

/// Products of \p jobs matrices of one shape with rows of their own, as of
/// steps of few tokens: at most \p mostJobs jobs, and in each \p mostPanels
/// panels and \p mostRows rows. Warps ask for the weights of several jobs
/// before they need the first, and meet once for as many as shared memory holds
/// partial sums of: finish(first, end) then follows, whose jobs [first, end)
/// have all of their acc; all of these calls of jobOf(i) give the same. The
/// same bits as matmul. Meets; finish must too before it ends, if it reads acc
/// that later jobs have.
void matmulJobs(DeviceBuilder &k, PackedFormat format, int64_t columns,
                int64_t mostPanels, int64_t mostRows, V jobs, int64_t mostJobs,
                llvm::function_ref<MatmulJob(V i)> jobOf,
                llvm::function_ref<void(V first, V end)> finish,
                int parts = kExactParts);

} // namespace quartet::gpu
#endif
