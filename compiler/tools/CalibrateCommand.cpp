// The command line of calibrate and of --calibrate.
#include "compiler/tools/CalibrateCommand.h"
#include "compiler/OutputFile.h"
#include "compiler/eval/ScratchFolder.h"
#include "compiler/tools/Report.h"

using namespace quartet;

void quartet::addCalibrate(CLI::App &app, CalibrateOptions &options) {
  CalibrateCommand &command = options.command;
  auto *calibrate = app.add_subcommand(
      "calibrate", "Measure on a text which columns of the matrices matter");
  calibrate
      ->add_option("MODEL", command.model,
                   "Hugging Face directory or GGUF file")
      ->required();
  calibrate
      ->add_option("--text", command.text,
                   "Text in UTF-8 like what the model will read")
      ->required()
      ->type_name("FILE");
  calibrate
      ->add_option("-o,--output", options.output,
                   "Statistics to write (safetensors)")
      ->required()
      ->type_name("FILE");
  calibrate
      ->add_option("--tokens", command.tokens,
                   "Most tokens of the text, which are read as one sequence")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  calibrate
      ->add_option("--scratch", options.scratch,
                   "Folder with room for a build with unquantized weights, "
                   "which is removed at the end (default: the system's "
                   "temporary folder)")
      ->type_name("DIR");
  std::map<std::string, Dtype> types{
      {"f32", Dtype::F32}, {"bf16", Dtype::BF16}, {"f16", Dtype::F16}};
  calibrate
      ->add_option_function<std::string>(
          "--dtype",
          [&command, types](const std::string &word) {
            command.dtype = types.find(word)->second;
          },
          "Element type of the matrices to measure with: f32, bf16 or f16 "
          "(default: as in the checkpoint)")
      ->check(CLI::IsMember(types))
      ->type_name("WORD");
  calibrate
      ->add_option("--layers", command.config.layers,
                   "Compile the first N layers only")
      ->check(CLI::PositiveNumber);
  calibrate->add_flag("-q,--quiet", command.quiet,
                      "No progress on standard error");
  calibrate->footer(
      "The statistics are for --activation-stats of build and eval-quant, "
      "whose --calibrate does both at once.\n"
      "Example:\n"
      "  quartetc calibrate models/tiny --text models/tiny/calibration.txt -o "
      "tiny-stats.safetensors");
}

int quartet::runCalibrate(const CalibrateOptions &options) {
  if (llvm::Error error = checkOutput(options.output, {options.command.text}))
    return report(std::move(error));
  auto code =
      withScratchFolder(options.scratch, [&](llvm::StringRef folder) -> int {
        return report(calibrate(options.command, folder, options.output));
      });
  return code ? *code : report(code.takeError());
}

void quartet::addCalibrateFirst(CLI::App *app, CalibrateFirst &options,
                                BuildCommand &build) {
  CLI::Option *stats = app->add_option(
      "--activation-stats", build.activationStats,
      "Mean squared activations per column (safetensors), by which "
      "quantization weighs its errors");
  CLI::Option *text =
      app->add_option("--calibrate", options.text,
                      "Measure them on this text first, as the command "
                      "calibrate does")
          ->type_name("FILE")
          ->excludes(stats);
  app->add_option("--calibrate-tokens", options.tokens,
                  "Most tokens of that text")
      ->check(CLI::Range(1, 1 << 24))
      ->needs(text)
      ->capture_default_str();
}

llvm::Error quartet::calibrateFirst(const CalibrateFirst &options,
                                    llvm::StringRef folder,
                                    BuildCommand &build) {
  if (options.text.empty())
    return llvm::Error::success();
  if (build.quant.empty() && !build.quantGroup)
    return llvm::createStringError(
        "--calibrate: nothing is quantized that it could weigh the errors of; "
        "add --quant FORMAT");
  CalibrateCommand command;
  command.model = build.model;
  command.config = build.config;
  command.dtype = build.dtype;
  command.text = options.text;
  command.tokens = options.tokens;
  command.quiet = build.quiet;
  build.activationStats = (folder + "/statistics.safetensors").str();
  return calibrate(command, folder, build.activationStats);
}

int quartet::runBuild(const BuildCommand &command,
                      const CalibrateFirst &options,
                      const std::string &scratch) {
  if (options.text.empty())
    return report(build(command));
  auto code = withScratchFolder(scratch, [&](llvm::StringRef folder) -> int {
    BuildCommand calibrated = command;
    if (llvm::Error error = calibrateFirst(options, folder, calibrated))
      return report(std::move(error));
    return report(build(calibrated));
  });
  return code ? *code : report(code.takeError());
}
