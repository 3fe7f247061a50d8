// Sums over the phases of the bucket that runs the step.
#include "runtime/src/engine/StepCost.h"
#include <cmath>

namespace quartet::rt {

const PlanBucket *planBucket(const Manifest &manifest, int64_t tokens) {
  for (const PlanBucket &candidate : manifest.plan)
    if (candidate.tokens >= tokens)
      return &candidate;
  return manifest.plan.empty() ? nullptr : &manifest.plan.back();
}

StepCost phaseCost(const PlanPhase &phase, int64_t tokens, int64_t sequences,
                   int64_t rows, double context) {
  StepCost cost;
  // Without wanted rows there is nothing to do.
  if (phase.macsPerRow > 0 && phase.macs == 0 && rows == 0)
    return cost;
  double read = 0;
  if (phase.experts > 0)
    read =
        phase.experts * (1 - std::pow(1 - phase.expertsPerToken / phase.experts,
                                      double(tokens)));
  cost.bytes = phase.weightBytes + phase.expertBytes * read +
               double(sequences) * (phase.stateBytes + phase.stateWriteBytes +
                                    phase.kvBytesPerPosition * context) +
               double(tokens) * (phase.tokenBytes + phase.tokenWriteBytes);
  double macs =
      double(tokens) * (phase.macs + phase.macsPerPosition * context) +
      double(rows) * phase.macsPerRow;
  cost.flops = 2 * macs;
  cost.int8Flops = 2 * (double(tokens) * phase.int8Macs +
                        double(rows) * phase.int8MacsPerRow);
  return cost;
}

std::optional<StepCost> stepCost(const Manifest &manifest, int64_t tokens,
                                 int64_t sequences, int64_t rows,
                                 double context) {
  const PlanBucket *bucket = planBucket(manifest, tokens);
  if (!bucket)
    return std::nullopt;
  StepCost sum;
  for (const PlanPhase &phase : bucket->phases) {
    StepCost cost = phaseCost(phase, tokens, sequences, rows, context);
    sum.bytes += phase.repeat * cost.bytes;
    sum.flops += phase.repeat * cost.flops;
    sum.int8Flops += phase.repeat * cost.int8Flops;
  }
  return sum;
}

} // namespace quartet::rt
