// The delta rule: a task for each sequence and key head, and, where several
// workers share one, a phase in front for what needs no state.
#include "dialects/Tile/PreparedRow.h"
#include "passes/Tile/QuartetToTile.h"

using namespace mlir;
using namespace quartet;

/// Tokens of a task that prepares chunks at least.
static constexpr int64_t kLeastPrepared = 4;

FailureOr<StepBuilder::Delta> StepBuilder::deltaOf(CausalConvOp conv,
                                                   GatedDeltaOp op) {
  if (!conv)
    return op.emitError() << "needs its convolution in the same phase";
  FailureOr<Place> input = placeOf(conv.getX());
  FailureOr<Place> a = placeOf(op.getA()), beta = placeOf(op.getB());
  if (failed(input) || failed(a) || failed(beta))
    return failure();
  if (a->buffer != beta->buffer)
    return op.emitError() << "needs a and b in one buffer";
  auto key = cast<RankedTensorType>(op.getK().getType());
  auto value = cast<RankedTensorType>(op.getV().getType());
  return Delta{*input,
               *a,
               *beta,
               key.getDimSize(1),
               key.getDimSize(2),
               value.getDimSize(1),
               value.getDimSize(2)};
}

LogicalResult StepBuilder::prepareAhead(PhaseOp from, CausalConvOp conv,
                                        GatedDeltaOp op) {
  FailureOr<Delta> delta = deltaOf(conv, op);
  if (failed(delta))
    return failure();
  std::string name = (from.getName() + ".prepare").str();
  tile::PreparedRow row(delta->keyDim, delta->valueHeads / delta->keyHeads);
  std::string to = addBuffer(
      name, f32Buffer({bucket.tokens, delta->keyHeads * (row.bytes() / 4)}));
  prepared[op] = to;
  beginPhase(name);
  int64_t tile = tile::kDeltaChunk;
  auto tasksOf = [&](int64_t tokens) {
    return (bucket.tokens + tokens - 1) / tokens * delta->keyHeads;
  };
  while (tile > kLeastPrepared && tasksOf(tile / 2) <= sizes.prepareTasks)
    tile /= 2;
  tasks({extent(tile::ExtentKind::Tokens, tile),
         extent(tile::ExtentKind::Count, delta->keyHeads)},
        [&](ValueRange at) {
          tile::DeltaPrepareOp::create(
              b, at[0], b.getI64IntegerAttr(tile), at[1],
              symbol(delta->input.buffer),
              b.getI64IntegerAttr(delta->input.column), symbol(delta->a.buffer),
              b.getI64IntegerAttr(delta->a.column),
              b.getI64IntegerAttr(delta->b.column), symbolOf(conv.getWeight()),
              symbolOf(op.getALog()), symbolOf(op.getDtBias()),
              symbolOf(conv.getStateIn()), symbol(to),
              b.getI64IntegerAttr(delta->keyHeads),
              b.getI64IntegerAttr(delta->valueHeads),
              b.getI64IntegerAttr(delta->keyDim),
              b.getI64IntegerAttr(delta->valueDim), op.getQkEpsAttr());
        });
  endPhase();
  return success();
}

LogicalResult StepBuilder::delta(CausalConvOp conv, GatedDeltaOp op) {
  FailureOr<Delta> delta = deltaOf(conv, op);
  if (failed(delta))
    return failure();
  std::string out = addBuffer((phase.getSymName() + ".out").str(),
                              f32Buffer({bucket.tokens, delta->columns()}));
  places[op.getOut()] = {out, 0, delta->columns()};
  FlatSymbolRefAttr rows;
  if (auto found = prepared.find(op); found != prepared.end())
    rows = symbol(found->second);
  tasks({extent(tile::ExtentKind::Sequences, 1),
         extent(tile::ExtentKind::Count, delta->keyHeads)},
        [&](ValueRange at) {
          tile::DeltaScanOp::create(
              b, at[0], at[1], symbol(delta->input.buffer),
              b.getI64IntegerAttr(delta->input.column), symbol(delta->a.buffer),
              b.getI64IntegerAttr(delta->a.column),
              b.getI64IntegerAttr(delta->b.column), symbolOf(conv.getWeight()),
              symbolOf(op.getALog()), symbolOf(op.getDtBias()),
              symbolOf(conv.getStateIn()), symbolOf(op.getStateIn()),
              symbol(out), b.getI64IntegerAttr(delta->keyHeads),
              b.getI64IntegerAttr(delta->valueHeads),
              b.getI64IntegerAttr(delta->keyDim),
              b.getI64IntegerAttr(delta->valueDim), op.getQkEpsAttr(),
              many() ? b.getUnitAttr() : UnitAttr(), rows);
        });
  return success();
}
