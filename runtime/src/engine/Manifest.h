// The manifest of the executable (docs/manifest.md), parsed and checked once,
// so that nothing after it looks at JSON or doubts a size.
#ifndef QUARTET_RUNTIME_ENGINE_MANIFEST_H
#define QUARTET_RUNTIME_ENGINE_MANIFEST_H
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quartet::rt {

/// Bytes of an element type in safetensors spelling; 0 for an unknown one.
int64_t elementBytes(std::string_view dtype);

/// One weight; its place in Manifest::weights is its place in the step's
/// arguments.
struct WeightInfo {
  std::string name, dtype;
  std::vector<int64_t> shape;
  uint64_t offset = 0; ///< bytes from the end of the weight file's header
  uint64_t bytes = 0;
  /// Of a packed matrix, "int4:64"; empty otherwise. It consists of panels of
  /// panelBytes bytes: scales from 0, zero points, values.
  std::string format;
  int64_t panelBytes = 0, scaleBytes = 0, zerosOffset = 0, valuesOffset = 0;
};

/// A phase of a step: what one repetition of it moves and computes.
struct PlanPhase {
  std::string name;
  double repeat = 1;
  double weightBytes = 0, expertBytes = 0; ///< the latter per expert
  double experts = 0, expertsPerToken = 0;
  double stateBytes = 0, stateWriteBytes = 0; ///< per sequence
  double kvBytesPerPosition = 0; ///< per sequence and position of its context
  double tokenBytes = 0, tokenWriteBytes = 0; ///< per token
  double macs = 0;                            ///< per token
  double macsPerPosition = 0; ///< per token and position of its context
  double macsPerRow = 0;      ///< per row whose logits are wanted
  double int8Macs = 0,
         int8MacsPerRow = 0; ///< those of them that multiply bytes
};

struct PlanBucket {
  int64_t tokens = 0; ///< most tokens of a step
  std::vector<PlanPhase> phases;
};

/// One state. Exactly one dimension is Slots or Pages.
struct StateInfo {
  static constexpr int64_t Slots = -1, Pages = -2;
  std::string name, dtype;
  std::vector<int64_t> shape;
  bool paged = false; ///< the dimension is Pages

  /// Bytes of one slot or page, over all leading (block) dimensions.
  int64_t bytesPerUnit() const;
};

/// Sampling defaults and stop tokens of the model.
struct GenerationInfo {
  bool doSample = false;
  double temperature = 1.0, topP = 1.0, minP = 0.0;
  double repetitionPenalty = 1.0, presencePenalty = 0.0;
  int64_t topK = 0; ///< 0 = no limit
  std::vector<int32_t> stopIds;
};

struct Manifest {
  std::string text; ///< the JSON itself
  std::string version, name, triple, cpu, family;
  std::string dtype, kvDtype, quantization;
  std::string activations; ///< of prompts on GPUs, "bf16"; empty: the default
  int64_t layers = 0, blocks = 0, hidden = 0, parameters = 0;
  int64_t vocab = 0;        ///< columns of the logits
  int64_t tokenLimit = 0;   ///< ids from here on have no token, <= vocab
  int64_t maxPositions = 0; ///< longest sequence, tokens
  std::string weightsId;    ///< empty for a build without weights
  std::string layoutId, weightsFile;
  uint64_t weightsBytes = 0;
  std::vector<WeightInfo> weights;
  std::vector<StateInfo> states;
  bool mtp = false; ///< has a step of multi-token prediction
  GenerationInfo generation;
  std::vector<PlanBucket> plan; ///< ascending tokens; empty when there is none

  int64_t bytesPerSlot() const; ///< sum over the states with slots
  int64_t bytesPerPage() const; ///< sum over the states with pages
};

/// Parses and checks a manifest. Refuses another ABI version, sizes that don't
/// fit together or would overflow, and unknown element types. \p error names
/// the field, what was found and what was expected.
std::optional<Manifest> parseManifest(std::string_view json,
                                      std::string *error);

} // namespace quartet::rt
#endif
