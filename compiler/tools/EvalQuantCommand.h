// quartetc eval-quant: its options and how it runs.
#ifndef QUARTET_COMPILER_TOOLS_EVALQUANTCOMMAND_H
#define QUARTET_COMPILER_TOOLS_EVALQUANTCOMMAND_H
#include "CLI/CLI.hpp"
#include "compiler/eval/EvalQuant.h"

namespace quartet {

/// Declares the command; parsing fills \p command, which must outlive \p app.
void addEvalQuant(CLI::App &app, EvalQuantCommand &command);
/// \returns the exit code.
int runEvalQuant(const EvalQuantCommand &command);

} // namespace quartet
#endif
