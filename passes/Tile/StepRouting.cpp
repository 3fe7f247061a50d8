// The choice of experts: every worker makes it for itself, or, where they are
// many and tokens as well, tasks of a phase in front share it out.
#include "passes/Tile/QuartetToTile.h"

using namespace mlir;
using namespace quartet;

FailureOr<StepBuilder::Logits> StepBuilder::logitsOf(SelectExpertsOp select) {
  FailureOr<Place> place = placeOf(select.getLogits());
  if (failed(place))
    return failure();
  auto type = cast<RankedTensorType>(select.getLogits().getType());
  Logits logits{place->buffer, b.getI64IntegerAttr(type.getDimSize(1)), {}};
  if (!select.getGate())
    return logits;
  FailureOr<Place> gate = placeOf(select.getGate());
  if (failed(gate))
    return failure();
  if (gate->buffer != place->buffer || place->column != 0)
    return select.emitError() << "needs the router's logits and the shared "
                                 "experts' gate in one buffer";
  logits.gateColumn = b.getI64IntegerAttr(gate->column);
  return logits;
}

LogicalResult StepBuilder::chooseAhead(PhaseOp from, SelectExpertsOp select) {
  FailureOr<Logits> logits = logitsOf(select);
  if (failed(logits))
    return failure();
  std::string name = (from.getName() + ".choose").str();
  int64_t perToken = int64_t(select.getTopK()) + int64_t(select.getShared());
  auto experts = MemRefType::get({bucket.tokens, perToken}, b.getI32Type());
  std::string to = addBuffer(name, experts);
  std::string weights =
      addBuffer(name + ".weights", f32Buffer({bucket.tokens, perToken}));
  chosen[select] = {to, weights};
  beginPhase(name);
  tasks({extent(tile::ExtentKind::Tokens, stageTile())}, [&](ValueRange at) {
    tile::ChooseExpertsOp::create(
        b, symbol(logits->buffer), at[0], b.getI64IntegerAttr(stageTile()),
        logits->experts, select.getTopKAttr(),
        b.getI64IntegerAttr(select.getShared()), logits->gateColumn,
        select.getRenormalizeAttr(), symbol(to), symbol(weights));
  });
  endPhase();
  return success();
}

FailureOr<Value> StepBuilder::route(SelectExpertsOp select) {
  FailureOr<Logits> logits = logitsOf(select);
  if (failed(logits))
    return failure();
  routingPhase = phase.getSymName().str();
  FlatSymbolRefAttr from = symbol(logits->buffer), weights;
  IntegerAttr gate = logits->gateColumn;
  UnitAttr renormalize = select.getRenormalizeAttr();
  if (auto found = chosen.find(select); found != chosen.end()) {
    from = symbol(found->second.first);
    weights = symbol(found->second.second);
    gate = {};
    renormalize = {};
  }
  return tile::RouteOp::create(b, tile::GroupsType::get(b.getContext()), from,
                               weights, logits->experts, select.getTopKAttr(),
                               b.getI64IntegerAttr(select.getShared()), gate,
                               renormalize, b.getI64IntegerAttr(bucket.tokens))
      .getGroups();
}
