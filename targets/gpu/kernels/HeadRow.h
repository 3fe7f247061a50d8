// One head of q or k between its projection and attention, by one warp: norm,
// rotation, and the way into the KV cache.
#ifndef QUARTET_TARGETS_GPU_KERNELS_HEADROW_H
#define QUARTET_TARGETS_GPU_KERNELS_HEADROW_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// out[width] = rope(rms_norm(row)): zero-centred norm with \p norm, f32
/// [width] (a null V: none), and \p eps; then the elements i and i + pairs, i <
/// pairs, rotated by \p ropeRow, f32 [2 * pairs]: cosines, then sines (a null V
/// or no pairs: none). \p row and \p out are f32 in shared or global memory,
/// and may be the same. Each lane reads and writes elements lane, lane + lanes,
/// ... alone, as storeHead() does: between the two nothing has to meet.
void headRow(DeviceBuilder &k, int64_t width, int64_t pairs, V row, V norm,
             V eps, V ropeRow, V out);

/// Rounds f32 row[width] to \p cacheType (bf16, f16, f32), to nearest even,
/// into a row of a page at \p to; to i8 with the row's scale, largest size /
/// 127, at \p scale, of any alignment (KvPage.h).
void storeHead(DeviceBuilder &k, int64_t width, mlir::Type cacheType, V row,
               V to, V scale);

} // namespace quartet::gpu
#endif
