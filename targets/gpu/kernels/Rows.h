// Small block-wide kernels on rows: embedding look-up, rotary table, copies,
// and the largest of a row.
#ifndef QUARTET_TARGETS_GPU_KERNELS_ROWS_H
#define QUARTET_TARGETS_GPU_KERNELS_ROWS_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// Calls body(row, column) for all rows < \p rows and columns < \p columns,
/// spread over the block's threads, neighbours in columns.
void overElements(DeviceBuilder &k, V rows, V columns,
                  llvm::function_ref<void(V row, V column)> body);

/// out[i] = table[ids[i]] for i < count, widened from \p element (f32, bf16 or
/// f16); rows of \p columns, outStride in bytes.
void embedRows(DeviceBuilder &k, mlir::Type element, V table, V ids, V count,
               int64_t columns, V out, V outStride);

/// tile.rope_table for \p tokens tokens: positions i32, axisStride and
/// tableStride in bytes.
void ropeTable(DeviceBuilder &k, llvm::ArrayRef<float> invFreq,
               llvm::ArrayRef<int32_t> axes, float scale, V positions,
               V axisStride, V tokens, V table, V tableStride);

/// to = from, or with \p add to += from; f32, strides in bytes.
void copyRows(DeviceBuilder &k, bool add, V from, V fromStride, V to,
              V toStride, V rows, V columns);

/// The largest of \p count f32 at \p row, -inf for none, by a warp, in each
/// lane.
V rowMax(DeviceBuilder &k, V row, V count);

} // namespace quartet::gpu
#endif
