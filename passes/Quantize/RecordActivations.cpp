// Makes a model that measures itself: what stands in front of each matrix is
// squared and summed in states of its own.
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

#define DEBUG_TYPE "quartet-record-activations"

namespace quartet {
#define GEN_PASS_DEF_RECORDACTIVATIONS
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

namespace {
/// Adds states and sums to one model.
class Recorder {
public:
  explicit Recorder(ModelOp model) : model(model), symbols(model) {}

  LogicalResult run();

private:
  LogicalResult record(Operation *op);
  /// Sums the rows \p x that \p weight is multiplied with, before \p op; with
  /// \p ids, those of each expert.
  LogicalResult sum(Operation *op, Value weight, Value x, Value ids = {});
  /// The state of \p weight, declared if it was not.
  StateOp stateOf(WeightOp weight);

  ModelOp model;
  SymbolTable symbols;
  Block *step = nullptr;
};
} // namespace

StateOp Recorder::stateOf(WeightOp weight) {
  std::string name = (weight.getSymName() + ".squares").str();
  if (auto known = symbols.lookup<StateOp>(name))
    return known;
  SmallVector<int64_t> shape(weightShape(weight.getType()));
  // In the place of the rows, the slots; experts keep their own sums.
  if (shape.size() == 3)
    shape = {ShapedType::kDynamic, shape[0], shape[2] + 1};
  else
    shape = {ShapedType::kDynamic, shape[1] + 1};
  OpBuilder b(model.getContext());
  auto type = RankedTensorType::get(shape, b.getF32Type());
  // The runtime passes states in the order of their declarations.
  b.setInsertionPoint(step->getParentOp());
  auto state = StateOp::create(b, weight.getLoc(), name, StateDim::Slots,
                               weight.getRepeatAttr(), type);
  symbols.insert(state);
  return state;
}

LogicalResult Recorder::sum(Operation *op, Value weight, Value x, Value ids) {
  auto load = weight.getDefiningOp<LoadWeightOp>();
  auto declared =
      load ? symbols.lookup<WeightOp>(load.getWeight()) : WeightOp();
  if (!declared || declared.getParts() || isa<PackedType>(weight.getType()))
    return op->emitOpError()
           << "has a matrix that is no weight of the checkpoint: record "
              "activations before quantization and fusion";
  StateOp state = stateOf(declared);
  ImplicitLocOpBuilder b(op->getLoc(), op);
  Value before = LoadStateOp::create(b, state.getType(), state.getSymName());
  Value after = AccumulateSquaresOp::create(b, state.getType(), x, ids, before,
                                            step->getArgument(kTokenSeq),
                                            step->getArgument(kSeqSlot));
  StoreStateOp::create(b, state.getSymName(), after);
  return success();
}

/// The hidden rows [N, I] of a dense SwiGLU before \p down [H, I].
static Value hiddenOf(Operation *op, Value x, Value gateUp, Value down) {
  ImplicitLocOpBuilder b(op->getLoc(), op);
  int64_t tokens = cast<RankedTensorType>(x.getType()).getDimSize(0);
  auto type = RankedTensorType::get(
      {tokens, weightShape(down.getType()).back()}, b.getF32Type());
  return MlpUpOp::create(b, type, x, gateUp);
}

/// The hidden rows [N, K, I] of the experts that each token chose.
static Value hiddenOf(ExpertsOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto ids = cast<RankedTensorType>(op.getIds().getType());
  auto type =
      RankedTensorType::get({ids.getDimSize(0), ids.getDimSize(1),
                             weightShape(op.getDown().getType()).back()},
                            b.getF32Type());
  return ExpertUpOp::create(b, type, op.getX(), op.getIds(), op.getGateUp());
}

LogicalResult Recorder::record(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<LinearOp, RouteOp, LmHeadOp>(
          [&](auto op) { return sum(op, op.getWeight(), op.getX()); })
      .Case([&](MlpOp op) -> LogicalResult {
        Value up = op.getGateUp(), down = op.getDown(), x = op.getX();
        return failure(failed(sum(op, up, x)) ||
                       failed(sum(op, down, hiddenOf(op, x, up, down))));
      })
      .Case([&](SharedExpertOp op) -> LogicalResult {
        Value up = op.getGateUp(), down = op.getDown(), x = op.getX();
        return failure(failed(sum(op, up, x)) ||
                       failed(sum(op, op.getGate(), x)) ||
                       failed(sum(op, down, hiddenOf(op, x, up, down))));
      })
      .Case([&](ExpertsOp op) -> LogicalResult {
        Value ids = op.getIds();
        return failure(failed(sum(op, op.getGateUp(), op.getX(), ids)) ||
                       failed(sum(op, op.getDown(), hiddenOf(op), ids)));
      })
      .Case<ProjectionsOp, ExpertUpOp, ExpertDownOp, MlpUpOp, SelectExpertsOp>(
          [](Operation *op) -> LogicalResult {
            return op->emitOpError()
                   << "is made by fusion: record activations before it";
          })
      .Default([](Operation *) { return success(); });
}

LogicalResult Recorder::run() {
  // The model's own step; drafts are read from other rows of the same matrices.
  SmallVector<Operation *> operations;
  for (auto op : model.getOps<StepOp>())
    if (!op.getMtp())
      step = &op.getBody().front();
  step->getParentOp()->walk([&](Operation *op) { operations.push_back(op); });
  for (Operation *op : operations)
    if (failed(record(op)))
      return failure();
  return success();
}

namespace {
struct RecordActivationsPass
    : quartet::impl::RecordActivationsBase<RecordActivationsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto model : getOperation().getOps<ModelOp>())
      if (failed(Recorder(model).run()))
        return signalPassFailure();
  }
};
} // namespace
