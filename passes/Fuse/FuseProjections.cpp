// Linear maps of the same rows become one matrix: the rows are read and staged
// once, and one pass over one weight stream makes all results.
#include "passes/Fuse/FusedWeights.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

#define DEBUG_TYPE "quartet-fuse-projections"

namespace quartet {
#define GEN_PASS_DEF_FUSEPROJECTIONS
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

/// What linear maps must have in common: the block they stand in, their rows,
/// how their weights are stored and how often they repeat.
using GroupKey =
    std::pair<std::pair<Block *, Value>, std::pair<Attribute, Attribute>>;
using Groups = llvm::MapVector<GroupKey, SmallVector<LinearOp>>;

static Groups findGroups(ModelOp model, FusedWeights &weights) {
  Groups groups;
  model.walk([&](LinearOp op) {
    WeightOp weight = weights.weightOf(op.getWeight());
    if (!weight || op.getResidual())
      return;
    groups[{{op->getBlock(), op.getX()},
            {storageOf(weight.getType()), weight.getRepeatAttr()}}]
        .push_back(op);
  });
  return groups;
}

static void fuse(ArrayRef<LinearOp> group, FusedWeights &weights) {
  LinearOp first = group.front();
  SmallVector<int64_t> rows;
  SmallVector<PartAttr> parts;
  SmallVector<WeightOp> sources;
  SmallVector<Type> types;
  int64_t end = 0, columns = 0;
  for (LinearOp op : group) {
    WeightOp source = weights.weightOf(op.getWeight());
    ArrayRef<int64_t> shape = weightShape(source.getType());
    columns = shape[1];
    rows.push_back(llvm::alignTo(end, kPanelRows));
    weights.append(parts, source, {0, shape[0], 0, columns}, rows.back());
    end = rows.back() + shape[0];
    sources.push_back(source);
    types.push_back(op.getType());
  }
  WeightOp fused = weights.create(
      sources, withShape(sources.front().getType(), {end, columns}), parts);
  OpBuilder b(first);
  Location loc = b.getFusedLoc(llvm::map_to_vector(
      group, [](LinearOp op) -> Location { return op.getLoc(); }));
  auto projections = ProjectionsOp::create(
      b, loc, types, first.getX(), weights.load(b, loc, fused), ArrayRef(rows));
  for (auto [number, op] : llvm::enumerate(group)) {
    op->replaceAllUsesWith(ValueRange(projections.getYs()[number]));
    op->erase();
  }
}

namespace {
struct FuseProjectionsPass
    : quartet::impl::FuseProjectionsBase<FuseProjectionsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto model : getOperation().getOps<ModelOp>()) {
      FusedWeights weights(model);
      for (auto &[key, group] : findGroups(model, weights))
        if (group.size() > 1)
          fuse(group, weights);
      weights.eraseUnused();
    }
  }
};
} // namespace
