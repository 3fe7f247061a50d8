// Finds the added tokens (<|im_start|>, <think>, ...) in a text.
#ifndef QUARTET_RUNTIME_TEXT_ADDEDTOKENS_H
#define QUARTET_RUNTIME_TEXT_ADDEDTOKENS_H
#include "runtime/src/text/TokenizerBlob.h"
#include <bitset>

namespace quartet::rt {

class AddedTokens {
public:
  explicit AddedTokens(const TokenizerBlob &blob);

  /// An occurrence in the text.
  struct Found {
    size_t offset, length; ///< bytes; length 0 when there is none
    uint32_t id;
  };

  /// The leftmost occurrence at or after \p from, the longest if several tokens
  /// start there.
  Found find(std::string_view text, size_t from) const;

  bool isSpecial(uint32_t id) const;

private:
  Found longestAt(std::string_view text, size_t offset) const;

  const TokenizerBlob *blob;
  std::bitset<256> first;           // bytes that some token starts with
  std::vector<uint32_t> specialIds; // ascending
};

} // namespace quartet::rt
#endif
