// The tokens' side of a tile's products: staged rows as the words that matrix
// instructions take, wherever they are.
#ifndef QUARTET_TARGETS_GPU_KERNELS_TILEROWS_H
#define QUARTET_TARGETS_GPU_KERNELS_TILEROWS_H
#include "dialects/Tile/StagedRow.h"
#include "targets/gpu/kernels/ColumnPlan.h"

namespace quartet::gpu {

/// Some groups of unit.tokens tokens, as one lane sees them. Beyond the columns
/// all is 0.
class TileRows {
public:
  virtual ~TileRows() = default;
  virtual size_t groups() const = 0;
  /// The lane's words of B of all steps of a chunk: [part][word].
  virtual llvm::SmallVector<llvm::SmallVector<V>> words(size_t tokens,
                                                        V chunk) const = 0;
  /// Of integers: what the sums of a group of the chunk's columns are to be
  /// multiplied by, f32, and the sum of the row's values in it, i32; of the
  /// token of the lane's results at \p place.
  virtual V factor(size_t tokens, int64_t place, V chunk,
                   int64_t group) const = 0;
  virtual V sum(size_t tokens, int64_t place, V chunk, int64_t group) const = 0;
};

/// Staged rows that the lane reads where they are.
class LaneRows : public TileRows {
public:
  /// Floats become \p parts parts, or are so many already (\p split).
  LaneRows(DeviceBuilder &k, const MatrixUnit &unit, const ColumnPlan &plan,
           int parts, bool split);

  size_t groups() const override { return operands.size(); }
  llvm::SmallVector<llvm::SmallVector<V>> words(size_t tokens,
                                                V chunk) const override;
  V factor(size_t tokens, int64_t place, V chunk, int64_t group) const override;
  V sum(size_t tokens, int64_t place, V chunk, int64_t group) const override;

  llvm::SmallVector<V> operands; ///< [group]: of the lane's words of B
  llvm::SmallVector<V> results;  ///< [group][token place]: of its results

private:
  V unitAt(V chunk, int64_t step) const;
  std::vector<std::array<V, 2>> floatWords(V row, V unit) const;
  V result(size_t tokens, int64_t place) const {
    return results[tokens * size_t(unit.tokenPlaces) + size_t(place)];
  }

  DeviceBuilder &k;
  const MatrixUnit &unit;
  const ColumnPlan &plan;
  tile::StagedRowLayout row;
  int parts; ///< of floats
  bool split;
};

} // namespace quartet::gpu
#endif
