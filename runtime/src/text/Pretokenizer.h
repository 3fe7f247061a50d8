// Cuts text into the pieces that are tokenized on their own: the matches of the
// tokenizer's pattern and what lies between them.
#ifndef QUARTET_RUNTIME_TEXT_PRETOKENIZER_H
#define QUARTET_RUNTIME_TEXT_PRETOKENIZER_H
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace quartet::rt {

class Pretokenizer {
public:
  /// Compiles \p pattern, PCRE2 syntax; an empty one leaves text whole.
  /// \returns false, with \p error set, when PCRE2 refuses it.
  [[nodiscard]] bool compile(std::string_view pattern, std::string &error);

  /// Appends the pieces of \p text, valid UTF-8, to \p pieces: all of the text,
  /// in order. \returns false, with \p error set, when matching takes more
  /// steps or memory than a sane pattern needs. Safe on several threads.
  [[nodiscard]] bool split(std::string_view text,
                           std::vector<std::string_view> &pieces,
                           std::string &error) const;

private:
  struct Free {
    void operator()(pcre2_real_code_8 *code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code;
};

} // namespace quartet::rt
#endif
