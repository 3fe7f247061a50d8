// Gathers the report of `quartetc inspect`: groups the tensors of a checkpoint
// and joins them with the plan of weights. InspectPrint.cpp prints it.
#include "compiler/Inspect.h"
#include "compiler/import/ModelInput.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace quartet {

int64_t InspectReport::layersOf(LayerKind kind) const {
  return llvm::count(config.layers, kind);
}

int64_t InspectReport::deltaStateBytes() const {
  return layersOf(LayerKind::LinearAttention) * config.valueHeads *
         config.keyDim * config.valueDim * byteSize(Dtype::F32);
}

int64_t InspectReport::convStateBytes() const {
  return layersOf(LayerKind::LinearAttention) * (config.convKernel - 1) *
         config.convChannels() * byteSize(config.dtype);
}

int64_t InspectReport::cacheBytesPerToken() const {
  return layersOf(LayerKind::FullAttention) * 2 * config.numKvHeads *
         config.headDim * byteSize(config.dtype);
}

std::string layerPattern(const ModelConfig &config) {
  constexpr int64_t maxLetters = 32;
  bool mixed = llvm::is_contained(config.sparse, true) &&
               llvm::is_contained(config.sparse, false);
  int64_t period = config.blockPeriod(), count = config.blockCount();
  if (count == 0)
    return "no layers";
  std::string text = std::to_string(count) + " x [";
  for (int64_t j = 0; j < std::min(period, maxLetters); ++j) {
    char letter = config.layers[j] == LayerKind::LinearAttention ? 'D' : 'A';
    if (mixed && !config.sparse[j])
      letter = llvm::toLower(letter);
    text += j == 0 ? "" : " ";
    text += letter;
  }
  if (period > maxLetters)
    text += " ... " + std::to_string(period) + " layers";
  return text + "]";
}

/// The name with every number between dots replaced by '*'.
static std::string patternOf(llvm::StringRef name) {
  llvm::SmallVector<llvm::StringRef> pieces;
  name.split(pieces, '.');
  for (llvm::StringRef &piece : pieces)
    if (!piece.empty() && llvm::all_of(piece, llvm::isDigit))
      piece = "*";
  return llvm::join(pieces, ".");
}

/// "l3.qkv" as "l*.qkv".
static std::string weightPattern(llvm::StringRef name) {
  auto [layer, part] = name.split('.');
  return part.empty() || layer == "mtp" ? name.str() : "l*." + part.str();
}

static void groupTensors(const ModelInput &input, const WeightPlan *plan,
                         InspectReport &report) {
  std::map<llvm::StringRef, std::string> reasons;
  // Pattern of weights by tensor, each once, in the plan's order.
  std::map<llvm::StringRef, llvm::SmallVector<std::string, 2>> uses;
  if (plan) {
    for (const SetAside &entry : plan->setAside)
      reasons[entry.tensor] = entry.reason;
    for (const Weight &weight : plan->weights)
      for (const Run &run : weight.runs)
        for (llvm::StringRef name : input.storedNames(run.tensor))
          if (std::string use = weightPattern(weight.name);
              !llvm::is_contained(uses[name], use))
            uses[name].push_back(use);
  }
  std::map<std::tuple<std::string, std::string, std::vector<int64_t>,
                      std::string, std::string>,
           TensorGroup>
      groups;
  for (const InputTensor &tensor : input.tensors()) {
    std::string pattern = patternOf(tensor.name);
    std::string use = llvm::join(uses[tensor.name], ", ");
    std::string reason = reasons[tensor.name];
    TensorGroup &group =
        groups[{pattern, tensor.dtype, tensor.shape, use, reason}];
    if (group.count == 0)
      group = {pattern, tensor.dtype, tensor.shape, 0, 0, use, reason};
    ++group.count;
    group.bytes += tensor.bytes;
    ++report.tensorCount;
    report.checkpointBytes += tensor.bytes;
  }
  for (auto &[key, group] : groups)
    report.groups.push_back(std::move(group));
}

/// Reads the tensors and joins them with the plan, as far as possible.
static llvm::Error addTensors(ModelInput &input, const InspectOptions &options,
                              InspectReport &report) {
  if (llvm::Error error = input.openWeights())
    return error;
  llvm::Expected<WeightPlan> plan = input.plan(options.weights);
  if (!plan) {
    groupTensors(input, nullptr, report);
    return plan.takeError();
  }
  report.planned = true;
  report.mtp = options.weights.mtp;
  groupTensors(input, &*plan, report);
  for (const Weight &weight : plan->weights) {
    int64_t bytes = byteSize(weight.dtype);
    for (int64_t extent : weight.shape)
      bytes *= extent;
    report.weightBytes += bytes;
  }
  return llvm::Error::success();
}

llvm::Error inspectModel(const InspectOptions &options, llvm::raw_ostream &os) {
  llvm::Expected<std::unique_ptr<ModelInput>> input =
      ModelInput::open(options.directory, options.config);
  if (!input)
    return input.takeError();
  InspectReport report;
  report.directory = options.directory;
  report.config = (*input)->config();
  report.counts = countParameters(report.config);
  report.hasWeights = (*input)->hasWeights();
  llvm::Error error = report.hasWeights ? addTensors(**input, options, report)
                                        : llvm::Error::success();
  if (options.json)
    printReportJson(report, os);
  else
    printReport(report, os);
  return error;
}

} // namespace quartet
