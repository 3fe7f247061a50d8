// Turns a model whose ops stand in phases into the schedule of its steps: one
// tile.step per bucket, of the model and of its multi-token prediction.
#include "passes/Tile/QuartetToTile.h"
#include "passes/Passes.h"

#define DEBUG_TYPE "quartet-to-tile"

namespace quartet {
#define GEN_PASS_DEF_QUARTETTOTILE
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

/// Steps of more tokens than this are of kind `many`.
static constexpr int64_t kFewTokens = 16;

static LogicalResult declareWeights(ImplicitLocOpBuilder &b, ModelOp model) {
  for (auto weight : model.getBody().front().getOps<WeightOp>()) {
    int64_t repeat = weight.getRepeat().value_or(1);
    auto packed = dyn_cast<PackedType>(weight.getType());
    if (!packed) {
      auto type = cast<RankedTensorType>(weight.getType());
      tile::VectorOp::create(b, weight.getSymName(), repeat, type);
      continue;
    }
    ArrayRef<int64_t> shape = packed.getShape();
    int64_t experts = shape.size() == 3 ? shape[0] : 1;
    tile::MatrixOp::create(b, weight.getSymName(), repeat, experts,
                           shape[shape.size() - 2], shape.back(),
                           packed.getFormat());
  }
  for (auto state : model.getBody().front().getOps<StateOp>())
    tile::StateOp::create(
        b, state.getSymName(),
        state.getDim() == StateDim::Slots ? tile::StateDim::Slots
                                          : tile::StateDim::Pages,
        state.getRepeat().value_or(1), cast<RankedTensorType>(state.getType()));
  return success();
}

namespace {
struct QuartetToTilePass : quartet::impl::QuartetToTileBase<QuartetToTilePass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<ModelOp> models(getOperation().getOps<ModelOp>());
    for (ModelOp model : models)
      if (failed(convert(model)))
        return signalPassFailure();
  }

  LogicalResult convert(ModelOp model) {
    if (model.walk([](PhaseOp) { return WalkResult::interrupt(); })
            .wasInterrupted() == false)
      return model.emitError()
             << "has no phases; run quartet-form-phases first";
    ImplicitLocOpBuilder b(model.getLoc(), &getContext());
    b.setInsertionPointAfter(model);
    auto program = tile::ProgramOp::create(b, model.getSymName());
    program.getBody().emplaceBlock();
    b.setInsertionPointToStart(&program.getBody().front());
    if (failed(declareWeights(b, model)))
      return failure();
    SmallVector<int64_t> sizes(buckets.begin(), buckets.end());
    llvm::sort(sizes);
    sizes.erase(llvm::unique(sizes), sizes.end());
    for (int64_t tokens : sizes)
      if (tokens < 1)
        return model.emitError() << "a bucket of " << tokens << " tokens";
    TaskSizes cut = gpu ? TaskSizes::forGpu() : TaskSizes::forCpu();
    for (auto step : model.getBody().front().getOps<StepOp>())
      for (int64_t tokens : sizes) {
        BucketSpec spec{tokens, tokens <= kFewTokens ? tile::StepKind::Few
                                                     : tile::StepKind::Many};
        OpBuilder::InsertionGuard guard(b);
        if (failed(StepBuilder(b, step, spec, cut).build()))
          return failure();
      }
    model.erase();
    return success();
  }
};
} // namespace
