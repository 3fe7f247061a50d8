// How long a step must take at least on a machine of which little is known:
// how fast its memory is read and how fast its workers multiply.
#ifndef QUARTET_COMPILER_PLAN_STEPTIMES_H
#define QUARTET_COMPILER_PLAN_STEPTIMES_H
#include "compiler/plan/StepPlan.h"

namespace quartet {

struct PlanMachine {
  int64_t workers = 1;
  double readGBs = 0;                 ///< of all workers together
  double f32Gflops = 0, int8Gops = 0; ///< peaks of one worker
  /// What the floats of the first one are: a GPU multiplies matrices in bf16.
  std::string floats = "f32";
};

/// A phase with all its repetitions, or a step. Bytes and flops are exact for
/// the shape; seconds are a lower bound, the larger of bytes at the machine's
/// bandwidth and multiply-adds at its peaks, with all workers busy.
struct PhaseTime {
  double bytes = 0, flops = 0, seconds = 0;
  bool computes = false; ///< multiply-adds take longer than bytes
};

PhaseTime timeOf(const PhasePlan &phase, const StepShape &shape,
                 const PlanMachine &machine);
/// The sum over the phases.
PhaseTime timeOf(const StepPlan &step, const StepShape &shape,
                 const PlanMachine &machine);

/// One token of each of \p batch sequences that have \p context positions.
/// Nothing when no step holds that many tokens.
std::optional<PhaseTime> decodeTime(const ProgramPlan &plan, int64_t batch,
                                    double context, const PlanMachine &machine);
/// A prompt of \p tokens tokens of one sequence, in the program's largest
/// steps. Nothing without steps.
std::optional<PhaseTime> prefillTime(const ProgramPlan &plan, int64_t tokens,
                                     const PlanMachine &machine);

} // namespace quartet
#endif
