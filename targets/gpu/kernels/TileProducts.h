// What one warp does of a matrix product: one tile of weights (the rows of a
// group of matrix instructions), one segment of the columns, some tokens.
#ifndef QUARTET_TARGETS_GPU_KERNELS_TILEPRODUCTS_H
#define QUARTET_TARGETS_GPU_KERNELS_TILEPRODUCTS_H
#include "targets/gpu/kernels/ColumnPlan.h"
#include "targets/gpu/kernels/Matmul.h"

namespace quartet::gpu {

/// The staged rows that a lane reads, for some groups of unit.tokens tokens.
struct LaneRows {
  llvm::SmallVector<V> operands; ///< [group]: of its words of B
  llvm::SmallVector<V> results;  ///< [group][token place]: of its results
};

class TileProducts {
public:
  /// \p weights: \p tile counts tiles of unit.tilePanels of its panels; of
  /// panels beyond the last one the results mean nothing.
  TileProducts(DeviceBuilder &k, const MatrixUnit &unit, const ColumnPlan &plan,
               int parts, const WeightsOperand &weights, V tile,
               const LaneRows &rows);

  /// The sums over segment \p segment: quads (4 x f32) in the order [group]
  /// [row place][token place].
  llvm::SmallVector<V> segment(V segment) const;

private:
  /// What memory has of one chunk for a lane.
  struct Chunk {
    V number;
    llvm::SmallVector<V> lines;         ///< [step][line]
    llvm::SmallVector<V> scales, zeros; ///< [group of columns][row place]
  };
  Chunk load(V number) const;
  V unitOf(V chunk, int64_t step) const;
  V columnsAt(V chunk, int64_t step, int64_t bytesEach) const;
  V groupOf(V chunk, int64_t group) const;
  V isGroup(V chunk, int64_t group) const;
  llvm::SmallVector<llvm::SmallVector<V>> wordsOf(const Chunk &chunk) const;
  void multiply(llvm::MutableArrayRef<MatrixUnit::Sum> sums,
                llvm::ArrayRef<V> a, llvm::ArrayRef<V> b) const;
  void addIntegers(const Chunk &chunk, llvm::SmallVector<V> &totals) const;
  void addFloats(const Chunk &chunk, llvm::SmallVector<V> &totals) const;
  llvm::SmallVector<llvm::SmallVector<V>> floatOperands(const Chunk &chunk,
                                                        V row) const;
  llvm::SmallVector<V> starts(const Chunk &chunk, int64_t group,
                              llvm::ArrayRef<V> sums) const;

  DeviceBuilder &k;
  const MatrixUnit &unit;
  const ColumnPlan &plan;
  const PackedFormat &format;
  int parts;
  const LaneRows &rows;
  V values;                           ///< the lane's rows of the first line
  llvm::SmallVector<V> scales, zeros; ///< [row place]
};

} // namespace quartet::gpu
#endif
