// Weights made of rows of other weights: what the fusion passes share.
#ifndef QUARTET_PASSES_FUSE_FUSEDWEIGHTS_H
#define QUARTET_PASSES_FUSE_FUSEDWEIGHTS_H
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SetVector.h"

namespace quartet {

/// How the values of a weight are stored, apart from its shape: the format of a
/// packed matrix, or the element type. Rows can be put into one matrix if and
/// only if this is the same.
mlir::Attribute storageOf(mlir::Type weight);

/// \p weight 's storage with another shape.
mlir::Type withShape(mlir::Type weight, llvm::ArrayRef<int64_t> shape);

/// A piece of a weight [R, K] or [E, R, K]: of all its experts.
struct WeightPiece {
  int64_t row = 0, rows = 0, column = 0, columns = 0;
};

/// The weights of one model while passes replace some by fused ones.
class FusedWeights {
public:
  explicit FusedWeights(ModelOp model) : model(model), symbols(model) {}

  /// The declaration that \p value loads; null for any other value.
  WeightOp weightOf(mlir::Value value);

  /// A new weight of \p type in front of the first of \p sources, named after
  /// all of them ("l0.qkv", "l0.z" -> "l0.qkv_z") and with their `repeat`.
  WeightOp create(llvm::ArrayRef<WeightOp> sources, mlir::Type type,
                  llvm::ArrayRef<PartAttr> parts);

  /// Appends \p piece of \p weight to \p parts, as the rows from \p row on of
  /// the experts from \p expert on. A source of parts itself is looked through.
  void append(llvm::SmallVectorImpl<PartAttr> &parts, WeightOp weight,
              WeightPiece piece, int64_t row, int64_t expert = 0);

  /// Loads \p weight before the builder's place.
  mlir::Value load(mlir::OpBuilder &b, mlir::Location loc, WeightOp weight);

  /// Erases the sources of created weights that nothing loads any more, and
  /// their loads.
  void eraseUnused();

private:
  ModelOp model;
  mlir::SymbolTable symbols;
  llvm::SetVector<WeightOp> replaced;
};

} // namespace quartet
#endif
