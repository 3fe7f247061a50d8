// Verifiers of the model's structure: declarations, the step, the repeated
// block and the ops that load and store by symbol.
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Quartet/ShapeChecks.h"

using namespace mlir;
using namespace quartet;

LogicalResult ModelOp::verifyRegions() {
  StepOp step;
  for (Operation &op : getBody().front()) {
    // C1
    if (!isa<WeightOp, StateOp, StepOp>(op))
      return op.emitOpError()
             << "expected only quartet.weight, quartet.state and "
                "quartet.step in a quartet.model";
    auto found = dyn_cast<StepOp>(op);
    if (!found)
      continue;
    // C2
    if (step)
      return found.emitOpError()
             << "expected exactly one quartet.step in quartet.model @"
             << getSymName() << ", found a second one";
    step = found;
  }
  // C2
  if (!step)
    return emitOpError() << "expected exactly one quartet.step, found none";
  return success();
}

static bool isModelFloat(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

/// Checks the `repeat` of a declaration: C2 of quartet.weight and
/// quartet.state.
static LogicalResult verifyRepeat(Operation *op,
                                  std::optional<uint64_t> repeat) {
  if (!repeat || static_cast<int64_t>(*repeat) >= 1)
    return success();
  return op->emitOpError() << "expected repeat >= 1, found "
                           << static_cast<int64_t>(*repeat);
}

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // C1
  if (!type.hasStaticShape() || !isModelFloat(type.getElementType()))
    return emitOpError()
           << "expected a static tensor of f32, f16 or bf16, found " << type;
  return verifyRepeat(*this, getRepeat()); // C2
}

LogicalResult StateOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // C1
  if (type.getRank() < 1 || !type.isDynamicDim(0) ||
      type.getNumDynamicDims() != 1 || !isModelFloat(type.getElementType()))
    return emitOpError() << "expected a tensor of f32, f16 or bf16 whose first "
                            "dimension alone is dynamic, found "
                         << type;
  return verifyRepeat(*this, getRepeat()); // C2
}

LogicalResult StepOp::verifyRegions() {
  Block &body = getBody().front();
  // C1
  if (body.getNumArguments() != kNumStepInputs)
    return emitOpError() << "expected " << unsigned(kNumStepInputs)
                         << " arguments, found " << body.getNumArguments();
  for (BlockArgument argument : body.getArguments()) {
    auto input = static_cast<StepInput>(argument.getArgNumber());
    RankedTensorType expected = stepInputType(getContext(), input);
    // C1
    if (argument.getType() != expected)
      return emitOpError() << "expected argument " << argument.getArgNumber()
                           << " (" << stepInputName(input) << ") to be "
                           << expected << ", found " << argument.getType();
  }
  // C2
  if (!isa<ReturnOp>(body.back()))
    return emitOpError() << "expected the body to end in quartet.return, found "
                         << body.back().getName();
  return success();
}

LogicalResult ReturnOp::verify() {
  Extent r("R"), v("V");
  if (failed(checkShape(*this, "logits", getLogits(), {&r, &v})) || // C1
      failed(checkShape(*this, "sampled", getSampled(), {&r})))     // C1
    return failure();
  return success();
}

LogicalResult BlockOp::verifyRegions() {
  int64_t repeat = getRepeat();
  // C1
  if (repeat < 1)
    return emitOpError() << "expected repeat >= 1, found " << repeat;
  Block &body = getBody().front();
  Type type = getInit().getType();
  // C2
  if (body.getNumArguments() != 1)
    return emitOpError() << "expected a body with 1 argument, found "
                         << body.getNumArguments();
  // C2
  if (body.getArgument(0).getType() != type)
    return emitOpError()
           << "expected the body's argument to have the type of init, " << type
           << ", found " << body.getArgument(0).getType();
  // C2
  auto yield = dyn_cast<YieldOp>(body.back());
  if (!yield)
    return emitOpError() << "expected the body to end in quartet.yield, found "
                         << body.back().getName();
  // C2
  if (yield.getValue().getType() != type)
    return emitOpError() << "expected the body to yield the type of init, "
                         << type << ", found " << yield.getValue().getType();
  // C3
  if ((*this)->getParentOfType<BlockOp>())
    return emitOpError() << "expected no enclosing quartet.block, found one";
  return success();
}

/// Checks the use of a declaration by a load or store: C1 that \p symbol names
/// a \p DeclOp of the enclosing model, C2 that it is of \p type, C3 that \p op
/// stands in a block with the declaration's `repeat`.
template <typename DeclOp>
static LogicalResult verifyUse(Operation *op, FlatSymbolRefAttr symbol,
                               Type type, SymbolTableCollection &symbolTables) {
  // C1
  auto model = op->getParentOfType<ModelOp>();
  if (!model)
    return op->emitOpError() << "expected to be inside a quartet.model, which "
                             << symbol << " is looked up in, found none";
  // C1
  Operation *found = symbolTables.lookupSymbolIn(model, symbol);
  auto decl = dyn_cast_or_null<DeclOp>(found);
  if (!decl) {
    InFlightDiagnostic diagnostic = op->emitOpError()
                                    << "expected " << symbol << " to name a "
                                    << DeclOp::getOperationName()
                                    << " of the model, found ";
    if (!found)
      return diagnostic << "no such symbol";
    return diagnostic << "a " << found->getName();
  }
  // C2
  if (decl.getType() != type)
    return op->emitOpError()
           << "expected the type that " << symbol << " is declared with, "
           << decl.getType() << ", found " << type;
  // C3
  std::optional<uint64_t> repeat = decl.getRepeat();
  auto block = op->getParentOfType<BlockOp>();
  if (!repeat || (block && block.getRepeat() == *repeat))
    return success();
  InFlightDiagnostic diagnostic =
      op->emitOpError()
      << "expected " << symbol << ", which has repeat " << *repeat
      << ", to be used in a quartet.block with that repeat, found ";
  if (!block)
    return diagnostic << "no block";
  return diagnostic << "repeat " << block.getRepeat();
}

LogicalResult
LoadWeightOp::verifySymbolUses(SymbolTableCollection &symbolTables) {
  return verifyUse<WeightOp>(*this, getWeightAttr(), getType(), symbolTables);
}

LogicalResult
LoadStateOp::verifySymbolUses(SymbolTableCollection &symbolTables) {
  return verifyUse<StateOp>(*this, getStateAttr(), getType(), symbolTables);
}

LogicalResult
StoreStateOp::verifySymbolUses(SymbolTableCollection &symbolTables) {
  return verifyUse<StateOp>(*this, getStateAttr(), getValue().getType(),
                            symbolTables);
}
