// Turns each step of a quartet.model into a function over buffers: weights,
// states, inputs and outputs become arguments, the repeated block becomes a
// loop.
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Lower/EntryLayout.h"
#include "passes/Passes.h"

#define DEBUG_TYPE "quartet-lower-model"

namespace quartet {
#define GEN_PASS_DEF_LOWERMODEL
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

/// The buffer of all repetitions of a weight or state.
static MemRefType bufferType(std::optional<int64_t> repeat, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape;
  if (repeat)
    shape.push_back(*repeat);
  llvm::append_range(shape, tensor.getShape());
  return MemRefType::get(shape, tensor.getElementType());
}

static SmallVector<StringRef> inputExtents(StepInput input) {
  switch (input) {
  case kTokens:
  case kPositions:
  case kTokenSeq:
    return {"num_tokens"};
  case kSeqStart:
    return {kSequencesPlusOne};
  case kSeqPast:
  case kSeqSlot:
    return {"num_sequences"};
  case kPageTable:
    return {"num_slots", "table_width"};
  default:
    return {"num_rows"};
  }
}

namespace {
/// Builds the function of one step of a model.
class StepToFunction {
public:
  StepToFunction(ModelOp model, StepOp step)
      : model(model), step(step), b(model.getLoc(), model.getContext()) {}

  LogicalResult run();

private:
  struct Argument {
    MemRefType type;
    StringRef field;
    int64_t place = -1;
    SmallVector<StringRef> extents;
  };

  void declareArguments(ReturnOp end);
  func::FuncOp createFunction();
  /// The buffer that a load or store of \p symbol means at the insertion point:
  /// the argument, or its part for the running repetition.
  Value view(StringRef symbol, Type tensorType);
  LogicalResult lowerBlock(BlockOp block);
  LogicalResult lowerAccesses(Block &body);

  ModelOp model;
  StepOp step;
  ImplicitLocOpBuilder b;
  SmallVector<Argument> arguments;
  llvm::StringMap<unsigned> argumentOf; // weights and states
  func::FuncOp function;
  Value repetition; // of the block that is being lowered, or null
  Block *body = nullptr;
  llvm::DenseMap<std::pair<Block *, unsigned>, Value> views;
};
} // namespace

void StepToFunction::declareArguments(ReturnOp end) {
  for (unsigned i = 0; i < kNumStepInputs; ++i) {
    auto input = StepInput(i);
    auto tensor = stepInputType(model.getContext(), input);
    arguments.push_back(
        {MemRefType::get(tensor.getShape(), tensor.getElementType()),
         stepInputName(input), -1, inputExtents(input)});
  }
  if (step.getMtp())
    arguments.push_back(
        {bufferType({}, step.getBody().getArgument(kHiddenIn).getType()),
         "hidden_in",
         -1,
         {"num_tokens"}});
  int64_t weights = 0, states = 0;
  for (auto weight : model.getOps<WeightOp>()) {
    argumentOf[weight.getSymName()] = arguments.size();
    arguments.push_back({bufferType(weight.getRepeat(), weight.getType()),
                         "weights",
                         weights++,
                         {}});
  }
  for (auto state : model.getOps<StateOp>()) {
    argumentOf[state.getSymName()] = arguments.size();
    arguments.push_back(
        {bufferType(state.getRepeat(), state.getType()),
         "states",
         states++,
         {state.getDim() == StateDim::Slots ? "num_slots" : "num_pages"}});
  }
  arguments.push_back(
      {bufferType({}, end.getLogits().getType()), "logits", -1, {"num_rows"}});
  arguments.push_back({bufferType({}, end.getSampled().getType()),
                       "sampled",
                       -1,
                       {"num_rows"}});
  if (end.getHidden())
    arguments.push_back({bufferType({}, end.getHidden().getType()),
                         "hidden_out",
                         -1,
                         {"num_tokens"}});
}

func::FuncOp StepToFunction::createFunction() {
  SmallVector<Type> types;
  for (const Argument &argument : arguments)
    types.push_back(argument.type);
  b.setInsertionPoint(model);
  StringRef suffix = step.getMtp() ? "_mtp_step" : "_step";
  auto name = (model.getSymName() + suffix).str();
  auto func = func::FuncOp::create(b, name, b.getFunctionType(types, {}));
  func->setAttr(kEntryAttr, b.getUnitAttr());
  if (step.getMtp())
    func->setAttr(kMtpAttr, b.getUnitAttr());
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    func.setArgAttr(i, kFieldAttr, b.getStringAttr(argument.field));
    if (argument.place >= 0)
      func.setArgAttr(i, kPlaceAttr, b.getI64IntegerAttr(argument.place));
    if (!argument.extents.empty())
      func.setArgAttr(i, kExtentsAttr, b.getStrArrayAttr(argument.extents));
  }
  return func;
}

Value StepToFunction::view(StringRef symbol, Type tensorType) {
  unsigned number = argumentOf.lookup(symbol);
  Value argument = function.getArgument(number);
  auto tensor = cast<RankedTensorType>(tensorType);
  auto type = cast<MemRefType>(argument.getType());
  if (type.getRank() == tensor.getRank())
    return argument;
  // One view per body, so that a store after a load means the same buffer.
  Value &known = views[{body, number}];
  if (known)
    return known;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(body);
  SmallVector<OpFoldResult> offsets{repetition}, sizes{b.getIndexAttr(1)};
  for (int64_t d = 1; d < type.getRank(); ++d) {
    offsets.push_back(b.getIndexAttr(0));
    if (type.isDynamicDim(d))
      sizes.push_back(memref::DimOp::create(b, argument, d).getResult());
    else
      sizes.push_back(b.getIndexAttr(type.getDimSize(d)));
  }
  SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
  auto viewType =
      cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
          tensor.getShape(), type, offsets, sizes, strides));
  known =
      memref::SubViewOp::create(b, viewType, argument, offsets, sizes, strides);
  return known;
}

LogicalResult StepToFunction::lowerAccesses(Block &block) {
  body = &block;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    b.setLoc(op.getLoc());
    b.setInsertionPoint(&op);
    if (auto load = dyn_cast<LoadWeightOp>(op)) {
      Value buffer = view(load.getWeight(), load.getType());
      load.replaceAllUsesWith(
          bufferization::ToTensorOp::create(b, load.getType(), buffer,
                                            /*restrict=*/true)
              .getResult());
      load.erase();
    } else if (auto load = dyn_cast<LoadStateOp>(op)) {
      Value buffer = view(load.getState(), load.getType());
      load.replaceAllUsesWith(
          bufferization::ToTensorOp::create(b, load.getType(), buffer,
                                            /*restrict=*/true,
                                            /*writable=*/true)
              .getResult());
      load.erase();
    } else if (auto store = dyn_cast<StoreStateOp>(op)) {
      Value buffer = view(store.getState(), store.getValue().getType());
      bufferization::MaterializeInDestinationOp::create(
          b, TypeRange{}, store.getValue(), buffer, /*restrict=*/true,
          /*writable=*/true);
      store.erase();
    } else if (op.getDialect() == model->getDialect() &&
               !isa<BlockOp, YieldOp, ReturnOp>(op)) {
      return op.emitOpError("is not decomposed: run quartet-to-linalg first");
    }
  }
  return success();
}

LogicalResult StepToFunction::lowerBlock(BlockOp block) {
  b.setLoc(block.getLoc());
  b.setInsertionPoint(block);
  Value from = arith::ConstantIndexOp::create(b, 0);
  Value to = arith::ConstantIndexOp::create(b, block.getRepeat());
  Value one = arith::ConstantIndexOp::create(b, 1);
  auto loop = scf::ForOp::create(b, from, to, one, block.getInit());
  Block &source = block.getBody().front();
  loop.getBody()->getOperations().splice(loop.getBody()->begin(),
                                         source.getOperations());
  source.getArgument(0).replaceAllUsesWith(loop.getRegionIterArg(0));
  block.replaceAllUsesWith(loop.getResult(0));
  repetition = loop.getInductionVar();
  auto yield = cast<YieldOp>(loop.getBody()->getTerminator());
  b.setInsertionPoint(yield);
  // The next repetition's input takes the place of this one's.
  Value next = bufferization::MaterializeInDestinationOp::create(
                   b, loop.getRegionIterArg(0).getType(),
                   yield.getValues().front(), loop.getRegionIterArg(0))
                   .getResult();
  scf::YieldOp::create(b, next);
  yield.erase();
  block.erase();
  return lowerAccesses(*loop.getBody());
}

LogicalResult StepToFunction::run() {
  Block &source = step.getBody().front();
  auto end = cast<ReturnOp>(source.getTerminator());
  declareArguments(end);
  function = createFunction();
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  for (auto [i, argument] : llvm::enumerate(source.getArguments())) {
    Value tensor = bufferization::ToTensorOp::create(
        b, argument.getType(), entry->getArgument(i), /*restrict=*/true);
    argument.replaceAllUsesWith(tensor);
  }
  entry->getOperations().splice(entry->end(), source.getOperations());

  for (auto block : llvm::make_early_inc_range(entry->getOps<BlockOp>()))
    if (failed(lowerBlock(block)))
      return failure();
  repetition = {};
  if (failed(lowerAccesses(*entry)))
    return failure();

  b.setLoc(end.getLoc());
  b.setInsertionPoint(end);
  unsigned outputs = arguments.size() - end->getNumOperands();
  for (auto [i, value] : llvm::enumerate(end->getOperands()))
    bufferization::MaterializeInDestinationOp::create(
        b, TypeRange{}, value, function.getArgument(outputs + i),
        /*restrict=*/true, /*writable=*/true);
  func::ReturnOp::create(b);
  end.erase();
  return success();
}

namespace {
struct LowerModelPass : quartet::impl::LowerModelBase<LowerModelPass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto model :
         llvm::make_early_inc_range(getOperation().getOps<ModelOp>())) {
      for (auto step : model.getOps<StepOp>())
        if (failed(StepToFunction(model, step).run()))
          return signalPassFailure();
      model.erase();
    }
  }
};
} // namespace
