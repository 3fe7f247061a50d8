// Builds, tokenizes, and compares two streams of logits.
#include "compiler/eval/EvalQuant.h"
#include "compiler/Progress.h"
#include "compiler/eval/ChildProcess.h"
#include "compiler/eval/PackedSize.h"
#include "compiler/eval/TextTokens.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/NewFile.h"
#include "compiler/import/Progress.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"
#include <algorithm>

using namespace llvm;
using namespace quartet;

/// Logits that a child computes in one step, in bytes; its memory, and how far
/// it can be ahead of the other one.
static constexpr int64_t kStepBytes = 64 << 20;
/// The step program gives the same bits for any cut at multiples of this.
static constexpr int64_t kStepMultiple = 32;

namespace {
/// One evaluation; the members are filled in this order.
class Evaluation {
public:
  Evaluation(const EvalQuantCommand &command, StringRef folder)
      : command(command), folder(folder.str()), stages(command.build.quiet) {}

  Expected<EvalQuantResult> run();

private:
  Error prepareReference();
  /// By the reference's tokenizer, so that a given one is tried at once.
  Error readTokens();
  Error buildQuantized();
  Error compare();
  std::string in(const char *name) const { return folder + "/" + name; }
  Expected<std::unique_ptr<ChildProcess>> start(const CompiledModel &model,
                                                const char *log);

  const EvalQuantCommand &command;
  std::string folder;
  StageProgress stages;
  EvalQuantResult result;
  std::vector<int32_t> ids;
  DivergenceStatistics statistics;
};
} // namespace

Error quartet::checkEvalQuant(const EvalQuantCommand &command,
                              StringRef folder) {
  if (Error error = checkText(command.text))
    return error;
  const BuildCommand &build = command.build;
  if (build.quant.empty() && !build.quantGroup && command.reference.empty())
    return createStringError("without --quant there is nothing to compare: "
                             "add --quant FORMAT, or --reference EXECUTABLE");
  auto recipe = Recipe::fromOption(build.quant, build.quantGroup);
  if (!recipe)
    return recipe.takeError();
  auto input = ModelInput::open(build.model, build.config);
  if (!input)
    return input.takeError();
  if (auto blob = (*input)->tokenizer(); !blob) {
    std::string why = toString(blob.takeError());
    return createStringError(build.model +
                             ": no tokenizer to read the text "
                             "with: " +
                             why);
  }
  if (Error error = (*input)->openWeights())
    return error;
  auto plan = (*input)->plan({});
  if (!plan)
    return plan.takeError();
  std::unique_ptr<WeightSource> source = (*input)->source();
  uint64_t bytes = packedSize(*plan, *recipe, *source);
  if (command.reference.empty())
    bytes += packedSize(*plan, Recipe(), *source);
  return checkTarget((folder + "/weights").str(), bytes);
}

/// "int4:32", as the user has said it.
static std::string quantizationOf(const BuildCommand &build) {
  if (build.quant.empty() && !build.quantGroup)
    return "as in the checkpoint";
  std::string text = build.quant.empty() ? "int4" : build.quant;
  if (build.quantGroup)
    text += ":" + std::to_string(*build.quantGroup);
  return build.activationStats.empty() ? text : text + " calibrated";
}

Error Evaluation::prepareReference() {
  std::string path = command.reference;
  if (path.empty()) {
    BuildCommand plain = command.build;
    plain.quant.clear();
    plain.quantGroup.reset();
    plain.activationStats.clear();
    plain.output = path = in("reference");
    stages.note("building the reference, as in the checkpoint");
    if (Error error = quartet::build(plain))
      return error;
  }
  auto asked = CompiledModel::ask(path, in("info.log"));
  if (!asked)
    return asked.takeError();
  result.reference = std::move(*asked);
  return Error::success();
}

Error Evaluation::buildQuantized() {
  BuildCommand quantized = command.build;
  quantized.output = in("quantized");
  stages.note("building the quantized model, " + result.quantization);
  if (Error error = quartet::build(quantized))
    return error;
  auto asked = CompiledModel::ask(quantized.output, in("info.log"));
  if (!asked)
    return asked.takeError();
  result.quantized = std::move(*asked);
  if (result.reference.vocab == result.quantized.vocab)
    return Error::success();
  return createStringError(
      "'" + result.reference.executable + "' has a vocabulary of " +
      Twine(result.reference.vocab) + ", " + command.build.model + " one of " +
      Twine(result.quantized.vocab) + ": build the reference from this model");
}

Error Evaluation::readTokens() {
  result.context = std::min(
      {command.context, command.tokens, result.reference.maxPositions});
  // One more than there are predictions: the last one's outcome.
  auto read = tokensOf(command.text, result.reference.executable,
                       in("tokenize.log"), 2, command.tokens + 1);
  if (!read)
    return read.takeError();
  ids = std::move(*read);
  for (int32_t id : ids)
    if (id < 0 || id >= result.reference.vocab)
      return createStringError(command.text + ": token id " + Twine(id) +
                               " is outside the model's vocabulary of " +
                               Twine(result.reference.vocab));
  return writeTokens(ArrayRef(ids).drop_back(), result.context, in("tokens"));
}

Expected<std::unique_ptr<ChildProcess>>
Evaluation::start(const CompiledModel &model, const char *log) {
  int64_t step = kStepBytes / (4 * model.vocab) / kStepMultiple * kStepMultiple;
  step = std::clamp<int64_t>(step, kStepMultiple, 512);
  // Both run at once: half of the cores for each.
  unsigned cores = hardware_concurrency().compute_thread_count();
  return ChildProcess::start(
      {model.executable, "logits", "--tokens-file", in("tokens"), "-o", "-",
       "--prefill-chunk", std::to_string(step), "--threads",
       std::to_string(std::max(1u, cores / 2)), "--no-pin"},
      "", in(log));
}

Error Evaluation::compare() {
  int64_t total = int64_t(ids.size()) - 1;
  stages.note("comparing " + Twine(total) + " predictions");
  auto reference = start(result.reference, "reference.log");
  if (!reference)
    return reference.takeError();
  auto quantized = start(result.quantized, "quantized.log");
  if (!quantized)
    return quantized.takeError();
  auto vocab = size_t(result.reference.vocab);
  std::vector<float> a(vocab), b(vocab);
  auto bytesOf = [](std::vector<float> &row) {
    return MutableArrayRef(reinterpret_cast<char *>(row.data()),
                           row.size() * sizeof(float));
  };
  Progress progress("comparing", uint64_t(total), !command.build.quiet,
                    "tokens");
  for (int64_t i = 0; i != total; ++i) {
    if (Error error = (*reference)->read(bytesOf(a)))
      return error;
    if (Error error = (*quantized)->read(bytesOf(b)))
      return error;
    auto row = compareRows(a, b, ids[size_t(i) + 1]);
    if (!row)
      return createStringError(
          "token " + Twine(i) + " of " + command.text +
          ": the logits hold a value that is not finite, so there are no "
          "probabilities to compare");
    statistics.add(*row);
    progress.update(uint64_t(i) + 1);
  }
  if (Error error = (*reference)->finish())
    return error;
  return (*quantized)->finish();
}

Expected<EvalQuantResult> Evaluation::run() {
  result.quantization = quantizationOf(command.build);
  if (Error error = prepareReference())
    return std::move(error);
  if (Error error = readTokens())
    return std::move(error);
  if (Error error = buildQuantized())
    return std::move(error);
  if (Error error = compare())
    return std::move(error);
  // "models/tiny/" and "models/tiny" are one model.
  result.model =
      sys::path::filename(StringRef(command.build.model).rtrim('/')).str();
  result.text = sys::path::filename(command.text).str();
  result.summary = statistics.summary();
  return std::move(result);
}

Expected<EvalQuantResult> quartet::evalQuant(const EvalQuantCommand &command,
                                             StringRef folder) {
  return Evaluation(command, folder).run();
}
