// Feeds arbitrary text to the reader of config.json. A config that is accepted
// must also give a weight plan, counts and rotary tables without trouble.
#include "models/Config.h"
#include "models/Weights.h"

using namespace quartet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  // What follows a zero byte, if there is one, is generation_config.json.
  auto [config, generation] = text.split('\0');
  llvm::Expected<ModelConfig> model =
      parseConfig(config, generation, "fuzz/config.json");
  if (!model) {
    llvm::consumeError(model.takeError());
    return 0;
  }
  if (model->blockPeriod() * model->blockCount() !=
      int64_t(model->layers.size()))
    __builtin_trap();
  WeightPlan plan = planWeights(*model, {});
  ParameterCounts counts = countParameters(*model);
  int64_t elements = 0;
  for (const Weight &weight : plan.weights) {
    int64_t product = 1;
    for (int64_t extent : weight.shape)
      product *= extent;
    elements += product;
  }
  if (elements != counts.text() || counts.active() <= 0)
    __builtin_trap();
  if (model->rope.inverseFrequencies().size() != model->rope.axes().size())
    __builtin_trap();
  // No tensors: every weight is reported missing, nothing crashes.
  llvm::Expected<WeightPlan> empty = planWeights(*model, {}, TensorTable());
  if (empty)
    __builtin_trap();
  llvm::consumeError(empty.takeError());
  return 0;
}
