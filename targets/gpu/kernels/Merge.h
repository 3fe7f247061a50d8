// Joins the partial results of attention over ranges of pages.
#ifndef QUARTET_TARGETS_GPU_KERNELS_MERGE_H
#define QUARTET_TARGETS_GPU_KERNELS_MERGE_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// One token and head, by one warp: out[width] = (sum of the records' values /
/// sum of their weights) * sigmoid(gate), all f32. The records of attend
/// (Attend.h), \p ranges >= 1 of them, \p recordBytes (a multiple of 16) apart
/// and 16-byte aligned, joined in ascending order. \p gate is f32 [width] in
/// global memory, or a null V: no factor. One range is a plain division. \p out
/// is in shared or global memory; every lane writes other elements.
void mergeRecords(DeviceBuilder &k, int64_t width, V records, V recordBytes,
                  V ranges, V gate, V out);

} // namespace quartet::gpu
#endif
