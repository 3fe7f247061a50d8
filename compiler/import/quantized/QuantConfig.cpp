// One reader per method. Fields that only matter for activations, or for how
// the checkpoint was made, are not looked at.
#include "compiler/import/quantized/QuantConfig.h"
#include "models/JsonFields.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <algorithm>

using nlohmann::json;
using namespace llvm;

namespace quartet {
namespace {

constexpr Range<int64_t> anySize = {1, 1 << 20};

void oneOf(JsonFields &fields, StringRef key, ArrayRef<StringRef> allowed,
           std::optional<std::string> fallback = std::nullopt) {
  std::string value = StringRef(fields.string(key, fallback)).lower();
  std::string text;
  for (StringRef name : allowed) {
    if (name.equals_insensitive(value))
      return;
    text += (text.empty() ? "" : ", ") + name.str();
  }
  fields.expected(key, (allowed.size() > 1 ? "one of " : "") + Twine(text));
}

/// Bits and group size of integer codes; a group size of -1 is a whole row.
QuantConfig::Integers integers(JsonFields &fields, StringRef bitsKey,
                               int64_t defaultGroup) {
  QuantConfig::Integers result;
  result.bits = fields.integer(bitsKey, {2, 16}, 4);
  if (result.bits != 4 && result.bits != 8)
    fields.expected(bitsKey, "4 or 8");
  result.group = fields.integer("group_size", {-1, anySize.max}, defaultGroup);
  result.group = std::max<int64_t>(result.group, 0);
  return result;
}

/// A list of names or patterns, or null. Patterns are left to whoever wrote
/// them: the tensors say what is quantized.
void plainModules(JsonFields &fields, StringRef key, QuantConfig &config) {
  const json *list = fields.find(key);
  if (!list)
    return;
  if (!list->is_array())
    return fields.expected(key, "a list of module names");
  for (const json &entry : *list) {
    if (!entry.is_string())
      return fields.expected(key, "a list of module names");
    StringRef name = entry.get_ref<const std::string &>();
    if (name.starts_with("re:") || name.find_first_of("*?[\\^$(|") != name.npos)
      continue;
    config.plainModules.insert(name.str());
    config.plainField = key.str();
  }
}

void block(JsonFields &fields, StringRef key, QuantConfig &config) {
  std::vector<int64_t> size = fields.integers(key, anySize);
  if (size.empty() && !fields.has(key))
    return;
  if (size.size() != 2 || size[1] % 16 != 0)
    return fields.expected(key, "rows and columns of a block, the columns a "
                                "multiple of 16");
  config.blockRows = size[0];
  config.blockColumns = size[1];
}

void readFp8(JsonFields &fields, QuantConfig &config) {
  oneOf(fields, "fmt", {"e4m3"}, "e4m3");
  block(fields, "weight_block_size", config);
  plainModules(fields, "modules_to_not_convert", config);
  plainModules(fields, "ignored_layers", config);
}

void readGptq(JsonFields &fields, QuantConfig &config) {
  // Rules for single modules may change both numbers.
  QuantConfig::Integers all = integers(fields, "bits", 128);
  if (!fields.has("dynamic"))
    config.integers.push_back(all);
  oneOf(fields, "checkpoint_format", {"gptq", "gptq_v2"}, "gptq");
  config.zerosLessOne =
      StringRef(fields.string("checkpoint_format", "gptq")).lower() == "gptq";
  plainModules(fields, "modules_to_not_convert", config);
}

void readAwq(JsonFields &fields, QuantConfig &config) {
  config.integers.push_back(integers(fields, "bits", 128));
  if (config.integers.back().bits != 4)
    fields.expected("bits", "4");
  oneOf(fields, "version", {"gemm"}, "gemm");
  plainModules(fields, "modules_to_not_convert", config);
}

/// One of compressed-tensors' schemes, which hold for some modules.
void readScheme(JsonFields weights, QuantConfig &config) {
  int64_t bits = weights.integer("num_bits", {1, 16});
  std::string type = weights.string("type", "int");
  std::string strategy = weights.string("strategy", "tensor");
  if (type != "int" && type != "float")
    return weights.expected("type", "int or float");
  if (type == "float") {
    if (bits != 4 && bits != 8)
      return weights.expected("num_bits", "4 or 8");
    if (strategy == "block")
      block(weights, "block_structure", config);
    return;
  }
  if (bits != 4 && bits != 8)
    return weights.expected("num_bits", "4 or 8");
  if (strategy == "group")
    config.integers.push_back({bits, weights.integer("group_size", anySize)});
  else if (strategy == "channel" || strategy == "tensor")
    config.integers.push_back({bits, 0});
  else
    weights.expected("strategy", "group, channel or tensor");
}

void readCompressed(JsonFields &fields, QuantConfig &config) {
  oneOf(fields, "format",
        {"pack-quantized", "int-quantized", "float-quantized",
         "naive-quantized", "nvfp4-pack-quantized", "mxfp4-pack-quantized",
         "mixed-precision", "dense"},
        "dense");
  plainModules(fields, "ignore", config);
  if (const json *transforms = fields.childObject("transform_config"))
    if (auto it = transforms->find("config_groups");
        it != transforms->end() && !it->empty())
      fields.fail(fields.path("transform_config") +
                  " has rotations, which this build does not undo; use a "
                  "checkpoint without them");
  const json *groups = fields.childObject("config_groups");
  if (!groups)
    return;
  JsonFields all = fields.nested("config_groups", *groups);
  for (auto it = groups->begin(); it != groups->end(); ++it) {
    const json *group = all.childObject(it.key());
    if (!group)
      continue;
    JsonFields scheme = all.nested(it.key(), *group);
    if (const json *weights = scheme.childObject("weights"))
      readScheme(scheme.nested("weights", *weights), config);
  }
}

void readModelOpt(JsonFields &fields, QuantConfig &config) {
  oneOf(fields, "quant_algo", {"NVFP4", "FP8", "MIXED_PRECISION"});
  plainModules(fields, "ignore", config);
  plainModules(fields, "exclude_modules", config);
}

using Reader = void (*)(JsonFields &, QuantConfig &);
struct Method {
  StringRef name;
  QuantMethod method;
  Reader read;
};
const Method methods[] = {
    {"fp8", QuantMethod::Fp8, readFp8},
    {"gptq", QuantMethod::Gptq, readGptq},
    {"awq", QuantMethod::Awq, readAwq},
    {"compressed-tensors", QuantMethod::CompressedTensors, readCompressed},
    {"modelopt", QuantMethod::ModelOpt, readModelOpt},
};

void readMethod(JsonFields &fields, const json &object, QuantConfig &config) {
  std::string name = fields.string("quant_method", "");
  // Older files of ModelOpt leave the name out.
  if (name.empty() && object.contains("quant_algo"))
    name = "modelopt";
  if (StringRef(name).starts_with("modelopt"))
    name = "modelopt"; // "modelopt_fp4"
  std::string known;
  for (const Method &method : methods) {
    known += (known.empty() ? "" : ", ") + method.name.str();
    if (method.name != name)
      continue;
    config.method = method.method;
    config.name = name;
    return method.read(fields, config);
  }
  fields.expected("quant_method", known);
}

} // namespace

Expected<QuantConfig> parseQuantConfig(StringRef text, StringRef fileName) {
  Expected<json> root = parseJsonObject(text, fileName);
  if (!root)
    return root.takeError();
  QuantConfig config;
  config.file = fileName.str();
  std::string problem;
  JsonFields top(*root, fileName.str(), "", problem);
  std::vector<JsonFields> places = {top};
  if (const json *inner = top.childObject("text_config"))
    places.push_back(top.nested("text_config", *inner));
  // The whole file of hf_quant_config.json is about one such object.
  for (StringRef key :
       {"quantization_config", "compression_config", "quantization"})
    for (JsonFields &place : places) {
      if (config.method != QuantMethod::None || !problem.empty())
        break;
      const json *object = place.childObject(key);
      if (!object)
        continue;
      JsonFields fields = place.nested(key, *object);
      readMethod(fields, *object, config);
    }
  if (!problem.empty())
    return createStringError(problem);
  return std::move(config);
}

Expected<QuantConfig> readQuantConfig(StringRef directory) {
  QuantConfig config;
  for (const char *name : {"config.json", "hf_quant_config.json"}) {
    SmallString<256> path(directory);
    sys::path::append(path, name);
    auto file = MemoryBuffer::getFile(path);
    if (!file)
      continue;
    Expected<QuantConfig> read = parseQuantConfig((*file)->getBuffer(), path);
    if (!read || read->method != QuantMethod::None)
      return read;
  }
  return std::move(config);
}

} // namespace quartet
