// How a plan reads, as text and as JSON.
#ifndef QUARTET_COMPILER_PLAN_PLANREPORT_H
#define QUARTET_COMPILER_PLAN_PLANREPORT_H
#include "compiler/plan/StepTimes.h"
#include "llvm/Support/raw_ostream.h"

namespace quartet {

struct PlannedDecode {
  int64_t batch = 1, context = 0;
  PhaseTime time;     ///< of one step
  int64_t memory = 0; ///< bytes: weights, states and scratch
};

struct PlannedPrefill {
  int64_t tokens = 0;
  PhaseTime time; ///< of the whole prompt
};

/// Everything that is printed.
struct PlanReport {
  std::string model, target, cpu, formats;
  int64_t layers = 0, checkpointLayers = 0;
  ProgramPlan program;
  uint64_t weightFileBytes = 0; ///< data of the weight file, as it is laid out
  PlanMachine machine;
  /// What was taken for granted, a sentence each.
  std::vector<std::string> assumptions;
  int64_t context = 0; ///< of the tables' steps of few tokens
  std::vector<PlannedDecode> decode;
  std::vector<PlannedPrefill> prefill;

  /// The step that a bucket's table is about.
  StepShape tableShape(const StepPlan &step) const;
};

/// \p os gets a final line break.
void printPlan(const PlanReport &report, llvm::raw_ostream &os);
void printPlanJson(const PlanReport &report, llvm::raw_ostream &os);

} // namespace quartet
#endif
