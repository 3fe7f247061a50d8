// Named extents for verifiers: a check reads like the shape in the op's
// description, and its error names the letter, the value and who set it.
#ifndef QUARTET_DIALECTS_QUARTET_SHAPECHECKS_H
#define QUARTET_DIALECTS_QUARTET_SHAPECHECKS_H
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

namespace quartet {

/// One letter of a shape such as [N, Hv, Dv]. It takes its value from the first
/// static extent it meets; later extents must agree: be equal or dynamic. A
/// letter of kind kStatic must be static, and at least 1, wherever it stands.
class Extent {
public:
  enum Kind { kAny, kStatic };

  explicit Extent(llvm::StringRef letter, Kind kind = kAny)
      : letter(letter), kind(kind) {}
  /// An extent that is known beforehand, such as the 3 of [3, N], or that
  /// follows from operand \p setBy. It is static.
  Extent(llvm::StringRef letter, int64_t value, llvm::StringRef setBy = {})
      : letter(letter), kind(kStatic), value(value), setBy(setBy) {}

  bool isKnown() const { return !mlir::ShapedType::isDynamic(value); }
  /// The static value, or ShapedType::kDynamic when no operand has told it.
  int64_t getValue() const { return value; }

private:
  friend llvm::LogicalResult checkShape(mlir::Operation *op,
                                        llvm::StringRef name, mlir::Value value,
                                        llvm::ArrayRef<Extent *> shape);
  llvm::StringRef letter;
  Kind kind = kAny;
  int64_t value = mlir::ShapedType::kDynamic;
  llvm::StringRef setBy;
};

/// Checks that \p value, a tensor or packed matrix, which \p op 's description
/// calls \p name, has \p shape. An extent of kind kStatic must be static and at
/// least 1.
llvm::LogicalResult checkShape(mlir::Operation *op, llvm::StringRef name,
                               mlir::Value value,
                               llvm::ArrayRef<Extent *> shape);

/// Checks that \p eps, the attribute \p name, is finite and above zero.
llvm::LogicalResult checkEpsilon(mlir::Operation *op, llvm::StringRef name,
                                 const llvm::APFloat &eps);

/// Checks that \p many heads divide evenly among \p few heads; unknown agrees.
llvm::LogicalResult checkHeadGroups(mlir::Operation *op,
                                    llvm::StringRef manyName,
                                    const Extent &many, llvm::StringRef fewName,
                                    const Extent &few);

} // namespace quartet
#endif
