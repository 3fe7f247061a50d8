// Lower bounds of times, phase by phase: phases do not overlap.
#include "compiler/plan/StepTimes.h"
#include <algorithm>

using namespace quartet;

PhaseTime quartet::timeOf(const PhasePlan &phase, const StepShape &shape,
                          const PlanMachine &machine) {
  double repeat = double(phase.repeat), workers = double(machine.workers);
  PhaseTime time;
  time.bytes = repeat * phase.work.bytes(shape);
  time.flops = repeat * phase.work.flops(shape);
  double int8 = repeat * phase.work.int8Ops(shape);
  double reading = time.bytes / (machine.readGBs * 1e9);
  double computing = (time.flops - int8) / (machine.f32Gflops * workers * 1e9) +
                     int8 / (machine.int8Gops * workers * 1e9);
  time.computes = computing > reading;
  time.seconds = std::max(reading, computing);
  return time;
}

static void add(PhaseTime &sum, const PhaseTime &time) {
  sum.bytes += time.bytes;
  sum.flops += time.flops;
  sum.seconds += time.seconds;
}

PhaseTime quartet::timeOf(const StepPlan &step, const StepShape &shape,
                          const PlanMachine &machine) {
  PhaseTime sum;
  double computing = 0;
  for (const PhasePlan &phase : step.phases) {
    PhaseTime time = timeOf(phase, shape, machine);
    add(sum, time);
    computing += time.computes ? time.seconds : 0;
  }
  sum.computes = computing > sum.seconds / 2;
  return sum;
}

std::optional<PhaseTime> quartet::decodeTime(const ProgramPlan &plan,
                                             int64_t batch, double context,
                                             const PlanMachine &machine) {
  double size = double(batch);
  const StepPlan *step = plan.stepFor(size);
  if (!step || step->tokens < batch)
    return std::nullopt;
  return timeOf(*step, {size, size, size, context}, machine);
}

std::optional<PhaseTime> quartet::prefillTime(const ProgramPlan &plan,
                                              int64_t tokens,
                                              const PlanMachine &machine) {
  if (plan.steps.empty())
    return std::nullopt;
  PhaseTime sum;
  double computing = 0;
  int64_t chunk = plan.steps.back().tokens;
  for (int64_t past = 0; past < tokens; past += chunk) {
    int64_t size = std::min(chunk, tokens - past);
    bool last = past + size == tokens;
    PhaseTime time = timeOf(
        *plan.stepFor(double(size)),
        {double(size), 1, last ? 1.0 : 0.0, double(past) + double(size) / 2},
        machine);
    add(sum, time);
    computing += time.computes ? time.seconds : 0;
  }
  sum.computes = computing > sum.seconds / 2;
  return sum;
}
