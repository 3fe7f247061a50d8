// Phases that are a product with one matrix, and what each does with the sums:
// projections, heads of attention, the dense MLP, the logits.
#include "dialects/Quartet/PackedFormat.h"
#include "passes/Tile/QuartetToTile.h"

using namespace mlir;
using namespace quartet;

int64_t StepBuilder::rowTile(PackedType type, int64_t count) const {
  int64_t columns = type.getShape().back();
  PanelLayout layout(type.getPackedFormat(), columns);
  int64_t rows =
      many() ? sizes.manyRows : sizes.taskBytes / (layout.bytes / kPanelRows);
  rows = std::max(sizes.rowUnit, roundUp(rows, sizes.rowUnit));
  return std::min(rows, roundUp(count, kPanelRows));
}

LogicalResult StepBuilder::matmulTasks(
    Value x, PackedType type, int64_t count, int64_t tile, bool chosen,
    llvm::function_ref<void(Value rows, Value token, Value index)> body) {
  int64_t group = activationGroup(type);
  auto rowExtent = extent(tile::ExtentKind::Count, (count + tile - 1) / tile);
  auto tokenExtent = extent(
      chosen ? tile::ExtentKind::Rows : tile::ExtentKind::Tokens, tokenTile());
  LogicalResult result = success();
  if (!many()) {
    Value &rows = staged[{x, group}];
    if (!rows) {
      // All stagings of a phase stand in front of its tasks.
      OpBuilder::InsertionGuard guard(b);
      for (Operation &op : phase.getBody().front())
        if (isa<tile::TasksOp>(op)) {
          b.setInsertionPoint(&op);
          break;
        }
      FailureOr<Value> made = stage(x, group, Value(), chosen);
      if (failed(made))
        return failure();
      rows = *made;
    }
    // Without wanted rows there is nothing to do: a dimension of no tasks.
    if (chosen)
      tasks({extent(tile::ExtentKind::Rows, bucket.tokens), rowExtent},
            [&](ValueRange at) { body(rows, at[0], at[1]); });
    else
      tasks({rowExtent}, [&](ValueRange at) { body(rows, Value(), at[0]); });
    return success();
  }
  // Tiles of tokens inside: weights then come from memory once, and the staged
  // rows, which are fewer, from the cache.
  tasks({rowExtent, tokenExtent}, [&](ValueRange at) {
    FailureOr<Value> rows = stage(x, group, at[1], chosen);
    if (failed(rows)) {
      result = failure();
      return;
    }
    body(*rows, at[1], at[0]);
  });
  return result;
}

/// A matmul of one tile; \p body is its epilogue.
static void matmul(ImplicitLocOpBuilder &b, Value rows, ValueRange weights,
                   llvm::function_ref<void(ValueRange)> body) {
  auto op = tile::MatmulOp::create(b, rows, weights);
  Block &block = op.getEpilogue().emplaceBlock();
  for (Value weight : weights)
    block.addArgument(
        tile::AccType::get(b.getContext(),
                           cast<tile::RowsType>(rows.getType()).getTokens(),
                           cast<tile::WeightsType>(weight.getType()).getRows()),
        op.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&block);
  body(block.getArguments());
}

static Value stream(ImplicitLocOpBuilder &b, FlatSymbolRefAttr matrix,
                    PackedType type, Value index, int64_t first, int64_t count,
                    int64_t tile) {
  auto weights = tile::WeightsType::get(
      b.getContext(), tile, type.getShape().back(), type.getFormat());
  return tile::StreamOp::create(b, weights, matrix, index,
                                b.getI64IntegerAttr(first),
                                b.getI64IntegerAttr(count));
}

LogicalResult StepBuilder::headTasks(Value x, Value weight, PackedType type,
                                     int64_t firstRow, HeadRole role) {
  GatedAttentionOp attention = role.attention;
  auto q = cast<RankedTensorType>(attention.getQ().getType());
  auto k = cast<RankedTensorType>(attention.getK().getType());
  bool query = role.kind == HeadRole::Query;
  int64_t width = q.getDimSize(2);
  int64_t heads = (query ? q : k).getDimSize(1);
  int64_t tile = query && role.gated ? 2 * width : width;
  std::string to, gates;
  if (query) {
    to = addBuffer((phase.getSymName() + ".query").str(),
                   f32Buffer({bucket.tokens, heads, width}));
    places[role.rope.getY()] = {to, 0, heads * width};
    if (role.gated) {
      gates = addBuffer((phase.getSymName() + ".gate").str(),
                        f32Buffer({bucket.tokens, heads * width}));
      places[attention.getGate()] = {gates, 0, heads * width};
    }
  } else {
    Value cache = role.kind == HeadRole::Key ? attention.getKeyIn()
                                             : attention.getValueIn();
    to = symbolOf(cache).getValue().str();
  }
  FlatSymbolRefAttr norm, rope;
  FloatAttr eps;
  if (role.norm) {
    norm = symbolOf(role.norm.getWeight());
    eps = role.norm.getEpsAttr();
    rope = symbol(ropeTable);
  }
  return matmulTasks(
      x, type, heads * tile, tile, false,
      [&](Value rows, Value token, Value index) {
        Value weights = stream(b, symbolOf(weight), type, index, firstRow,
                               heads * tile, tile);
        matmul(b, rows, weights, [&](ValueRange acc) {
          tile::StoreHeadOp::create(b, acc[0], symbol(to), token, index,
                                    query ? UnitAttr() : b.getUnitAttr(), norm,
                                    eps, rope, b.getI64IntegerAttr(0),
                                    b.getI64IntegerAttr(width));
          if (!gates.empty())
            tile::StoreOp::create(
                b, acc[0], symbol(gates), token, index, b.getI64IntegerAttr(0),
                b.getI64IntegerAttr(heads * width), UnitAttr(),
                b.getI64IntegerAttr(width), b.getI64IntegerAttr(width));
        });
      });
}

LogicalResult StepBuilder::projectOne(Operation *op, Value x, Value weight,
                                      ArrayRef<int64_t> firstRows) {
  PackedType type = packedType(weight);
  // Neighbouring results without a role of their own share tasks.
  int64_t plainFirst = -1, plainEnd = -1;
  for (auto [result, first] : llvm::zip(op->getResults(), firstRows)) {
    auto columns = cast<RankedTensorType>(result.getType()).getDimSize(1);
    if (auto role = roles.find(result); role != roles.end()) {
      if (failed(headTasks(x, weight, type, first, role->second)))
        return failure();
      continue;
    }
    if (plainFirst < 0)
      plainFirst = first;
    plainEnd = first + columns;
  }
  if (plainFirst < 0)
    return success();
  int64_t count = plainEnd - plainFirst;
  std::string y =
      addBuffer(phase.getSymName(), f32Buffer({bucket.tokens, count}));
  for (auto [result, first] : llvm::zip(op->getResults(), firstRows))
    if (!roles.count(result))
      places[result] = {y, first - plainFirst,
                        cast<RankedTensorType>(result.getType()).getDimSize(1)};
  int64_t tile = rowTile(type, count);
  return matmulTasks(
      x, type, count, tile, false, [&](Value rows, Value token, Value index) {
        Value weights =
            stream(b, symbolOf(weight), type, index, plainFirst, count, tile);
        matmul(b, rows, weights, [&](ValueRange acc) {
          tile::StoreOp::create(b, acc[0], symbol(y), token, index,
                                b.getI64IntegerAttr(0),
                                b.getI64IntegerAttr(count), UnitAttr(),
                                b.getI64IntegerAttr(0), IntegerAttr());
        });
      });
}

LogicalResult StepBuilder::project(PhaseOp from) {
  for (Operation &op : from.getBody().front()) {
    LogicalResult result = success();
    if (auto linear = dyn_cast<LinearOp>(op))
      result = projectOne(&op, linear.getX(), linear.getWeight(), {0});
    else if (auto fused = dyn_cast<ProjectionsOp>(op))
      result =
          projectOne(&op, fused.getX(), fused.getWeight(), fused.getRows());
    if (failed(result))
      return failure();
  }
  return many() ? publish(from) : success();
}

LogicalResult StepBuilder::residualLinear(LinearOp op) {
  FailureOr<Place> x = placeOf(op.getResidual());
  if (failed(x))
    return failure();
  places[op.getY()] = *x;
  PackedType type = packedType(op.getWeight());
  int64_t count = type.getShape()[0], tile = rowTile(type, count);
  return matmulTasks(
      op.getX(), type, count, tile, false,
      [&](Value rows, Value token, Value index) {
        Value weights =
            stream(b, symbolOf(op.getWeight()), type, index, 0, count, tile);
        matmul(b, rows, weights, [&](ValueRange acc) {
          tile::StoreOp::create(b, acc[0], symbol(x->buffer), token, index,
                                b.getI64IntegerAttr(0),
                                b.getI64IntegerAttr(count), b.getUnitAttr(),
                                b.getI64IntegerAttr(0), IntegerAttr());
        });
      });
}

LogicalResult StepBuilder::mlpUp(MlpUpOp op) {
  PackedType type = packedType(op.getGateUp());
  int64_t intermediate =
      cast<RankedTensorType>(op.getH().getType()).getDimSize(1);
  int64_t upRow = roundUp(intermediate, kPanelRows);
  int64_t hGroup = 0;
  source.walk([&](LinearOp linear) {
    if (throughPhases(linear.getX()) == op.getH())
      hGroup = activationGroup(packedType(linear.getWeight()));
  });
  std::string buffer = addBuffer(
      (phase.getSymName() + ".h").str(),
      tile::RowsType::get(b.getContext(), bucket.tokens, intermediate, hGroup));
  places[op.getH()] = {buffer, 0, intermediate};
  int64_t unit = std::max<int64_t>(64, hGroup);
  int64_t tile = std::min(roundUp(rowTile(type, intermediate), unit),
                          roundUp(intermediate, unit));
  return matmulTasks(op.getX(), type, intermediate, tile, false,
                     [&](Value rows, Value token, Value index) {
                       Value gate = stream(b, symbolOf(op.getGateUp()), type,
                                           index, 0, intermediate, tile);
                       Value up = stream(b, symbolOf(op.getGateUp()), type,
                                         index, upRow, intermediate, tile);
                       matmul(b, rows, {gate, up}, [&](ValueRange acc) {
                         tile::SiluMulOp::create(b, acc[0], acc[1],
                                                 symbol(buffer), token, index);
                       });
                     });
}

LogicalResult StepBuilder::writeHidden() {
  auto end = cast<ReturnOp>(source.getBody().front().getTerminator());
  if (!end.getHidden())
    return success();
  auto norm = throughPhases(end.getHidden()).getDefiningOp<RmsNormOp>();
  if (!norm)
    return end.emitError() << "returns hidden states that no norm makes";
  FailureOr<Place> x = placeOf(norm.getX());
  if (failed(x))
    return failure();
  int64_t tile = std::min<int64_t>(bucket.tokens, 16);
  tasks({extent(tile::ExtentKind::Tokens, tile)}, [&](ValueRange at) {
    tile::WriteHiddenOp::create(b, symbol(x->buffer), at[0],
                                b.getI64IntegerAttr(tile),
                                symbolOf(norm.getWeight()), norm.getEpsAttr());
  });
  return success();
}

LogicalResult StepBuilder::head(LmHeadOp op) {
  PackedType type = packedType(op.getWeight());
  int64_t count = type.getShape()[0];
  SampleOp sampling;
  source.walk([&](SampleOp found) { sampling = found; });
  maximaTile = std::min<int64_t>(256, roundUp(count, kPanelRows));
  maxima = addBuffer(
      (phase.getSymName() + ".maxima").str(),
      f32Buffer({bucket.tokens, (count + maximaTile - 1) / maximaTile}));
  if (failed(writeHidden()))
    return failure();
  return matmulTasks(op.getX(), type, count, maximaTile, true,
                     [&](Value rows, Value token, Value index) {
                       Value weights = stream(b, symbolOf(op.getWeight()), type,
                                              index, 0, count, maximaTile);
                       matmul(b, rows, weights, [&](ValueRange acc) {
                         tile::StoreLogitsOp::create(
                             b, acc[0], symbol(maxima), token, index,
                             b.getI64IntegerAttr(count),
                             sampling.getTokenLimitAttr());
                       });
                     });
}
