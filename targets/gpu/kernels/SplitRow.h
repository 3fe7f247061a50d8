// Staged rows of floats as sums of one or two bf16, in the order in which the
// lanes of mma and wgmma take them: whoever multiplies has nothing to convert,
// and with one part reads half as much.
#ifndef QUARTET_TARGETS_GPU_KERNELS_SPLITROW_H
#define QUARTET_TARGETS_GPU_KERNELS_SPLITROW_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// A row is [step of 16 columns][part][half][lane] words of two bf16. Lane l
/// (0 to 3) of the matrix instruction has columns 4 l to 4 l + 3 of the step:
/// its first two are in half 0 and the others in half 1, or, of odd lanes, the
/// other way round, so that lanes which read two lines of weights of the same
/// columns meet in fewer banks. Columns up to a multiple of 16 are 0.
constexpr int64_t kSplitColumns = 16;
/// Bytes of a part of a step.
constexpr int64_t kSplitBytes = kSplitColumns * 2;

/// Byte of word \p word (0 or 1) of the four columns from 4 * \p quad (i64) on
/// in a row of \p parts parts: of the first part, others are kSplitBytes
/// further on.
V splitWordPlace(DeviceBuilder &k, V quad, int64_t word, int parts);

/// Writes the four columns (4 x f32) from 4 * \p quad on to the row at \p row.
void storeSplit(DeviceBuilder &k, V four, V row, V quad, int parts);

/// Rows [0, rows) of \p columns f32, from(row) aligned to 16 bytes, become
/// split rows to(row), by all threads of the block.
void splitRows(DeviceBuilder &k, V rows, int64_t columns,
               llvm::function_ref<V(V row)> from,
               llvm::function_ref<V(V row)> to, int parts);

} // namespace quartet::gpu
#endif
