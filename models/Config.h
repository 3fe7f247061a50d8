// The configuration of a checkpoint of the family (config.json), checked and
// with every default resolved, so that nothing after it looks at JSON again.
// Source: the config classes of qwen3_5_moe, qwen3_5 and qwen3_next in Hugging
// Face transformers.
#ifndef QUARTET_MODELS_CONFIG_H
#define QUARTET_MODELS_CONFIG_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quartet {

enum class Family { Qwen35Moe, Qwen35, Qwen3Next };
/// Which mixer a decoder layer has.
enum class LayerKind { LinearAttention, FullAttention };
/// Element type of a stored tensor.
enum class Dtype { F32, F16, BF16 };
/// Element type of the KV cache. Int8: with a scale for each token and head.
enum class KvType { F32, F16, BF16, Int8 };
/// Activation on z in DeltaNet's gated norm.
enum class GateKind { Silu, Sigmoid };

llvm::StringRef stringify(Family family);  // "qwen3_5_moe", ...
llvm::StringRef stringify(LayerKind kind); // "linear_attention", ...
llvm::StringRef stringify(Dtype dtype);    // safetensors spelling: "BF16", ...
int64_t byteSize(Dtype dtype);
llvm::StringRef stringify(KvType type); // "bf16", "int8", ...
KvType kvTypeOf(Dtype dtype);

/// Rotary embedding of the attention layers.
struct RopeConfig {
  double theta = 1e7;
  int64_t rotaryDim = 0; ///< dimensions rotated, even, <= head_dim
  bool yarn = false;
  double yarnFactor = 1.0;
  int64_t yarnOriginalPositions = 0;
  double betaFast = 32.0, betaSlow = 1.0;
  bool yarnTruncate = true;
  std::optional<double> attentionFactor; ///< absent: 0.1 ln(factor) + 1
  /// Frequency pairs of the time, height and width axes (interleaved MRoPE);
  /// {rotaryDim / 2, 0, 0} for plain rotary embedding.
  std::vector<int64_t> mropeSection;

  /// Angle per position of each frequency pair, [rotaryDim / 2].
  std::vector<float> inverseFrequencies() const;
  /// Which row of positions (0 time, 1 height, 2 width) each pair uses.
  std::vector<int32_t> axes() const;
  /// Factor on both cos and sin; 1 without YaRN.
  double cosSinScale() const;
};

/// Sampling defaults and stop tokens (generation_config.json).
struct GenerationConfig {
  bool doSample = false;
  double temperature = 1.0, topP = 1.0, minP = 0.0;
  double repetitionPenalty = 1.0, presencePenalty = 0.0;
  int64_t topK = 0; ///< 0 = no limit
  std::vector<int32_t> stopIds;
};

/// Shapes of the vision tower; only counted, the text program does not use it.
struct VisionConfig {
  int64_t depth = 0, hiddenSize = 0, intermediate = 0, outHidden = 0;
  int64_t channels = 0, patch = 0, temporalPatch = 0, spatialMerge = 0;
  int64_t positions = 0;
};

struct ModelConfig {
  Family family = Family::Qwen35Moe;
  std::string name; ///< folder name of the checkpoint
  int64_t vocabSize = 0, hiddenSize = 0;
  std::vector<LayerKind> layers;
  std::vector<bool> sparse; ///< per layer: MoE (true) or dense MLP
  // Gated attention.
  int64_t numHeads = 0, numKvHeads = 0, headDim = 0;
  bool attentionGate = true; ///< q_proj has a gate half per head
  RopeConfig rope;
  int64_t maxPositions = 0;
  // Gated DeltaNet.
  int64_t keyHeads = 0, valueHeads = 0, keyDim = 0, valueDim = 0;
  int64_t convKernel = 0;
  GateKind deltaGate = GateKind::Silu;
  // MoE (zero when every layer is dense) and dense MLP (zero when none is).
  int64_t numExperts = 0, expertsPerToken = 0, expertIntermediate = 0;
  int64_t sharedIntermediate = 0;
  bool renormalizeTopK = true;
  int64_t denseIntermediate = 0;
  double rmsEps = 1e-6;
  bool tiedHead = false;
  Dtype dtype = Dtype::BF16; ///< what config.json says; tensors may differ
  int64_t mtpLayers = 0; ///< multi-token-prediction layers in the checkpoint
  bool mtpOwnEmbedding = false; ///< they don't share embedding and head
  bool hasVision = false;
  VisionConfig vision;
  /// Layers of the checkpoint; more than layers.size() under
  /// ConfigOptions.layers.
  int64_t checkpointLayers = 0;
  GenerationConfig generation;

  int64_t convChannels() const {
    return 2 * keyHeads * keyDim + valueHeads * valueDim;
  }
  /// Length of the shortest run of layers that, repeated, gives all of them
  /// (4 for the family's 3:1 pattern).
  int64_t blockPeriod() const;
  int64_t blockCount() const { return int64_t(layers.size()) / blockPeriod(); }
};

struct ConfigOptions {
  /// Keep the first N layers; 0 = all. Otherwise 1 to the checkpoint's number.
  int64_t layers = 0;
  /// Above 1: extend the context by YaRN with this factor, to at most 1,010,000
  /// positions (or what the checkpoint has, if that is more). 0 = off.
  double ropeYarnFactor = 0.0;
};

/// Reads DIR/config.json and DIR/generation_config.json (which may be absent).
/// Errors name the file, the field, what was found and what was expected.
llvm::Expected<ModelConfig> readConfig(llvm::StringRef directory,
                                       const ConfigOptions &options = {});

/// The same from text, for tests and fuzzing. \p generation may be empty.
llvm::Expected<ModelConfig> parseConfig(llvm::StringRef config,
                                        llvm::StringRef generation,
                                        llvm::StringRef fileName,
                                        const ConfigOptions &options = {});

} // namespace quartet
#endif
