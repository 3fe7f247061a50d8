// What one warp does of a matrix product: one tile of weights (the rows of a
// group of matrix instructions), one segment of the columns, some tokens.
#ifndef QUARTET_TARGETS_GPU_KERNELS_TILEPRODUCTS_H
#define QUARTET_TARGETS_GPU_KERNELS_TILEPRODUCTS_H
#include "targets/gpu/kernels/Matmul.h"
#include "targets/gpu/kernels/TileRows.h"

namespace quartet::gpu {

class TileProducts {
public:
  /// \p weights: \p tile counts tiles of unit.tilePanels of its panels; of
  /// panels beyond the last one the results mean nothing.
  TileProducts(DeviceBuilder &k, const MatrixUnit &unit, const ColumnPlan &plan,
               int parts, const WeightsOperand &weights, V tile);

  /// The sums over segment \p segment: quads (4 x f32) in the order [group]
  /// [row place][token place].
  llvm::SmallVector<V> segment(V segment, const TileRows &rows) const;

  /// What memory has of one chunk for a lane, as it has it.
  struct Chunk {
    V number;
    llvm::SmallVector<V> lines;         ///< [step][line]
    llvm::SmallVector<V> scales, zeros; ///< [group of columns][row place]
  };
  /// Chunks beyond the columns read the last ones.
  Chunk load(V number) const;
  /// Adds the products of a chunk to quads as of segment().
  void add(const Chunk &chunk, const TileRows &rows,
           llvm::SmallVector<V> &totals) const;
  /// Totals of nothing, for \p groups groups of tokens.
  llvm::SmallVector<V> none(size_t groups) const;

private:
  llvm::SmallVector<llvm::SmallVector<V>> wordsOf(const Chunk &chunk) const;
  void multiply(llvm::MutableArrayRef<MatrixUnit::Sum> sums,
                llvm::ArrayRef<V> a, llvm::ArrayRef<V> b) const;
  void addIntegers(const Chunk &chunk, const TileRows &rows,
                   llvm::SmallVector<V> &totals) const;
  void addFloats(const Chunk &chunk, const TileRows &rows,
                 llvm::SmallVector<V> &totals) const;
  V scaleOf(const Chunk &chunk, int64_t group, int64_t place) const;
  llvm::SmallVector<V> starts(const Chunk &chunk, int64_t group,
                              llvm::ArrayRef<V> sums) const;

  DeviceBuilder &k;
  const MatrixUnit &unit;
  const ColumnPlan &plan;
  const PackedFormat &format;
  int parts;
  V values;                           ///< the lane's rows of the first line
  llvm::SmallVector<V> scales, zeros; ///< [row place]
};

} // namespace quartet::gpu
#endif
