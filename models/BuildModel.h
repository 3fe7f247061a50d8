// Builds the quartet IR of a model from its configuration.
#ifndef QUARTET_MODELS_BUILDMODEL_H
#define QUARTET_MODELS_BUILDMODEL_H
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "models/Weights.h"

namespace quartet {

struct BuildOptions {
  /// Element type of convolution windows; the delta-rule state is always f32.
  Dtype stateDtype = Dtype::BF16;
  KvType kvType = KvType::BF16;
  /// Ids from here on have no token and are never sampled; 0 = the vocabulary.
  int64_t tokenLimit = 0;
};

/// One module with one quartet.model named \p config.name (made a valid
/// symbol). \p plan gives the weights' types and their order; if it has those
/// of multi-token prediction, the model has a second step, `mtp`, and the first
/// one returns its hidden rows. Verified by the caller.
mlir::OwningOpRef<mlir::ModuleOp> buildModel(mlir::MLIRContext &context,
                                             const ModelConfig &config,
                                             const WeightPlan &plan,
                                             const BuildOptions &options);

} // namespace quartet
#endif
