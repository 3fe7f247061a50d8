// Writes the weight file: streams each weight from the checkpoint (or a
// synthetic generator), converts or quantizes it on all cores, and hashes, in
// bounded memory.
#ifndef QUARTET_COMPILER_IMPORT_PACK_H
#define QUARTET_COMPILER_IMPORT_PACK_H
#include "compiler/import/PackPlan.h"
#include "compiler/import/WeightSource.h"

namespace quartet {

class ActivationStats;

/// A weight's place in the weight file.
struct PackedWeight {
  std::string name;
  Dtype dtype; ///< of a plain weight; says nothing about a packed matrix
  /// A plain weight's; [repeat, experts, rows, columns] of a packed matrix.
  std::vector<int64_t> shape;
  uint64_t offset = 0, bytes = 0;     ///< offset from the end of the header
  std::optional<PackedFormat> format; ///< of a packed matrix

  /// In the file: a packed matrix is U8 [repeat, experts, panels, panelBytes].
  llvm::StringRef storedType() const;
  std::vector<int64_t> storedShape() const;
};

struct WeightLayout {
  /// In the order of the plan (the manifest's order), whatever the order in the
  /// file (chosen so that every tensor is 64-byte aligned where sizes allow,
  /// without gaps, and at least aligned to its element; packed matrices always
  /// are).
  std::vector<PackedWeight> weights;
  uint64_t dataBytes = 0;
  std::string layoutId; ///< 64 hex digits
};

/// The plan must pass checkPackPlan.
WeightLayout layoutWeights(const PackPlan &plan, const WeightPlan &weights);

struct PackOptions {
  std::string modelName;
  bool progress = true; ///< bar on standard error when that is a terminal, else
                        ///< a line every 5 s
  /// Whose squared errors count how much when quantizing; null: all the same.
  const ActivationStats *stats = nullptr;
  unsigned threads = 0; ///< that convert and quantize; 0: one per core
};

/// Writes \p path (through PATH.tmp-<pid>, then rename). Checks the plan and
/// free disk space first. The bytes do not depend on threads or the machine. A
/// matrix whose format a part's source owns is copied from it exactly when its
/// groups are the source's. \returns the weights_id (BLAKE3-256 of the data,
/// hex), which is also in the file's __metadata__ with layout_id.
llvm::Expected<std::string>
writeWeights(const PackPlan &plan, const WeightPlan &weights,
             const WeightLayout &layout, WeightSource &source,
             llvm::StringRef path, const PackOptions &options);

} // namespace quartet
#endif
