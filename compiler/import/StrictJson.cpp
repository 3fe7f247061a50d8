// Strict reading of hostile JSON: closes the gaps that the JSON library leaves
// open (a byte-order mark, a NUL taken for the end) and words its errors.
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

using namespace llvm;

namespace quartet {

/// Length of the UTF-8 sequence at the start of \p text, 0 when it is invalid.
static size_t sequenceLength(StringRef text) {
  size_t length = getNumBytesForUTF8(static_cast<UTF8>(text[0]));
  if (length > text.size())
    return 0;
  const auto *bytes = reinterpret_cast<const UTF8 *>(text.data());
  return isLegalUTF8Sequence(bytes, bytes + length) ? length : 0;
}

std::string printable(StringRef text, size_t limit) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= limit)
      return out + "...";
    auto byte = static_cast<unsigned char>(text[0]);
    size_t length = sequenceLength(text);
    // C1 controls (U+0080 to U+009F) also steer terminals.
    bool control = byte < 0x20 || byte == 0x7f || length == 0 ||
                   (byte == 0xc2 && static_cast<uint8_t>(text[1]) < 0xa0);
    if (control) {
      out += "\\x";
      out += hexdigit(byte >> 4, /*LowerCase=*/true);
      out += hexdigit(byte & 15, /*LowerCase=*/true);
      text = text.drop_front();
      continue;
    }
    out += text.take_front(length);
    text = text.drop_front(length);
  }
  return out;
}

bool JsonEvents::fail(const Twine &message) {
  error = message.str();
  return false;
}

bool JsonEvents::parse_error(std::size_t position, const std::string &lastToken,
                             const nlohmann::detail::exception &exception) {
  // Drop the library's "[json.exception.parse_error.101] parse error at ...: ".
  StringRef text = exception.what();
  size_t start = text.find("] ");
  if (start != StringRef::npos)
    text = text.drop_front(start + 2);
  if (text.starts_with("parse error at"))
    text = text.split(": ").second;
  return fail("invalid JSON at byte " + Twine(position) + ": " +
              printable(text, 240));
}

bool parseStrictJson(StringRef text, JsonEvents &events) {
  // The library takes a NUL byte for the end of the text and skips a BOM.
  size_t nul = text.find('\0');
  if (nul != StringRef::npos) {
    events.error = ("invalid JSON: NUL byte at byte " + Twine(nul)).str();
    return false;
  }
  if (text.starts_with("\xef\xbb\xbf")) {
    events.error = "invalid JSON: it starts with a byte-order mark";
    return false;
  }
  return nlohmann::json::sax_parse(text.begin(), text.end(), &events,
                                   nlohmann::json::input_format_t::json,
                                   /*strict=*/true) &&
         events.error.empty();
}

} // namespace quartet
