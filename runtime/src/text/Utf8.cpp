// Well-formed UTF-8 by table 3-7 of the Unicode standard: no overlong forms, no
// surrogates, nothing above U+10FFFF.
#include "runtime/src/text/Utf8.h"

namespace quartet::rt {

Utf8Step nextUtf8(std::string_view bytes) {
  auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  uint8_t lead = at(0);
  if (lead < 0x80)
    return {Utf8Step::Character, 1};
  if (lead < 0xc2 || lead > 0xf4)
    return {Utf8Step::Invalid, 1};
  uint32_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The range of the second byte depends on the lead byte.
  uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  for (uint32_t i = 1; i < length; ++i) {
    if (i == bytes.size())
      return {Utf8Step::Incomplete, i};
    if (at(i) < low || at(i) > high)
      return {Utf8Step::Invalid, i};
    low = 0x80;
    high = 0xbf;
  }
  return {Utf8Step::Character, length};
}

uint32_t codePoint(std::string_view text, uint32_t length) {
  auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (length == 1)
    return at(0);
  uint32_t code = at(0) & (0x7f >> length);
  for (uint32_t i = 1; i < length; ++i)
    code = code << 6 | (at(i) & 0x3f);
  return code;
}

size_t appendUtf8(std::string_view bytes, bool last, std::string &out) {
  size_t done = 0; // bytes before it are in `out`
  size_t at = 0;
  while (at < bytes.size()) {
    Utf8Step step = nextUtf8(bytes.substr(at));
    if (step.kind == Utf8Step::Character) {
      at += step.length;
      continue;
    }
    out.append(bytes, done, at - done);
    if (step.kind == Utf8Step::Incomplete && !last)
      return at;
    out += "\xef\xbf\xbd";
    at += step.length;
    done = at;
  }
  out.append(bytes, done, at - done);
  return at;
}

bool isUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    Utf8Step step = nextUtf8(bytes);
    if (step.kind != Utf8Step::Character)
      return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

} // namespace quartet::rt
