// What the tokenizer tests share: the committed tokenizer, imported.
#ifndef QUARTET_TEST_RUNTIME_TEXT_TOKENIZERTESTING_H
#define QUARTET_TEST_RUNTIME_TEXT_TOKENIZERTESTING_H
#include "compiler/import/Tokenizer.h"
#include "runtime/src/text/Tokenizer.h"
#include <gtest/gtest.h>

namespace quartet::rt {

/// The blob of tokenizer.json and tokenizer_config.json beside the tests.
inline const std::vector<uint8_t> &testBlob() {
  static const std::vector<uint8_t> blob = [] {
    auto imported = importTokenizer(QUARTET_TOKENIZER_TEST_DIR);
    if (!imported) {
      ADD_FAILURE() << llvm::toString(imported.takeError());
      return std::vector<uint8_t>();
    }
    return std::move(*imported);
  }();
  return blob;
}

inline std::unique_ptr<Tokenizer> testTokenizer() {
  std::string error;
  auto tokenizer = Tokenizer::load(testBlob().data(), testBlob().size(), error);
  EXPECT_TRUE(tokenizer) << error;
  return tokenizer;
}

inline std::vector<int32_t> encode(const Tokenizer &tokenizer,
                                   std::string_view text,
                                   bool allowSpecial = true) {
  std::vector<int32_t> ids;
  std::string error;
  EXPECT_TRUE(tokenizer.encode(text, ids, error, allowSpecial)) << error;
  return ids;
}

} // namespace quartet::rt
#endif
