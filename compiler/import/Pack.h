// Writes the weight file: streams each weight's runs from the checkpoint (or a
// synthetic generator), converts the element type, and hashes, in bounded
// memory.
#ifndef QUARTET_COMPILER_IMPORT_PACK_H
#define QUARTET_COMPILER_IMPORT_PACK_H
#include "compiler/import/Safetensors.h"

namespace quartet {

/// A weight's place in the weight file.
struct PackedWeight {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  uint64_t offset = 0, bytes = 0; ///< offset from the end of the header
};

struct WeightLayout {
  /// In the order of the plan's weights (the manifest's order), whatever the
  /// order in the file (chosen so that every tensor is 64-byte aligned where
  /// sizes allow, without gaps, and at least aligned to its element).
  std::vector<PackedWeight> weights;
  uint64_t dataBytes = 0;
  std::string layoutId; ///< 64 hex digits
};

WeightLayout layoutWeights(const WeightPlan &plan);

/// Gives the source values of a weight: elements [begin, end) as f32 or raw.
class WeightSource {
public:
  virtual ~WeightSource() = default;
  /// Fills \p out with elements [begin, begin + out.size() / elementSize) of
  /// \p weight, already converted to weight.dtype (round to nearest even).
  /// Called from one thread at a time, not always the same one.
  virtual llvm::Error read(const Weight &weight, int64_t begin,
                           llvm::MutableArrayRef<uint8_t> out) = 0;
};

/// Reads runs from \p checkpoint, which must outlive the source. A value that
/// overflows the target type (F16) is an error that names the tensor.
std::unique_ptr<WeightSource> checkpointSource(const Checkpoint &checkpoint);

/// Random weights by role, a pure function of (seed, weight name, index):
/// matrices N(0, 1/sqrt(fan_in)), norms near 0 (gated near 1), a_log = log
/// U(1,16), dt_bias around softplus^-1(0.001..0.1); fast enough for gigabytes
/// per second.
std::unique_ptr<WeightSource> syntheticSource(uint64_t seed);

struct PackOptions {
  std::string modelName;
  bool progress = true; ///< bar on standard error when that is a terminal, else
                        ///< a line every 5 s
};

/// Writes \p path (through PATH.tmp-<pid>, then rename). Checks free disk space
/// first. \returns the weights_id (BLAKE3-256 of the data, hex), which is also
/// in the file's __metadata__ with layout_id.
llvm::Expected<std::string> writeWeights(const WeightPlan &plan,
                                         const WeightLayout &layout,
                                         WeightSource &source,
                                         llvm::StringRef path,
                                         const PackOptions &options);

} // namespace quartet
#endif
