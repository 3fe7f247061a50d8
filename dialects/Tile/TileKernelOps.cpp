// What each micro-kernel touches, and the verifiers that one op can have.
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileOps.h"

using namespace mlir;
using namespace quartet::tile;

namespace {
using Accesses = SmallVectorImpl<Access>;

void add(Accesses &accesses, StringRef symbol, bool reads, bool writes,
         ValueRange coordinates = {}, int64_t column = 0,
         int64_t columns = -1) {
  Access access{symbol, reads, writes, {}, column, columns};
  for (Value coordinate : coordinates)
    if (coordinate)
      access.coordinates.push_back(coordinate);
  accesses.push_back(std::move(access));
}
void read(Accesses &accesses, StringRef symbol, ValueRange coordinates = {},
          int64_t column = 0, int64_t columns = -1) {
  add(accesses, symbol, true, false, coordinates, column, columns);
}
void write(Accesses &accesses, StringRef symbol, ValueRange coordinates = {},
           int64_t column = 0, int64_t columns = -1) {
  add(accesses, symbol, false, true, coordinates, column, columns);
}
void read(Accesses &accesses, std::optional<StringRef> symbol,
          ValueRange coordinates = {}) {
  if (symbol)
    read(accesses, *symbol, coordinates);
}
} // namespace

/// The operands that are there, as coordinates.
static SmallVector<Value> coordinates(std::initializer_list<Value> values) {
  SmallVector<Value> present;
  for (Value value : values)
    if (value)
      present.push_back(value);
  return present;
}

void EmbedOp::getAccesses(Accesses &accesses) {
  read(accesses, getTable());
  write(accesses, getX(), getToken());
}

void RopeTableOp::getAccesses(Accesses &accesses) {
  write(accesses, getTable(), getToken());
}

void StageOp::getAccesses(Accesses &accesses) {
  // Chosen rows may be of any tile of tokens.
  SmallVector<Value> tile;
  if (!getChosen())
    tile = coordinates({getToken()});
  read(accesses, getSource(), tile);
  read(accesses, getWeight());
  read(accesses, getGate(), tile);
  if (getPublish())
    write(accesses, *getPublish(), tile);
}

LogicalResult StageOp::verify() {
  bool norm =
      getStaging() == Staging::RmsNorm || getStaging() == Staging::GatedNorm;
  if (norm != bool(getWeight()) || norm != bool(getEps()))
    return emitOpError() << stringifyStaging(getStaging())
                         << (norm ? " needs a weight and an eps"
                                  : " takes no weight and no eps");
  if (getStaging() == Staging::GatedNorm && (!getGate() || !getActivation()))
    return emitOpError() << "gated_norm needs a gate and its activation";
  if (getGate() && getStaging() != Staging::GatedNorm &&
      getStaging() != Staging::Merge)
    return emitOpError() << stringifyStaging(getStaging()) << " takes no gate";
  return success();
}

void StreamOp::getAccesses(Accesses &accesses) {
  read(accesses, getMatrix(), coordinates({getIndex()}), getFirst(),
       getCount());
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
  if (body.getNumArguments() != getWeights().size())
    return emitOpError() << "multiplies by " << getWeights().size()
                         << " tiles, but its epilogue has "
                         << body.getNumArguments() << " arguments";
  RowsType rows = getRows().getType();
  for (auto [weights, argument] :
       llvm::zip(getWeights(), body.getArguments())) {
    auto type = cast<WeightsType>(weights.getType());
    if (type.getColumns() != rows.getColumns())
      return emitOpError() << "multiplies rows of " << rows.getColumns()
                           << " columns by weights of " << type.getColumns();
    StringRef name = type.getFormat();
    auto format = quartet::PackedFormat::parse(
        std::string_view(name.data(), name.size()));
    int64_t group = format && format->isInteger() ? format->group : 0;
    if (rows.getGroup() != group)
      return emitOpError() << "multiplies rows of group " << rows.getGroup()
                           << " by " << name << ", which needs group " << group;
    auto acc = dyn_cast<AccType>(argument.getType());
    if (!acc || acc.getTokens() != rows.getTokens() ||
        acc.getRows() != type.getRows())
      return emitOpError() << "has an epilogue on " << argument.getType()
                           << "; the product is !tile.acc<" << rows.getTokens()
                           << ", " << type.getRows() << ">";
  }
  return success();
}

void StoreOp::getAccesses(Accesses &accesses) {
  add(accesses, getBuffer(), /*reads=*/getAdd(), /*writes=*/true,
      coordinates({getToken(), getIndex()}), getColumn(), getColumns());
}

void StoreHeadOp::getAccesses(Accesses &accesses) {
  write(accesses, getTarget(), coordinates({getToken(), getHead()}));
  read(accesses, getNorm());
  read(accesses, getRope(), coordinates({getToken()}));
}

void StoreLogitsOp::getAccesses(Accesses &accesses) {
  write(accesses, getMaxima(), coordinates({getToken(), getIndex()}));
}

void SiluMulOp::getAccesses(Accesses &accesses) {
  write(accesses, getBuffer(), coordinates({getToken(), getIndex()}));
}

void DeltaScanOp::getAccesses(Accesses &accesses) {
  int64_t channels =
      2 * getKeyHeads() * getKeyDim() + getValueHeads() * getValueDim();
  read(accesses, getInput(), {}, getInputColumn(), channels);
  read(accesses, getControls(), {}, getAColumn(), getValueHeads());
  read(accesses, getControls(), {}, getBColumn(), getValueHeads());
  read(accesses, getTaps());
  read(accesses, getALog());
  read(accesses, getDtBias());
  SmallVector<Value> piece{getSequence(), getHead()};
  add(accesses, getWindow(), true, true, piece);
  add(accesses, getState(), true, true, piece);
  write(accesses, getOut(), piece);
}

void AttendOp::getAccesses(Accesses &accesses) {
  read(accesses, getQuery(), getToken());
  read(accesses, getKey());
  read(accesses, getValue());
  write(accesses, getPartials(), {getToken(), getHead(), getRange()});
}

void RouteOp::getAccesses(Accesses &accesses) { read(accesses, getLogits()); }

void ExpertUpOp::getAccesses(Accesses &accesses) {
  read(accesses, getMatrix(), {getExpert(), getIndex()});
  read(accesses, getSource());
  write(accesses, getH(), {getExpert(), getIndex()});
}

LogicalResult ExpertUpOp::verify() {
  if (bool(getRows()) == bool(getSource()))
    return emitOpError() << "takes its rows from local memory or from a "
                            "buffer, one of the two";
  return success();
}

void ExpertDownOp::getAccesses(Accesses &accesses) {
  read(accesses, getMatrix(), getIndex());
  read(accesses, getH());
  add(accesses, getX(), true, true, getIndex());
}

void SampleOp::getAccesses(Accesses &accesses) { read(accesses, getMaxima()); }
