// The compiler driver's command line. Flags only; the work is in
// compiler/Driver.h and compiler/Inspect.h.
#include "CLI/CLI.hpp"
#include "compiler/Driver.h"
#include "compiler/Inspect.h"
#include "compiler/ListTargets.h"
#include "compiler/tools/BuildOptions.h"
#include "compiler/tools/CalibrateCommand.h"
#include "compiler/tools/DeviceCommand.h"
#include "compiler/tools/EvalQuantCommand.h"
#include "compiler/tools/FatalErrors.h"
#include "compiler/tools/PlanCommand.h"
#include "compiler/tools/Report.h"
#include "quartet/version.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>

using namespace quartet;

static void addInspect(CLI::App &app, InspectOptions &command) {
  auto *inspect = app.add_subcommand(
      "inspect", "Show a model's configuration, sizes and tensor coverage");
  inspect
      ->add_option("MODEL", command.directory,
                   "Hugging Face directory or GGUF file")
      ->required();
  inspect->add_flag("--mtp", command.weights.mtp,
                    "Check the layer of multi-token prediction, too, as build "
                    "--mtp imports it");
  inspect->add_flag("--json", command.json, "Machine-readable output");
  inspect->footer(
      "Fails when a tensor of the checkpoint is missing, unknown or of "
      "the wrong shape or type.");
}

namespace {
struct TargetsCommand {
  std::string name; ///< empty: all
  bool json = false;
};
} // namespace

static void addTargets(CLI::App &app, TargetsCommand &command) {
  auto *targets =
      app.add_subcommand("targets", "List what build can compile for");
  targets->add_option("TARGET", command.name,
                      "Show the facts about this target and its CPUs instead");
  targets->add_flag("--json", command.json, "Machine-readable output");
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::setBugReportMsg("quartetc: internal error; please report it with the "
                        "command below and its input\n");
  handleFatalErrors();
  // A file that grows past the user's limit is an error of write(), not a
  // crash.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app{
      "quartetc: compiles hybrid Gated DeltaNet / attention / MoE models "
      "into standalone executables"};
  app.set_version_flag("--version", QUARTET_VERSION);
  app.require_subcommand(0, 1);
  app.failure_message([](const CLI::App *, const CLI::Error &error) {
    return "quartetc: error: " + std::string(error.what()) +
           "\nquartetc: --help and COMMAND --help say more\n";
  });
  BuildCommand buildCommand;
  InspectOptions inspectCommand;
  PlanCommand planCommand;
  TargetsCommand targetsCommand;
  CalibrateFirst calibrateOption;
  std::string buildScratch;
  addBuild(app, buildCommand, calibrateOption, buildScratch);
  addInspect(app, inspectCommand);
  addPlan(app, planCommand);
  addTargets(app, targetsCommand);
  EvalQuantOptions evalOptions;
  addEvalQuant(app, evalOptions);
  CalibrateOptions calibrateOptions;
  addCalibrate(app, calibrateOptions);
  DeviceCommand deviceCommand;
  addDevice(app, deviceCommand);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (app.got_subcommand("build"))
    return runBuild(buildCommand, calibrateOption, buildScratch);
  if (app.got_subcommand("inspect"))
    return report(inspectModel(inspectCommand, llvm::outs()));
  if (app.got_subcommand("plan"))
    return report(plan(planCommand, llvm::outs()));
  if (app.got_subcommand("calibrate"))
    return runCalibrate(calibrateOptions);
  if (app.got_subcommand("eval-quant"))
    return runEvalQuant(evalOptions);
  if (app.got_subcommand("device"))
    return report(runDevice(deviceCommand));
  if (app.got_subcommand("targets"))
    return report(
        listTargets(targetsCommand.name, targetsCommand.json, llvm::outs()));
  llvm::outs() << app.help();
  return report(llvm::Error::success());
}
