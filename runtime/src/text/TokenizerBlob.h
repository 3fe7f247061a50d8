// Reads the tables of quartet/tokenizer_format.h in place. load() checks every
// offset, count and id once, so that the look-ups need no checks of their own.
#ifndef QUARTET_RUNTIME_TEXT_TOKENIZERBLOB_H
#define QUARTET_RUNTIME_TEXT_TOKENIZERBLOB_H
#include "quartet/tokenizer_format.h"
#include <string>
#include <string_view>
#include <vector>

namespace quartet::rt {

/// A merge of two adjacent tokens.
struct Merge {
  uint32_t rank;   ///< lower ranks are merged first
  uint32_t result; ///< id of the merged token
};

/// An added token: matched in text as it stands, before anything else is done.
struct AddedToken {
  std::string_view text;
  uint32_t id;
  bool special;
};

class TokenizerBlob {
public:
  /// Takes \p data, which must outlive this. \returns false, with \p error set
  /// and this unchanged, when it is not a well-formed tokenizer.
  [[nodiscard]] bool load(const void *data, size_t size, std::string &error);

  bool nfc() const { return (header.flags & QUARTET_TOKENIZER_NFC) != 0; }
  std::string_view pattern() const {
    return view(header.patternOffset, header.patternBytes);
  }
  uint32_t idCount() const { return header.idCount; }
  uint32_t byteId(uint8_t byte) const { return header.byteIds[byte]; }
  /// Bytes of token \p id < idCount(); empty when the id is not used.
  std::string_view token(uint32_t id) const {
    return view(header.bytesOffset + starts[id], starts[id + 1] - starts[id]);
  }
  /// \returns whether the tokens merge; sets \p merge if so.
  bool findMerge(uint32_t left, uint32_t right, Merge &merge) const;
  uint32_t addedCount() const { return header.addedCount; }
  /// The \p index-th added token in the byte order of the texts.
  AddedToken added(uint32_t index) const;

private:
  std::string_view view(uint32_t offset, uint32_t length) const {
    return {reinterpret_cast<const char *>(base) + offset, length};
  }
  uint32_t resultOf(uint32_t rank) const;
  bool checkSections(std::string &error) const;
  bool findStarts(std::string &error);
  bool checkMerges(std::string &error) const;
  bool checkAdded(std::string &error) const;

  const uint8_t *base = nullptr;
  quartet_tokenizer_header header = {};
  std::vector<uint32_t> starts; // of each token in `bytes`; idCount + 1 entries
};

} // namespace quartet::rt
#endif
