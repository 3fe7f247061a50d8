// The tokens of a text, as a compiled model's own tokenizer cuts it.
#ifndef QUARTET_COMPILER_EVAL_TEXTTOKENS_H
#define QUARTET_COMPILER_EVAL_TEXTTOKENS_H
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace quartet {

/// Fails unless \p path is a file of UTF-8 text that is not empty. Cheap: to be
/// called before models are built for it.
llvm::Error checkText(llvm::StringRef path);

/// The token ids of the text \p path by the tokenizer of \p executable, whose
/// messages go to the file \p log. Fewer than \p least are an error, and only
/// the first \p most are given.
llvm::Expected<std::vector<int32_t>> tokensOf(llvm::StringRef path,
                                              llvm::StringRef executable,
                                              llvm::StringRef log,
                                              int64_t least, int64_t most);

/// Writes \p ids for `NAME logits --tokens-file`: sequences of \p length ids,
/// the last one may be shorter.
llvm::Error writeTokens(llvm::ArrayRef<int32_t> ids, int64_t length,
                        llvm::StringRef path);

} // namespace quartet
#endif
