// Reads the manifest that an executable prints.
#include "compiler/eval/CompiledModel.h"
#include "compiler/eval/ChildProcess.h"
#include "nlohmann/json.hpp"
#include "llvm/ADT/STLExtras.h"
#include <map>

using namespace llvm;
using namespace quartet;
using Json = nlohmann::json;

static const Json *member(const Json *object, const char *key) {
  if (!object || !object->is_object())
    return nullptr;
  auto found = object->find(key);
  return found == object->end() ? nullptr : &*found;
}

static int64_t numberOf(const Json *object, const char *key) {
  const Json *value = member(object, key);
  return value && value->is_number_integer() ? value->get<int64_t>() : 0;
}

static std::string textOf(const Json *object, const char *key) {
  const Json *value = member(object, key);
  return value && value->is_string() ? value->get<std::string>() : "";
}

/// "int4:64, int8:64, bf16": how the packed matrices are stored; where none is
/// packed, the type of all.
static std::string formatsOf(const Json &manifest) {
  std::map<std::string, int64_t> bytesOf;
  if (const Json *weights = member(&manifest, "weights");
      weights && weights->is_array())
    for (const Json &weight : *weights)
      if (std::string format = textOf(&weight, "format"); !format.empty())
        bytesOf[format] += numberOf(&weight, "bytes");
  std::vector<std::pair<int64_t, std::string>> formats;
  for (const auto &[format, bytes] : bytesOf)
    formats.push_back({-bytes, format});
  llvm::sort(formats);
  std::string text;
  for (const auto &[bytes, format] : formats)
    text += (text.empty() ? "" : ", ") + format;
  return text.empty() ? textOf(&manifest, "quantization") : text;
}

Expected<CompiledModel> CompiledModel::parse(StringRef text,
                                             StringRef executable) {
  Json json = Json::parse(text.begin(), text.end(), nullptr,
                          /*allow_exceptions=*/false);
  const Json *model = member(&json, "model");
  CompiledModel result;
  result.executable = executable.str();
  result.vocab = numberOf(model, "vocab");
  result.maxPositions = numberOf(model, "max_positions");
  result.weightsBytes = uint64_t(numberOf(&json, "weights_bytes"));
  if (result.vocab < 1 || result.maxPositions < 1)
    return createStringError("'" + executable +
                             "' is no executable of quartetc: its `info "
                             "--json` has no model.vocab and "
                             "model.max_positions");
  result.formats = formatsOf(json);
  return result;
}

Expected<CompiledModel> CompiledModel::ask(StringRef executable,
                                           StringRef log) {
  auto child =
      ChildProcess::start({executable.str(), "info", "--json"}, "", log);
  if (!child)
    return child.takeError();
  auto text = (*child)->readAll();
  if (!text)
    return text.takeError();
  return parse(*text, executable);
}
