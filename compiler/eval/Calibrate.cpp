// A temporary executable that measures itself, and means of what it measured.
// It is built by the reference lowering: its ops are those of the model, so
// that each matrix has its rows in front of it, before anything is fused.
#include "compiler/eval/Calibrate.h"
#include "compiler/Progress.h"
#include "compiler/eval/ChildProcess.h"
#include "compiler/eval/CompiledModel.h"
#include "compiler/eval/PackedSize.h"
#include "compiler/eval/TextTokens.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/NewFile.h"
#include "compiler/import/Progress.h"
#include "llvm/Support/FileSystem.h"
#include <algorithm>
#include <chrono>

using namespace llvm;
using namespace quartet;

/// Tokens of one step: enough to share the reading of a matrix, few enough for
/// the progress to move.
static constexpr int64_t kStepTokens = 256;

static Error checkInput(const CalibrateCommand &command, StringRef folder) {
  if (Error error = checkText(command.text))
    return error;
  auto input = ModelInput::open(command.model, command.config);
  if (!input)
    return input.takeError();
  if (auto blob = (*input)->tokenizer(); !blob)
    return createStringError(
        command.model +
        ": no tokenizer to read the text with: " + toString(blob.takeError()));
  if (Error error = (*input)->openWeights())
    return error;
  auto plan = (*input)->plan({command.dtype});
  if (!plan)
    return plan.takeError();
  return checkTarget((folder + "/weights").str(), plainSize(*plan));
}

/// Runs the recorder, showing how far it is.
static Error record(const CompiledModel &model, StringRef folder,
                    int64_t tokens, bool quiet) {
  std::string base = folder.str() + "/";
  auto child = ChildProcess::start(
      {model.executable, "states", "--tokens-file", base + "tokens", "-o",
       base + "states.safetensors", "--suffix", ".squares", "--prefill-chunk",
       std::to_string(kStepTokens)},
      "", base + "record.log");
  if (!child)
    return child.takeError();
  Progress progress("calibrating", uint64_t(tokens), !quiet, "tokens");
  while (true) {
    auto line = (*child)->readLine();
    if (!line)
      return line.takeError();
    uint64_t done = 0;
    if (line->empty())
      return (*child)->finish();
    if (!StringRef(*line).split(' ').first.getAsInteger(10, done))
      progress.update(done);
  }
}

Error quartet::calibrate(const CalibrateCommand &command, StringRef folder,
                         StringRef output) {
  auto start = std::chrono::steady_clock::now();
  if (Error error = checkInput(command, folder))
    return error;
  StageProgress stages(command.quiet);
  BuildCommand build;
  build.model = command.model;
  build.config = command.config;
  build.dtype = command.dtype;
  build.lowering = Lowering::Generic;
  build.recordActivations = true;
  build.quiet = command.quiet;
  build.output = folder.str() + "/recorder";
  stages.note("building a model that records its activations");
  if (Error error = quartet::build(build))
    return error;
  std::string log = folder.str() + "/record.log";
  auto model = CompiledModel::ask(build.output, log);
  if (!model)
    return model.takeError();
  auto ids = tokensOf(command.text, build.output, log, 1,
                      std::min(command.tokens, model->maxPositions));
  if (!ids)
    return ids.takeError();
  auto count = int64_t(ids->size());
  if (Error error = writeTokens(*ids, count, folder.str() + "/tokens"))
    return error;
  stages.note("calibrating on " + Twine(count) + " tokens");
  if (Error error = record(*model, folder, count, command.quiet))
    return error;
  auto summary = meanSquaresOf(folder.str() + "/states.safetensors", output);
  // The copy of all weights is not needed any more; builds may follow.
  sys::fs::remove(build.output + ".safetensors");
  if (!summary)
    return summary.takeError();
  std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  stages.note("calibrated on " + Twine(count) + " tokens in " +
              formatSeconds(taken.count()) + ": " + Twine(summary->matrices) +
              " matrices, " + Twine(summary->unseen) +
              " of them experts that no token came to");
  return Error::success();
}
