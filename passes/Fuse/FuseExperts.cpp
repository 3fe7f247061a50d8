// Feed-forward layers in the form of the step program: router as a linear map
// and a choice, the shared expert as more routed ones, and every SwiGLU as its
// two halves, because each half is a phase.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Fuse/FusedWeights.h"
#include "passes/Passes.h"
#include "llvm/Support/MathExtras.h"

#define DEBUG_TYPE "quartet-fuse-experts"

namespace quartet {
#define GEN_PASS_DEF_FUSEEXPERTS
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

/// \p like with its last dimension \p columns and the element type f32.
static RankedTensorType rowsLike(Value like, int64_t columns) {
  auto type = cast<RankedTensorType>(like.getType());
  return RankedTensorType::get({type.getDimSize(0), columns},
                               Float32Type::get(like.getContext()));
}

namespace {
/// Rewrites the feed-forward layers of one model.
class ExpertFuser {
public:
  explicit ExpertFuser(ModelOp model) : model(model), weights(model) {}

  LogicalResult run();

private:
  /// The shared expert of \p experts and the sum that joins them.
  struct Shared {
    SharedExpertOp op;
    arith::AddFOp sum;
  };
  Shared findShared(ExpertsOp experts);
  LogicalResult checkShared(ExpertsOp experts, SharedExpertOp shared);
  LogicalResult fuse(ExpertsOp experts);
  /// Replaces \p route by logits and a choice with \p pieces more experts.
  SelectExpertsOp select(RouteOp route, SharedExpertOp shared, int64_t pieces);
  /// Gate and up of \p routed, and of \p shared in \p pieces after them.
  WeightOp up(WeightOp routed, WeightOp shared, int64_t pieces, int64_t width);
  WeightOp down(WeightOp routed, WeightOp shared, int64_t pieces);
  void split(MlpOp mlp);

  ModelOp model;
  FusedWeights weights;
};
} // namespace

ExpertFuser::Shared ExpertFuser::findShared(ExpertsOp experts) {
  if (!experts->hasOneUse())
    return {};
  auto sum = dyn_cast<arith::AddFOp>(*experts->user_begin());
  if (!sum || !getElementTypeOrSelf(sum.getType()).isF32())
    return {};
  Value other = sum.getLhs() == experts.getY() ? sum.getRhs() : sum.getLhs();
  auto shared = other.getDefiningOp<SharedExpertOp>();
  if (!shared || !shared->hasOneUse() || shared.getX() != experts.getX() ||
      sum->getBlock() != experts->getBlock() ||
      !weights.weightOf(shared.getGateUp()) ||
      !weights.weightOf(shared.getDown()) ||
      !weights.weightOf(shared.getGate()))
    return {};
  return {shared, sum};
}

LogicalResult ExpertFuser::checkShared(ExpertsOp experts,
                                       SharedExpertOp shared) {
  auto check = [&](StringRef name, Value routed, Value own) -> LogicalResult {
    WeightOp a = weights.weightOf(routed), b = weights.weightOf(own);
    if (storageOf(a.getType()) == storageOf(b.getType()) &&
        a.getRepeatAttr() == b.getRepeatAttr())
      return success();
    return shared.emitOpError()
           << "cannot join the routed experts: expected '" << name
           << "' to be stored like theirs, " << routed.getType() << ", found "
           << own.getType()
           << "; the step program runs it as one of them: choose one format "
              "for both";
  };
  if (failed(check("gate_up", experts.getGateUp(), shared.getGateUp())))
    return failure();
  return check("down", experts.getDown(), shared.getDown());
}

SelectExpertsOp ExpertFuser::select(RouteOp route, SharedExpertOp shared,
                                    int64_t pieces) {
  ImplicitLocOpBuilder b(route.getLoc(), route);
  int64_t experts = weightShape(route.getWeight().getType())[0];
  Value x = route.getX(), gate;
  Value logits =
      LinearOp::create(b, rowsLike(x, experts), x, route.getWeight());
  if (shared) {
    WeightOp weight = weights.weightOf(shared.getGate());
    gate = LinearOp::create(b, rowsLike(x, 1), x,
                            weights.load(b, b.getLoc(), weight));
  }
  int64_t places = route.getTopK() + pieces;
  RankedTensorType type = rowsLike(route.getWeights(), places);
  return SelectExpertsOp::create(b, TypeRange{type, type.clone(b.getI32Type())},
                                 logits, gate, route.getTopKAttr(),
                                 route.getRenormalizeAttr(),
                                 b.getI64IntegerAttr(pieces));
}

WeightOp ExpertFuser::up(WeightOp routed, WeightOp shared, int64_t pieces,
                         int64_t width) {
  ArrayRef<int64_t> shape = weightShape(routed.getType());
  bool areExperts = shape.size() == 3;
  int64_t experts = areExperts ? shape[0] : 1, columns = shape.back();
  int64_t upRow = llvm::alignTo(width, kPanelRows);
  if (!pieces && upRow == width)
    return routed;
  SmallVector<PartAttr> parts;
  auto append = [&](WeightOp weight, int64_t gateFrom, int64_t upFrom,
                    int64_t rows, int64_t expert) {
    weights.append(parts, weight, {gateFrom, rows, 0, columns}, 0, expert);
    weights.append(parts, weight, {upFrom, rows, 0, columns}, upRow, expert);
  };
  SmallVector<WeightOp> sources{routed};
  if (upRow == width)
    weights.append(parts, routed, {0, 2 * width, 0, columns}, 0);
  else
    append(routed, 0, width, width, 0);
  if (shared) {
    sources.push_back(shared);
    int64_t all = weightShape(shared.getType())[0] / 2;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      int64_t from = piece * width, rows = std::min(width, all - from);
      append(shared, from, all + from, rows, experts + piece);
    }
  }
  SmallVector<int64_t> fused{2 * upRow, columns};
  if (areExperts)
    fused.insert(fused.begin(), experts + pieces);
  return weights.create(sources, withShape(routed.getType(), fused), parts);
}

WeightOp ExpertFuser::down(WeightOp routed, WeightOp shared, int64_t pieces) {
  if (!shared)
    return routed;
  ArrayRef<int64_t> shape = weightShape(routed.getType());
  int64_t experts = shape[0], rows = shape[1], width = shape[2];
  int64_t all = weightShape(shared.getType())[1];
  SmallVector<PartAttr> parts;
  weights.append(parts, routed, {0, rows, 0, width}, 0);
  for (int64_t piece = 0; piece < pieces; ++piece) {
    int64_t from = piece * width;
    weights.append(parts, shared, {0, rows, from, std::min(width, all - from)},
                   0, experts + piece);
  }
  return weights.create(
      {routed, shared},
      withShape(routed.getType(), {experts + pieces, rows, width}), parts);
}

LogicalResult ExpertFuser::fuse(ExpertsOp experts) {
  auto route = experts.getWeights().getDefiningOp<RouteOp>();
  // Only the whole pattern of a layer; anything else keeps its generic form.
  if (!route || experts.getIds() != route.getIds() ||
      !route.getWeights().hasOneUse() || !route.getIds().hasOneUse() ||
      !weights.weightOf(experts.getGateUp()) ||
      !weights.weightOf(experts.getDown()))
    return success();
  auto [shared, sum] = findShared(experts);
  int64_t width = weightShape(experts.getDown().getType())[2], pieces = 0;
  WeightOp sharedUp, sharedDown;
  if (shared) {
    if (failed(checkShared(experts, shared)))
      return failure();
    sharedUp = weights.weightOf(shared.getGateUp());
    sharedDown = weights.weightOf(shared.getDown());
    pieces = llvm::divideCeil(weightShape(sharedDown.getType())[1], width);
  }
  SelectExpertsOp chosen = select(route, shared, pieces);
  WeightOp gateUp =
      up(weights.weightOf(experts.getGateUp()), sharedUp, pieces, width);
  WeightOp downWeight =
      down(weights.weightOf(experts.getDown()), sharedDown, pieces);

  ImplicitLocOpBuilder b(experts.getLoc(), experts);
  auto idsType = cast<RankedTensorType>(chosen.getIds().getType());
  auto hType = RankedTensorType::get(
      {idsType.getDimSize(0), idsType.getDimSize(1), width}, b.getF32Type());
  Value h = ExpertUpOp::create(b, hType, experts.getX(), chosen.getIds(),
                               weights.load(b, b.getLoc(), gateUp));
  Operation *end = sum ? sum.getOperation() : experts.getOperation();
  Value y = ExpertDownOp::create(
      b, end->getResult(0).getType(), h, chosen.getWeights(), chosen.getIds(),
      weights.load(b, b.getLoc(), downWeight), /*residual=*/Value());
  end->getResult(0).replaceAllUsesWith(y);
  if (sum) {
    sum.erase();
    shared.erase();
  }
  experts.erase();
  route.erase();
  return success();
}

void ExpertFuser::split(MlpOp mlp) {
  WeightOp weight = weights.weightOf(mlp.getGateUp());
  if (!weight)
    return;
  int64_t width = weightShape(mlp.getDown().getType())[1];
  ImplicitLocOpBuilder b(mlp.getLoc(), mlp);
  Value gateUp = weights.load(b, b.getLoc(), up(weight, {}, 0, width));
  Value h = MlpUpOp::create(b, rowsLike(mlp.getX(), width), mlp.getX(), gateUp);
  Value y = LinearOp::create(b, mlp.getType(), h, mlp.getDown());
  mlp.replaceAllUsesWith(y);
  mlp.erase();
}

LogicalResult ExpertFuser::run() {
  SmallVector<ExpertsOp> layers;
  SmallVector<MlpOp> mlps;
  model.walk([&](ExpertsOp op) { layers.push_back(op); });
  model.walk([&](MlpOp op) { mlps.push_back(op); });
  for (ExpertsOp op : layers)
    if (failed(fuse(op)))
      return failure();
  for (MlpOp op : mlps)
    split(op);
  weights.eraseUnused();
  return success();
}

namespace {
struct FuseExpertsPass : quartet::impl::FuseExpertsBase<FuseExpertsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto model : getOperation().getOps<ModelOp>())
      if (failed(ExpertFuser(model).run()))
        return signalPassFailure();
  }
};
} // namespace
