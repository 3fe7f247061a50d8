// The executable meaning of each quartet op: linalg, scf and math on tensors.
// One function per op; QuartetToLinalg.cpp wraps them in patterns. Inputs are
// widened to f32, everything is computed in f32, results are rounded once.
#ifndef QUARTET_PASSES_LOWER_DECOMPOSE_H
#define QUARTET_PASSES_LOWER_DECOMPOSE_H
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/Builders.h"

namespace quartet {

/// Values that replace the op's results. The op is left in place for the caller
/// to replace; the builder stands before it.
using Results = llvm::SmallVector<mlir::Value, 3>;

// DecomposeNorms.cpp
Results decompose(mlir::OpBuilder &b, RmsNormOp op);
Results decompose(mlir::OpBuilder &b, GatedRmsNormOp op);
// DecomposeLinear.cpp
Results decompose(mlir::OpBuilder &b, EmbedOp op);
Results decompose(mlir::OpBuilder &b, LinearOp op);
Results decompose(mlir::OpBuilder &b, ProjectionsOp op);
Results decompose(mlir::OpBuilder &b, MlpUpOp op);
Results decompose(mlir::OpBuilder &b, MlpOp op);
Results decompose(mlir::OpBuilder &b, SharedExpertOp op);
Results decompose(mlir::OpBuilder &b, LmHeadOp op);
// DecomposeRope.cpp
Results decompose(mlir::OpBuilder &b, RopeOp op);
// DecomposeExperts.cpp
Results decompose(mlir::OpBuilder &b, RouteOp op);
Results decompose(mlir::OpBuilder &b, ExpertsOp op);
Results decompose(mlir::OpBuilder &b, SelectExpertsOp op);
Results decompose(mlir::OpBuilder &b, ExpertUpOp op);
Results decompose(mlir::OpBuilder &b, ExpertDownOp op);
// DecomposeAccumulateSquares.cpp
Results decompose(mlir::OpBuilder &b, AccumulateSquaresOp op);
// DecomposeSample.cpp
Results decompose(mlir::OpBuilder &b, SampleOp op);
// DecomposeCausalConv.cpp
Results decompose(mlir::OpBuilder &b, CausalConvOp op);
// DecomposeGatedDelta.cpp
Results decompose(mlir::OpBuilder &b, GatedDeltaOp op);
// DecomposeGatedAttention.cpp
Results decompose(mlir::OpBuilder &b, GatedAttentionOp op);

} // namespace quartet
#endif
