// Unicode normalization form NFC, exactly as the `tokenizers` library does it:
// the models' vocabularies and training texts went through that library.
#ifndef QUARTET_RUNTIME_TEXT_NORMALIZER_H
#define QUARTET_RUNTIME_TEXT_NORMALIZER_H
#include <string>
#include <string_view>

namespace quartet::rt {

/// \p text, valid UTF-8, in form NFC. Takes O(n log n) at worst, for text of
/// nothing but combining marks. Characters newer than Unicode 9 are left alone.
std::string normalizeNfc(std::string_view text);

} // namespace quartet::rt
#endif
