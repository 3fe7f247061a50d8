// Turns the split pattern of a tokenizer.json, written for Oniguruma, into one
// with which PCRE2 finds the same matches.
#ifndef QUARTET_COMPILER_IMPORT_SPLITPATTERN_H
#define QUARTET_COMPILER_IMPORT_SPLITPATTERN_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace quartet {

/// The PCRE2 form (options UTF and UCP) of \p pattern. ASCII only.
///
/// Takes the part of the language that tokenizers use and on which the two
/// engines agree, or can be made to: literals, escaped punctuation, \r \n \t
/// \f, \s \S, \p{L} \p{M} \p{N} and their negations, classes of these, groups
/// (?: ) ( ) (?i: ), lookahead (?= ) (?! ), alternatives, and ? * + {n} {n,}
/// {n,m}, with ? or + after the first three. Anything else is an error that
/// says at which byte of the pattern it is. What is rewritten:
///
/// * \s is the 25 characters of Unicode's White_Space. PCRE2 adds U+180E.
/// * \p{..} is the property, or one of the characters that Unicode 15, 15.1
///   and 16 added to it: Oniguruma in `tokenizers` 0.23 has Unicode 16, PCRE2
///   10.42 has 14. With a PCRE2 that has 16 the addition changes nothing.
///
/// Refused, because it would not mean the same: `ss`, `st`, `ff`, `fi`, `fl`
/// under (?i: ), where Oniguruma also takes one character such as U+00DF; a
/// pattern that can match no text at all; groups repeated more than once.
llvm::Expected<std::string> convertSplitPattern(llvm::StringRef pattern);

/// What a ByteLevel pre-tokenizer with use_regex splits by (GPT-2's pattern).
llvm::StringRef byteLevelPattern();

} // namespace quartet
#endif
