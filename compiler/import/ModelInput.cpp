// A model directory as Hugging Face lays it out.
#include "compiler/import/ModelInput.h"
#include "compiler/import/CheckpointSource.h"
#include "compiler/import/Tokenizer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <set>

using namespace llvm;

namespace quartet {
namespace {

class DirectoryInput final : public ModelInput {
public:
  DirectoryInput(StringRef directory, ModelConfig config)
      : directory(directory.str()) {
    modelConfig = std::move(config);
  }

  bool hasWeights() const override {
    std::error_code error;
    for (sys::fs::directory_iterator it(directory, error), end;
         !error && it != end; it.increment(error)) {
      StringRef name = sys::path::filename(it->path());
      if (name.ends_with(".safetensors") ||
          name.ends_with(".safetensors.index.json"))
        return true;
    }
    return false;
  }

  Error openWeights() override {
    Expected<Checkpoint> opened = Checkpoint::open(directory);
    if (!opened)
      return opened.takeError();
    checkpoint = std::move(*opened);
    return Error::success();
  }

  Expected<WeightPlan> plan(const WeightOptions &options) override {
    Expected<QuantConfig> quantization = readQuantConfig(directory);
    if (!quantization)
      return quantization.takeError();
    quantized.reset();
    if (quantization->method == QuantMethod::None) {
      Expected<TensorTable> table = checkpoint->table(options.mtp);
      if (!table)
        return table.takeError();
      return planWeights(modelConfig, options, *table);
    }
    Expected<QuantTensors> found =
        mapQuantTensors(*checkpoint, *quantization, options.mtp);
    if (!found)
      return found.takeError();
    quantized = std::move(*found);
    Expected<WeightPlan> plan =
        planWeights(modelConfig, options, quantized->table);
    if (!plan)
      return plan;
    plan->setAside.insert(plan->setAside.end(), quantized->setAside.begin(),
                          quantized->setAside.end());
    if (Error error = analyzePlanned(*checkpoint, *plan, *quantized))
      return std::move(error);
    return plan;
  }

  std::unique_ptr<WeightSource> source() override {
    if (quantized)
      return quantizedSource(*checkpoint, *quantized);
    return checkpointSource(*checkpoint);
  }

  std::vector<StringRef> storedNames(StringRef tensor) const override {
    if (quantized)
      if (auto it = quantized->parts.find(tensor); it != quantized->parts.end())
        return it->second;
    return {tensor};
  }

  std::string note(const WeightPlan &plan) const override {
    return quantized ? quantizedSource(*checkpoint, *quantized)->ownNote(plan)
                     : "";
  }

  std::vector<InputTensor> tensors() const override {
    std::vector<InputTensor> result;
    for (const StoredTensor &tensor : checkpoint->tensors())
      result.push_back(
          {tensor.name, tensor.dtype, tensor.shape, int64_t(tensor.bytes)});
    return result;
  }

  std::vector<std::string> files() const override {
    std::set<std::string> names;
    if (checkpoint)
      for (const StoredTensor &tensor : checkpoint->tensors())
        names.insert(checkpoint->fileOf(tensor).str());
    return {names.begin(), names.end()};
  }

  Expected<std::vector<uint8_t>> tokenizer() override {
    return importTokenizer(directory);
  }
  std::string tokenizerName() const override {
    return directory + "/tokenizer.json";
  }

  Expected<std::string> chatTemplate() override {
    auto chat = MemoryBuffer::getFile(directory + "/chat_template.jinja");
    return chat ? (*chat)->getBuffer().str() : std::string();
  }

private:
  std::string directory;
  std::optional<Checkpoint> checkpoint;
  /// Of the last plan; absent when the checkpoint is not quantized.
  std::optional<QuantTensors> quantized;
};

} // namespace

Expected<std::unique_ptr<ModelInput>>
ModelInput::open(StringRef path, const ConfigOptions &options) {
  if (path.ends_with(".gguf") && !sys::fs::is_directory(path))
    return openGgufInput(path, options);
  Expected<ModelConfig> config = readConfig(path, options);
  if (!config)
    return config.takeError();
  return std::make_unique<DirectoryInput>(path, std::move(*config));
}

} // namespace quartet
