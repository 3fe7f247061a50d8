// Verifiers of the model's structure: declarations, the step, the repeated
// block and the ops that load and store by symbol.
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Quartet/ShapeChecks.h"

using namespace mlir;
using namespace quartet;

LogicalResult ModelOp::verifyRegions() {
  StepOp step, mtp;
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
    StepOp &place = found.getMtp() ? mtp : step;
    if (place)
      return found.emitOpError()
             << "expected " << (found.getMtp() ? "at most" : "exactly")
             << " one quartet.step" << (found.getMtp() ? " mtp" : "")
             << " in quartet.model @" << getSymName() << ", found a second one";
    place = found;
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

static bool intersect(int64_t a, int64_t aCount, int64_t b, int64_t bCount) {
  return a < b + bCount && b < a + aCount;
}

/// C3 and C4 of quartet.weight.
static LogicalResult verifyParts(WeightOp op, ArrayAttr attrs) {
  SmallVector<int64_t> shape(weightShape(op.getType()));
  // C3
  if (attrs.empty() || shape.size() < 2 || shape.size() > 3)
    return op.emitOpError() << "expected at least one part, of a matrix of "
                               "rank 2 or 3, found "
                            << attrs.size() << " parts of " << op.getType();
  if (shape.size() == 2)
    shape.insert(shape.begin(), 1);
  auto parts = llvm::to_vector(attrs.getAsRange<PartAttr>());
  for (auto [number, part] : llvm::enumerate(parts)) {
    // C3
    if (part.getExperts() > shape[0] - part.getExpert() ||
        part.getRows() > shape[1] - part.getRow() ||
        part.getColumns() > shape[2])
      return op.emitOpError()
             << "expected every part within [" << shape[0] << ", " << shape[1]
             << ", " << shape[2] << "], found " << part;
    // C4
    for (PartAttr other : llvm::ArrayRef(parts).take_front(number))
      if (intersect(part.getRow(), part.getRows(), other.getRow(),
                    other.getRows()) &&
          intersect(part.getExpert(), part.getExperts(), other.getExpert(),
                    other.getExperts()))
        return op.emitOpError() << "expected parts without common rows, found "
                                << other << " and " << part;
  }
  return success();
}

LogicalResult WeightOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  // C1
  if (type && (!type.hasStaticShape() || !isModelFloat(type.getElementType())))
    return emitOpError()
           << "expected a static tensor of f32, f16 or bf16, found " << type;
  if (failed(verifyRepeat(*this, getRepeat()))) // C2
    return failure();
  if (std::optional<ArrayAttr> parts = getParts())
    return verifyParts(*this, *parts); // C3, C4
  return success();
}

LogicalResult StateOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // C1
  if (type.getRank() < 1 || !type.isDynamicDim(0) ||
      type.getNumDynamicDims() != 1 ||
      !(isModelFloat(type.getElementType()) ||
        type.getElementType().isInteger(8)))
    return emitOpError() << "expected a tensor of f32, f16, bf16 or i8 whose "
                            "first dimension alone is dynamic, found "
                         << type;
  return verifyRepeat(*this, getRepeat()); // C2
}

/// C1 and C2 of quartet.step for what only a step with `mtp` has.
static LogicalResult verifyHidden(StepOp step, ReturnOp end) {
  Value input = step.getBody().getArgument(kHiddenIn);
  auto type = dyn_cast<RankedTensorType>(input.getType());
  // C1
  if (!type || type.getRank() != 2 || !type.getElementType().isF32() ||
      !type.isDynamicDim(0) || type.isDynamicDim(1))
    return step.emitOpError()
           << "expected argument " << unsigned(kHiddenIn)
           << " (hidden_in) to be f32 rows of a fixed width, found "
           << input.getType();
  // C2
  if (!end.getHidden() || end.getHidden().getType() != type)
    return end.emitOpError()
           << "expected hidden rows of the type of hidden_in, " << type
           << ", at the end of a step of multi-token prediction";
  return success();
}

LogicalResult StepOp::verifyRegions() {
  Block &body = getBody().front();
  unsigned inputs = kNumStepInputs + (getMtp() ? 1 : 0);
  // C1
  if (body.getNumArguments() != inputs)
    return emitOpError() << "expected " << inputs << " arguments, found "
                         << body.getNumArguments();
  for (BlockArgument argument :
       body.getArguments().take_front(kNumStepInputs)) {
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
  if (getMtp())
    return verifyHidden(*this, cast<ReturnOp>(body.back()));
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
  if (yield->getOperandTypes() != TypeRange(type))
    return emitOpError() << "expected the body to yield the type of init, "
                         << type << ", found " << yield->getOperandTypes();
  // C3
  if ((*this)->getParentOfType<BlockOp>())
    return emitOpError() << "expected no enclosing quartet.block, found one";
  return success();
}

LogicalResult PhaseOp::verifyRegions() {
  // C1
  auto yield = dyn_cast<YieldOp>(getBody().front().back());
  if (!yield)
    return emitOpError() << "expected the body to end in quartet.yield, found "
                         << getBody().front().back().getName();
  // C1
  if (yield->getOperandTypes() != getResultTypes())
    return emitOpError() << "expected the body to yield the types of the "
                            "results, ("
                         << getResultTypes() << "), found ("
                         << yield->getOperandTypes() << ")";
  // C2
  if ((*this)->getParentOfType<PhaseOp>())
    return emitOpError() << "expected no enclosing quartet.phase, found one";
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
