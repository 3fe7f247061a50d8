// A tokenizer as the compiler holds it, and its way into the tables of
// runtime/include/quartet/tokenizer_format.h.
#ifndef QUARTET_COMPILER_IMPORT_TOKENIZERTABLES_H
#define QUARTET_COMPILER_IMPORT_TOKENIZERTABLES_H
#include "llvm/Support/Error.h"
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace quartet {

struct TokenizerTables {
  struct Merge {
    uint32_t left, right, result; ///< ids
  };
  struct Added {
    std::string text; ///< UTF-8, not empty
    uint32_t id = 0;
    bool special = false;
  };

  bool nfc = false;
  std::string pattern;             ///< PCRE2 syntax; empty: no splitting
  std::vector<std::string> tokens; ///< bytes by id; empty: id not used
  std::vector<Merge> merges;       ///< by rank; no pair twice
  std::vector<Added> added;        ///< no text twice
  std::array<uint32_t, 256> byteIds = {};
};

/// The blob. The same tables give the same bytes. Fails when it is over 1 GiB.
llvm::Expected<std::vector<uint8_t>>
encodeTokenizerTables(const TokenizerTables &tables);

} // namespace quartet
#endif
