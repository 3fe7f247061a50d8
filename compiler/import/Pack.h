// Writes the weight file: streams each weight's runs from the checkpoint (or a
// synthetic generator), converts the element type, and hashes, in bounded
// memory.
#ifndef QUARTET_COMPILER_IMPORT_PACK_H
#define QUARTET_COMPILER_IMPORT_PACK_H
#include "compiler/import/PackPlan.h"
#include "compiler/import/WeightSource.h"

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
