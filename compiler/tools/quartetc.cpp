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
#include "compiler/tools/PlanCommand.h"
#include "compiler/tools/Report.h"
#include "quartet/version.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>

using namespace quartet;

/// An option that takes one of a few words.
template <typename T>
static CLI::Option *addChoice(CLI::App *app, const char *name,
                              std::map<std::string, T> choices,
                              std::function<void(T)> store, const char *about) {
  CLI::IsMember known(choices);
  return app
      ->add_option_function<std::string>(
          name,
          [=](const std::string &word) { store(choices.find(word)->second); },
          about)
      ->check(known)
      ->type_name("WORD");
}
static std::string targetHelp() {
  std::string text = "Machine to compile for, or several CPUs that one "
                     "executable shall choose from (x86-64-v3,x86-64-v4):";
  for (const auto &[name, about] : targetNames())
    text += " " + name + " (" + about + "),";
  text.back() = '.';
  return text;
static void addBuild(CLI::App &app, BuildCommand &command,
                     CalibrateFirst &calibrate, std::string &scratch) {
  auto *build = app.add_subcommand(
      "build", "Compile a model into an executable and a weight file");
  build
      ->add_option("MODEL", command.model,
                   "Hugging Face directory: config.json, *.safetensors, "
                   "tokenizer.json, generation_config.json; or a GGUF file")
      ->required();
  build->add_option("-o,--output", command.output,
                    "File to write (default: the model's name, here; "
                    "weights go to FILE.safetensors)");
  build->add_option("--target", command.target, targetHelp())
      ->capture_default_str();
  build->add_option(
      "--mcpu", command.cpu,
      "LLVM's name of the CPU, e.g. znver5 (default: the target's), and "
      "features that it has besides: x86-64-v3+avxvnni; "
      "'quartetc targets TARGET' lists them");
  addChoice<Dtype>(
      build, "--dtype",
      {{"f32", Dtype::F32}, {"bf16", Dtype::BF16}, {"f16", Dtype::F16}},
      [&](Dtype dtype) { command.dtype = dtype; },
      "Element type of the matrices and the KV cache: f32, bf16 or f16 "
      "(default: "
      "as in the checkpoint)");
  addChoice<KvType>(
      build, "--kv-cache",
      {{"f32", KvType::F32},
       {"bf16", KvType::BF16},
       {"f16", KvType::F16},
       {"int8", KvType::Int8}},
      [&](KvType type) { command.kvType = type; },
      "Element type of the KV cache: f32, bf16, f16, or int8 with a scale for "
      "each token and head (default: that of the matrices)");
      "--quant", command.quant,
      "Format of the weight matrices: bf16, f16, fp8, int8, int6, int4 (all of "
      "them), w4 (int4, the head int8), w8, or a recipe file in JSON "
      "(default: as in the checkpoint)");
      ->add_option("--quant-group", command.quantGroup,
                   "Columns that share a scale: 32, 64 or 128 (default 64)")
      ->check(CLI::IsMember({32, 64, 128}));
  addCalibrateFirst(build, calibrate, command);
      ->add_option("--scratch", scratch,
                   "Folder with room for a build with unquantized weights, "
                   "for --calibrate (default: the system's temporary folder)")
      ->type_name("DIR");
      ->add_option("--buckets", command.buckets,
                   "Specialise the step for up to these numbers of tokens, "
                   "e.g. 1,16,512 (default: the target's choice)")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  addChoice<Lowering>(
      build, "--lowering",
      {{"auto", Lowering::Auto},
       {"step", Lowering::Step},
       {"generic", Lowering::Generic}},
      [&](Lowering lowering) { command.lowering = lowering; },
      "step: the scheduled program with packed weights; generic: the "
      "reference (default: step where the CPU has fused multiply-add)");
      "--synthetic", command.syntheticSeed,
      "Use random weights from this seed instead of a checkpoint");
      ->add_option("--layers", command.config.layers,
                   "Compile the first N layers only")
      ->check(CLI::PositiveNumber);
  build->add_flag(
      "--no-weights", command.withoutWeights,
      "Write the executable only; it accepts any weight file of the "
      "same layout");
  build->add_flag("--embed-weights", command.embedWeights,
                  "Put the weights into the executable (small models)");
  build->add_flag("--mtp", command.mtp,
                  "Compile the checkpoint's layer of multi-token prediction, "
                  "too: a second step beside the model's, which drafts the "
                  "token after the next. 'run' does not use it yet; 'logits "
                  "--mtp' does");
  build->add_option("--rope-yarn-factor", command.config.ropeYarnFactor,
                    "Extend the context by this factor with YaRN, up to "
                    "1,010,000 positions; e.g. 4");
  build->add_option("--dump-stages", command.dumpStages,
                    "Write the IR after each stage into this folder; "
                    "quartet-opt reads the files back");
  addChoice<Emit>(
      build, "--emit",
      {{"exe", Emit::Executable},
       {"quartet", Emit::Quartet},
       {"phases", Emit::Phases},
       {"tile", Emit::Tile},
       {"linalg", Emit::Linalg},
       {"llvm", Emit::Llvm},
       {"obj", Emit::Object}},
      [&](Emit emit) { command.emit = emit; },
      "Stop early and write quartet (model IR), phases, tile (the schedule), "
      "linalg (generic lowering), llvm (optimised LLVM IR), obj; or exe");
  build->add_flag("-q,--quiet", command.quiet, "No progress on standard error");
  build->footer(
      "Examples:\n"
      "  quartetc build models/tiny -o tiny && ./tiny run -p 'In the "
      "beginning'\n"
      "  quartetc build ~/Qwen3.6-35B-A3B -o qwen\n"
      "  quartetc build ~/Qwen3.6-35B-A3B --quant w4 -o qwen-w4\n"
      "  quartetc build Qwen3.6-35B-A3B-Q4_K_M.gguf -o qwen\n"
      "  quartetc build models/Qwen3.6-35B-A3B --synthetic 1 --layers 4\n"
      "  quartetc build models/tiny --emit=quartet -o -");
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
