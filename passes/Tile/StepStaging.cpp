// Staging: bringing rows of activations into the form that the micro-kernels
// multiply. In steps of few tokens every worker does it for itself; in steps of
// many, rows that several tasks need are staged once, in a phase of their own.
#include "dialects/Quartet/PackedFormat.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Tile/QuartetToTile.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace quartet;

int64_t StepBuilder::tokenTile() const {
  return many() ? std::min(bucket.tokens, sizes.manyTokens) : bucket.tokens;
}

int64_t StepBuilder::stageTile() const {
  return std::min(bucket.tokens, sizes.stageTokens);
}

PackedType quartet::packedType(Value weight) {
  return cast<PackedType>(weight.getType());
}

int64_t quartet::activationGroup(PackedType type) {
  return type.getPackedFormat().activationGroup();
}

/// The value that \p x has the elements of.
static Value behindReshapes(Value x) {
  x = throughPhases(x);
  while (auto collapse = x.getDefiningOp<tensor::CollapseShapeOp>())
    x = throughPhases(collapse.getSrc());
  return x;
}

FailureOr<Value> StepBuilder::stage(Value x, int64_t group, Value token,
                                    bool chosen, StringRef publish) {
  x = behindReshapes(x);
  if (auto ready = ahead.find({x, group}); ready != ahead.end())
    return tile::StageOp::create(
               b,
               tile::RowsType::get(b.getContext(), tokenTile(),
                                   ready->second.second, group),
               tile::StagingAttr::get(b.getContext(), tile::Staging::Plain),
               symbol(ready->second.first), token, UnitAttr(),
               FlatSymbolRefAttr(), FloatAttr(), FlatSymbolRefAttr(),
               b.getI64IntegerAttr(0), tile::GateAttr(), FlatSymbolRefAttr())
        .getRows();
  auto staging = tile::Staging::Plain;
  Value source = x;
  FlatSymbolRefAttr weight, gate;
  FloatAttr eps;
  int64_t gateColumn = 0;
  tile::GateAttr activation;
  if (auto norm = x.getDefiningOp<RmsNormOp>()) {
    staging = tile::Staging::RmsNorm;
    source = norm.getX();
    weight = symbolOf(norm.getWeight());
    eps = norm.getEpsAttr();
  } else if (auto norm = x.getDefiningOp<GatedRmsNormOp>()) {
    staging = tile::Staging::GatedNorm;
    source = norm.getX();
    weight = symbolOf(norm.getWeight());
    eps = norm.getEpsAttr();
    FailureOr<Place> z = placeOf(norm.getZ());
    if (failed(z))
      return failure();
    gate = symbol(z->buffer);
    gateColumn = z->column;
    activation =
        tile::GateAttr::get(b.getContext(), norm.getGate() == Activation::Silu
                                                ? tile::Gate::Silu
                                                : tile::Gate::Sigmoid);
  } else if (auto attention = x.getDefiningOp<GatedAttentionOp>()) {
    staging = tile::Staging::Merge;
    if (attention.getGate()) {
      FailureOr<Place> factors = placeOf(attention.getGate());
      if (failed(factors))
        return failure();
      gate = symbol(factors->buffer);
      gateColumn = factors->column;
    }
  }
  FailureOr<Place> place = placeOf(source);
  if (failed(place))
    return failure();
  auto type = tile::RowsType::get(b.getContext(),
                                  publish.empty() ? tokenTile() : stageTile(),
                                  place->columns, group);
  return tile::StageOp::create(
             b, type, tile::StagingAttr::get(b.getContext(), staging),
             symbol(place->buffer), token,
             chosen ? b.getUnitAttr() : UnitAttr(), weight, eps, gate,
             b.getI64IntegerAttr(gateColumn), activation,
             publish.empty() ? FlatSymbolRefAttr() : symbol(publish))
      .getRows();
}

LogicalResult StepBuilder::stageAhead(PhaseOp from) {
  // Values that more than one task multiplies with, and the groups they want.
  llvm::SetVector<std::pair<Value, int64_t>> wanted, once;
  for (Operation &op : from.getBody().front()) {
    Value weight;
    if (auto mlp = dyn_cast<MlpUpOp>(op))
      weight = mlp.getGateUp();
    else if (isa<LinearOp, ProjectionsOp>(op))
      weight = op.getOperand(1);
    else
      continue;
    Value x = behindReshapes(op.getOperand(0));
    // What a phase has staged as it wrote it needs nothing.
    if (!isa_and_nonnull<RmsNormOp, GatedRmsNormOp, GatedAttentionOp>(
            x.getDefiningOp()))
      continue;
    PackedType type = packedType(weight);
    int64_t rows = type.getShape()[0];
    std::pair<Value, int64_t> key(x, activationGroup(type));
    bool byHead = llvm::any_of(op.getResults(),
                               [&](Value v) { return roles.count(v) != 0; });
    if (byHead || rows > rowTile(type, rows) || !once.insert(key))
      wanted.insert(key);
  }
  if (wanted.empty())
    return success();
  std::string name = (from.getName() + ".stage").str();
  beginPhase(name);
  LogicalResult result = success();
  for (const std::pair<Value, int64_t> &each : wanted) {
    Value x = each.first;
    int64_t group = each.second, columns = 1;
    for (int64_t size :
         cast<RankedTensorType>(x.getType()).getShape().drop_front())
      columns *= size;
    std::string buffer =
        addBuffer(name, tile::RowsType::get(b.getContext(), bucket.tokens,
                                            columns, group));
    tasks({extent(tile::ExtentKind::Tokens, stageTile())}, [&](ValueRange at) {
      if (failed(stage(x, group, at[0], false, buffer)))
        result = failure();
    });
    ahead[each] = {buffer, columns};
  }
  endPhase();
  return result;
}

LogicalResult StepBuilder::publish(PhaseOp from) {
  // Experts gather rows of tokens: they are staged once, here, not per expert.
  LogicalResult result = success();
  for (Operation &op : from.getBody().front()) {
    auto norm = dyn_cast<RmsNormOp>(op);
    if (!norm)
      continue;
    source.walk([&](ExpertUpOp up) {
      if (throughPhases(up.getX()) != norm.getY())
        return;
      int64_t hidden = cast<RankedTensorType>(norm.getType()).getDimSize(1);
      int64_t group = activationGroup(packedType(up.getGateUp()));
      // The router may have wanted the same rows.
      auto ready = ahead.find({behindReshapes(norm.getY()), group});
      if (ready != ahead.end()) {
        published[norm.getY()] = ready->second.first;
        return;
      }
      std::string buffer = addBuffer(
          (phase.getSymName() + ".staged").str(),
          tile::RowsType::get(b.getContext(), bucket.tokens, hidden, group));
      published[norm.getY()] = buffer;
      tasks({extent(tile::ExtentKind::Tokens, stageTile())},
            [&](ValueRange at) {
              if (failed(stage(norm.getY(), group, at[0], false, buffer)))
                result = failure();
            });
    });
  }
  return result;
}
