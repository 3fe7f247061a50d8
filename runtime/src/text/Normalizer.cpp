// NFC with utf8proc's tables. Two things are ours: marks are ordered by a sort
// (utf8proc's takes quadratic time on long runs of marks), and characters that
// the `tokenizers` library doesn't know stay as they are.
#include "runtime/src/text/Normalizer.h"
#include "runtime/src/text/Utf8.h"
#include <algorithm>
#include <utf8proc.h>
#include <vector>

namespace quartet::rt {
namespace {

struct CodeRange {
  uint32_t first, last;
};

// The `tokenizers` library (0.23) normalizes with data of Unicode 9. These
// ranges hold every character up to Unicode 18 that has a combining class, or
// composes, or decomposes, and is newer than that. The library passes them by,
// as starters that combine with nothing, and so must we: utf8proc is newer.
constexpr CodeRange inertRanges[] = {
    {0x5C8, 0x5C9},     {0x7FD, 0x7FD},     {0x897, 0x89F},
    {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
    {0x1ABF, 0x1AF0},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},
    {0x105C9, 0x105C9}, {0x105D2, 0x105D2}, {0x105DA, 0x105DA},
    {0x105E4, 0x105E4}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D},
    {0x10EAB, 0x10EAC}, {0x10ECB, 0x10ECF}, {0x10EF0, 0x10EFB},
    {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11382, 0x11385},
    {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x11391},
    {0x113B8, 0x113B8}, {0x113BB, 0x113BB}, {0x113C2, 0x113C2},
    {0x113C5, 0x113C5}, {0x113C7, 0x113C9}, {0x113CE, 0x113D0},
    {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930},
    {0x11935, 0x11935}, {0x11938, 0x11938}, {0x1193D, 0x1193E},
    {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
    {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42},
    {0x1611E, 0x16129}, {0x1612F, 0x1612F}, {0x16D63, 0x16D63},
    {0x16D67, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1D127, 0x1D128},
    {0x1D250, 0x1D252}, {0x1D25B, 0x1D25C}, {0x1D25F, 0x1D25F},
    {0x1D280, 0x1D281}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
    {0x1E5EE, 0x1E5EF}, {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6},
    {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
};

bool isInert(uint32_t code) {
  const CodeRange *range = std::lower_bound(
      std::begin(inertRanges), std::end(inertRanges), code,
      [](const CodeRange &r, uint32_t c) { return r.last < c; });
  return range != std::end(inertRanges) && range->first <= code;
}

int combiningClass(utf8proc_int32_t code) {
  return static_cast<int>(utf8proc_get_property(code)->combining_class);
}

/// Puts each run of combining marks in the order of their classes, keeping the
/// order within a class.
void orderMarks(std::vector<utf8proc_int32_t> &codes) {
  struct Mark {
    int combiningClass;
    size_t position;
    utf8proc_int32_t code;
  };
  std::vector<Mark> marks;
  for (size_t i = 0; i <= codes.size(); ++i) {
    int ccc = i < codes.size() ? combiningClass(codes[i]) : 0;
    if (ccc != 0) {
      marks.push_back({ccc, i, codes[i]});
      continue;
    }
    if (marks.size() > 1) {
      std::sort(marks.begin(), marks.end(), [](const Mark &a, const Mark &b) {
        return a.combiningClass != b.combiningClass
                   ? a.combiningClass < b.combiningClass
                   : a.position < b.position;
      });
      for (size_t k = 0; k < marks.size(); ++k)
        codes[i - marks.size() + k] = marks[k].code;
    }
    marks.clear();
  }
}

/// Appends the normalized \p codes, decomposed characters, and clears them.
void flush(std::vector<utf8proc_int32_t> &codes, std::string &out) {
  if (codes.empty())
    return;
  orderMarks(codes);
  auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  utf8proc_ssize_t count =
      utf8proc_normalize_utf32(codes.data(), codes.size(), options);
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t length = utf8proc_encode_char(codes[i], bytes);
    out.append(reinterpret_cast<char *>(bytes), length);
  }
  codes.clear();
}

void decompose(uint32_t code, std::vector<utf8proc_int32_t> &codes) {
  // The longest canonical decomposition has four characters.
  utf8proc_int32_t parts[16];
  int boundary = 0;
  auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), parts,
                              std::size(parts), options, &boundary);
  codes.insert(codes.end(), parts, parts + count);
}

} // namespace

std::string normalizeNfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::vector<utf8proc_int32_t> codes; // decomposed, not yet in `out`
  size_t at = 0;
  while (at < text.size()) {
    // An ASCII character followed by another changes nothing and ends what
    // came before it.
    size_t end = at;
    while (end < text.size() && static_cast<uint8_t>(text[end]) < 0x80)
      ++end;
    if (end - at > 1 || (end > at && end == text.size())) {
      flush(codes, out);
      size_t keep = end == text.size() ? end : end - 1;
      out.append(text, at, keep - at);
      at = keep;
      if (at == text.size())
        break;
    }
    uint32_t length = nextUtf8(text.substr(at)).length;
    uint32_t code = codePoint(text.substr(at), length);
    if (isInert(code)) {
      flush(codes, out);
      out.append(text, at, length);
    } else {
      decompose(code, codes);
    }
    at += length;
  }
  flush(codes, out);
  return out;
}

} // namespace quartet::rt
