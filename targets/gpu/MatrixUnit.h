// What a matrix instruction is, D = A B + C with A of 16 rows of weights and B
// of 8 or 16 tokens: which lane has what of the operands, and the op itself.
// All families look alike once columns may come in any order: a lane holds some
// words of its rows, of its place in K, and the same words of a token.
#ifndef QUARTET_TARGETS_GPU_MATRIXUNIT_H
#define QUARTET_TARGETS_GPU_MATRIXUNIT_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// What the words of A and B hold, lowest bits first: four signed bytes, whose
/// products add up as i32, or two bf16, whose products add up as f32.
enum class MatrixElement { Int8, BF16 };

/// The instructions of one family, in groups of `together` that take four
/// neighbouring rows from each lane: one load of 16 bytes from a line of a
/// panel (16 rows x 4 bytes) is a word for each of them. Such a group covers a
/// tile of `tilePanels` panels; a lane's four rows are quad `rowQuad` (rows
/// 4 * rowQuad ..) of the tile's panel `rowPanel`. Its results are quads too.
///
///   family   rowsPerLane  kLanes  together  tokens  rowPlaces  tokenPlaces
///   Mma           2          4        2        8        1           2
///   Mfma          1          4        4       16        4           1
///   Wmma11        1          1        4       16        8           1
///   Wmma12        1          2        4       16        8           1
class MatrixUnit {
public:
  /// The sums of one instruction, as its op takes and gives them.
  using Sum = llvm::SmallVector<V>;

  MatrixUnit(DeviceBuilder &k, MatrixElement element);

  const MatrixElement element;
  int64_t rowsPerLane; ///< rows of A in one lane
  int64_t kLanes;      ///< lanes that share the columns of a row
  int64_t kWords;      ///< words of one row in one lane
  int64_t together;    ///< instructions for the four rows of a lane
  int64_t tilePanels;  ///< panels of those instructions' rows
  int64_t tokens;      ///< columns of B and D
  int64_t rowPlaces;   ///< quads of rows that a lane has results of ...
  int64_t tokenPlaces; ///< ... each for so many tokens
  int64_t tileRows() const { return 16 * together; }

  // Operands: where the lane is, i64.
  V rowPanel, rowQuad; ///< the rows of its A
  V kLane;             ///< 0 .. kLanes - 1: its columns, of A and B
  V token;             ///< of its B

  // Results.
  struct Place {
    V panel, quad;
  };
  Place rowPlace(int64_t place) const;
  V resultToken(int64_t place) const;

  Sum zero() const;
  /// \p sum + A B. \p a: words of A, [word][row of the lane]; \p b: words of B.
  Sum multiply(llvm::ArrayRef<V> a, llvm::ArrayRef<V> b, const Sum &sum) const;
  /// Words of instruction \p index of the group: of four rows each in \p words.
  llvm::SmallVector<V> operandA(int64_t index, llvm::ArrayRef<V> words) const;
  /// Results of the \p sums of a group: the four rows of a place, for a token.
  V quad(llvm::ArrayRef<Sum> sums, int64_t rowPlace, int64_t tokenPlace) const;
  /// The inverse of quad(): sums whose quads are \p quads, [row place][token
  /// place].
  llvm::SmallVector<Sum> sumsOf(llvm::ArrayRef<V> quads) const;

private:
  mlir::Type sumElement() const;
  int64_t elementOf(int64_t row, int64_t rowPlace, int64_t tokenPlace) const;
  Sum fromElements(llvm::ArrayRef<V> elements) const;
  V elementAt(const Sum &sum, int64_t index) const;
  Sum multiplyMma(llvm::ArrayRef<V> a, llvm::ArrayRef<V> b,
                  const Sum &sum) const;
  Sum multiplyMfma(V a, V b, const Sum &sum) const;
  Sum multiplyWmma(V a, V b, const Sum &sum) const;

  DeviceBuilder &k;
  int64_t elements; ///< of the results of one instruction in a lane
};

} // namespace quartet::gpu
#endif
