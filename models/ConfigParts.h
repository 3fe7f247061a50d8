// The pieces of reading a configuration that have files of their own. Internal
// to models/: everybody else uses Config.h.
#ifndef QUARTET_MODELS_CONFIGPARTS_H
#define QUARTET_MODELS_CONFIGPARTS_H
#include "models/Config.h"
#include "models/JsonFields.h"

namespace quartet {

/// Reads rope_parameters, or the older rope_theta, rope_scaling and
/// partial_rotary_factor, of a text config whose headDim and maxPositions are
/// in \p config already. Sets config.rope; problems go to \p text.
void readRope(JsonFields &text, ModelConfig &config);

/// Turns YaRN on as ConfigOptions.ropeYarnFactor asks.
llvm::Error extendContext(ModelConfig &config, double factor);

/// Reads generation_config.json; \p configStops are the eos ids of config.json,
/// which join the file's own. \p text may be empty (no file).
llvm::Expected<GenerationConfig>
parseGeneration(llvm::StringRef text, llvm::StringRef fileName,
                int64_t vocabSize, llvm::ArrayRef<int64_t> configStops);

} // namespace quartet
#endif
