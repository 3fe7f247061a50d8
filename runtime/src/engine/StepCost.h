// What a step has to read and to compute, from the plan in the manifest.
#ifndef QUARTET_RUNTIME_ENGINE_STEPCOST_H
#define QUARTET_RUNTIME_ENGINE_STEPCOST_H
#include "runtime/src/engine/Manifest.h"

namespace quartet::rt {

struct StepCost {
  double bytes = 0; ///< read from memory by the whole step
  double flops = 0; ///< of the whole step; a multiply-add counts as two
};

/// The cost of a step of \p tokens tokens of \p sequences sequences that have
/// \p context positions each. Tokens choose their experts independently, so
/// the weights of E * (1 - (1 - k/E)^tokens) experts are read. Nothing where
/// the manifest has no plan.
std::optional<StepCost> stepCost(const Manifest &manifest, int64_t tokens,
                                 int64_t sequences, double context);

} // namespace quartet::rt
#endif
