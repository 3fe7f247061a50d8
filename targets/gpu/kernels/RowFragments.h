// Operands of matrix instructions from rows of bf16 in shared memory. Columns
// may come in any order as long as A and B agree, so a lane takes pieces of
// eight neighbouring columns, 16 bytes, and each word of them belongs to one of
// the instructions of a step.
#ifndef QUARTET_TARGETS_GPU_KERNELS_ROWFRAGMENTS_H
#define QUARTET_TARGETS_GPU_KERNELS_ROWFRAGMENTS_H
#include "targets/gpu/MatrixUnit.h"

namespace quartet::gpu {

/// One instruction multiplies kRows rows of A with unit.tokens rows of B.
struct RowFragments {
  static constexpr int64_t kRows = 16;
  static constexpr int64_t kPiece = 8; ///< columns, 16 bytes

  DeviceBuilder &k;
  MatrixUnit unit;
  int64_t lanePieces; ///< of a step that a lane has of its row
  int64_t stepPieces; ///< of a step
  int parts;          ///< of what is split for products (storeParts)

  explicit RowFragments(DeviceBuilder &k);

  int64_t stepColumns() const { return stepPieces * kPiece; }

  /// Results of a lane.
  int64_t results() const {
    return unit.rowPlaces * unit.tokenPlaces * unit.rowsPerLane;
  }
  /// Which row of A the lane has as its \p i-th of unit.rowsPerLane.
  V operandRow(int64_t i) const;
  /// Which row of A, and of B, result \p i is of.
  V resultRow(int64_t i) const;
  V resultToken(int64_t i) const { return unit.resultToken(placeOf(i)); }
  /// Which of the lane's unit.tokenPlaces rows of B result \p i is of.
  int64_t placeOf(int64_t i) const { return i % unit.tokenPlaces; }
  V result(const MatrixUnit::Sum &sum, int64_t i) const {
    return sum.size() > 1 ? sum[i] : k.extract(sum[0], i);
  }
  /// Results times the factor of their row of B, [unit.tokenPlaces].
  MatrixUnit::Sum scaled(const MatrixUnit::Sum &sum,
                         llvm::ArrayRef<V> factors) const;

  /// Where the lane's first piece of a row is, whose piece p is at \p row +
  /// p * \p stride (shared): one address for all steps, what follows are
  /// constants.
  V place(V row, int64_t stride) const {
    return row + unit.kLane * (lanePieces * stride);
  }
  /// The words of the lane's pieces of a step.
  llvm::SmallVector<V> words(V place, int64_t stride, V step) const;
  /// The words of a step of all parts, the smallest part first, whose pieces
  /// lie one behind the other.
  llvm::SmallVector<llvm::SmallVector<V>> partWords(V place, int64_t stride,
                                                    V step) const;
  /// \p sum and the products of a step; words of A by row of the lane.
  MatrixUnit::Sum multiply(llvm::ArrayRef<llvm::SmallVector<V>> a,
                           llvm::ArrayRef<V> b,
                           const MatrixUnit::Sum &sum) const;
};

/// Eight f32 as one or two pieces of bf16 whose sum they are, but for what
/// rounding takes from 8 or 16 bits: stored at \p to (shared), the second one
/// behind the first.
void storeParts(DeviceBuilder &k, V low, V high, V to, int parts);

} // namespace quartet::gpu
#endif
