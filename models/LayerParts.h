// The weights of one decoder layer and how a checkpoint stores each. Internal
// to models/: Weights.cpp makes the plan's list from it, WeightSources.cpp the
// runs.
#ifndef QUARTET_MODELS_LAYERPARTS_H
#define QUARTET_MODELS_LAYERPARTS_H
#include "models/Weights.h"

namespace quartet {

enum class PartSource {
  Tensor,       ///< one tensor, perhaps with dimensions of extent 1 more
  Rows,         ///< several tensors, one after the other along dimension 0
  DeltaInput,   ///< split, or in Qwen3-Next's head-interleaved tensors
  ExpertGateUp, ///< one fused tensor, or gate and up of each expert
  ExpertDown,   ///< one fused tensor, or one per expert
};

struct LayerPart {
  llvm::StringRef name; ///< after "l<j>."
  WeightRole role;
  std::vector<int64_t> shape; ///< of one layer
  PartSource source;
  /// Tensor names after "layers.<i>." with their shapes in the checkpoint. For
  /// experts the fused tensor.
  std::vector<std::pair<llvm::StringRef, std::vector<int64_t>>> tensors;
};

/// The parts of layer \p layer (an index into config.layers), in the order of
/// the manifest.
std::vector<LayerPart> layerParts(const ModelConfig &config, int64_t layer);

/// True for roles that --dtype does not change: they are F32 in the weight
/// file.
bool isAlwaysF32(WeightRole role);

/// Product of \p shape; the config's bounds keep it in range.
int64_t elementCount(llvm::ArrayRef<int64_t> shape);

/// "[2, 3]", for messages.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

} // namespace quartet
#endif
