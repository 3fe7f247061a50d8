// The configuration of a GGUF model: its metadata, written as the config.json
// and generation_config.json that they come from, so that there is one place
// that checks them.
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFCONFIG_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFCONFIG_H
#include "compiler/import/gguf/GgufModel.h"
#include "models/Config.h"

namespace quartet {

/// Takes the architectures qwen35moe, qwen35 and qwen3next. Errors name the
/// file and the metadata key, or the field of config.json that it stands for.
llvm::Expected<ModelConfig> readGgufConfig(const GgufModel &model,
                                           const ConfigOptions &options = {});

} // namespace quartet
#endif
