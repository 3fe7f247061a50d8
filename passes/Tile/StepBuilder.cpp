// Phases, buffers and events of a step, and where the model's values lie.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Tile/QuartetToTile.h"

using namespace mlir;
using namespace quartet;

StepBuilder::StepBuilder(ImplicitLocOpBuilder &b, StepOp source,
                         BucketSpec bucket, const TaskSizes &sizes)
    : b(b), source(source), bucket(bucket), sizes(sizes) {}

FlatSymbolRefAttr StepBuilder::symbol(StringRef name) {
  return FlatSymbolRefAttr::get(b.getContext(), name);
}

FlatSymbolRefAttr StepBuilder::symbolOf(Value value) {
  if (auto load = value.getDefiningOp<LoadWeightOp>())
    return load.getWeightAttr();
  return value.getDefiningOp<LoadStateOp>().getStateAttr();
}

tile::ExtentAttr StepBuilder::extent(tile::ExtentKind kind, int64_t size) {
  return tile::ExtentAttr::get(b.getContext(), kind, size);
}

MemRefType StepBuilder::f32Buffer(ArrayRef<int64_t> shape) {
  return MemRefType::get(shape, b.getF32Type());
}

std::string StepBuilder::addBuffer(StringRef name, Type type, int64_t pieces) {
  SymbolTable symbols(step);
  std::string unique = name.str();
  for (int i = 1; symbols.lookup(unique); ++i)
    unique = (name + "_" + Twine(i)).str();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&step.getBody().front());
  for (auto last : step.getOps<tile::BufferOp>())
    b.setInsertionPointAfter(last);
  tile::BufferOp::create(b, unique, type,
                         pieces ? b.getI64IntegerAttr(pieces) : IntegerAttr(),
                         /*parts=*/IntegerAttr(), /*offset=*/IntegerAttr());
  return unique;
}

void StepBuilder::beginPhase(StringRef name) {
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&step.getBody().front());
    for (Operation &op : step.getBody().front())
      if (isa<tile::BufferOp, tile::EventOp>(op))
        b.setInsertionPointAfter(&op);
    tile::EventOp::create(b, (name + ".done").str());
  }
  phase = tile::PhaseOp::create(b, name);
  outside = b.saveInsertionPoint();
  phase.getBody().emplaceBlock();
  b.setInsertionPointToStart(&phase.getBody().front());
  // Each phase needs what the one before it wrote; the chain orders all.
  bool firstOfLoop = loop && loopLastEvent.empty();
  if (!lastEvent.empty())
    tile::WaitOp::create(b, symbol(lastEvent), UnitAttr());
  if (firstOfLoop) // named when the last phase of the loop is known
    tile::WaitOp::create(b, symbol(""), b.getUnitAttr());
  staged.clear();
}

void StepBuilder::endPhase() {
  b.setInsertionPointToEnd(&phase.getBody().front());
  std::string event = (phase.getSymName() + ".done").str();
  tile::SignalOp::create(b, symbol(event));
  b.restoreInsertionPoint(outside);
  lastEvent = event;
  if (loop)
    loopLastEvent = event;
}

void StepBuilder::tasks(ArrayRef<tile::ExtentAttr> extents, Body body,
                        Value groups) {
  SmallVector<Attribute> attributes(extents.begin(), extents.end());
  auto op = tile::TasksOp::create(b, b.getArrayAttr(attributes), groups);
  Block &block = op.getBody().emplaceBlock();
  for (size_t i = 0; i < extents.size(); ++i)
    block.addArgument(b.getIndexType(), op.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&block);
  body(block.getArguments());
}

FailureOr<Place> StepBuilder::placeOf(Value value) {
  if (auto known = places.find(value); known != places.end())
    return known->second;
  if (auto result = dyn_cast<OpResult>(value)) {
    Operation *op = result.getOwner();
    if (auto phase = dyn_cast<PhaseOp>(op))
      return placeOf(phase.getBody().front().getTerminator()->getOperand(
          result.getResultNumber()));
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      return placeOf(expand.getSrc());
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
      return placeOf(collapse.getSrc());
    auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
    if (slice && slice.getType().getRank() == 2 &&
        slice.getStaticOffset(0) == 0 &&
        ShapedType::isStatic(slice.getStaticOffset(1))) {
      FailureOr<Place> source = placeOf(slice.getSource());
      if (failed(source))
        return failure();
      return Place{source->buffer, source->column + slice.getStaticOffset(1),
                   slice.getStaticSize(1)};
    }
    return op->emitError() << "a phase reads the result of '" << op->getName()
                           << "', which has no place in the step's memory";
  }
  return emitError(value.getLoc()) << "a phase reads a value that has no place "
                                      "in the step's memory";
}

Value quartet::throughPhases(Value value) {
  while (auto phase = value.getDefiningOp<PhaseOp>())
    value = phase.getBody().front().getTerminator()->getOperand(
        cast<OpResult>(value).getResultNumber());
  return value;
}

/// The projection behind reshapes and slices of heads; sets \p offset to the
/// first column taken of each head.
static Value projectionOf(Value value, int64_t &offset) {
  offset = 0;
  while (true) {
    value = throughPhases(value);
    if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>()) {
      value = expand.getSrc();
    } else if (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>()) {
      offset = slice.getStaticOffset(slice.getType().getRank() - 1);
      value = slice.getSource();
    } else {
      return value;
    }
  }
}

void StepBuilder::findHeadRoles() {
  source.walk([&](GatedAttentionOp attention) {
    int64_t offset = 0;
    auto add = [&](HeadRole::Kind kind, Value value) {
      HeadRole role;
      role.kind = kind;
      role.attention = attention;
      role.gated = bool(attention.getGate());
      value = throughPhases(value);
      if (kind != HeadRole::Value) {
        role.rope = value.getDefiningOp<RopeOp>();
        value = throughPhases(role.rope.getX());
        role.norm = value.getDefiningOp<RmsNormOp>();
        value = role.norm.getX();
      }
      roles[projectionOf(value, offset)] = role;
    };
    add(HeadRole::Query, attention.getQ());
    add(HeadRole::Key, attention.getK());
    add(HeadRole::Value, attention.getV());
  });
}

LogicalResult StepBuilder::convertPhase(PhaseOp source) {
  SmallVector<LinearOp> linears;
  Operation *anchor = nullptr;
  CausalConvOp conv;
  SelectExpertsOp select;
  for (Operation &op : source.getBody().front()) {
    if (auto found = dyn_cast<CausalConvOp>(op))
      conv = found;
    if (auto found = dyn_cast<SelectExpertsOp>(op))
      select = found;
    if (isa<EmbedOp, ProjectionsOp, LinearOp, GatedDeltaOp, GatedAttentionOp,
            ExpertUpOp, ExpertDownOp, MlpUpOp, LmHeadOp, SampleOp>(op) &&
        !anchor)
      anchor = &op;
  }
  if (!anchor)
    return source.emitError() << "phase '" << source.getName()
                              << "' holds no op that fills a phase";
  if (many() && failed(stageAhead(source)))
    return failure();
  if (many() && sizes.chooseAhead && select &&
      failed(chooseAhead(source, select)))
    return failure();
  if (auto op = dyn_cast<GatedDeltaOp>(anchor);
      op && many() && sizes.prepareAhead &&
      failed(prepareAhead(source, conv, op)))
    return failure();
  beginPhase(source.getName());
  LogicalResult result = success();
  if (auto op = dyn_cast<EmbedOp>(anchor))
    result = embed(op);
  else if (auto op = dyn_cast<LinearOp>(anchor); op && op.getResidual())
    result = residualLinear(op);
  else if (isa<ProjectionsOp, LinearOp>(anchor))
    result = project(source);
  else if (auto op = dyn_cast<GatedDeltaOp>(anchor))
    result = delta(conv, op);
  else if (auto op = dyn_cast<GatedAttentionOp>(anchor))
    result = attend(op);
  else if (auto op = dyn_cast<ExpertUpOp>(anchor))
    result = expertUp(select, op);
  else if (auto op = dyn_cast<ExpertDownOp>(anchor))
    result = expertDown(op);
  else if (auto op = dyn_cast<MlpUpOp>(anchor))
    result = mlpUp(op);
  else if (auto op = dyn_cast<LmHeadOp>(anchor))
    result = head(op);
  else
    result = sample(cast<SampleOp>(anchor));
  endPhase();
  return result;
}

LogicalResult StepBuilder::convertBlock(Block &block) {
  for (Operation &op : block) {
    if (auto source = dyn_cast<PhaseOp>(op)) {
      if (failed(convertPhase(source)))
        return failure();
      continue;
    }
    auto layers = dyn_cast<BlockOp>(op);
    if (!layers)
      continue;
    Block &body = layers.getBody().front();
    FailureOr<Place> x = placeOf(layers.getInit());
    if (failed(x))
      return failure();
    places[body.getArgument(0)] = *x;
    places[layers.getResult()] = *x;
    auto repeat = tile::LayersOp::create(b, layers.getRepeat());
    repeat.getBody().emplaceBlock();
    loop = repeat;
    loopLastEvent.clear();
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&repeat.getBody().front());
      if (failed(convertBlock(body)))
        return failure();
    }
    repeat.walk([&](tile::WaitOp wait) {
      if (wait.getPrevious())
        wait.setEventAttr(symbol(loopLastEvent));
    });
    loop = nullptr;
  }
  return success();
}

LogicalResult StepBuilder::build() {
  const char *kind = many() ? "many" : "few";
  StringRef prefix = source.getMtp() ? "mtp_" : "";
  step = tile::StepOp::create(
      b, (prefix + kind + "_" + Twine(bucket.tokens)).str(), source.getMtp(),
      bucket.kind, bucket.tokens, bucket.tokens, IntegerAttr(), IntegerAttr(),
      IntegerAttr());
  step.getBody().emplaceBlock();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&step.getBody().front());
  findHeadRoles();
  return convertBlock(source.getBody().front());
}
