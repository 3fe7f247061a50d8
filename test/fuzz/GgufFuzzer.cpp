// Feeds arbitrary bytes to the GGUF importer: it must answer with tensors that
// lie within the file and weights that can be read, or with an error that is
// safe to print.
#include "compiler/import/gguf/GgufConfig.h"
#include "compiler/import/gguf/GgufTensors.h"
#include "compiler/import/gguf/GgufTokenizer.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace quartet;

static void check(bool condition) {
  if (!condition)
    __builtin_trap();
}

/// Messages end up on a terminal; lists of problems have several lines.
static void checkMessage(Error error) {
  std::string text = toString(std::move(error));
  check(!text.empty() && text.size() < 65536);
  for (unsigned char byte : text)
    check((byte >= 0x20 && byte != 0x7f) || byte == '\n');
}

static void readWeights(const GgufModel &model, const ModelConfig &config) {
  Expected<GgufTensors> tensors = mapGgufTensors(model, config);
  if (!tensors)
    return checkMessage(tensors.takeError());
  Expected<WeightPlan> plan =
      planWeights(config, {Dtype::BF16}, tensors->table);
  if (!plan) // what fits the GGUF's list must fit the checkpoint's
    __builtin_trap();
  std::unique_ptr<RunSource> source = ggufSource(model, *tensors);
  for (const Weight &weight : plan->weights) {
    int64_t bytes = byteSize(weight.dtype);
    for (int64_t extent : weight.shape)
      bytes *= extent;
    std::vector<uint8_t> out(static_cast<size_t>(bytes));
    if (Error error = source->read(weight, 0, out))
      return checkMessage(std::move(error));
    std::optional<PackedFormat> own = source->ownFormat(weight);
    if (!own)
      continue;
    check(own->whyInvalid().empty());
    QuantizedRows stored;
    int64_t rows = bytes / byteSize(weight.dtype) / weight.shape.back();
    stored.reset(*own, rows, weight.shape.back());
    if (Error error = source->readOwn(weight, 0, rows, stored))
      return checkMessage(std::move(error));
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  StringRef bytes(reinterpret_cast<const char *>(data), size);
  Expected<GgufModel> model = GgufModel::fromBuffer(
      MemoryBuffer::getMemBuffer(bytes, "fuzz", false), "fuzz.gguf");
  if (!model) {
    checkMessage(model.takeError());
    return 0;
  }
  for (const GgufTensor &tensor : model->tensors())
    check(model->data(tensor).size() == tensor.bytes);
  Expected<std::optional<std::string>> tokenizer = ggufTokenizerJson(*model);
  if (!tokenizer)
    checkMessage(tokenizer.takeError());
  Expected<ModelConfig> config = readGgufConfig(*model);
  if (!config)
    checkMessage(config.takeError());
  else
    readWeights(*model, *config);
  return 0;
}
