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
  LeftColumns,  ///< the first half of each row of one tensor
  RightColumns, ///< the second half
};

struct LayerPart {
  llvm::StringRef name; ///< after "l<j>." or "mtp."
  WeightRole role;
  std::vector<int64_t> shape; ///< of one layer
  PartSource source;
  /// Tensor names after "layers.<i>." (or "mtp.layers.0.", "mtp.") with their
  /// shapes in the checkpoint. For experts the fused tensor.
  std::vector<std::pair<llvm::StringRef, std::vector<int64_t>>> tensors;
};

/// The parts of layer \p layer (an index into config.layers), in the order of
/// the manifest.
std::vector<LayerPart> layerParts(const ModelConfig &config, int64_t layer);

/// The layer of multi-token prediction: what is around it (names after "mtp."),
/// and the decoder layer itself.
std::vector<LayerPart> mtpEnds(const ModelConfig &config);
std::vector<LayerPart> mtpLayerParts(const ModelConfig &config);

/// True for roles that --dtype does not change: they are F32 in the weight
/// file.
bool isAlwaysF32(WeightRole role);

/// Product of \p shape; the config's bounds keep it in range.
int64_t elementCount(llvm::ArrayRef<int64_t> shape);

/// "[2, 3]", for messages.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

} // namespace quartet
#endif
