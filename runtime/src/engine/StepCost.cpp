// Sums over the phases of the bucket that runs the step.
#include "runtime/src/engine/StepCost.h"
#include <cmath>

namespace quartet::rt {

std::optional<StepCost> stepCost(const Manifest &manifest, int64_t tokens,
                                 int64_t sequences, int64_t rows,
                                 double context) {
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
    // Without wanted rows there is nothing to do.
    if (phase.macsPerRow > 0 && phase.macs == 0 && rows == 0)
      continue;
    double read = 0;
    if (phase.experts > 0)
      read = phase.experts *
             (1 - std::pow(1 - phase.expertsPerToken / phase.experts,
                           double(tokens)));
    double bytes =
        phase.weightBytes + phase.expertBytes * read +
        double(sequences) * (phase.stateBytes + phase.stateWriteBytes +
                             phase.kvBytesPerPosition * context) +
        double(tokens) * (phase.tokenBytes + phase.tokenWriteBytes);
    double macs =
        double(tokens) * (phase.macs + phase.macsPerPosition * context) +
        double(rows) * phase.macsPerRow;
    cost.bytes += phase.repeat * bytes;
    cost.flops += 2 * phase.repeat * macs;
  }
  return cost;
}

} // namespace quartet::rt
