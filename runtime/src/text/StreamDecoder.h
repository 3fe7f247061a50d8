// Text of a token stream while it comes: only whole characters go out, so that
// what a client has read is never revised.
#ifndef QUARTET_RUNTIME_TEXT_STREAMDECODER_H
#define QUARTET_RUNTIME_TEXT_STREAMDECODER_H
#include "runtime/src/text/Tokenizer.h"

namespace quartet::rt {

/// The text of all push() and finish() calls together is that of
/// Tokenizer::decode on all ids.
class StreamDecoder {
public:
  /// \p tokenizer must outlive this. Special tokens are dropped if
  /// \p skipSpecial.
  explicit StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial = false)
      : tokenizer(&tokenizer), skipSpecial(skipSpecial) {}

  /// Appends to \p text what token \p id completes: valid UTF-8, empty while a
  /// character is incomplete. \returns false, with nothing changed, when \p id
  /// has no token.
  [[nodiscard]] bool push(int32_t id, std::string &text);

  /// Appends U+FFFD to \p text for a character that stayed incomplete. The
  /// decoder is then as new.
  void finish(std::string &text);

private:
  const Tokenizer *tokenizer;
  bool skipSpecial;
  std::string held; // the start of a character, at most 3 bytes
};

} // namespace quartet::rt
#endif
