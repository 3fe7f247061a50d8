// The tokenizer of a GGUF model, written as the tokenizer.json that it comes
// from, so that there is one importer that checks and encodes it.
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFTOKENIZER_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFTOKENIZER_H
#include "compiler/import/gguf/GgufModel.h"

namespace quartet {

/// The text of tokenizer.json; absent when the model has no tokenizer. Takes
/// byte-level BPE (tokenizer.ggml.model gpt2) with the splits qwen35 and qwen2
/// (tokenizer.ggml.pre). Ids that are marked unused get no token.
llvm::Expected<std::optional<std::string>>
ggufTokenizerJson(const GgufModel &model);

} // namespace quartet
#endif
