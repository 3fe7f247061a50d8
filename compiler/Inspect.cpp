// Gathers the report of `quartetc inspect`: groups the tensors of a checkpoint
// and joins them with the plan of weights. InspectPrint.cpp prints it.
#include "compiler/Inspect.h"
#include "compiler/import/Safetensors.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

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
  return part.empty() ? name.str() : "l*." + part.str();
}

static bool hasSafetensors(llvm::StringRef directory) {
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(directory, error), end;
       !error && it != end; it.increment(error)) {
    llvm::StringRef name = llvm::sys::path::filename(it->path());
    if (name.ends_with(".safetensors") ||
        name.ends_with(".safetensors.index.json"))
      return true;
  }
  return false;
}

static void groupTensors(const Checkpoint &checkpoint, const WeightPlan *plan,
                         InspectReport &report) {
  std::map<llvm::StringRef, std::string> reasons;
  // Pattern of weights by tensor, each once, in the plan's order.
  std::map<llvm::StringRef, llvm::SmallVector<std::string, 2>> uses;
  if (plan) {
    for (const SetAside &entry : plan->setAside)
      reasons[entry.tensor] = entry.reason;
    for (const Weight &weight : plan->weights)
      for (const Run &run : weight.runs)
        if (std::string use = weightPattern(weight.name);
            !llvm::is_contained(uses[run.tensor], use))
          uses[run.tensor].push_back(use);
  }
  std::map<std::tuple<std::string, std::string, std::vector<int64_t>,
                      std::string, std::string>,
           TensorGroup>
      groups;
  for (const StoredTensor &tensor : checkpoint.tensors()) {
    std::string pattern = patternOf(tensor.name);
    std::string use = llvm::join(uses[tensor.name], ", ");
    std::string reason = reasons[tensor.name];
    TensorGroup &group =
        groups[{pattern, tensor.dtype, tensor.shape, use, reason}];
    if (group.count == 0)
      group = {pattern, tensor.dtype, tensor.shape, 0, 0, use, reason};
    ++group.count;
    group.bytes += int64_t(tensor.bytes);
    ++report.tensorCount;
    report.checkpointBytes += int64_t(tensor.bytes);
  }
  for (auto &[key, group] : groups)
    report.groups.push_back(std::move(group));
}

/// Reads the tensors and joins them with the plan, as far as possible.
static llvm::Error addTensors(const InspectOptions &options,
                              InspectReport &report) {
  llvm::Expected<Checkpoint> checkpoint = Checkpoint::open(options.directory);
  if (!checkpoint)
    return checkpoint.takeError();
  llvm::Expected<TensorTable> table = checkpoint->table();
  if (!table) {
    groupTensors(*checkpoint, nullptr, report);
    return table.takeError();
  }
  llvm::Expected<WeightPlan> plan =
      planWeights(report.config, options.weights, *table);
  if (!plan) {
    groupTensors(*checkpoint, nullptr, report);
    return plan.takeError();
  }
  report.planned = true;
  groupTensors(*checkpoint, &*plan, report);
  for (const Weight &weight : plan->weights) {
    int64_t bytes = byteSize(weight.dtype);
    for (int64_t extent : weight.shape)
      bytes *= extent;
    report.weightBytes += bytes;
  }
  return llvm::Error::success();
}

llvm::Error inspectModel(const InspectOptions &options, llvm::raw_ostream &os) {
  llvm::Expected<ModelConfig> config =
      readConfig(options.directory, options.config);
  if (!config)
    return config.takeError();
  InspectReport report;
  report.directory = options.directory;
  report.config = std::move(*config);
  report.counts = countParameters(report.config);
  report.hasWeights = hasSafetensors(options.directory);
  llvm::Error error =
      report.hasWeights ? addTensors(options, report) : llvm::Error::success();
  if (options.json)
    printReportJson(report, os);
  else
    printReport(report, os);
  return error;
}

} // namespace quartet
