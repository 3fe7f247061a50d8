// Phases that are no plain product: which tasks, which micro-kernels.
// StepMatmuls.cpp has the others.
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileSizes.h"
#include "passes/Tile/QuartetToTile.h"

using namespace mlir;
using namespace quartet;

LogicalResult StepBuilder::embed(EmbedOp op) {
  int64_t hidden = cast<RankedTensorType>(op.getType()).getDimSize(1);
  std::string x = addBuffer("x", f32Buffer({bucket.tokens, hidden}));
  places[op.getY()] = {x, 0, hidden};
  int64_t tile = std::min<int64_t>(bucket.tokens, 16);
  RopeOp rope;
  source.walk([&](RopeOp found) {
    if (!rope)
      rope = found;
  });
  if (rope)
    ropeTable = addBuffer(
        "rope",
        f32Buffer({bucket.tokens, 2 * int64_t(rope.getInvFreq().size())}));
  std::string hiddenIn;
  if (source.getMtp()) {
    hiddenIn = addBuffer("hidden", f32Buffer({bucket.tokens, hidden}));
    places[source.getBody().getArgument(kHiddenIn)] = {hiddenIn, 0, hidden};
  }
  tasks({extent(tile::ExtentKind::Tokens, tile)}, [&](ValueRange at) {
    tile::EmbedOp::create(b, symbolOf(op.getTable()), symbol(x), at[0],
                          b.getI64IntegerAttr(tile));
    if (rope)
      tile::RopeTableOp::create(
          b, symbol(ropeTable), at[0], b.getI64IntegerAttr(tile),
          rope.getInvFreqAttr(), rope.getAxesAttr(), rope.getScaleAttr());
    if (!hiddenIn.empty())
      tile::ReadHiddenOp::create(b, symbol(hiddenIn), at[0],
                                 b.getI64IntegerAttr(tile));
  });
  return success();
}

LogicalResult StepBuilder::attend(GatedAttentionOp op) {
  auto q = cast<RankedTensorType>(op.getQ().getType());
  int64_t heads = q.getDimSize(1), width = q.getDimSize(2);
  int64_t kvHeads = cast<RankedTensorType>(op.getK().getType()).getDimSize(1);
  FailureOr<Place> place = placeOf(throughPhases(op.getQ()));
  if (failed(place))
    return failure();
  int64_t record = roundUp(width + 2, 16);
  int64_t pages = many() ? int64_t(tile::kAllPages) : sizes.rangePages;
  std::string partials =
      addBuffer((phase.getSymName() + ".partials").str(),
                f32Buffer({bucket.tokens, heads,
                           many() ? 1 : ShapedType::kDynamic, record}),
                many() ? 0 : pages);
  places[op.getOut()] = {partials, 0, heads * width};
  int64_t tile =
      many() ? std::min(bucket.tokens, sizes.attendTokens) : bucket.tokens;
  tasks({extent(tile::ExtentKind::Tokens, tile),
         extent(tile::ExtentKind::Count, kvHeads),
         extent(tile::ExtentKind::Ranges, pages)},
        [&](ValueRange at) {
          tile::AttendOp::create(b, at[0], b.getI64IntegerAttr(tile), at[1],
                                 at[2], b.getI64IntegerAttr(pages),
                                 symbol(place->buffer), symbolOf(op.getKeyIn()),
                                 symbolOf(op.getValueIn()), symbol(partials),
                                 b.getI64IntegerAttr(heads),
                                 b.getI64IntegerAttr(kvHeads),
                                 b.getI64IntegerAttr(width), op.getScaleAttr());
        });
  return success();
}

LogicalResult StepBuilder::expertUp(SelectExpertsOp select, ExpertUpOp op) {
  if (!select)
    return op.emitError() << "needs the choice of experts in the same phase";
  PackedType type = packedType(op.getGateUp());
  auto h = cast<RankedTensorType>(op.getH().getType());
  int64_t perToken = h.getDimSize(1), intermediate = h.getDimSize(2);
  // What reads h decides how it is stored.
  int64_t hGroup = 0;
  source.walk([&](ExpertDownOp down) {
    if (throughPhases(down.getH()) == op.getH())
      hGroup = activationGroup(packedType(down.getDown()));
  });
  std::string buffer =
      addBuffer((phase.getSymName() + ".h").str(),
                tile::RowsType::get(b.getContext(), bucket.tokens * perToken,
                                    intermediate, hGroup));
  places[op.getH()] = {buffer, 0, intermediate};
  FailureOr<Value> groups = route(select);
  if (failed(groups))
    return failure();
  int64_t unit = std::max<int64_t>(64, hGroup);
  int64_t tile =
      many() ? std::min<int64_t>(sizes.manyRows, roundUp(intermediate, unit))
             : unit;
  Value rows;
  FlatSymbolRefAttr source;
  if (many()) {
    source = symbol(published.lookup(throughPhases(op.getX())));
  } else {
    FailureOr<Value> made = stage(op.getX(), activationGroup(type), Value());
    if (failed(made))
      return failure();
    rows = *made;
  }
  tasks(
      {extent(tile::ExtentKind::Experts, 1),
       extent(tile::ExtentKind::Count, (intermediate + tile - 1) / tile)},
      [&](ValueRange at) {
        tile::ExpertUpOp::create(
            b, *groups, at[0], at[1], b.getI64IntegerAttr(tile),
            symbolOf(op.getGateUp()), rows, source, symbol(buffer),
            b.getI64IntegerAttr(intermediate));
      },
      *groups);
  return success();
}

LogicalResult StepBuilder::expertDown(ExpertDownOp op) {
  FailureOr<Place> h = placeOf(op.getH());
  if (!op.getResidual())
    return op.emitError() << "needs a residual to add to";
  FailureOr<Place> x = placeOf(op.getResidual());
  if (failed(h) || failed(x))
    return failure();
  places[op.getY()] = *x;
  PackedType type = packedType(op.getDown());
  int64_t count = type.getShape()[1];
  int64_t tile = std::min(many() ? sizes.manyDownRows : sizes.fewDownRows,
                          roundUp(count, kPanelRows));
  auto recall = [&]() -> Value {
    return tile::RecallOp::create(b, tile::GroupsType::get(b.getContext()),
                                  b.getStringAttr(routingPhase));
  };
  Value groups = recall();
  if (many() && sizes.downByExpert) {
    int64_t perToken =
        cast<RankedTensorType>(op.getH().getType()).getDimSize(1);
    std::string name = phase.getSymName().str();
    std::string pairs = addBuffer(name + ".pairs",
                                  f32Buffer({bucket.tokens * perToken, count}));
    tasks(
        {extent(tile::ExtentKind::Experts, 1),
         extent(tile::ExtentKind::Count, (count + tile - 1) / tile)},
        [&](ValueRange at) {
          tile::ExpertPairsOp::create(
              b, groups, at[0], at[1], b.getI64IntegerAttr(tile),
              symbolOf(op.getDown()), symbol(h->buffer), symbol(pairs));
        },
        groups);
    endPhase();
    beginPhase(name + ".sum");
    groups = recall();
    tasks({extent(tile::ExtentKind::Tokens, stageTile())}, [&](ValueRange at) {
      tile::ExpertSumOp::create(b, groups, at[0],
                                b.getI64IntegerAttr(stageTile()), symbol(pairs),
                                symbol(x->buffer));
    });
    return success();
  }
  tasks({extent(tile::ExtentKind::Count, (count + tile - 1) / tile)},
        [&](ValueRange at) {
          tile::ExpertDownOp::create(
              b, groups, at[0], b.getI64IntegerAttr(tile),
              symbolOf(op.getDown()), symbol(h->buffer), symbol(x->buffer));
        });
  return success();
}

LogicalResult StepBuilder::sample(SampleOp op) {
  int64_t vocabulary =
      cast<RankedTensorType>(op.getLogits().getType()).getDimSize(1);
  tasks({extent(tile::ExtentKind::Rows, 1)}, [&](ValueRange at) {
    tile::SampleOp::create(b, at[0], symbol(maxima),
                           b.getI64IntegerAttr(maximaTile),
                           b.getI64IntegerAttr(vocabulary),
                           op.getTokenLimitAttr(), op.getCandidatesAttr());
  });
  return success();
}
