// Building blocks of the decompositions: scalar arithmetic in f32 and loops
// over tensors, short enough that a decomposition reads like its formula.
#ifndef QUARTET_PASSES_LOWER_DECOMPOSEUTILS_H
#define QUARTET_PASSES_LOWER_DECOMPOSEUTILS_H
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace quartet {

/// A builder with a location and the scalar operations that the formulas use.
/// All floating-point values are f32 unless said otherwise.
class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  Emitter(mlir::OpBuilder &builder, mlir::Location loc)
      : ImplicitLocOpBuilder(loc, builder) {}

  mlir::Value f32(double value);
  mlir::Value i32(int32_t value);
  mlir::Value index(int64_t value);
  /// i32 -> index and back.
  mlir::Value toIndex(mlir::Value i32Value);
  mlir::Value toI32(mlir::Value indexValue);

  mlir::Value add(mlir::Value a, mlir::Value b); ///< index, i32 or f32
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b); ///< f32, or index (unsigned)
  mlir::Value rem(mlir::Value a, mlir::Value b); ///< index (unsigned)
  /// sum + a * b where the order of summation over a loop is left to the
  /// vectorizer (reassoc, contract): for reductions only, fixed once compiled.
  mlir::Value accumulate(mlir::Value sum, mlir::Value a, mlir::Value b);
  mlir::Value accumulate(mlir::Value sum, mlir::Value a);
  mlir::Value exp(mlir::Value x);
  mlir::Value sigmoid(mlir::Value x); ///< 1 / (1 + exp(-x))
  mlir::Value silu(mlir::Value x);    ///< x * sigmoid(x)
  mlir::Value rsqrt(mlir::Value x);   ///< 1 / sqrt(x), correctly rounded steps

  /// Widens a float of any width to f32.
  mlir::Value widen(mlir::Value value);
  /// Rounds an f32 to \p type (f32, f16 or bf16).
  mlir::Value round(mlir::Value value, mlir::Type type);

  /// Extent of a dimension, static or dynamic, as index.
  mlir::Value dim(mlir::Value tensor, int64_t d);
  /// An uninitialised tensor of \p type; dynamic extents from \p like, which
  /// has the same rank, or from \p dynamic in order.
  mlir::Value emptyLike(mlir::Value like, mlir::Type element = {});
  mlir::Value empty(mlir::RankedTensorType type, mlir::ValueRange dynamic);
  /// tensor[indices] widened to f32 when it is a float.
  mlir::Value at(mlir::Value tensor, mlir::ValueRange indices);

  using PointBody =
      llvm::function_ref<mlir::Value(Emitter &, mlir::ValueRange indices)>;
  /// A tensor whose elements are body(indices), rounded to the element type: a
  /// linalg.generic over \p init's shape (all dimensions parallel) with
  /// linalg.index and tensor.extract inside.
  mlir::Value generate(mlir::Value init, PointBody body);
  /// The same with dimensions visited in \p order (a permutation; the last one
  /// is innermost). Changes locality, not values.
  mlir::Value generate(mlir::Value init, llvm::ArrayRef<int64_t> order,
                       PointBody body);

  using FoldBody = llvm::function_ref<mlir::Value(Emitter &, mlir::Value i,
                                                  mlir::Value acc)>;
  /// Scalar loop: acc = body(i, acc) for i in [from, to), ascending.
  mlir::Value fold(mlir::Value from, mlir::Value to, mlir::Value init,
                   FoldBody body);
  using FoldManyBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      Emitter &, mlir::Value i, mlir::ValueRange accs)>;
  llvm::SmallVector<mlir::Value> foldMany(mlir::Value from, mlir::Value to,
                                          mlir::ValueRange inits,
                                          FoldManyBody body);
};

} // namespace quartet
#endif
