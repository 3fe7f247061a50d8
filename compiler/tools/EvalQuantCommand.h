// quartetc eval-quant: its options and how it runs.
#ifndef QUARTET_COMPILER_TOOLS_EVALQUANTCOMMAND_H
#define QUARTET_COMPILER_TOOLS_EVALQUANTCOMMAND_H
#include "CLI/CLI.hpp"
#include "compiler/eval/EvalQuant.h"
#include "compiler/tools/CalibrateCommand.h"

namespace quartet {

struct EvalQuantOptions {
  EvalQuantCommand command;
  CalibrateFirst calibrate;
  std::string scratch; ///< folder for the builds; empty: the system's
  bool json = false;
};
/// Declares the command; parsing fills \p options, which must outlive \p app.
void addEvalQuant(CLI::App &app, EvalQuantOptions &options);
/// \returns the exit code.
int runEvalQuant(const EvalQuantOptions &options);

} // namespace quartet
#endif
