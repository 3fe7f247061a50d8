// Pieces that the mixers' kernels share: rows of any width as vectors of 16
// lanes padded with zeros, sums of many vectors at once, transposition, and
// the register tile of a small matrix product. The order of every sum depends
// on the width alone, never on the ISA, so results have the same bits on all.
#ifndef QUARTET_TARGETS_CPU_KERNELS_LANES_H
#define QUARTET_TARGETS_CPU_KERNELS_LANES_H
#include "targets/codegen/Int8.h"
#include "targets/cpu/KernelBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <string>

namespace quartet::cpu {

/// Lanes of the vectors below; narrower ISAs split them.
constexpr int64_t kLanes = 16;

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

/// Vectors of 16 lanes that a kernel may keep in registers as accumulators.
inline int64_t accumulators(const KernelBuilder &k) {
  return k.machine.lanes == 16 ? 16 : 4;
}

/// "bf16", "f16", "f32" or "i8".
std::string typeName(mlir::Type type);
/// Bytes of one element.
int64_t byteWidth(mlir::Type type);

/// \p count (1 to 16) elements of type \p element (f32 when null; i8 signed) at
/// \p pointer + \p offset bytes, as 16 lanes of f32, the rest zero.
V loadLanes(KernelBuilder &k, V pointer, int64_t offset, int64_t count,
            mlir::Type element = {});
/// The first \p count lanes of the 16 of \p value, rounded to \p element.
void storeLanes(KernelBuilder &k, V value, V pointer, int64_t offset,
                int64_t count, mlir::Type element = {});

using quartet::Int8Scale;
/// The scale of the values of all \p vectors.
Int8Scale int8Scale(KernelBuilder &k, llvm::ArrayRef<V> vectors);
/// value * factor to the nearest integer, ties to even, within -127..127, i32.
V roundToInt8(KernelBuilder &k, V value, V factor);

/// Lane i of the result is the sum of the lanes of vectors[i]; as many lanes as
/// vectors, rounded up to a power of two. Each sum is formed as by
/// KernelBuilder::sum, by halving, but all at once.
V sumEach(KernelBuilder &k, llvm::ArrayRef<V> vectors);

/// The 16 vectors of 16 lanes as columns of the given rows.
void transpose16(KernelBuilder &k, llvm::MutableArrayRef<V> rows);

/// Calls \p body for pieces of \p size: in a loop for the full pieces of
/// \p step, then once for what is left. \p at is the start, \p count <= step.
void pieces(KernelBuilder &k, int64_t size, int64_t step,
            llvm::function_ref<void(V at, int64_t count)> body);

/// Calls body(column, lanes) for columns [0, columns), known when it runs: 16
/// at a time, then one by one.
void overColumns(KernelBuilder &k, V columns,
                 llvm::function_ref<void(V column, int64_t lanes)> body);
/// A vector of \p lanes elements, or the element itself for one.
mlir::Type lanesOf(KernelBuilder &k, int64_t lanes, mlir::Type element);

/// A tile of rows x vectors sums, row-major, in registers.
struct Tile {
  int64_t rows, vectors;
  llvm::SmallVector<V> sums;
  V &at(int64_t row, int64_t vector) { return sums[row * vectors + vector]; }
};
Tile zeroTile(KernelBuilder &k, int64_t rows, int64_t vectors);

/// Matrix operand of multiplyTile: element (row i, step s) of the left one at
/// pointer + i * rowBytes + s * stepBytes; the 16-lane vectors of step s of the
/// right one at pointer + s * stepBytes.
struct LeftOperand {
  V pointer;
  int64_t rowBytes, stepBytes;
};
struct RightOperand {
  V pointer;
  int64_t stepBytes;
};
/// tile += left * right over \p steps, one fused multiply-add per step, in
/// ascending order.
void multiplyTile(KernelBuilder &k, Tile &tile, LeftOperand left,
                  RightOperand right, V steps);

} // namespace quartet::cpu
#endif
