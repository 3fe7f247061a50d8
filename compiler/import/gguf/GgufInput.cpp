// A GGUF file as the input of a build.
#include "compiler/import/ModelInput.h"
#include "compiler/import/Tokenizer.h"
#include "compiler/import/gguf/GgufBlocks.h"
#include "compiler/import/gguf/GgufConfig.h"
#include "compiler/import/gguf/GgufTensors.h"
#include "compiler/import/gguf/GgufTokenizer.h"

using namespace llvm;

namespace quartet {
namespace {

class GgufInput final : public ModelInput {
public:
  GgufInput(GgufModel opened, ModelConfig config) : model(std::move(opened)) {
    modelConfig = std::move(config);
  }

  bool hasWeights() const override { return true; }
  // The header, which has been read, is all that there is to open.
  Error openWeights() override { return Error::success(); }

  Expected<WeightPlan> plan(const WeightOptions &options) override {
    if (options.mtp)
      if (std::string why = whyNotMtp(modelConfig); !why.empty())
        return createStringError(model.path() + ": " + why);
    Expected<GgufTensors> found =
        mapGgufTensors(model, modelConfig, options.mtp);
    if (!found)
      return found.takeError();
    mapped = std::move(*found);
    Expected<WeightPlan> plan = planWeights(modelConfig, options, mapped.table);
    if (plan)
      plan->setAside.insert(plan->setAside.end(), mapped.setAside.begin(),
                            mapped.setAside.end());
    return plan;
  }

  std::unique_ptr<WeightSource> source() override {
    return ggufSource(model, mapped);
  }

  std::vector<InputTensor> tensors() const override {
    std::vector<InputTensor> result;
    for (const GgufTensor &tensor : model.tensors())
      result.push_back({tensor.name, ggufTypeName(tensor.type), tensor.shape,
                        int64_t(tensor.bytes)});
    return result;
  }

  std::vector<StringRef> storedNames(StringRef tensor) const override {
    return {mapped.nameInFile(tensor)};
  }

  std::vector<std::string> files() const override { return model.files(); }

  std::string note(const WeightPlan &plan) const override {
    return ggufSource(model, mapped)->ownNote(plan);
  }

  Expected<std::vector<uint8_t>> tokenizer() override {
    Expected<std::optional<std::string>> text = ggufTokenizerJson(model);
    if (!text)
      return text.takeError();
    if (!*text)
      return createStringError(
          std::make_error_code(std::errc::no_such_file_or_directory),
          model.path() + ": no tokenizer");
    return importTokenizerFromText(**text, "", model.path());
  }
  std::string tokenizerName() const override { return model.path(); }

  Expected<std::string> chatTemplate() override {
    Expected<std::optional<std::string>> text =
        model.string("tokenizer.chat_template");
    if (!text)
      return text.takeError();
    return text->value_or("");
  }

private:
  GgufModel model;
  GgufTensors mapped;
};

} // namespace

Expected<std::unique_ptr<ModelInput>>
openGgufInput(StringRef path, const ConfigOptions &options) {
  Expected<GgufModel> model = GgufModel::open(path);
  if (!model)
    return model.takeError();
  Expected<ModelConfig> config = readGgufConfig(*model, options);
  if (!config)
    return config.takeError();
  return std::make_unique<GgufInput>(std::move(*model), std::move(*config));
}

} // namespace quartet
