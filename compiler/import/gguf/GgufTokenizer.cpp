// tokenizer.ggml.* as tokenizer.json. A GGUF names the split pattern only, and
// leaves out the normalizer, which is NFC in every model of the family.
#include "compiler/import/gguf/GgufTokenizer.h"
#include "compiler/import/StrictJson.h"
#include "llvm/Support/JSON.h"
#include <nlohmann/json.hpp>

using namespace llvm;
using Json = nlohmann::json;

namespace quartet {
namespace {

/// Values of tokenizer.ggml.token_type.
enum TokenType : int64_t {
  Normal = 1,
  Control = 3,
  UserDefined = 4,
  Unused = 5
};

/// The pattern behind a name of tokenizer.ggml.pre; null for other names.
const char *splitPattern(StringRef name) {
  if (name == "qwen35")
    return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  if (name == "qwen2")
    return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  return nullptr;
}

class TokenizerWriter {
public:
  explicit TokenizerWriter(const GgufModel &model) : model(model) {}
  Expected<std::optional<std::string>> run();

private:
  const GgufModel &model;
  Json vocabulary = Json::object(), merges = Json::array(),
       added = Json::array();

  Error fail(const Twine &message) const {
    return createStringError(model.path() + ": " + message);
  }
  /// An array of strings, each of them UTF-8; null and an error otherwise.
  Expected<const GgufValue *> strings(StringRef key) const;
  Error addTokens();
  Error addMerges();
  Expected<std::string> readPattern() const;
};

} // namespace

Expected<const GgufValue *> TokenizerWriter::strings(StringRef key) const {
  const GgufValue *value = model.value(key);
  if (!value || !value->isArrayOf(GgufValue::Kind::String))
    return model.wrongKind(key, "an array of strings");
  for (size_t i = 0; i < value->strings.size(); ++i)
    if (!llvm::json::isUTF8(value->strings[i]))
      return fail("metadata '" + key + "': element " + Twine(i) + " '" +
                  printable(value->strings[i]) + "' is not UTF-8, expected it");
  return value;
}

Error TokenizerWriter::addTokens() {
  const char *key = "tokenizer.ggml.tokens";
  const char *typesKey = "tokenizer.ggml.token_type";
  Expected<const GgufValue *> tokens = strings(key);
  if (!tokens)
    return tokens.takeError();
  const GgufValue *types = model.value(typesKey);
  if (!types || !types->isArrayOf(GgufValue::Kind::Integer))
    return model.wrongKind(typesKey, "an array of integers");
  size_t count = (*tokens)->strings.size();
  if (types->integers.size() != count)
    return fail("metadata '" + Twine(typesKey) + "' has " +
                Twine(types->integers.size()) + " elements, expected " +
                Twine(count) + ", one for each of '" + key + "'");
  for (size_t id = 0; id < count; ++id) {
    std::string text = (*tokens)->strings[id].str();
    switch (types->integers[id]) {
    case Unused:
      break;
    case Normal:
      if (!vocabulary.emplace(text, id).second)
        return fail("metadata '" + Twine(key) + "': token '" + printable(text) +
                    "' found twice, expected once");
      break;
    case Control:
    case UserDefined:
      added.push_back({{"id", id},
                       {"content", text},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", types->integers[id] == Control}});
      break;
    default:
      return fail("metadata '" + Twine(typesKey) + "': type " +
                  Twine(types->integers[id]) + " found for token '" +
                  printable(text) +
                  "', expected 1 (normal), 3 (control), 4 "
                  "(user-defined) or 5 (unused)");
    }
  }
  return Error::success();
}

Error TokenizerWriter::addMerges() {
  Expected<const GgufValue *> found = strings("tokenizer.ggml.merges");
  if (!found)
    return found.takeError();
  for (StringRef merge : (*found)->strings)
    merges.push_back(merge.str());
  return Error::success();
}

Expected<std::string> TokenizerWriter::readPattern() const {
  const char *key = "tokenizer.ggml.pre";
  Expected<std::optional<std::string>> name = model.string(key);
  if (!name)
    return name.takeError();
  const char *pattern = *name ? splitPattern(**name) : nullptr;
  if (!pattern)
    return fail("metadata '" + Twine(key) + "' is " +
                (*name ? "'" + printable(**name) + "'" : "missing") +
                ", expected qwen35 or qwen2");
  return pattern;
}

Expected<std::optional<std::string>> TokenizerWriter::run() {
  const char *key = "tokenizer.ggml.model";
  Expected<std::optional<std::string>> kind = model.string(key);
  if (!kind)
    return kind.takeError();
  if (!*kind || **kind == "none" || **kind == "no_vocab")
    return std::nullopt;
  if (**kind != "gpt2")
    return fail("metadata '" + Twine(key) + "' is '" + printable(**kind) +
                "', expected gpt2 (byte-level BPE)");
  Expected<std::optional<bool>> bos =
      model.boolean("tokenizer.ggml.add_bos_token");
  if (!bos)
    return bos.takeError();
  if (bos->value_or(false))
    return fail("metadata 'tokenizer.ggml.add_bos_token' is true, expected "
                "false: the family puts no token before a text");
  Expected<std::string> pattern = readPattern();
  if (!pattern)
    return pattern.takeError();
  if (Error error = addTokens())
    return std::move(error);
  if (Error error = addMerges())
    return std::move(error);
  Json split = {{"type", "Split"},
                {"pattern", {{"Regex", *pattern}}},
                {"behavior", "Isolated"},
                {"invert", false}};
  Json byteLevel = {{"type", "ByteLevel"},
                    {"add_prefix_space", false},
                    {"trim_offsets", false},
                    {"use_regex", false}};
  Json tokenizer = {{"normalizer", {{"type", "NFC"}}},
                    {"pre_tokenizer",
                     {{"type", "Sequence"},
                      {"pretokenizers", Json::array({split, byteLevel})}}},
                    {"decoder", byteLevel},
                    {"added_tokens", std::move(added)},
                    {"model",
                     {{"type", "BPE"},
                      {"vocab", std::move(vocabulary)},
                      {"merges", std::move(merges)}}}};
  return tokenizer.dump(-1, ' ', /*ensure_ascii=*/false,
                        Json::error_handler_t::replace);
}

Expected<std::optional<std::string>> ggufTokenizerJson(const GgufModel &model) {
  return TokenizerWriter(model).run();
}

} // namespace quartet
