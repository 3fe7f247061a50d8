// Products of small f32 matrices in shared memory by the matrix unit. Elements
// are sums of two bf16, high and low, of whose products low x low is left out:
// at most 2^-16 of the product of the elements' sizes is lost (half by that,
// half because low parts are rounded), and sums are f32. Where an activation is
// one bf16, low parts are neither stored nor multiplied; their places stay.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTAPRODUCTS_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTAPRODUCTS_H
#include "targets/gpu/MatrixUnit.h"
#include <array>

namespace quartet::gpu {

/// D[run][single] = sum over the inner dimension of R[run] S[single]. A lane
/// has neighbouring rows ("runs") of D, for one or two singles: a piece of a
/// row-major matrix of singles. Which operand of the instruction the runs are
/// depends on the family:
///
///   family   runs are  runTile  run  places
///   Mma      B            8      2     2
///   Mfma     A           16      4     1
///   Wmma11   A           16      8     1   (rows of A in another order)
///   Wmma12   A           16      8     1
///
/// Rows with their inner dimension in memory ("split rows") are pieces of 16
/// bytes, eight high parts, then their low parts, and so on: as long as in f32.
/// In an inner unit of 32 (or 16) each lane has neighbouring words of a row.
class DeltaProducts {
public:
  explicit DeltaProducts(DeviceBuilder &k);
  /// \p zero, an i64 that the code generator does not know to be 0, hides that
  /// the lane's places are the same in all turns of a loop: with more of them
  /// than registers, it would keep them on the stack. showPlaces() behind the
  /// loop.
  void hidePlaces(V zero);
  void showPlaces();

  using Sum = MatrixUnit::Sum;
  /// A lane's words of one tile of an operand, high parts and low ones: [row of
  /// the lane][word].
  using Words = std::array<llvm::SmallVector<llvm::SmallVector<V>>, 2>;

  MatrixUnit unit;
  int parts; ///< that are stored and multiplied: both, or the high ones alone
  int64_t runTile, run, places;
  static constexpr int64_t singleTile = 16;
  /// Of a run (f32) in memory whose rows are whole pieces of 16 bytes.
  unsigned runAlign() const { return unsigned(std::min<int64_t>(run * 4, 16)); }

  V runRow() const;                 ///< of a tile: the lane's row as an operand
  V singleRow(int64_t place) const; ///< the lane's rows, operand and result
  V firstOfRun() const;             ///< of a tile: the lane's run of results

  Sum zero() const { return unit.zero(); }
  /// The lane's run of results for a single, \p run x f32, and back.
  V runOf(const Sum &sum, int64_t place) const;
  Sum sumOf(llvm::ArrayRef<V> runs) const;

  /// Words that a lane has of an inner unit of \p inner elements (16 or 32,
  /// where an instruction has that many), and the number of the first.
  int64_t wordCount(int64_t inner) const { return inner / 2 / unit.kLanes; }
  V firstWord(int64_t inner) const { return unit.kLane * wordCount(inner); }
  /// The lane's words of split rows, one or two, at \p rows + \p offset.
  Words splitWords(llvm::ArrayRef<V> rows, V offset, int64_t inner) const;

  /// sums[r][s] += runs[r] singles[s], row-major.
  void multiply(llvm::MutableArrayRef<Sum> sums, llvm::ArrayRef<Words> runs,
                llvm::ArrayRef<Words> singles) const;

  /// Sums of the products of split rows of \p bytes bytes, a multiple of 128:
  /// the lane's row of each tile of runs, its rows of each tile of singles.
  llvm::SmallVector<Sum> dot(llvm::ArrayRef<V> runs,
                             llvm::ArrayRef<llvm::SmallVector<V>> singles,
                             int64_t bytes) const;

  // Stores.
  /// Where word \p word of a split row is: the high parts, low ones 16 bytes
  /// behind.
  V splitPlace(V word) const;
  /// Words of the high parts and of the low ones of two columns (or tokens),
  /// f32 scalars or vectors.
  std::array<V, 2> splitPairs(V first, V second) const;

private:
  DeviceBuilder &k;
  V lane;
};

/// Zeros in shared memory, a multiple of 16 bytes.
void clearShared(DeviceBuilder &k, V from, int64_t bytes);
/// Bytes of a row of \p bytes that threads read side by side: an odd number of
/// 16-byte pieces, so that rows lie in different banks.
int64_t spreadRow(int64_t bytes);

/// The values of \p sums (one or several each), for loops, and \p count sums
/// of them again.
llvm::SmallVector<V> flattened(llvm::ArrayRef<DeltaProducts::Sum> sums);
llvm::SmallVector<DeltaProducts::Sum> unflattened(llvm::ArrayRef<V> values,
                                                  size_t count);

/// A rectangle of tiles for each warp: as many as keep all warps busy.
struct DeltaShare {
  int64_t runs, singles; ///< tiles of a warp's rectangle
  int64_t down;          ///< rectangles along the runs
  int64_t count, turns;  ///< rectangles, turns of all warps for them

  DeltaShare(int64_t runTiles, int64_t singleTiles, int64_t warps);

  int64_t tiles() const { return runs * singles; }
  /// body(first tile of runs, first tile of singles, whether the rectangle is
  /// that of warp \p warp: a null value where it is in any case). Others do the
  /// last one again and keep nothing of it.
  void each(DeviceBuilder &k, V warp,
            llvm::function_ref<void(V run, V single, V ours)> body) const;
  /// body for the rectangles of the warp alone: nothing leaves it.
  void eachOwn(DeviceBuilder &k, V warp,
               llvm::function_ref<void(V run, V single)> body) const;
};

} // namespace quartet::gpu
#endif
