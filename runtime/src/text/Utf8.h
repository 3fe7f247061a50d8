// UTF-8 from untrusted bytes. What is not UTF-8 becomes U+FFFD, one for each
// maximal subpart of a sequence (Unicode 3.9, and Python's errors="replace").
#ifndef QUARTET_RUNTIME_TEXT_UTF8_H
#define QUARTET_RUNTIME_TEXT_UTF8_H
#include <cstdint>
#include <string>
#include <string_view>

namespace quartet::rt {

/// The front of some bytes.
struct Utf8Step {
  enum Kind { Character, Invalid, Incomplete } kind;
  uint32_t length; ///< bytes of the character or of the maximal subpart
};

/// Looks at the front of \p bytes, which is not empty. Incomplete: all of
/// \p bytes is the start of a character whose rest may follow.
Utf8Step nextUtf8(std::string_view bytes);

/// The code point of the character at the front of \p text, valid UTF-8.
uint32_t codePoint(std::string_view text, uint32_t length);

/// Appends \p bytes to \p out with U+FFFD for what is not UTF-8. \returns how
/// many bytes it took: all, or, unless \p last, all but the incomplete
/// character at the end.
size_t appendUtf8(std::string_view bytes, bool last, std::string &out);

/// \returns whether \p bytes is valid UTF-8.
bool isUtf8(std::string_view bytes);

} // namespace quartet::rt
#endif
