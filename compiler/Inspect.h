// What `quartetc inspect` says about a checkpoint directory or a GGUF file: its
// configuration, parameter counts, state sizes, and what becomes of every
// tensor.
#ifndef QUARTET_COMPILER_INSPECT_H
#define QUARTET_COMPILER_INSPECT_H
#include "models/Weights.h"
#include "llvm/Support/raw_ostream.h"

namespace quartet {

struct InspectOptions {
  std::string directory; ///< or a GGUF file
  ConfigOptions config;
  WeightOptions weights;
  bool json = false; ///< one JSON object in place of the text; same content
};

/// Tensors whose names differ only in numbers, with one type and shape.
struct TensorGroup {
  std::string pattern; ///< numbers between dots replaced by '*'
  std::string dtype;   ///< safetensors spelling, or GGUF's
  std::vector<int64_t> shape;
  int64_t count = 0, bytes = 0;
  /// Weights made of it ("l*.qkv", several separated by ", "); empty when set
  /// aside or when the plan failed.
  std::string usedAs;
  std::string setAside; ///< the reason, or empty
};

/// Everything that inspect shows.
struct InspectReport {
  std::string directory;
  ModelConfig config;
  ParameterCounts counts;
  bool hasWeights = false; ///< the directory has safetensors files
                           ///< (a GGUF always has weights)
  bool planned = false;    ///< the tensors fit the config
  bool mtp = false;        ///< multi-token prediction is part of the plan
  std::vector<TensorGroup> groups; ///< in the order of their patterns
  int64_t tensorCount = 0, checkpointBytes = 0;
  int64_t weightBytes = 0; ///< data in the weight file, when planned

  int64_t layersOf(LayerKind kind) const;
  /// State of one sequence that does not grow: bytes of the delta-rule
  /// matrices (f32) and of the convolution windows (model's type).
  int64_t deltaStateBytes() const;
  int64_t convStateBytes() const;
  /// Keys and values of one more token in the sequence (model's type), bytes.
  int64_t cacheBytesPerToken() const;
};

/// "10 x [D D D A]": the repeated block of layers; D is Gated DeltaNet, A gated
/// attention; where a model has both MLPs, lower case marks a dense one.
std::string layerPattern(const ModelConfig &config);

/// Prints the report of a directory. A directory without safetensors files
/// gives the configuration only. When the tensors cannot be read or do not fit,
/// what is known is printed and the error returned; an unreadable config.json
/// prints nothing.
llvm::Error inspectModel(const InspectOptions &options, llvm::raw_ostream &os);

/// The two ways to print. \p os gets a final line break.
void printReport(const InspectReport &report, llvm::raw_ostream &os);
void printReportJson(const InspectReport &report, llvm::raw_ostream &os);

} // namespace quartet
#endif
