// The command line of `quartetc build`.
#ifndef QUARTET_COMPILER_TOOLS_BUILDOPTIONS_H
#define QUARTET_COMPILER_TOOLS_BUILDOPTIONS_H
#include "CLI/CLI.hpp"
#include "compiler/Driver.h"
#include "compiler/tools/CalibrateCommand.h"

namespace quartet {

/// Adds the command "build", which fills \p command, \p calibrate and the
/// folder for its work, \p scratch.
void addBuild(CLI::App &app, BuildCommand &command, CalibrateFirst &calibrate,
              std::string &scratch);

} // namespace quartet
#endif
