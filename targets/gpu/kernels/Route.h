// Which experts a token goes to, and the tokens sorted by expert, by one block.
#ifndef QUARTET_TARGETS_GPU_KERNELS_ROUTE_H
#define QUARTET_TARGETS_GPU_KERNELS_ROUTE_H
#include "targets/codegen/GroupsLayout.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// quartet.route for \p tokens tokens, at most \p mostTokens, then their pairs
/// sorted by expert: blockCount, blockExperts, blockFirst, pairTokens and
/// pairWeights of \p layout at \p groups (global), the rest is scratch. Row t
/// of \p logits (stride in bytes) has `experts` logits and, when there are
/// shared experts, their gate in column \p gateColumn. Of equal probabilities
/// the first expert is taken. The block has met since others used the shared
/// memory or \p groups. Meets; complete for all threads on return.
void route(DeviceBuilder &k, const GroupsLayout &layout, bool renormalize,
           V logits, V stride, V gateColumn, V tokens, int64_t mostTokens,
           V groups);

} // namespace quartet::gpu
#endif
