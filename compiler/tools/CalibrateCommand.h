// quartetc calibrate, and builds that calibrate themselves (build --calibrate).
#ifndef QUARTET_COMPILER_TOOLS_CALIBRATECOMMAND_H
#define QUARTET_COMPILER_TOOLS_CALIBRATECOMMAND_H
#include "CLI/CLI.hpp"
#include "compiler/eval/Calibrate.h"

namespace quartet {

/// The options of the command calibrate.
struct CalibrateOptions {
  CalibrateCommand command;
  std::string output, scratch;
};
/// Declares the command; parsing fills \p options, which must outlive \p app.
void addCalibrate(CLI::App &app, CalibrateOptions &options);
/// \returns the exit code.
int runCalibrate(const CalibrateOptions &options);

/// The options of a command that quantizes, by which it calibrates before.
struct CalibrateFirst {
  std::string text; ///< empty: it does not
  int64_t tokens = CalibrateCommand().tokens;
};
/// Adds --calibrate, --calibrate-tokens and --activation-stats, which fills
/// \p build, to \p app.
void addCalibrateFirst(CLI::App *app, CalibrateFirst &options,
                       BuildCommand &build);
/// Calibrates in \p folder, if \p options say so, and lets \p build use it.
llvm::Error calibrateFirst(const CalibrateFirst &options,
                           llvm::StringRef folder, BuildCommand &build);
/// The command build. \p scratch: see withScratchFolder. \returns the exit
/// code.
int runBuild(const BuildCommand &build, const CalibrateFirst &options,
             const std::string &scratch);

} // namespace quartet
#endif
