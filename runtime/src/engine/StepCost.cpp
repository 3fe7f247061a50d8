// Sums over the phases of the bucket that runs the step.
#include "runtime/src/engine/StepCost.h"
#include <cmath>

namespace quartet::rt {

std::optional<StepCost> stepCost(const Manifest &manifest, int64_t tokens,
                                 int64_t sequences, double context) {
  if (manifest.plan.empty())
    return std::nullopt;
  const PlanBucket *bucket = &manifest.plan.back();
  for (const PlanBucket &candidate : manifest.plan)
    if (candidate.tokens >= tokens) {
      bucket = &candidate;
      break;
    }
  StepCost cost;
  for (const PlanPhase &phase : bucket->phases) {
    double read = 0;
    if (phase.experts > 0)
      read = phase.experts *
             (1 - std::pow(1 - phase.expertsPerToken / phase.experts,
                           double(tokens)));
    double bytes = phase.weightBytes + phase.expertBytes * read +
                   double(sequences) *
                       (phase.stateBytes + phase.kvBytesPerPosition * context);
    cost.bytes += phase.repeat * bytes;
    cost.flops += 2 * phase.repeat * phase.macs * double(tokens);
  }
  return cost;
}

} // namespace quartet::rt
