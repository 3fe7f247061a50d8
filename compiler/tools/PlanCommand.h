// The command line of `quartetc plan`.
#ifndef QUARTET_COMPILER_TOOLS_PLANCOMMAND_H
#define QUARTET_COMPILER_TOOLS_PLANCOMMAND_H
#include "CLI/CLI.hpp"
#include "compiler/plan/Plan.h"

namespace quartet {

/// Adds the command "plan", which fills \p command.
void addPlan(CLI::App &app, PlanCommand &command);

} // namespace quartet
#endif
