// tokenizer.json as the `tokenizers` library writes it. Every option that would
// change ids and that the runtime doesn't have is refused by its name.
#include "compiler/import/TokenizerParts.h"
#include "compiler/import/ByteLevel.h"
#include "compiler/import/SplitPattern.h"
#include "compiler/import/StrictJson.h"
#include "quartet/tokenizer_format.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using nlohmann::json;

namespace quartet {
namespace {

/// Member \p name of \p object; null when it is missing or null.
const json *member(const json &object, const char *name) {
  auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

StringRef text(const json &value) {
  return value.get_ref<const std::string &>();
}

/// The `type` of a component, "" when it has none.
StringRef typeOf(const json &component) {
  const json *type =
      component.is_object() ? member(component, "type") : nullptr;
  return type && type->is_string() ? text(*type) : StringRef();
}

/// Whether the member is the boolean \p value; \p ifMissing when it is missing.
bool isBool(const json &object, const char *name, bool value, bool ifMissing) {
  const json *found = member(object, name);
  return found ? found->is_boolean() && found->get<bool>() == value : ifMissing;
}

/// The value in a message: short, on one line.
std::string shown(const json &value) {
  return printable(value.dump(-1, ' ', false, json::error_handler_t::replace),
                   60);
}

} // namespace

Error TokenizerParts::fail(const Twine &what) const {
  return createStringError(fileName + ": " + what);
}

Error TokenizerParts::read(const json &tokenizer, const json &config) {
  if (!tokenizer.is_object())
    return fail("an object expected at the top");
  const json *model = member(tokenizer, "model");
  if (!model || !model->is_object())
    return fail("'model' is missing, expected an object");
  if (Error error = checkModelOptions(*model))
    return error;
  if (const json *added = member(tokenizer, "added_tokens"))
    if (Error error = readAddedTokens(*added))
      return error;
  if (Error error = readConfigTokens(config))
    return error;
  if (Error error = readNormalizer(member(tokenizer, "normalizer")))
    return error;
  if (Error error = readPreTokenizer(member(tokenizer, "pre_tokenizer")))
    return error;
  if (Error error = checkPostProcessor(member(tokenizer, "post_processor")))
    return error;
  if (Error error = checkDecoder(member(tokenizer, "decoder")))
    return error;
  const json *vocabulary = member(*model, "vocab");
  if (!vocabulary || !vocabulary->is_object())
    return fail("model.vocab is missing, expected an object");
  if (Error error = readVocabulary(*vocabulary))
    return error;
  const json *merges = member(*model, "merges");
  if (!merges || !merges->is_array())
    return fail("model.merges is missing, expected an array");
  if (Error error = readMerges(*merges))
    return error;
  return Error::success();
}

std::string TokenizerParts::place(uint64_t id, StringRef name,
                                  std::string bytes) {
  auto problem = [&](const std::string &what) {
    return "token '" + printable(name) + "': " + what;
  };
  if (id >= quartet_tokenizer_max_ids)
    return problem("id " + utostr(id) + " found, expected less than " +
                   utostr(quartet_tokenizer_max_ids));
  if (bytes.empty())
    return problem("it is empty");
  if (id >= tables.tokens.size())
    tables.tokens.resize(id + 1);
  if (!tables.tokens[id].empty())
    return problem("id " + utostr(id) + " is also that of '" +
                   printable(tables.tokens[id]) + "'");
  tables.tokens[id] = std::move(bytes);
  return "";
}

Error TokenizerParts::readAddedTokens(const json &tokens) {
  if (!tokens.is_array())
    return fail("added_tokens is " + shown(tokens) + ", expected an array");
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::string place = fileName + ": added_tokens[" + utostr(i) + "]";
    const json *id = tokens[i].is_object() ? member(tokens[i], "id") : nullptr;
    if (!id || !id->is_number_unsigned())
      return createStringError(place +
                               ": an object with a number 'id' expected");
    if (Error error = addToken(tokens[i], place, id->get<uint64_t>(),
                               /*fromConfig=*/false))
      return error;
  }
  return Error::success();
}

Error TokenizerParts::readConfigTokens(const json &config) {
  if (!config.is_object())
    return createStringError(
        "tokenizer_config.json: an object expected at the top");
  const json *tokens = member(config, "added_tokens_decoder");
  if (!tokens)
    return Error::success();
  if (!tokens->is_object())
    return createStringError("tokenizer_config.json: added_tokens_decoder is " +
                             shown(*tokens) + ", expected an object");
  for (const auto &entry : tokens->items()) {
    std::string place = "tokenizer_config.json: added_tokens_decoder['" +
                        printable(entry.key()) + "']";
    uint64_t id = 0;
    if (!entry.value().is_object() ||
        StringRef(entry.key()).getAsInteger(10, id))
      return createStringError(place + ": an id with an object expected");
    if (Error error = addToken(entry.value(), place, id, /*fromConfig=*/true))
      return error;
  }
  return Error::success();
}

Error TokenizerParts::addToken(const json &token, StringRef where, uint64_t id,
                               bool fromConfig) {
  const json *content = member(token, "content");
  if (!content || !content->is_string() || text(*content).empty())
    return createStringError(where + ": 'content' must be a string that is "
                                     "not empty");
  bool special = isBool(token, "special", true, /*ifMissing=*/false);
  if (!special && !isBool(token, "special", false, /*ifMissing=*/true))
    return createStringError(where + ": special is " + shown(token["special"]) +
                             ", expected true or false");
  for (StringRef flag : {"normalized", "lstrip", "rstrip", "single_word"}) {
    // The library's default for `normalized` is the opposite of `special`.
    bool ifMissing = flag != "normalized" || special;
    if (isBool(token, flag.data(), false, ifMissing))
      continue;
    const json *value = member(token, flag.data());
    return createStringError(
        where + ": token '" + printable(text(*content)) + "' has " + flag +
        " " + (value ? shown(*value) : "by default") + ", expected false");
  }

  auto [known, isNew] =
      addedIndex.try_emplace(text(*content), tables.added.size());
  if (!isNew) {
    TokenizerTables::Added &added = tables.added[known->second];
    if (!fromConfig || added.id != id)
      return createStringError(where + ": token '" + printable(text(*content)) +
                               "' already has id " + Twine(added.id));
    added.special = special;
    return Error::success();
  }
  // Decoding takes a token for stand-ins if all of it can be taken so.
  std::string bytes =
      bytesOfStandIns(text(*content)).value_or(text(*content).str());
  std::string problem = place(id, text(*content), std::move(bytes));
  if (!problem.empty())
    return createStringError(where + ": " + problem);
  tables.added.push_back(
      {text(*content).str(), static_cast<uint32_t>(id), special});
  return Error::success();
}

Error TokenizerParts::readNormalizer(const json *normalizer) {
  if (!normalizer)
    return Error::success();
  const json *only = normalizer;
  if (typeOf(*only) == "Sequence") {
    const json *list = member(*only, "normalizers");
    if (!list || !list->is_array() || list->size() > 1)
      return fail("normalizer: a Sequence of at most one normalizer expected");
    if (list->empty())
      return Error::success();
    only = &list->front();
  }
  if (typeOf(*only) != "NFC")
    return fail("normalizer '" + printable(typeOf(*only)) +
                "' is not supported, expected NFC or none");
  tables.nfc = true;
  return Error::success();
}

Error TokenizerParts::readPreTokenizer(const json *preTokenizer) {
  if (!preTokenizer)
    return fail("pre_tokenizer is missing, expected ByteLevel");
  if (typeOf(*preTokenizer) == "ByteLevel")
    return readByteLevel(*preTokenizer, /*afterSplit=*/false);
  const json *list = typeOf(*preTokenizer) == "Sequence"
                         ? member(*preTokenizer, "pretokenizers")
                         : nullptr;
  if (!list || !list->is_array())
    return fail("pre_tokenizer '" + printable(typeOf(*preTokenizer)) +
                "' is not supported, expected ByteLevel or a Sequence of Split "
                "and ByteLevel");
  if (list->size() == 1 && typeOf(list->front()) == "ByteLevel")
    return readByteLevel(list->front(), /*afterSplit=*/false);
  if (list->size() != 2 || typeOf(list->front()) != "Split" ||
      typeOf(list->back()) != "ByteLevel")
    return fail("pre_tokenizer: this Sequence is not supported, expected Split "
                "and then ByteLevel");
  if (Error error = readSplit(list->front()))
    return error;
  return readByteLevel(list->back(), /*afterSplit=*/true);
}

Error TokenizerParts::readSplit(const json &split) {
  const json *behavior = member(split, "behavior");
  if (!behavior || !behavior->is_string() || text(*behavior) != "Isolated")
    return fail("pre_tokenizer Split: behavior is " +
                (behavior ? shown(*behavior) : "missing") +
                ", expected \"Isolated\"");
  if (!isBool(split, "invert", false, /*ifMissing=*/true))
    return fail("pre_tokenizer Split: invert is " + shown(split["invert"]) +
                ", expected false");
  const json *pattern = member(split, "pattern");
  const json *regex =
      pattern && pattern->is_object() ? member(*pattern, "Regex") : nullptr;
  if (!regex || !regex->is_string())
    return fail("pre_tokenizer Split: pattern is " +
                (pattern ? shown(*pattern) : "missing") +
                ", expected {\"Regex\": \"...\"}");
  Expected<std::string> converted = convertSplitPattern(text(*regex));
  if (!converted)
    return fail("pre_tokenizer Split: pattern '" +
                printable(text(*regex), 200) + "' " +
                toString(converted.takeError()));
  tables.pattern = std::move(*converted);
  return Error::success();
}

Error TokenizerParts::readByteLevel(const json &byteLevel, bool afterSplit) {
  // The library's defaults for both are true.
  if (!isBool(byteLevel, "add_prefix_space", false, /*ifMissing=*/false))
    return fail("pre_tokenizer ByteLevel: add_prefix_space is not supported, "
                "expected false");
  if (isBool(byteLevel, "use_regex", false, /*ifMissing=*/false))
    return Error::success();
  if (!isBool(byteLevel, "use_regex", true, /*ifMissing=*/true))
    return fail("pre_tokenizer ByteLevel: use_regex is " +
                shown(byteLevel["use_regex"]) + ", expected true or false");
  if (afterSplit)
    return fail("pre_tokenizer ByteLevel: use_regex after Split is not "
                "supported, expected false");
  Expected<std::string> converted = convertSplitPattern(byteLevelPattern());
  if (!converted)
    return converted.takeError();
  tables.pattern = std::move(*converted);
  return Error::success();
}

Error TokenizerParts::checkPostProcessor(const json *processor) {
  if (!processor || typeOf(*processor) == "ByteLevel")
    return Error::success();
  auto isList = [](const json *list) { return list && list->is_array(); };
  if (typeOf(*processor) == "Sequence" &&
      isList(member(*processor, "processors"))) {
    for (const json &part : *member(*processor, "processors"))
      if (Error error = checkPostProcessor(&part))
        return error;
    return Error::success();
  }
  // A template may be a way to say "nothing": the sequence and no more.
  if (typeOf(*processor) == "TemplateProcessing" &&
      isList(member(*processor, "single"))) {
    for (const json &part : *member(*processor, "single"))
      if (!part.is_object() || !part.contains("Sequence"))
        return fail("post_processor TemplateProcessing adds " + shown(part) +
                    " to each text, expected no added tokens");
    return Error::success();
  }
  return fail("post_processor '" + printable(typeOf(*processor)) +
              "' is not supported, expected ByteLevel or none");
}

Error TokenizerParts::checkDecoder(const json *decoder) {
  if (decoder && typeOf(*decoder) != "ByteLevel")
    return fail("decoder '" + printable(typeOf(*decoder)) +
                "' is not supported, expected ByteLevel or none");
  return Error::success();
}

Error TokenizerParts::checkModelOptions(const json &model) {
  if (member(model, "type") && typeOf(model) != "BPE")
    return fail("model.type is " + shown(model["type"]) + ", expected \"BPE\"");
  for (const char *name : {"byte_fallback", "ignore_merges"})
    if (!isBool(model, name, false, /*ifMissing=*/true))
      return fail("model." + Twine(name) + " is " + shown(model[name]) +
                  ", expected false");
  const json *dropout = member(model, "dropout");
  if (dropout && !(dropout->is_number() && dropout->get<double>() == 0))
    return fail("model.dropout is " + shown(*dropout) + ", expected none");
  for (const char *name :
       {"unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const json *value = member(model, name);
    if (value && !(value->is_string() && text(*value).empty()))
      return fail("model." + Twine(name) + " is " + shown(*value) +
                  ", expected none");
  }
  return Error::success();
}

Error TokenizerParts::readVocabulary(const json &vocabulary) {
  for (const auto &entry : vocabulary.items()) {
    const std::string &name = entry.key();
    if (!entry.value().is_number_unsigned())
      return fail("model.vocab['" + printable(name) + "'] is " +
                  shown(entry.value()) + ", expected an id");
    auto id = entry.value().get<uint64_t>();
    auto known = addedIndex.find(name);
    if (known != addedIndex.end()) {
      uint32_t other = tables.added[known->second].id;
      if (other != id)
        return fail("model.vocab['" + printable(name) + "'] is " + Twine(id) +
                    ", but the added token of that name has id " +
                    Twine(other));
    } else {
      std::optional<std::string> bytes = bytesOfStandIns(name);
      if (!bytes)
        return fail("model.vocab['" + printable(name) +
                    "'] has a character that stands for no byte, expected a "
                    "byte-level vocabulary");
      std::string problem = place(id, name, std::move(*bytes));
      if (!problem.empty())
        return fail("model.vocab: " + problem);
    }
    vocabularyIds[name] = static_cast<uint32_t>(id);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    auto found = vocabularyIds.find(standIn(static_cast<uint8_t>(byte)));
    if (found == vocabularyIds.end())
      return fail("model.vocab has no token for byte " + Twine(byte) + ", '" +
                  standIn(static_cast<uint8_t>(byte)) +
                  "', expected all 256 bytes");
    tables.byteIds[byte] = found->second;
  }
  return Error::success();
}

Expected<uint32_t> TokenizerParts::idOf(StringRef token, size_t merge) const {
  auto found = vocabularyIds.find(token);
  if (found == vocabularyIds.end())
    return fail("model.merges[" + Twine(merge) + "] needs the token '" +
                printable(token) + "', which is not in model.vocab");
  return found->second;
}

Error TokenizerParts::readMerges(const json &merges) {
  if (merges.size() >= quartet_tokenizer_max_ids)
    return fail("model.merges has " + Twine(merges.size()) +
                " entries, expected fewer than " +
                Twine(quartet_tokenizer_max_ids));
  DenseMap<std::pair<uint32_t, uint32_t>, size_t> rankOf;
  for (size_t i = 0; i < merges.size(); ++i) {
    const json &merge = merges[i];
    StringRef left, right;
    if (merge.is_string()) {
      std::tie(left, right) = text(merge).split(' ');
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = text(merge[0]);
      right = text(merge[1]);
    }
    if (left.empty() || right.empty())
      return fail("model.merges[" + Twine(i) + "] is " + shown(merge) +
                  ", expected two tokens");
    Expected<uint32_t> leftId = idOf(left, i);
    if (!leftId)
      return leftId.takeError();
    Expected<uint32_t> rightId = idOf(right, i);
    if (!rightId)
      return rightId.takeError();
    Expected<uint32_t> result = idOf((left + right).str(), i);
    if (!result)
      return result.takeError();
    auto [other, isNew] = rankOf.try_emplace({*leftId, *rightId}, i);
    if (!isNew)
      return fail("model.merges[" + Twine(i) + "] is the same as [" +
                  Twine(other->second) + "]");
    tables.merges.push_back({*leftId, *rightId, *result});
  }
  return Error::success();
}

} // namespace quartet
