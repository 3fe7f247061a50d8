// What a step has to move and to compute, from the plan in the manifest.
#ifndef QUARTET_RUNTIME_ENGINE_STEPCOST_H
#define QUARTET_RUNTIME_ENGINE_STEPCOST_H
#include "runtime/src/engine/Manifest.h"
#include <optional>

namespace quartet::rt {

struct StepCost {
  double bytes = 0;     ///< read from and written to memory by the whole step
  double flops = 0;     ///< of the whole step; a multiply-add counts as two
  double int8Flops = 0; ///< those of them that multiply bytes
};

/// The plan of the steps of \p tokens tokens; null where there is none.
const PlanBucket *planBucket(const Manifest &manifest, int64_t tokens);

/// The cost of one repetition of \p phase in such a step.
StepCost phaseCost(const PlanPhase &phase, int64_t tokens, int64_t sequences,
                   int64_t rows, double context);

/// The cost of a step of \p tokens tokens of \p sequences sequences that have
/// \p context positions each, with \p rows rows whose logits are wanted. Tokens
/// choose their experts independently, so the weights of E * (1 - (1 -
/// k/E)^tokens) experts are read. Nothing where the manifest has no plan.
std::optional<StepCost> stepCost(const Manifest &manifest, int64_t tokens,
                                 int64_t sequences, int64_t rows,
                                 double context);

} // namespace quartet::rt
#endif
