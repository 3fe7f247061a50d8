// Slabs of columns of the tokens' rows in shared memory, which all waves of a
// block read: from memory through registers, in the order of the matrix
// instructions' lanes.
#ifndef QUARTET_TARGETS_GPU_KERNELS_SLABROWS_H
#define QUARTET_TARGETS_GPU_KERNELS_SLABROWS_H
#include "targets/gpu/kernels/Matmul.h"
#include "targets/gpu/kernels/TileRows.h"

namespace quartet::gpu {

/// Sizes: a slab is some chunks of each share (segment of the plan). What a
/// lane reads of a chunk lies in one piece: [chunk][kLane][step][word] is the
/// order of a row's words, of each part of floats for itself.
struct Slabs {
  Slabs(const ColumnPlan &plan, int64_t tokens, int parts, int64_t threads);

  int64_t tokens;
  int parts; ///< of floats
  int64_t shares;
  int64_t chunks, columns, groups; ///< of a share in a slab
  int64_t count;                   ///< of slabs
  int64_t unitBytes, laneBytes;    ///< of a unit, of what a lane has of a chunk
  int64_t chunkBytes, rowBytes;    ///< of a row; rowBytes with its padding
  int64_t partBytes;               ///< of the rows of all shares
  /// Of integers, [share][group][token], with room for a word of each thread.
  int64_t factorsAt, sumsAt;
  int64_t bytes;
};

/// What a thread brings of each slab.
class SlabRows {
public:
  /// For the pass of the tokens from \p firstToken on.
  SlabRows(DeviceBuilder &k, const ColumnPlan &plan, const Slabs &slabs,
           const RowsOperand &rows, V firstToken);

  /// Asks for its pieces of slab \p number.
  llvm::SmallVector<V> load(V number) const;
  /// Writes them to the slab at \p buffer.
  void store(llvm::ArrayRef<V> loaded, V buffer) const;

private:
  /// Columns of a row, 16 bytes of it.
  struct Piece {
    V row;                   ///< in memory
    V column;                ///< in slab 0
    V to;                    ///< its row in a slab
    llvm::SmallVector<V> at; ///< of its units there
  };
  /// A token's factor (and sum) of a group.
  struct Word {
    V row, group, at;
  };
  /// Number \p i of the thread among \p count, a power of two.
  V numberOf(int64_t i, int64_t count) const;
  int64_t pieceCount() const;
  int64_t wordCount() const {
    return slabs.shares * slabs.groups * slabs.tokens;
  }

  DeviceBuilder &k;
  const ColumnPlan &plan;
  const Slabs &slabs;
  tile::StagedRowLayout layout;
  bool integer, hasSums;
  llvm::SmallVector<Piece> pieces;
  llvm::SmallVector<Word> words;
};

/// A chunk of a slab, as a wave's lanes read it.
class SharedRows : public TileRows {
public:
  /// Chunk \p chunk of share \p share of the slab at \p buffer; \p count groups
  /// of tokens from \p firstToken on.
  SharedRows(DeviceBuilder &k, const MatrixUnit &unit, const ColumnPlan &plan,
             const Slabs &slabs, V buffer, V share, int64_t chunk, V firstToken,
             int64_t count);

  size_t groups() const override { return size_t(count); }
  llvm::SmallVector<llvm::SmallVector<V>> words(size_t tokens,
                                                V chunk) const override;
  V factor(size_t tokens, int64_t place, V chunk, int64_t group) const override;
  V sum(size_t tokens, int64_t place, V chunk, int64_t group) const override;

private:
  V wordAt(mlir::Type type, size_t tokens, int64_t place, int64_t group,
           int64_t at) const;

  DeviceBuilder &k;
  const MatrixUnit &unit;
  const ColumnPlan &plan;
  const Slabs &slabs;
  int64_t chunk, count;
  V operand; ///< of the lane's first word of B
  V results; ///< of the factor of the wave's first token
};

} // namespace quartet::gpu
#endif
