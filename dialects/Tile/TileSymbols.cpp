// Checks of symbols: what an op names exists, is of the right kind, and has the
// columns, groups and shapes that the op works on.
#include "dialects/Quartet/KvPage.h"
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/PreparedRow.h"
#include "dialects/Tile/TileSizes.h"

using namespace mlir;
using namespace quartet::tile;

Operation *quartet::tile::lookUp(Operation *from, StringRef name) {
  StepOp step = from->getParentOfType<StepOp>();
  if (!step)
    return nullptr;
  // Phases have names too, but no one refers to them.
  for (Operation &op : step.getBody().front())
    if (isa<BufferOp, EventOp>(op) && SymbolTable::getSymbolName(&op) == name)
      return &op;
  return SymbolTable::lookupSymbolIn(step->getParentOp(), name);
}

/// The declaration that \p op names; an error and null when it is no \p Decl.
template <typename Decl> static Decl find(Operation *op, StringRef name) {
  Operation *found = lookUp(op, name);
  if (auto declaration = dyn_cast_or_null<Decl>(found))
    return declaration;
  auto error = op->emitOpError() << "names @" << name << ", which is ";
  if (found)
    error << "a " << found->getName().getStringRef() << ", not a "
          << Decl::getOperationName();
  else
    error << "no " << Decl::getOperationName() << " of the step or program";
  return nullptr;
}

/// A buffer of f32 with at least \p columns columns.
static BufferOp findFloats(Operation *op, StringRef name, int64_t columns) {
  auto buffer = find<BufferOp>(op, name);
  if (!buffer)
    return nullptr;
  auto type = dyn_cast<MemRefType>(buffer.getType());
  if (!type || !type.getElementType().isF32()) {
    op->emitOpError() << "needs f32 in @" << name << ", not "
                      << buffer.getType();
    return nullptr;
  }
  if (columnsOf(buffer) < columns) {
    op->emitOpError() << "needs columns up to " << columns << " of @" << name
                      << ", which has " << columnsOf(buffer);
    return nullptr;
  }
  return buffer;
}

/// A buffer of staged rows with exactly \p columns columns (< 0: any).
static BufferOp findRows(Operation *op, StringRef name, int64_t columns) {
  auto buffer = find<BufferOp>(op, name);
  if (!buffer)
    return nullptr;
  auto type = dyn_cast<RowsType>(buffer.getType());
  if (!type || (columns >= 0 && type.getColumns() != columns)) {
    auto error = op->emitOpError() << "needs !tile.rows";
    if (columns >= 0)
      error << " of " << columns << " columns";
    error << " in @" << name << ", not " << buffer.getType();
    return nullptr;
  }
  return buffer;
}

/// A vector of the shape (-1: any size).
static VectorOp findVector(Operation *op, StringRef name,
                           ArrayRef<int64_t> shape) {
  auto vector = find<VectorOp>(op, name);
  if (!vector)
    return nullptr;
  auto type = cast<RankedTensorType>(vector.getType());
  bool fits = type.getRank() == int64_t(shape.size());
  for (size_t i = 0; fits && i < shape.size(); ++i)
    fits = shape[i] < 0 || shape[i] == type.getDimSize(i);
  if (fits)
    return vector;
  auto error = op->emitOpError() << "needs [";
  llvm::interleaveComma(shape, error, [&](int64_t size) {
    size < 0 ? error << "any" : error << size;
  });
  error << "] in @" << name << ", not " << type;
  return nullptr;
}

/// A state of slots or pages whose dimensions from the second on are \p shape
/// (-1: any size).
static StateOp findState(Operation *op, StringRef name, StateDim dim,
                         ArrayRef<int64_t> shape) {
  auto state = find<StateOp>(op, name);
  if (!state)
    return nullptr;
  auto type = cast<RankedTensorType>(state.getType());
  bool fits =
      state.getDim() == dim && type.getRank() == int64_t(shape.size()) + 1;
  for (size_t i = 0; fits && i < shape.size(); ++i)
    fits = shape[i] < 0 || shape[i] == type.getDimSize(i + 1);
  if (fits)
    return state;
  auto error = op->emitOpError()
               << "needs " << stringifyStateDim(dim) << " of [";
  llvm::interleaveComma(shape, error, [&](int64_t size) {
    size < 0 ? error << "any" : error << size;
  });
  error << "] in @" << name << ", not " << stringifyStateDim(state.getDim())
        << " of " << type;
  return nullptr;
}

/// A state of pages of \p heads KV heads (-1: any number) of \p width columns.
static StateOp findCache(Operation *op, StringRef name, int64_t heads,
                         int64_t width) {
  auto state = find<StateOp>(op, name);
  if (!state)
    return nullptr;
  auto type = cast<RankedTensorType>(state.getType());
  int64_t rows = quartet::pageRows(type.getElementType().isInteger(8), width);
  return findState(op, name, StateDim::Pages, {heads, rows, width});
}

/// The group that activations have when they meet \p matrix.
static int64_t groupOf(MatrixOp matrix) {
  StringRef text = matrix.getFormat();
  auto format =
      quartet::PackedFormat::parse(std::string_view(text.data(), text.size()));
  return format ? format->activationGroup() : 0;
}

/// Rows of \p type meet \p matrix: columns and group.
static LogicalResult checkMeet(Operation *op, RowsType type, MatrixOp matrix) {
  if (type.getColumns() == int64_t(matrix.getColumns()) &&
      type.getGroup() == groupOf(matrix))
    return success();
  return op->emitOpError() << "multiplies " << type << " by @"
                           << matrix.getSymName() << ", which needs "
                           << matrix.getColumns() << " columns of group "
                           << groupOf(matrix);
}

LogicalResult WaitOp::verifySymbolUses(SymbolTableCollection &) {
  return success(bool(find<EventOp>(*this, getEvent()))); // C1
}

LogicalResult SignalOp::verifySymbolUses(SymbolTableCollection &) {
  return success(bool(find<EventOp>(*this, getEvent()))); // C1
}

LogicalResult PrefetchOp::verifySymbolUses(SymbolTableCollection &) {
  // C1
  if (!find<MatrixOp>(*this, getMatrix()))
    return failure();
  // C2
  if (int64_t(getBytes()) < 1)
    return emitOpError() << "reads " << int64_t(getBytes())
                         << " bytes ahead; at least 1";
  return success();
}

LogicalResult EmbedOp::verifySymbolUses(SymbolTableCollection &) {
  // C1
  auto table = findVector(*this, getTable(), {-1, -1});
  if (!table)
    return failure();
  int64_t columns = cast<RankedTensorType>(table.getType()).getDimSize(1);
  // C2
  auto x = findFloats(*this, getX(), columns);
  if (!x)
    return failure();
  if (columnsOf(x) != columns)
    return emitOpError() << "writes rows of " << columns << " columns to @"
                         << getX() << ", which has " << columnsOf(x);
  return success();
}

LogicalResult RopeTableOp::verifySymbolUses(SymbolTableCollection &) {
  // C2
  return success(bool(findFloats(*this, getTable(), 2 * getInvFreq().size())));
}

LogicalResult ReadHiddenOp::verifySymbolUses(SymbolTableCollection &) {
  // C1
  if (!findFloats(*this, getX(), 1))
    return failure();
  // C2
  if (!(*this)->getParentOfType<StepOp>().getMtp())
    return emitOpError() << "stands in a step without hidden states; expected "
                            "one of 'mtp'";
  return success();
}

LogicalResult WriteHiddenOp::verifySymbolUses(SymbolTableCollection &) {
  // C1
  auto x = findFloats(*this, getX(), 1);
  // C2
  return success(x && findVector(*this, getWeight(), {columnsOf(x)}));
}

/// C3 of tile.stage.
static LogicalResult checkSource(StageOp op) {
  auto source = find<BufferOp>(op, op.getSource());
  if (!source)
    return failure();
  int64_t columns = op.getRows().getType().getColumns();
  auto type = dyn_cast<MemRefType>(source.getType());
  if (op.getStaging() == Staging::Merge) {
    if (type && type.getRank() == 4 && type.getElementType().isF32() &&
        columns % type.getDimSize(1) == 0 &&
        columns / type.getDimSize(1) + 2 <= type.getDimSize(3))
      return success();
    return op.emitOpError()
           << "merges @" << op.getSource() << ", a " << source.getType()
           << ", to rows of " << columns
           << " columns; partials are [tokens, heads, ranges, D + 2 or more]";
  }
  if (type && !type.getElementType().isF32())
    return op.emitOpError()
           << "needs f32 in @" << op.getSource() << ", not " << type;
  if (columnsOf(source) == columns)
    return success();
  return op.emitOpError() << "stages rows of " << columns << " columns from @"
                          << op.getSource() << ", which has "
                          << columnsOf(source);
}

LogicalResult StageOp::verifySymbolUses(SymbolTableCollection &) {
  RowsType rows = getRows().getType();
  int64_t columns = rows.getColumns();
  if (failed(checkSource(*this)))
    return failure();
  // C4
  if (getWeight()) {
    auto weight = findVector(*this, *getWeight(), {-1});
    if (!weight)
      return failure();
    int64_t length = cast<RankedTensorType>(weight.getType()).getDimSize(0);
    bool gated = getStaging() == Staging::GatedNorm;
    if (gated ? length == 0 || columns % length : length != columns)
      return emitOpError() << "norms " << columns << " columns by @"
                           << *getWeight() << ", which has " << length;
  }
  // C5
  if (int64_t(getGateColumn()) < 0)
    return emitOpError() << "has its gate in column "
                         << int64_t(getGateColumn());
  if (getGate() && !findFloats(*this, *getGate(), getGateColumn() + columns))
    return failure();
  // C6
  if (getPublish()) {
    auto shared = findRows(*this, *getPublish(), columns);
    if (!shared)
      return failure();
    int64_t group = cast<RowsType>(shared.getType()).getGroup();
    if (group != rows.getGroup())
      return emitOpError() << "publishes rows of group " << rows.getGroup()
                           << " to @" << *getPublish() << ", of group "
                           << group;
  }
  // C7
  auto step = (*this)->getParentOfType<StepOp>();
  if (!getToken() && rows.getTokens() < int64_t(step.getTokens()))
    return emitOpError() << "has no tile, but only " << rows.getTokens()
                         << " rows for " << step.getTokens() << " tokens";
  return success();
}

LogicalResult StreamOp::verifySymbolUses(SymbolTableCollection &) {
  // C1
  auto matrix = find<MatrixOp>(*this, getMatrix());
  if (!matrix)
    return failure();
  WeightsType type = getWeights().getType();
  if (type.getColumns() != int64_t(matrix.getColumns()) ||
      type.getFormat() != matrix.getFormat())
    return emitOpError() << "gives " << type << ", but @" << getMatrix()
                         << " has " << matrix.getColumns() << " columns of \""
                         << matrix.getFormat() << "\"";
  if (getFirst() + getCount() > matrix.getRows())
    return emitOpError() << "reads rows " << getFirst() << " to "
                         << getFirst() + getCount() << " of @" << getMatrix()
                         << ", which has " << matrix.getRows();
  if (matrix.getExperts() != 1)
    return emitOpError() << "reads @" << getMatrix()
                         << ", which has experts: those are read by "
                            "tile.expert_up and tile.expert_down";
  return success();
}

LogicalResult StoreOp::verifySymbolUses(SymbolTableCollection &) {
  // C1
  if (int64_t(getColumn()) < 0 || int64_t(getColumns()) < 1)
    return emitOpError() << "writes " << int64_t(getColumns())
                         << " columns from " << int64_t(getColumn());
  // C2
  int64_t rows = getAcc().getType().getRows();
  int64_t width = getWidth().value_or(rows);
  if (int64_t(getFrom()) < 0 || width < 1 || int64_t(getFrom()) + width > rows)
    return emitOpError() << "takes " << width << " columns from "
                         << int64_t(getFrom()) << " of " << getAcc().getType();
  return success(
      bool(findFloats(*this, getBuffer(), getColumn() + getColumns())));
}

LogicalResult StoreHeadOp::verifySymbolUses(SymbolTableCollection &) {
  int64_t head = getWidth();
  // C4
  if (int64_t(getFrom()) < 0 || head < 1 ||
      int64_t(getFrom()) + head > getAcc().getType().getRows())
    return emitOpError() << "takes " << head << " columns from "
                         << int64_t(getFrom()) << " of " << getAcc().getType();
  // C1
  if (getCache()) {
    if (!findCache(*this, getTarget(), -1, head))
      return failure();
  } else {
    auto target = findFloats(*this, getTarget(), head);
    if (!target)
      return failure();
    if (columnsOf(target) % head)
      return emitOpError() << "writes heads of " << head << " columns to @"
                           << getTarget() << ", which has "
                           << columnsOf(target);
  }
  // C2
  if (getNorm().has_value() != getEps().has_value())
    return emitOpError() << "needs an eps if and only if there is a norm";
  if (getNorm() && !findVector(*this, *getNorm(), {head}))
    return failure();
  // C3
  if (!getRope())
    return success();
  auto rope = findFloats(*this, *getRope(), 2);
  if (!rope)
    return failure();
  if (columnsOf(rope) % 2 || columnsOf(rope) > head)
    return emitOpError() << "rotates heads of " << head << " columns by @"
                         << *getRope() << ", which has " << columnsOf(rope);
  return success();
}

/// A column for each tile of \p tile rows of \p vocabulary.
static LogicalResult checkMaxima(Operation *op, StringRef name,
                                 int64_t vocabulary, int64_t tile) {
  if (vocabulary < 1 || tile < 1)
    return op->emitOpError()
           << "has " << vocabulary << " tokens in tiles of " << tile;
  return success(bool(findFloats(op, name, (vocabulary + tile - 1) / tile)));
}

LogicalResult StoreLogitsOp::verifySymbolUses(SymbolTableCollection &) {
  return checkMaxima(*this, getMaxima(), getVocabulary(),
                     getAcc().getType().getRows()); // C1
}

LogicalResult SampleOp::verifySymbolUses(SymbolTableCollection &) {
  return checkMaxima(*this, getMaxima(), getVocabulary(), getTile()); // C1
}

/// A tile of \p tile results becomes rows of \p buffer group by group.
static LogicalResult checkGroup(Operation *op, int64_t tile, BufferOp buffer) {
  int64_t group = cast<RowsType>(buffer.getType()).getGroup();
  if (group == 0 || tile % group == 0)
    return success();
  return op->emitOpError() << "has tiles of " << tile
                           << ", which are no whole groups of " << group
                           << " of @" << buffer.getSymName();
}

LogicalResult SiluMulOp::verifySymbolUses(SymbolTableCollection &) {
  // C2
  auto buffer = findRows(*this, getBuffer(), -1);
  return buffer ? checkGroup(*this, getGate().getType().getRows(), buffer)
                : failure();
}

/// C2 to C4 of tile.delta_prepare and tile.delta_scan: what both read.
template <typename Op> static LogicalResult checkDelta(Op op) {
  int64_t hk = op.getKeyHeads(), hv = op.getValueHeads();
  int64_t channels = 2 * hk * op.getKeyDim() + hv * op.getValueDim();
  // C2
  int64_t controls = std::max(op.getAColumn(), op.getBColumn()) + hv;
  if (!findFloats(op, op.getInput(), op.getInputColumn() + channels) ||
      !findFloats(op, op.getControls(), controls))
    return failure();
  // C3
  auto taps = findVector(op, op.getTaps(), {channels, -1});
  if (!taps || !findVector(op, op.getALog(), {hv}) ||
      !findVector(op, op.getDtBias(), {hv}))
    return failure();
  // C4
  int64_t window = cast<RankedTensorType>(taps.getType()).getDimSize(1) - 1;
  return success(
      bool(findState(op, op.getWindow(), StateDim::Slots, {window, channels})));
}

/// C5 of tile.delta_prepare and tile.delta_scan.
template <typename Op>
static LogicalResult checkPrepared(Op op, StringRef name) {
  PreparedRow row(op.getKeyDim(), op.getValueHeads() / op.getKeyHeads());
  int64_t columns = int64_t(op.getKeyHeads()) * (row.bytes() / 4);
  auto prepared = findFloats(op, name, columns);
  if (!prepared)
    return failure();
  if (columnsOf(prepared) != columns)
    return op.emitOpError() << "has " << columns << " prepared columns, but @"
                            << name << " has " << columnsOf(prepared);
  return success();
}

LogicalResult DeltaPrepareOp::verifySymbolUses(SymbolTableCollection &) {
  if (failed(checkDelta(*this)))
    return failure();
  return checkPrepared(*this, getPrepared());
}

LogicalResult DeltaScanOp::verifySymbolUses(SymbolTableCollection &) {
  int64_t hv = getValueHeads();
  if (failed(checkDelta(*this)))
    return failure();
  // C2
  auto out = findFloats(*this, getOut(), hv * getValueDim());
  if (!out)
    return failure();
  if (columnsOf(out) != int64_t(hv * getValueDim()))
    return emitOpError() << "writes " << hv * getValueDim() << " columns to @"
                         << getOut() << ", which has " << columnsOf(out);
  // C4
  auto state = findState(*this, getState(), StateDim::Slots,
                         {hv, int64_t(getValueDim()), int64_t(getKeyDim())});
  if (!state)
    return failure();
  if (!cast<RankedTensorType>(state.getType()).getElementType().isF32())
    return emitOpError() << "needs f32 in @" << getState() << ", not "
                         << state.getType();
  // C5
  return getPrepared() ? checkPrepared(*this, *getPrepared()) : success();
}

LogicalResult AttendOp::verifySymbolUses(SymbolTableCollection &) {
  int64_t heads = getQueryHeads(), dim = getHeadDim();
  // C2
  if (!findFloats(*this, getQuery(), heads * dim))
    return failure();
  // C3
  StateOp key = findCache(*this, getKey(), getKvHeads(), dim);
  StateOp value = key ? findCache(*this, getValue(), getKvHeads(), dim) : key;
  if (!key || !value)
    return failure();
  if (key.getType() != value.getType())
    return emitOpError() << "needs one type in @" << getKey() << " and @"
                         << getValue() << ", not " << key.getType() << " and "
                         << value.getType();
  // C4
  auto partials = findFloats(*this, getPartials(), 1);
  if (!partials)
    return failure();
  auto type = cast<MemRefType>(partials.getType());
  if (type.getRank() != 4 || type.getDimSize(1) != heads ||
      type.getDimSize(3) < dim + 2 ||
      (getPages() < kAllPages
           ? partials.getPiecePages().value_or(0) != getPages()
           : type.getDimSize(2) != 1))
    return emitOpError() << "writes partials of " << heads << " heads and "
                         << dim << " + 2 columns in pieces of " << getPages()
                         << " pages to @" << getPartials() << ", a " << type
                         << " in pieces of "
                         << partials.getPiecePages().value_or(0);
  return success();
}

/// The router's logits \p name, with the columns that \p op reads.
template <typename Op> static LogicalResult checkLogits(Op op, StringRef name) {
  int64_t columns = op.getExperts();
  if (op.getShared() > 0)
    columns = std::max(
        columns, int64_t(op.getGateColumn().value_or(op.getExperts())) + 1);
  return success(bool(findFloats(op, name, columns)));
}

/// What tile.choose_experts writes and tile.route reads.
template <typename Op>
static LogicalResult checkChosen(Op op, StringRef chosen, StringRef weights) {
  int64_t columns = int64_t(op.getTopK() + op.getShared());
  auto buffer = find<BufferOp>(op, chosen);
  if (!buffer)
    return failure();
  auto type = dyn_cast<MemRefType>(buffer.getType());
  if (!type || !type.getElementType().isInteger(32))
    return op.emitOpError()
           << "needs i32 in @" << chosen << ", not " << buffer.getType();
  auto floats = findFloats(op, weights, columns);
  if (!floats)
    return failure();
  for (BufferOp each : {buffer, floats})
    if (columnsOf(each) != columns)
      return op.emitOpError()
             << "has " << columns << " experts for a token, but @"
             << each.getSymName() << " has " << columnsOf(each) << " columns";
  return success();
}

LogicalResult ChooseExpertsOp::verifySymbolUses(SymbolTableCollection &) {
  // C2
  if (failed(checkLogits(*this, getLogits())))
    return failure();
  // C3
  return checkChosen(*this, getChosen(), getWeights());
}

LogicalResult RouteOp::verifySymbolUses(SymbolTableCollection &) {
  // C2
  if (failed(getWeights() ? checkChosen(*this, getSource(), *getWeights())
                          : checkLogits(*this, getSource())))
    return failure();
  // C3
  auto step = (*this)->getParentOfType<StepOp>();
  if (getTokens() != step.getTokens())
    return emitOpError() << "routes " << getTokens() << " tokens of a step of "
                         << step.getTokens();
  return success();
}

/// Tiles of a matrix of experts are whole panels.
static LogicalResult checkPanels(Operation *op, int64_t tile) {
  if (tile >= 1 && tile % quartet::kPanelRows == 0)
    return success();
  return op->emitOpError() << "has tiles of " << tile << " rows; a multiple of "
                           << quartet::kPanelRows << " is needed";
}

LogicalResult ExpertUpOp::verifySymbolUses(SymbolTableCollection &) {
  // C2
  auto matrix = find<MatrixOp>(*this, getMatrix());
  if (!matrix)
    return failure();
  RowsType rows;
  if (getRows()) {
    rows = getRows().getType();
  } else {
    auto source = findRows(*this, *getSource(), matrix.getColumns());
    if (!source)
      return failure();
    rows = cast<RowsType>(source.getType());
  }
  if (failed(checkMeet(*this, rows, matrix)))
    return failure();
  int64_t panel = quartet::kPanelRows;
  int64_t up = quartet::panelCount(getIntermediate()) * panel;
  if (quartet::panelCount(matrix.getRows()) * panel != 2 * up ||
      matrix.getRows() < up + getIntermediate())
    return emitOpError() << "reads gate from row 0 and up from row " << up
                         << ", " << getIntermediate() << " rows each, but @"
                         << getMatrix() << " has " << matrix.getRows();
  // C3
  auto h = findRows(*this, getH(), getIntermediate());
  if (!h)
    return failure();
  // C4
  if (failed(checkPanels(*this, getTile())))
    return failure();
  return checkGroup(*this, getTile(), h);
}

/// C1 of tile.expert_down and tile.expert_pairs. \returns the matrix.
template <typename Op> static FailureOr<MatrixOp> findDown(Op op) {
  auto matrix = find<MatrixOp>(op, op.getMatrix());
  if (!matrix)
    return failure();
  auto h = findRows(op, op.getH(), matrix.getColumns());
  if (!h || failed(checkMeet(op, cast<RowsType>(h.getType()), matrix)) ||
      failed(checkPanels(op, op.getTile())))
    return failure();
  return matrix;
}

LogicalResult ExpertDownOp::verifySymbolUses(SymbolTableCollection &) {
  FailureOr<MatrixOp> matrix = findDown(*this);
  if (failed(matrix))
    return failure();
  // C2
  auto x = findFloats(*this, getX(), matrix->getRows());
  if (!x)
    return failure();
  if (columnsOf(x) != int64_t(matrix->getRows()))
    return emitOpError() << "adds " << matrix->getRows() << " columns to @"
                         << getX() << ", which has " << columnsOf(x);
  return success();
}

LogicalResult ExpertPairsOp::verifySymbolUses(SymbolTableCollection &) {
  FailureOr<MatrixOp> matrix = findDown(*this);
  if (failed(matrix))
    return failure();
  // C2
  auto pairs = findFloats(*this, getPairs(), matrix->getRows());
  if (!pairs)
    return failure();
  if (columnsOf(pairs) != int64_t(matrix->getRows()))
    return emitOpError() << "writes " << matrix->getRows() << " columns to @"
                         << getPairs() << ", which has " << columnsOf(pairs);
  auto h = cast<RowsType>(find<BufferOp>(*this, getH()).getType());
  int64_t rows = cast<MemRefType>(pairs.getType()).getDimSize(0);
  if (rows != h.getTokens())
    return emitOpError() << "has " << h.getTokens() << " pairs in @" << getH()
                         << ", but @" << getPairs() << " has " << rows
                         << " rows";
  return success();
}

LogicalResult ExpertSumOp::verifySymbolUses(SymbolTableCollection &) {
  // C1
  auto pairs = findFloats(*this, getPairs(), 1);
  auto x = pairs ? findFloats(*this, getX(), 1) : BufferOp();
  if (!x)
    return failure();
  if (columnsOf(pairs) != columnsOf(x))
    return emitOpError() << "adds " << columnsOf(pairs) << " columns of @"
                         << getPairs() << " to @" << getX() << ", which has "
                         << columnsOf(x);
  return success();
}
