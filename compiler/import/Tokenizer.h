// Imports the tokenizer of a model directory: tokenizer.json, with the added
// tokens that only tokenizer_config.json lists, becomes the blob that the
// executable embeds. The files count as hostile.
#ifndef QUARTET_COMPILER_IMPORT_TOKENIZER_H
#define QUARTET_COMPILER_IMPORT_TOKENIZER_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <vector>

namespace quartet {

/// The blob (runtime/include/quartet/tokenizer_format.h) of the tokenizer in
/// \p directory. tokenizer_config.json may be missing; without tokenizer.json
/// the error has the code std::errc::no_such_file_or_directory.
llvm::Expected<std::vector<uint8_t>> importTokenizer(llvm::StringRef directory);

/// The same from the files' contents. \p configJson is empty when there is no
/// tokenizer_config.json; \p fileName names tokenizer.json in messages.
///
/// Takes byte-level BPE: normalizer NFC or null; pre-tokenizer ByteLevel, or
/// Split by a pattern (see SplitPattern.h) and then ByteLevel; decoder
/// ByteLevel or null; a post-processor that adds no tokens; added tokens with
/// normalized, lstrip, rstrip and single_word all false. Whatever else a file
/// asks for is an error that names it. Where both files describe an added
/// token, tokenizer_config.json decides whether it is special, as in
/// `transformers`.
llvm::Expected<std::vector<uint8_t>>
importTokenizerFromText(llvm::StringRef tokenizerJson,
                        llvm::StringRef configJson, llvm::StringRef fileName);

} // namespace quartet
#endif
