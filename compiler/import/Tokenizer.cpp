// The parts of tokenizer.json, one function for each, on top of a JSON tree
// that has no duplicate members and no deep nesting.
#include "compiler/import/Tokenizer.h"
#include "compiler/import/JsonTree.h"
#include "compiler/import/TokenizerParts.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using nlohmann::json;

namespace quartet {
namespace {

constexpr uint64_t maxFileBytes = 256u << 20;

Expected<std::string> readFile(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(),
                             path + ": " + buffer.getError().message());
  if ((*buffer)->getBufferSize() > maxFileBytes)
    return createStringError(path + ": " + Twine((*buffer)->getBufferSize()) +
                             " bytes found, expected at most " +
                             Twine(maxFileBytes));
  return (*buffer)->getBuffer().str();
}

} // namespace

Expected<std::vector<uint8_t>> importTokenizerFromText(StringRef tokenizerJson,
                                                       StringRef configJson,
                                                       StringRef fileName) {
  Expected<json> tokenizer = parseJsonTree(tokenizerJson, fileName);
  if (!tokenizer)
    return tokenizer.takeError();
  json config = json::object();
  if (!configJson.empty()) {
    Expected<json> parsed = parseJsonTree(configJson, "tokenizer_config.json");
    if (!parsed)
      return parsed.takeError();
    config = std::move(*parsed);
  }
  TokenizerTables tables;
  TokenizerParts parts(tables, fileName);
  if (Error error = parts.read(*tokenizer, config))
    return std::move(error);
  auto blob = encodeTokenizerTables(tables);
  if (!blob)
    return createStringError(fileName + ": " + toString(blob.takeError()));
  return blob;
}

Expected<std::vector<uint8_t>> importTokenizer(StringRef directory) {
  SmallString<128> path(directory), configPath(directory);
  sys::path::append(path, "tokenizer.json");
  sys::path::append(configPath, "tokenizer_config.json");
  Expected<std::string> tokenizer = readFile(path);
  if (!tokenizer)
    return tokenizer.takeError();
  std::string config;
  Expected<std::string> found = readFile(configPath);
  if (found) {
    config = std::move(*found);
  } else if (Error error = handleErrors(
                 found.takeError(),
                 [](std::unique_ptr<StringError> failure) -> Error {
                   if (failure->convertToErrorCode() ==
                       std::errc::no_such_file_or_directory)
                     return Error::success();
                   return Error(std::move(failure));
                 })) {
    return std::move(error);
  }
  return importTokenizerFromText(*tokenizer, config, path);
}

} // namespace quartet
