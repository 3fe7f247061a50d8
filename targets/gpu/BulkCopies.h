// Bulk copies into shared memory (cp.async.bulk) and the barriers that count
// their bytes (mbarrier): a few threads ask for large pieces, which pass
// neither registers nor instructions of the others.
#ifndef QUARTET_TARGETS_GPU_BULKCOPIES_H
#define QUARTET_TARGETS_GPU_BULKCOPIES_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// Bytes of a barrier in shared memory, and its alignment.
constexpr int64_t kTransferBytes = 8;

/// Machines that have them (CopyEngine::Bulk).
bool hasBulkCopies(const GpuFacts &machine);

/// Makes the 8 bytes at \p barrier (shared) a barrier of \p arrivals arrivals;
/// others use it behind groupFence (WarpGroup.h) and a
/// barrier of the block.
void beginTransfers(DeviceBuilder &k, V barrier, int64_t arrivals);
/// Before the bytes are used for something else; nobody uses it any more.
void endTransfers(DeviceBuilder &k, V barrier);
/// Arrives, and says that \p bytes more will come.
void expectBytes(DeviceBuilder &k, V barrier, int64_t bytes);
/// Starts to copy \p bytes (a multiple of 16, like both addresses) from global
/// to shared memory; the barrier is told.
void copyBulk(DeviceBuilder &k, V to, V from, int64_t bytes, V barrier);
/// Waits until all have arrived and all bytes have come, for the time whose
/// number is even or odd as \p parity (i64, 0 or 1) is. Then this thread sees
/// them.
void awaitTransfer(DeviceBuilder &k, V barrier, V parity);

} // namespace quartet::gpu
#endif
