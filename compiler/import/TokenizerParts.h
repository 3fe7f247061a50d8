// Reads the members of a parsed tokenizer.json into the tables.
#ifndef QUARTET_COMPILER_IMPORT_TOKENIZERPARTS_H
#define QUARTET_COMPILER_IMPORT_TOKENIZERPARTS_H
#include "compiler/import/TokenizerTables.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include <nlohmann/json.hpp>

namespace quartet {

class TokenizerParts {
public:
  TokenizerParts(TokenizerTables &tables, llvm::StringRef fileName)
      : tables(tables), fileName(fileName.str()) {}

  /// \p config is tokenizer_config.json, or an empty object.
  llvm::Error read(const nlohmann::json &tokenizer,
                   const nlohmann::json &config);

private:
  using Json = nlohmann::json;

  llvm::Error fail(const llvm::Twine &what) const;
  llvm::Error readAddedTokens(const Json &tokens);
  llvm::Error readConfigTokens(const Json &config);
  llvm::Error addToken(const Json &token, llvm::StringRef where, uint64_t id,
                       bool fromConfig);
  llvm::Error readNormalizer(const Json *normalizer);
  llvm::Error readPreTokenizer(const Json *preTokenizer);
  llvm::Error readSplit(const Json &split);
  llvm::Error readByteLevel(const Json &byteLevel, bool afterSplit);
  llvm::Error checkPostProcessor(const Json *processor);
  llvm::Error checkDecoder(const Json *decoder);
  llvm::Error checkModelOptions(const Json &model);
  llvm::Error readVocabulary(const Json &vocabulary);
  llvm::Error readMerges(const Json &merges);
  llvm::Expected<uint32_t> idOf(llvm::StringRef token, size_t merge) const;
  /// Gives \p id to \p bytes; an id has one token. \returns what is wrong, if
  /// anything.
  std::string place(uint64_t id, llvm::StringRef name, std::string bytes);

  TokenizerTables &tables;
  std::string fileName;
  llvm::StringMap<uint32_t> vocabularyIds; // by stand-ins
  llvm::StringMap<size_t> addedIndex;      // in tables.added, by text
};

} // namespace quartet
#endif
