// Text to token ids and back, from the tables that the compiler embeds in the
// executable. Gives the ids that Python's `tokenizers` library gives for the
// same tokenizer.json (test/runtime/text holds the proof).
#ifndef QUARTET_RUNTIME_TEXT_TOKENIZER_H
#define QUARTET_RUNTIME_TEXT_TOKENIZER_H
#include "runtime/src/text/AddedTokens.h"
#include "runtime/src/text/Pretokenizer.h"
#include "runtime/src/text/TokenizerBlob.h"
#include <memory>

namespace quartet::rt {

/// All const members may be called on several threads at once.
class Tokenizer {
public:
  /// Reads \p data, a blob of quartet/tokenizer_format.h that must outlive the
  /// tokenizer. \returns null, with \p error set, when it is damaged.
  static std::unique_ptr<Tokenizer> load(const void *data, size_t size,
                                         std::string &error);

  /// Appends the ids of \p text to \p ids. Bytes that are not UTF-8 count as
  /// U+FFFD, one for each maximal subpart, as after Python's
  /// bytes.decode("utf-8", errors="replace").
  ///
  /// \p allowSpecial: added tokens written in the text become their ids.
  /// Without it no added token is recognised, special or not: what a user typed
  /// can't open a turn, a tool call or a thought.
  ///
  /// \returns false, with \p error set and \p ids unchanged, when the text is
  /// over 256 MiB or the pattern runs out of steps on it.
  [[nodiscard]] bool encode(std::string_view text, std::vector<int32_t> &ids,
                            std::string &error, bool allowSpecial = true) const;

  /// Sets \p text to the text of \p ids, with U+FFFD for bytes that are not
  /// UTF-8; special tokens are dropped if \p skipSpecial. \returns false, with
  /// \p error set and \p text unchanged, when an id has no token.
  [[nodiscard]] bool decode(const std::vector<int32_t> &ids, std::string &text,
                            std::string &error, bool skipSpecial = false) const;

  /// One more than the largest id. Some ids below it may have no token.
  int32_t idCount() const { return static_cast<int32_t>(blob.idCount()); }

  /// Whether \p id has a token. A model's logits may have more rows than there
  /// are tokens; those must not be sampled.
  bool isValid(int64_t id) const {
    return id >= 0 && id < idCount() && !tokenBytes(id).empty();
  }

  /// Whether \p id is an added token marked special (<|im_end|>, ...).
  bool isSpecial(int64_t id) const {
    return id >= 0 && id < idCount() && added.isSpecial(uint32_t(id));
  }

  /// The bytes of a token, not always whole UTF-8 characters; empty when \p id
  /// has no token.
  std::string_view tokenBytes(int64_t id) const {
    if (id < 0 || id >= idCount())
      return {};
    return blob.token(static_cast<uint32_t>(id));
  }

  /// The id of the added token \p text, -1 when there is none.
  int32_t addedId(std::string_view text) const;

private:
  explicit Tokenizer(TokenizerBlob loaded)
      : blob(std::move(loaded)), added(blob) {}
  Tokenizer(const Tokenizer &) = delete;

  TokenizerBlob blob;
  AddedTokens added; // looks into blob
  Pretokenizer pretokenizer;
};

} // namespace quartet::rt
#endif
