// The draw of quartet.sample from a sorted list of candidates.
#ifndef QUARTET_TARGETS_CODEGEN_DRAW_H
#define QUARTET_TARGETS_CODEGEN_DRAW_H
#include "targets/codegen/CodeBuilder.h"

namespace quartet {

/// f32 each, see quartet_step_args.
struct DrawOptions {
  V temperature, topP, minP, uniform;
};

/// The place of the candidate that is drawn among \p count (i64, 1 or more)
/// logits at \p values (f32, the largest first), which become probabilities.
V drawCandidate(CodeBuilder &k, V values, V count, const DrawOptions &options);

} // namespace quartet
#endif
