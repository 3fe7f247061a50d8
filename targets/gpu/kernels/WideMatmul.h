// Matrix products of steps of many tokens: each weight that comes into a unit
// is unpacked once for as many tokens as its registers have sums of.
#ifndef QUARTET_TARGETS_GPU_KERNELS_WIDEMATMUL_H
#define QUARTET_TARGETS_GPU_KERNELS_WIDEMATMUL_H
#include "targets/gpu/kernels/Matmul.h"

namespace quartet::gpu {

/// As matmul, with the operands of the same. A pass takes 128 rows of weights
/// and up to 64 tokens (NVIDIA, floats: 128). With asynchronous copies groups
/// of four warps share the columns, slab by slab, and weights are copied into
/// shared memory some slabs ahead (WideProduct); without, rows of tokens lie
/// there and weights go straight to registers (WideShared). Either way columns
/// are shared by no more than two, so that bits differ from matmul's; they too
/// depend on nothing else. Activations in front of floats are sums of as many
/// bf16 as the machine's facts say, not three; so rows that have parts have
/// these. False, and nothing is done, where the kernel (wideNeedsUnit), the
/// format (f32) or the operands (WideShared: rows that have parts) are not made
/// for it, or shared memory has no room.
bool matmulWide(DeviceBuilder &k, PackedFormat format, int64_t columns,
                const WeightsOperand &weights, int64_t mostPanels,
                const RowsOperand &rows, int64_t mostRows, V acc, V accStride);

/// Whether such products are what steps of many tokens shall have.
bool wantsWideMatmul(const GpuFacts &machine, const PackedFormat &format);
/// Whether their kernels shall have a unit alone.
bool wideNeedsUnit(const GpuFacts &machine);
/// Whether groups of four warps copy slabs ahead, or waves share the rows.
bool isByWarpGroups(const GpuFacts &machine);
/// Shared memory that a product of up to \p mostRows rows shall find free in a
/// kernel that has a unit alone: as much as lets it take as many tokens at once
/// as a unit has room for. 0 where that does not matter.
int64_t wideRoom(const GpuFacts &machine, const PackedFormat &format,
                 int64_t mostRows);
/// The tokens that a task of such products shall have, if it has enough.
int64_t wideTaskTokens(const GpuFacts &machine, const PackedFormat &format);
/// Whether they are made in the kernel at hand.
bool makesWideMatmul(DeviceBuilder &k, const PackedFormat &format);

} // namespace quartet::gpu
#endif
