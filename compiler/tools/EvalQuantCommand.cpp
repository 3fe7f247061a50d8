// The command line of eval-quant, and its work inside a scratch folder.
#include "compiler/tools/EvalQuantCommand.h"
#include "compiler/eval/ScratchFolder.h"
#include "compiler/tools/Report.h"

using namespace quartet;

void quartet::addEvalQuant(CLI::App &app, EvalQuantOptions &options) {
  EvalQuantCommand &command = options.command;
  BuildCommand &build = command.build;
  auto *eval = app.add_subcommand("eval-quant",
                                  "Measure what quantization costs, on a text");
  eval->add_option("MODEL", build.model, "Hugging Face directory or GGUF file")
      ->required();
  eval->add_option("--quant", build.quant,
                   "Format to measure, as in build: int4, int8, w4, w8, fp8, "
                   "bf16, f16, or a recipe file in JSON");
  eval->add_option("--quant-group", build.quantGroup,
                   "Columns that share a scale: 32, 64 or 128 (default 64)")
      ->check(CLI::IsMember({32, 64, 128}));
  addCalibrateFirst(eval, options.calibrate, build);
  eval->add_option("--text", command.text,
                   "Text in UTF-8 that the model should predict")
      ->required()
      ->type_name("FILE");
  eval->add_option("--tokens", command.tokens,
                   "Most tokens to predict, from the start of the text")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  eval->add_option("--context", command.context,
                   "Cut the text into windows of this many tokens, each read "
                   "by a model that has seen nothing before")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  eval->add_option("--reference", command.reference,
                   "Executable to compare with (default: one built here, with "
                   "the matrices as the checkpoint has them)")
      ->type_name("EXECUTABLE");
  eval->add_option("--scratch", options.scratch,
                   "Folder with room for both builds, which are removed at "
                   "the end (default: the system's temporary folder)")
      ->type_name("DIR");
  eval->add_option("--layers", build.config.layers,
                   "Compile the first N layers only")
      ->check(CLI::PositiveNumber);
  eval->add_flag("--json", options.json, "Machine-readable output");
  eval->add_flag("-q,--quiet", build.quiet, "No progress on standard error");
  eval->footer(
      "Reports perplexity of both builds, the KL divergence of the quantized "
      "build's predictions\nfrom the reference's (nats per token), and how "
      "often both find the same token likeliest.\n"
      "Examples:\n"
      "  quartetc eval-quant ~/Qwen3.6-35B-A3B --quant w4 --text wiki.txt "
      "--scratch /big\n"
      "  quartetc eval-quant models/tiny --quant int4 --quant-group 32 "
      "--text book.txt --json");
}

int quartet::runEvalQuant(const EvalQuantOptions &options) {
  auto code =
      withScratchFolder(options.scratch, [&](llvm::StringRef folder) -> int {
        EvalQuantCommand command = options.command;
        if (llvm::Error error = checkEvalQuant(command, folder))
          return report(std::move(error));
        if (llvm::Error error =
                calibrateFirst(options.calibrate, folder, command.build))
          return report(std::move(error));
        auto result = evalQuant(command, folder);
        if (!result)
          return report(result.takeError());
        (options.json ? printJson : printReport)(*result, llvm::outs());
        return report(llvm::Error::success());
      });
  return code ? *code : report(code.takeError());
}
