// What each micro-kernel touches, and the verifiers that one op can have.
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileOps.h"

using namespace mlir;
using namespace quartet::tile;

namespace {
using Accesses = SmallVectorImpl<Access>;
using Coordinates = std::initializer_list<Coordinate>;

void add(Accesses &accesses, StringRef symbol, bool reads, bool writes,
         Coordinates coordinates = {}, int64_t column = 0,
         int64_t columns = -1) {
  Access access{symbol, reads, writes, {}, column, columns};
  for (const Coordinate &coordinate : coordinates)
    // Optional operands that are not there select nothing.
    if (coordinate.value)
      access.coordinates.push_back(coordinate);
  accesses.push_back(std::move(access));
}
void read(Accesses &accesses, StringRef symbol, Coordinates coordinates = {},
          int64_t column = 0, int64_t columns = -1) {
  add(accesses, symbol, true, false, coordinates, column, columns);
}
void write(Accesses &accesses, StringRef symbol, Coordinates coordinates = {},
           int64_t column = 0, int64_t columns = -1) {
  add(accesses, symbol, false, true, coordinates, column, columns);
}
void read(Accesses &accesses, std::optional<StringRef> symbol,
          Coordinates coordinates = {}, int64_t column = 0,
          int64_t columns = -1) {
  if (symbol)
    read(accesses, *symbol, coordinates, column, columns);
}
} // namespace

void EmbedOp::getAccesses(Accesses &accesses) {
  read(accesses, getTable());
  write(accesses, getX(), {{getToken(), Axis::Tokens, int64_t(getTile())}});
}

void RopeTableOp::getAccesses(Accesses &accesses) {
  write(accesses, getTable(), {{getToken(), Axis::Tokens, int64_t(getTile())}});
}

void ReadHiddenOp::getAccesses(Accesses &accesses) {
  write(accesses, getX(), {{getToken(), Axis::Tokens, int64_t(getTile())}});
}

void WriteHiddenOp::getAccesses(Accesses &accesses) {
  read(accesses, getX(), {{getToken(), Axis::Tokens, int64_t(getTile())}});
  read(accesses, getWeight());
}

LogicalResult RopeTableOp::verify() {
  // C1
  if (getAxes().size() != getInvFreq().size())
    return emitOpError() << "has " << getAxes().size() << " axes for "
                         << getInvFreq().size() << " frequencies";
  for (int32_t axis : getAxes())
    if (axis < 0 || axis > 2)
      return emitOpError() << "has an axis " << axis << "; axes are 0, 1 and 2";
  return success();
}

void StageOp::getAccesses(Accesses &accesses) {
  RowsType rows = getRows().getType();
  Coordinate tile{getToken(), Axis::Tokens, rows.getTokens()};
  // Chosen rows may be of any tile of tokens.
  Coordinate source = getChosen() ? Coordinate{{}, Axis::Tokens} : tile;
  // Partials have more columns than they give.
  int64_t columns = getStaging() == Staging::Merge ? -1 : rows.getColumns();
  read(accesses, getSource(), {source}, 0, columns);
  read(accesses, getWeight());
  read(accesses, getGate(), {source}, getGateColumn(), rows.getColumns());
  if (getPublish())
    write(accesses, *getPublish(), {tile}, 0, rows.getColumns());
}

LogicalResult StageOp::verify() {
  bool norm =
      getStaging() == Staging::RmsNorm || getStaging() == Staging::GatedNorm;
  // C1
  if (norm != bool(getWeight()) || norm != bool(getEps()))
    return emitOpError() << stringifyStaging(getStaging())
                         << (norm ? " needs a weight and an eps"
                                  : " takes no weight and no eps");
  // C2
  if (getStaging() == Staging::GatedNorm && (!getGate() || !getActivation()))
    return emitOpError() << "gated_norm needs a gate and its activation";
  if (getGate() && getStaging() != Staging::GatedNorm &&
      getStaging() != Staging::Merge)
    return emitOpError() << stringifyStaging(getStaging()) << " takes no gate";
  return success();
}

void StreamOp::getAccesses(Accesses &accesses) {
  read(accesses, getMatrix(),
       {{getIndex(), Axis::Columns, getWeights().getType().getRows()}},
       getFirst(), getCount());
}

LogicalResult StreamOp::verify() {
  int64_t tile = getWeights().getType().getRows();
  // C2
  if (int64_t(getFirst()) < 0 || int64_t(getCount()) < 1)
    return emitOpError() << "reads " << getCount() << " rows from "
                         << getFirst();
  if (getFirst() % quartet::kPanelRows || tile % quartet::kPanelRows)
    return emitOpError() << "starts at row " << getFirst() << " in tiles of "
                         << tile << " rows; both must be multiples of "
                         << quartet::kPanelRows;
  if (!getIndex() && int64_t(getCount()) > tile)
    return emitOpError() << "has no index, but " << getCount()
                         << " rows do not fit a tile of " << tile;
  return success();
}

LogicalResult MatmulOp::verifyRegions() {
  Block &body = getEpilogue().front();
  // C1
  if (getWeights().empty())
    return emitOpError() << "multiplies by no tile";
  for (Operation &op : body)
    if (!isa<StoreOp, StoreHeadOp, StoreLogitsOp, SiluMulOp>(op))
      return op.emitOpError() << "cannot stand in an epilogue";
  // C2
  if (body.getNumArguments() != getWeights().size())
    return emitOpError() << "multiplies by " << getWeights().size()
                         << " tiles, but its epilogue has "
                         << body.getNumArguments() << " arguments";
  RowsType rows = getRows().getType();
  for (auto [weights, argument] :
       llvm::zip(getWeights(), body.getArguments())) {
    auto type = cast<WeightsType>(weights.getType());
    // C3
    if (type.getColumns() != rows.getColumns())
      return emitOpError() << "multiplies rows of " << rows.getColumns()
                           << " columns by weights of " << type.getColumns();
    StringRef name = type.getFormat();
    int64_t group = type.getPackedFormat().activationGroup();
    if (rows.getGroup() != group)
      return emitOpError() << "multiplies rows of group " << rows.getGroup()
                           << " by " << name << ", which needs group " << group;
    // C4
    auto acc = dyn_cast<AccType>(argument.getType());
    if (!acc || acc.getTokens() != rows.getTokens() ||
        acc.getRows() != type.getRows())
      return emitOpError() << "has an epilogue on " << argument.getType()
                           << "; the product is !tile.acc<" << rows.getTokens()
                           << ", " << type.getRows() << ">";
  }
  return success();
}

/// The coordinates of results: a tile of tokens, and one of rows of weights.
static SmallVector<Coordinate, 2> piece(AccType acc, Value token, Value index) {
  return {{token, Axis::Tokens, acc.getTokens()},
          {index, Axis::Columns, acc.getRows()}};
}

void StoreOp::getAccesses(Accesses &accesses) {
  auto at = piece(getAcc().getType(), getToken(), getIndex());
  at[1].tile = getWidth().value_or(at[1].tile);
  add(accesses, getBuffer(), /*reads=*/getAdd(), /*writes=*/true,
      {at[0], at[1]}, getColumn(), getColumns());
}

void StoreHeadOp::getAccesses(Accesses &accesses) {
  Coordinate token{getToken(), Axis::Tokens, getAcc().getType().getTokens()};
  write(accesses, getTarget(), {token, {getHead(), Axis::Heads}});
  read(accesses, getNorm());
  read(accesses, getRope(), {token});
}

void StoreLogitsOp::getAccesses(Accesses &accesses) {
  auto at = piece(getAcc().getType(), getToken(), getIndex());
  write(accesses, getMaxima(), {at[0], at[1]});
}

LogicalResult StoreLogitsOp::verify() {
  // C2
  if (int64_t(getTokenLimit()) < 1 ||
      int64_t(getTokenLimit()) > int64_t(getVocabulary()))
    return emitOpError() << "limits tokens to " << getTokenLimit() << " of "
                         << getVocabulary();
  return success();
}

void SiluMulOp::getAccesses(Accesses &accesses) {
  auto at = piece(getGate().getType(), getToken(), getIndex());
  write(accesses, getBuffer(), {at[0], at[1]});
}

LogicalResult SiluMulOp::verify() {
  // C1
  if (getGate().getType() != getUp().getType())
    return emitOpError() << "multiplies " << getGate().getType() << " by "
                         << getUp().getType();
  return success();
}

/// What the delta rule's gates are made of.
template <typename Op> static void readGates(Accesses &accesses, Op op) {
  read(accesses, op.getControls(), {}, op.getAColumn(), op.getValueHeads());
  read(accesses, op.getControls(), {}, op.getBColumn(), op.getValueHeads());
  read(accesses, op.getALog());
  read(accesses, op.getDtBias());
}

/// C1 of tile.delta_prepare and tile.delta_scan.
template <typename Op> static LogicalResult checkHeads(Op op) {
  if (int64_t(op.getKeyHeads()) >= 1 && int64_t(op.getValueHeads()) >= 1 &&
      op.getValueHeads() % op.getKeyHeads() == 0)
    return success();
  return op.emitOpError() << "has " << op.getValueHeads() << " value heads and "
                          << op.getKeyHeads()
                          << " key heads; the former must be a multiple of the "
                             "latter";
}

void DeltaPrepareOp::getAccesses(Accesses &accesses) {
  read(accesses, getInput(), {}, getInputColumn(),
       2 * getKeyHeads() * getKeyDim());
  readGates(accesses, *this);
  read(accesses, getTaps());
  read(accesses, getWindow());
  // A chunk is the tile's in which it begins, also where its rows are not.
  write(accesses, getPrepared(),
        {{getToken(), Axis::Tokens, int64_t(getTile())},
         {getHead(), Axis::Heads}});
}

LogicalResult DeltaPrepareOp::verify() {
  // C6
  if (int64_t(getTile()) < 1)
    return emitOpError() << "has tiles of " << getTile() << " tokens";
  return checkHeads(*this);
}

void DeltaScanOp::getAccesses(Accesses &accesses) {
  int64_t channels =
      2 * getKeyHeads() * getKeyDim() + getValueHeads() * getValueDim();
  read(accesses, getInput(), {}, getInputColumn(), channels);
  read(accesses, getPrepared());
  if (!getPrepared())
    readGates(accesses, *this);
  read(accesses, getTaps());
  Coordinate sequence{getSequence(), Axis::Sequences};
  Coordinate head{getHead(), Axis::Heads};
  add(accesses, getWindow(), true, true, {sequence, head});
  add(accesses, getState(), true, true, {sequence, head});
  write(accesses, getOut(), {sequence, head});
}

LogicalResult DeltaScanOp::verify() {
  // C5
  if (getPrepared() && !getChunked())
    return emitOpError() << "takes prepared rows, but is not 'chunked'";
  return checkHeads(*this);
}

void AttendOp::getAccesses(Accesses &accesses) {
  Coordinate token{getToken(), Axis::Tokens, int64_t(getTile())};
  read(accesses, getQuery(), {token});
  read(accesses, getKey());
  read(accesses, getValue());
  write(accesses, getPartials(),
        {token,
         {getHead(), Axis::Heads},
         {getRange(), Axis::Ranges, int64_t(getPages())}});
}

LogicalResult AttendOp::verify() {
  // C1
  if (int64_t(getKvHeads()) < 1 || int64_t(getQueryHeads()) < 1 ||
      getQueryHeads() % getKvHeads())
    return emitOpError() << "has " << getQueryHeads() << " query heads and "
                         << getKvHeads()
                         << " KV heads; the former must be a multiple of the "
                            "latter";
  return success();
}

/// The router's logits and the gate of shared experts, of tile \p tokens.
template <typename Op>
static void readLogits(Accesses &accesses, Op op, StringRef logits,
                       Coordinates tokens) {
  read(accesses, logits, tokens, 0, op.getExperts());
  if (op.getShared() > 0)
    read(accesses, logits, tokens, op.getGateColumn().value_or(op.getExperts()),
         1);
}

/// C1 of tile.choose_experts and tile.route.
template <typename Op> static LogicalResult checkChoice(Op op) {
  if (int64_t(op.getTopK()) >= 1 &&
      int64_t(op.getTopK()) <= int64_t(op.getExperts()) &&
      int64_t(op.getShared()) >= 0)
    return success();
  return op.emitOpError() << "chooses " << op.getTopK() << " of "
                          << op.getExperts() << " experts and "
                          << op.getShared() << " shared ones";
}

void ChooseExpertsOp::getAccesses(Accesses &accesses) {
  Coordinate token{getToken(), Axis::Tokens, int64_t(getTile())};
  readLogits(accesses, *this, getLogits(), {token});
  write(accesses, getChosen(), {token});
  write(accesses, getWeights(), {token});
}

LogicalResult ChooseExpertsOp::verify() { return checkChoice(*this); }

void RouteOp::getAccesses(Accesses &accesses) {
  if (!getWeights())
    return readLogits(accesses, *this, getSource(), {});
  read(accesses, getSource());
  read(accesses, getWeights());
}

LogicalResult RouteOp::verify() {
  // C4
  if (getWeights() && (getRenormalize() || getGateColumn()))
    return emitOpError() << "has experts that are chosen already, but "
                         << (getRenormalize() ? "'renormalize'" : "a gate");
  return checkChoice(*this);
}

LogicalResult RecallOp::verify() {
  auto here = cast<PhaseOp>((*this)->getParentOp());
  for (Operation &op : *here->getBlock()) {
    auto phase = dyn_cast<PhaseOp>(op);
    if (phase == here)
      break;
    if (phase && phase.getSymName() == getPhase() &&
        !phase.getOps<RouteOp>().empty())
      return success();
  }
  // C1
  return emitOpError() << "recalls '" << getPhase()
                       << "', but no earlier phase of that name has a "
                          "tile.route";
}

void ExpertUpOp::getAccesses(Accesses &accesses) {
  Coordinate expert{getExpert(), Axis::Experts};
  Coordinate index{getIndex(), Axis::Columns, int64_t(getTile())};
  read(accesses, getMatrix(), {expert, index});
  read(accesses, getSource());
  write(accesses, getH(), {expert, index}, 0, getIntermediate());
}

LogicalResult ExpertUpOp::verify() {
  // C1
  if (bool(getRows()) == bool(getSource()))
    return emitOpError() << "takes its rows from local memory or from a "
                            "buffer, one of the two";
  return success();
}

void ExpertDownOp::getAccesses(Accesses &accesses) {
  Coordinate index{getIndex(), Axis::Columns, int64_t(getTile())};
  read(accesses, getMatrix(), {index});
  read(accesses, getH());
  add(accesses, getX(), true, true, {index});
}

void ExpertPairsOp::getAccesses(Accesses &accesses) {
  Coordinate expert{getExpert(), Axis::Experts};
  Coordinate index{getIndex(), Axis::Columns, int64_t(getTile())};
  read(accesses, getMatrix(), {expert, index});
  read(accesses, getH());
  write(accesses, getPairs(), {expert, index});
}

void ExpertSumOp::getAccesses(Accesses &accesses) {
  read(accesses, getPairs());
  add(accesses, getX(), true, true,
      {{getToken(), Axis::Tokens, int64_t(getTile())}});
}

void SampleOp::getAccesses(Accesses &accesses) {
  read(accesses, getMaxima(), {{getRow(), Axis::Tokens}});
}
