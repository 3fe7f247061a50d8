// From the weights that the lowered model declares to what the packer writes.
#ifndef QUARTET_COMPILER_PACKPLANOF_H
#define QUARTET_COMPILER_PACKPLANOF_H
#include "compiler/import/PackPlan.h"
#include "mlir/IR/BuiltinOps.h"

namespace quartet {

/// One entry for each quartet.weight of \p module, in order: packed matrices
/// with their parts, the others plain.
PackPlan packPlanOf(mlir::ModuleOp module);

} // namespace quartet
#endif
