// Joins the partial results of attention over ranges of pages.
#ifndef QUARTET_TARGETS_CPU_KERNELS_MERGE_H
#define QUARTET_TARGETS_CPU_KERNELS_MERGE_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// void merge(records, rangeStride, ranges, [gate,] out)    "pii[p]p"
/// One token and head: out[width] = (sum of the records' values / sum of their
/// weights) * sigmoid(gate), all f32. The records of attend (Attend.h),
/// \p ranges >= 1 of them, rangeStride bytes apart, joined in ascending order.
/// One range is a plain division.
mlir::func::FuncOp mergeKernel(KernelBuilder &k, int64_t width, bool gated);

} // namespace quartet::cpu
#endif
