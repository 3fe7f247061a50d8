// PCRE2 with its just-in-time compiler where the machine allows that, and its
// interpreter otherwise. The importer has rewritten the pattern so that PCRE2
// finds what the `tokenizers` library finds (compiler/import/SplitPattern.h).
#define PCRE2_CODE_UNIT_WIDTH 8
#include "runtime/src/text/Pretokenizer.h"
#include <algorithm>
#include <pcre2.h>

namespace quartet::rt {
namespace {

// Backtracking steps that one match may take: a few for each byte of the text
// are normal, because whitespace is gone through by several alternatives.
constexpr uint64_t baseSteps = 10'000'000, stepsPerByte = 16;
constexpr uint32_t heapKibibytes = 256 * 1024;

std::string message(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<char *>(text);
}

struct FreeMatch {
  void operator()(pcre2_match_data *data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context *context) const {
    pcre2_match_context_free(context);
  }
};

} // namespace

void Pretokenizer::Free::operator()(pcre2_real_code_8 *code) const {
  pcre2_code_free(code);
}

bool Pretokenizer::compile(std::string_view pattern, std::string &error) {
  code.reset();
  if (pattern.empty())
    return true;
  int status = 0;
  PCRE2_SIZE offset = 0;
  code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                           pattern.size(),
                           PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                           &status, &offset, nullptr));
  if (!code) {
    error = "tokenizer pattern, byte " + std::to_string(offset) + ": " +
            message(status);
    return false;
  }
  // An error here (memory that may not be made executable) is no error: the
  // interpreter finds the same matches.
  (void)pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return true;
}

bool Pretokenizer::split(std::string_view text,
                         std::vector<std::string_view> &pieces,
                         std::string &error) const {
  if (text.empty())
    return true;
  if (!code) {
    pieces.push_back(text);
    return true;
  }
  std::unique_ptr<pcre2_match_data, FreeMatch> data(
      pcre2_match_data_create(1, nullptr));
  std::unique_ptr<pcre2_match_context, FreeMatch> context(
      pcre2_match_context_create(nullptr));
  if (!data || !context) {
    error = "tokenizer pattern: out of memory";
    return false;
  }
  uint64_t steps = baseSteps + stepsPerByte * text.size();
  pcre2_set_match_limit(context.get(),
                        uint32_t(std::min<uint64_t>(steps, UINT32_MAX)));
  pcre2_set_heap_limit(context.get(), heapKibibytes);

  auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t at = 0;
  while (at < text.size()) {
    // The text is valid: checking it again for each match would be quadratic.
    uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
    int status = pcre2_match(code.get(), subject, text.size(), at, options,
                             data.get(), context.get());
    if (status == PCRE2_ERROR_JIT_STACKLIMIT)
      status = pcre2_match(code.get(), subject, text.size(), at,
                           options | PCRE2_NO_JIT, data.get(), context.get());
    if (status == PCRE2_ERROR_NOMATCH)
      break;
    if (status < 0) {
      error = "tokenizer pattern at byte " + std::to_string(at) +
              " of the text: " + message(status);
      return false;
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data.get());
    // \K could do this; a pattern from the importer can't.
    if (ends[0] < at || ends[1] <= at || ends[0] > ends[1]) {
      error = "tokenizer pattern at byte " + std::to_string(at) +
              " of the text: a match that starts before it";
      return false;
    }
    if (ends[0] > at)
      pieces.push_back(text.substr(at, ends[0] - at));
    pieces.push_back(text.substr(ends[0], ends[1] - ends[0]));
    at = ends[1];
  }
  if (at < text.size())
    pieces.push_back(text.substr(at));
  return true;
}

} // namespace quartet::rt
