// The roles of ops: by class where that is enough, by uses for glue.
#include "passes/Schedule/OpRoles.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quartet;

static Role roleByKind(Operation *op) {
  return llvm::TypeSwitch<Operation *, Role>(op)
      .Case<LinearOp, ProjectionsOp, MlpUpOp, ExpertUpOp, ExpertDownOp,
            LmHeadOp>([](auto) { return Role::Matrix; })
      .Case<CausalConvOp, GatedDeltaOp, GatedAttentionOp>(
          [](auto) { return Role::Heads; })
      .Case<EmbedOp, SampleOp>([](auto) { return Role::Rows; })
      .Case<BlockOp>([](auto) { return Role::Barrier; })
      .Case<RmsNormOp, GatedRmsNormOp, SelectExpertsOp>(
          [](auto) { return Role::WayIn; })
      .Case<RopeOp, StoreStateOp>([](auto) { return Role::WayOut; })
      .Case<tensor::ExtractSliceOp, tensor::ExpandShapeOp,
            tensor::CollapseShapeOp, tensor::CastOp>(
          [](auto) { return Role::View; })
      .Case<LoadStateOp>([](auto) { return Role::Input; })
      .Case<LoadWeightOp, tensor::DimOp>([](auto) { return Role::Free; })
      .Default([](Operation *op) {
        if (op->hasTrait<OpTrait::IsTerminator>())
          return Role::Barrier;
        if (op->hasTrait<OpTrait::ConstantLike>())
          return Role::Global;
        // Sums and products of tensors.
        bool isElementwise =
            op->hasTrait<OpTrait::Elementwise>() && op->getNumRegions() == 0;
        return isElementwise ? Role::WayOut : Role::None;
      });
}

/// Whether a matrix reads a result of \p op, as it is or prepared further.
static bool feedsMatrix(Operation *op) {
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    if (user->getBlock() != op->getBlock())
      return false;
    Role role = roleByKind(user);
    return role == Role::Matrix ||
           ((role == Role::WayIn || role == Role::View) && feedsMatrix(user));
  });
}

/// Whether \p op works on one head at a time, so that whole rows are not
/// needed.
static bool isPerHead(Operation *op) {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return type && type.getRank() == 3;
}

/// Whether \p op, of role WayOut, has an anchor whose tasks can do it: one that
/// makes its operands or uses its result.
static bool hasTasks(Operation *op) {
  auto isWork = [](Operation *other) {
    Role role = roleByKind(other);
    return role != Role::Barrier && role != Role::Free && role != Role::Global;
  };
  for (Value operand : op->getOperands())
    if (Operation *producer = operand.getDefiningOp())
      if (producer->getBlock() == op->getBlock() && isWork(producer))
        return true;
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    return user->getBlock() == op->getBlock() && isWork(user);
  });
}

Role quartet::roleOf(Operation *op) {
  Role role = roleByKind(op);
  if (role == Role::WayIn && !feedsMatrix(op))
    role = isPerHead(op) ? Role::WayOut : Role::Rows;
  if (role == Role::WayOut && !hasTasks(op))
    return Role::Rows;
  return role;
}

Value quartet::stagedRows(Operation *op) {
  return op->getOperand(0); // x of every matrix op
}
