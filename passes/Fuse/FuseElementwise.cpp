// Residual sums become the last term of the map before them, so that a phase
// that makes rows of the residual stream also adds to it.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Fuse/FusedWeights.h"
#include "passes/Passes.h"

#define DEBUG_TYPE "quartet-fuse-elementwise"

namespace quartet {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

/// Folds \p sum into \p OpT if that makes \p term and nothing else needs it.
template <typename OpT>
static bool foldInto(arith::AddFOp sum, Value term, Value residual) {
  auto op = term.getDefiningOp<OpT>();
  if (!op || !term.hasOneUse() || op.getResidual() ||
      op->getBlock() != sum->getBlock())
    return false;
  // At the sum's place, where the residual is known.
  op->moveBefore(sum);
  op.getResidualMutable().assign(residual);
  sum.replaceAllUsesWith(term);
  sum.erase();
  return true;
}

namespace {
struct FuseElementwisePass
    : quartet::impl::FuseElementwiseBase<FuseElementwisePass> {
  using Base::Base;

  void runOnOperation() override {
    getOperation()->walk([](arith::AddFOp sum) {
      auto type = dyn_cast<RankedTensorType>(sum.getType());
      // Rounded sums are not the same bits.
      if (!type || type.getRank() != 2 || !type.getElementType().isF32())
        return;
      Value left = sum.getLhs(), right = sum.getRhs();
      (void)(foldInto<LinearOp>(sum, right, left) ||
             foldInto<ExpertDownOp>(sum, right, left) ||
             foldInto<LinearOp>(sum, left, right) ||
             foldInto<ExpertDownOp>(sum, left, right));
    });
  }
};
} // namespace
