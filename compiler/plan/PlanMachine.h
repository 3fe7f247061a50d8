// The machine that a plan is for.
#ifndef QUARTET_COMPILER_PLAN_PLANMACHINE_H
#define QUARTET_COMPILER_PLAN_PLANMACHINE_H
#include "compiler/plan/Plan.h"

namespace quartet {

/// Fills the target, the machine and what was assumed about it in \p report.
/// \returns whether it is a GPU. Errors: an unknown target, the emulator, and a
/// CPU that the step program does not run on.
llvm::Expected<bool> findMachine(const PlanCommand &command,
                                 PlanReport &report);

} // namespace quartet
#endif
