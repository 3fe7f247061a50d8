// Sums of products of stored weights and int8 activations, by the instructions
// that a CPU has. Integer sums are exact, so every way gives the same bits.
#ifndef QUARTET_TARGETS_CPU_KERNELS_BYTEDOT_H
#define QUARTET_TARGETS_CPU_KERNELS_BYTEDOT_H
#include "dialects/Quartet/PackedFormat.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// For one format of integers on one CPU: turns lines of a panel into operands
/// and adds up products. An operand o stands for the stored value (with a
/// codebook: the value found) o + bias(), so that a row with zero point z has
///   sum((value - z) * a) = sum(o * a) + (bias() - z) * sum(a).
class ByteDotBuilder {
public:
  ByteDotBuilder(KernelBuilder &k, const PackedFormat &format);

  /// Four columns of the 16 rows, as the instructions take them.
  using Operand = llvm::SmallVector<V, 4>;
  /// A sum under way for the 16 rows and one token.
  struct Sum {
    llvm::SmallVector<V, 4> wide;   ///< 16 int32 in registers' pieces
    llvm::SmallVector<V, 2> narrow; ///< int16 pairs not yet added to wide
    int pending = 0;                ///< products in each lane of narrow
  };

  int64_t bias() const { return operandBias; }

  /// The stored values of the unit of lines (unitLines) at \p values, or what a
  /// codebook has for them plus -bias(): 64 unsigned bytes for each four
  /// columns, in the order of columns. Not on Arm, where they would be signed.
  llvm::SmallVector<V> loadBytes(V values) const;
  /// The operands of the unit of lines (unitLines) at \p values, four columns
  /// each, in the order of columns.
  llvm::SmallVector<Operand> loadUnit(V values) const;
  /// A sum that starts at \p start, 16 x i32; zero when it is empty.
  Sum begin(V start = {}) const;
  /// Adds the products of \p weights with the four int8 in \p quad, an i32.
  void add(Sum &sum, const Operand &weights, V quad) const;
  /// Moves what is pending to wide, so that a loop can carry it.
  void settle(Sum &sum) const;
  /// The 16 x i32.
  V finish(Sum &sum) const;

private:
  Operand split(V bytes) const;
  V lookUp(V indices) const;

  KernelBuilder &k;
  PackedFormat format;
  ByteDot way;
  int64_t operandBias = 0;
  int64_t largest = 0; ///< of the unsigned operands
};

} // namespace quartet::cpu
#endif
