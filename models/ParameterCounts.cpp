// Parameters per component. The text part sums the shapes of planWeights, so
// that it cannot drift from what is imported; the vision tower, which is only
// in the checkpoint, has a formula here.
#include "models/LayerParts.h"
#include "models/Weights.h"
#include "llvm/ADT/StringSwitch.h"

namespace quartet {

int64_t ParameterCounts::active() const {
  int64_t body = decoder() - experts + expertsActive + finalNorm;
  // The head's matrix is read whole; an embedding row has the final norm's
  // width.
  return head != 0 ? body + head + finalNorm : body + embedding;
}

/// Adds the parts of one layer to \p counts.
static void addLayer(llvm::ArrayRef<LayerPart> parts, ParameterCounts &counts) {
  for (const LayerPart &part : parts) {
    int64_t count = elementCount(part.shape);
    int64_t &component =
        *llvm::StringSwitch<int64_t *>(part.name)
             .Cases({"input_norm", "post_norm"}, &counts.norms)
             .Case("router", &counts.routers)
             .Cases({"gate_up", "down"}, &counts.experts)
             .Cases({"shared_gate_up", "shared_down", "shared_gate"},
                    &counts.shared)
             .Cases({"mlp_gate_up", "mlp_down"}, &counts.dense)
             .Default(&counts.mixers);
    component += count;
  }
}

static int64_t countMtp(const ModelConfig &config) {
  if (config.mtpLayers == 0)
    return 0;
  ParameterCounts layer;
  addLayer(mtpLayerParts(config), layer);
  int64_t count = config.mtpLayers * layer.decoder();
  for (const LayerPart &part : mtpEnds(config))
    count += elementCount(part.shape);
  return count;
}

static int64_t countVision(const ModelConfig &config) {
  if (!config.hasVision)
    return 0;
  const VisionConfig &v = config.vision;
  auto linear = [](int64_t out, int64_t in) { return out * in + out; };
  int64_t hidden = v.hiddenSize, norm = 2 * hidden;
  int64_t patch = v.channels * v.temporalPatch * v.patch * v.patch;
  int64_t block = 2 * norm + linear(3 * hidden, hidden) +
                  linear(hidden, hidden) + linear(v.intermediate, hidden) +
                  linear(hidden, v.intermediate);
  int64_t merged = hidden * v.spatialMerge * v.spatialMerge;
  return linear(hidden, patch) + v.positions * hidden + v.depth * block + norm +
         linear(merged, merged) + linear(v.outHidden, merged);
}

ParameterCounts countParameters(const ModelConfig &config) {
  ParameterCounts counts;
  counts.embedding = config.vocabSize * config.hiddenSize;
  counts.head = config.tiedHead ? 0 : counts.embedding;
  counts.finalNorm = config.hiddenSize;
  for (size_t i = 0; i < config.layers.size(); ++i)
    addLayer(layerParts(config, int64_t(i)), counts);
  if (config.numExperts > 0)
    counts.expertsActive =
        counts.experts / config.numExperts * config.expertsPerToken;
  counts.mtp = countMtp(config);
  counts.vision = countVision(config);
  return counts;
}

} // namespace quartet
