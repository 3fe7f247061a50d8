// Tokens sorted by the experts that they chose, by one block for itself.
#ifndef QUARTET_TARGETS_GPU_KERNELS_ROUTE_H
#define QUARTET_TARGETS_GPU_KERNELS_ROUTE_H
#include "targets/gpu/kernels/ChooseExperts.h"

namespace quartet::gpu {

/// The pairs that \p tokens tokens, 1 to \p mostTokens, chose, sorted by
/// expert: blockCount, blockExperts, blockFirst, pairTokens, pairWeights and
/// tokenPairs of \p layout at \p groups (global). The block has met since
/// others used the shared memory, \p groups or \p chosen (global). Meets;
/// complete for all threads on return.
/// A step has at least one token (the engine refuses others): of none,
/// blockCount would stay unwritten.
void route(DeviceBuilder &k, const GroupsLayout &layout,
           const ChosenExperts &chosen, V tokens, int64_t mostTokens, V groups);

/// The same, after this block alone has made the choice, in scratch memory of
/// \p groups: where they are few, that is less than a phase costs.
void route(DeviceBuilder &k, const GroupsLayout &layout,
           const RouterLogits &logits, V tokens, int64_t mostTokens, V groups);

} // namespace quartet::gpu
#endif
