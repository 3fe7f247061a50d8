// Which experts a token goes to, and with which weights: a warp per token.
#ifndef QUARTET_TARGETS_GPU_KERNELS_CHOOSEEXPERTS_H
#define QUARTET_TARGETS_GPU_KERNELS_CHOOSEEXPERTS_H
#include "targets/codegen/GroupsLayout.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// Rows of the router's results, `stride` bytes apart: `experts` logits and,
/// when there are shared experts, their gate in column `gateColumn`.
struct RouterLogits {
  V data, stride, gateColumn;
  bool renormalize = false;
};

/// What tokens chose: perToken experts each, the shared ones last.
struct ChosenExperts {
  V experts; ///< i32 [tokens, perToken]
  V weights; ///< f32 [tokens, perToken]
};

/// quartet.route for tokens [\p first, \p first + \p count), written to their
/// rows of \p to (global). Of equal probabilities the first expert is taken.
/// All threads come; they don't meet.
void chooseExperts(DeviceBuilder &k, const GroupsLayout &layout,
                   const RouterLogits &logits, V first, V count,
                   const ChosenExperts &to);

} // namespace quartet::gpu
#endif
