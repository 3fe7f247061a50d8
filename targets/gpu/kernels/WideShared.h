// Wide products where nothing but registers brings memory into shared memory
// (AMD): rows of tokens lie there for the whole block, and weights go straight
// to the registers of the waves that multiply them.
#ifndef QUARTET_TARGETS_GPU_KERNELS_WIDESHARED_H
#define QUARTET_TARGETS_GPU_KERNELS_WIDESHARED_H
#include "targets/gpu/kernels/SlabRows.h"
#include "targets/gpu/kernels/TileProducts.h"

namespace quartet::gpu {

/// The most tokens of a pass.
constexpr int64_t kWideSharedTokens = 64;

/// A pass takes 128 rows of weights, a tile of 64 for each wave, and up to 64
/// tokens. Two shares of the columns are multiplied at the same time, slab by
/// slab; their sums are added at the end. Where waves are of 32 lanes there are
/// twice as many, each with half of the tokens: totals of all 64 would be half
/// of a lane's registers, and the other half is in use for weights and scales.
class WideShared {
public:
  /// Of passes of \p tokens tokens: 16, 32 or 64.
  WideShared(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
             const WeightsOperand &weights, const RowsOperand &rows,
             int64_t tokens, V acc, V accStride);
  /// Shared memory holds as much as it needs.
  bool fits() const { return buffers > 0; }
  void all(int64_t mostPanels);

private:
  int64_t panels() const; ///< of a pass
  void pass(V firstToken, V firstPanel);
  int64_t chooseAhead() const;
  void multiplySlab(const TileProducts &products, V number, V buffer,
                    llvm::MutableArrayRef<TileProducts::Chunk> ahead,
                    llvm::SmallVector<V> &totals) const;
  void finish(V firstToken, V firstPanel, llvm::ArrayRef<V> totals);

  DeviceBuilder &k;
  MatrixUnit unit;
  int parts; ///< of an activation
  ColumnPlan plan;
  WeightsOperand weights;
  RowsOperand rows;
  Slabs slabs;
  V acc, accStride;
  int64_t waveTokens;  ///< of the tokens those of a wave
  int64_t chunksAhead; ///< whose weights are in registers, or on their way
  int64_t buffers = 0; ///< of slabs in shared memory, 1 or 2; 0: no room
  // Which part of a pass is the wave's; those that are too many do what
  // another one does, and keep it to themselves.
  V tile, share, firstOfWave;
  V isFirstShare, isOtherShare;
  V scratch; ///< shared: the buffers
};

} // namespace quartet::gpu
#endif
