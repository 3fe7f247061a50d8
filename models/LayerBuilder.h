// Builds the ops of one decoder layer: one function per mixer and MLP kind.
#ifndef QUARTET_MODELS_LAYERBUILDER_H
#define QUARTET_MODELS_LAYERBUILDER_H
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "models/Weights.h"

namespace quartet {

/// The inputs of the step that layers use.
struct StepValues {
  mlir::Value positions, tokenSeq, seqStart, seqPast, seqSlot, pageTable;
};

/// Builds inside the body of quartet.block, at the builder's insertion point.
/// Activations are f32 [N, H].
class LayerBuilder {
public:
  /// \p layer is what its weights' and states' names begin with: "l<j>" for
  /// layer j of the block, "mtp".
  LayerBuilder(mlir::ImplicitLocOpBuilder &b, const ModelConfig &config,
               const llvm::StringMap<mlir::RankedTensorType> &types,
               const StepValues &step, llvm::StringRef layer, LayerKind kind,
               bool sparse);

  /// x + mixer(norm(x)), then x + mlp(norm(x)).
  mlir::Value build(mlir::Value x);

private:
  mlir::Value deltaNet(mlir::Value x);
  mlir::Value attention(mlir::Value x);
  mlir::Value mixtureOfExperts(mlir::Value x);
  mlir::Value denseMlp(mlir::Value x);

  mlir::Value weight(llvm::StringRef part);
  mlir::Value loadState(llvm::StringRef part);
  void storeState(llvm::StringRef part, mlir::Value value);
  mlir::Value norm(mlir::Value x, llvm::StringRef part);
  mlir::Value linear(mlir::Value x, llvm::StringRef part);
  /// Columns [from, from + count) of a [N, C] tensor.
  mlir::Value columns(mlir::Value x, int64_t from, int64_t count);
  /// [N, heads * width] -> [N, heads, width] and back.
  mlir::Value heads(mlir::Value x, int64_t count);
  mlir::Value flat(mlir::Value x);
  mlir::Value rope(mlir::Value x);
  mlir::RankedTensorType activation(llvm::ArrayRef<int64_t> shape);

  mlir::ImplicitLocOpBuilder &b;
  const ModelConfig &config;
  const llvm::StringMap<mlir::RankedTensorType> &types;
  const StepValues &step;
  std::string layer;
  LayerKind kind;
  bool sparse;
};

} // namespace quartet
#endif
