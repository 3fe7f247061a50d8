// Verifiers of the schedule's ops: what one op can tell. What needs the whole
// step is the work of tile-verify-schedule.
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileOps.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace quartet::tile;

LogicalResult ProgramOp::verifyRegions() {
  int64_t lastOfKind[2] = {0, 0};
  for (Operation &op : getBody().front()) {
    // C1
    if (!isa<MatrixOp, VectorOp, StateOp, StepOp>(op))
      return op.emitOpError() << "cannot stand in a tile.program";
    auto step = dyn_cast<StepOp>(op);
    if (!step)
      continue;
    // C2
    int64_t &last = lastOfKind[step.getMtp()];
    if (int64_t(step.getTokens()) <= last)
      return step.emitOpError()
             << "has " << step.getTokens()
             << " tokens, no more than the step before (" << last << ")";
    last = step.getTokens();
  }
  if (lastOfKind[0] == 0)
    return emitOpError() << "needs at least one tile.step"
                         << (lastOfKind[1] ? " that is not 'mtp'" : "");
  return success();
}

quartet::PackedFormat MatrixOp::getPackedFormat() {
  StringRef text = getFormat();
  return *quartet::PackedFormat::parse(
      std::string_view(text.data(), text.size()));
}

LogicalResult MatrixOp::verify() {
  // C1
  StringRef format = getFormat();
  if (!quartet::PackedFormat::parse(
          std::string_view(format.data(), format.size())))
    return emitOpError() << "has no packed format '" << format << "'";
  // C2
  if (int64_t(getRepeat()) < 1 || int64_t(getExperts()) < 1 ||
      int64_t(getRows()) < 1 || int64_t(getColumns()) < 1)
    return emitOpError() << "needs at least one repetition, expert, row and "
                            "column";
  return success();
}

static bool isStorageFloat(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

LogicalResult VectorOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // C1
  if (!type.hasStaticShape() || !isStorageFloat(type.getElementType()))
    return emitOpError() << "needs a static shape of f32, f16 or bf16, not "
                         << type;
  return success();
}

LogicalResult StateOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // C1
  if (type.getRank() < 2 || !type.isDynamicDim(0) ||
      type.getNumDynamicDims() != 1)
    return emitOpError() << "needs a dynamic first dimension and no other, not "
                         << type;
  if (!isStorageFloat(type.getElementType()) &&
      !type.getElementType().isInteger(8))
    return emitOpError() << "needs elements of f32, f16, bf16 or i8, not "
                         << type.getElementType();
  return success();
}

LogicalResult StepOp::verifyRegions() {
  for (Operation &op : getBody().front())
    // C1
    if (!isa<BufferOp, EventOp, PhaseOp, LayersOp>(op))
      return op.emitOpError() << "cannot stand in a tile.step";
  // C2
  if (int64_t(getTokens()) < 1 || int64_t(getSequences()) < 1)
    return emitOpError() << "needs at least one token and one sequence";
  // C3
  llvm::SmallPtrSet<StringAttr, 32> names;
  auto visited = walk([&](PhaseOp phase) {
    if (names.insert(phase.getSymNameAttr()).second)
      return WalkResult::advance();
    phase.emitOpError() << "has the name of another phase, @"
                        << phase.getSymName();
    return WalkResult::interrupt();
  });
  return failure(visited.wasInterrupted());
}

LogicalResult BufferOp::verify() {
  // C3
  if (getOffset() && int64_t(*getOffset()) < 0)
    return emitOpError() << "stands at offset " << int64_t(*getOffset());
  // C2
  if (getPiecePages() && int64_t(*getPiecePages()) < 1)
    return emitOpError() << "has pieces of " << int64_t(*getPiecePages())
                         << " pages";
  // C4
  auto rows = dyn_cast<RowsType>(getType());
  if (getParts() &&
      (*getParts() < 1 || *getParts() > 2 || !rows || rows.getGroup() != 0))
    return emitOpError() << "has " << int64_t(*getParts()) << " parts of "
                         << getType() << "; !tile.rows of group 0 have 1 or 2";
  auto type = dyn_cast<MemRefType>(getType());
  bool dynamic = false;
  if (type)
    for (auto [place, size] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(size))
        continue;
      dynamic = true;
      if (place != 2)
        return emitOpError() << "has a dynamic dimension " << place
                             << "; only dimension 2 can be";
    }
  if (dynamic != getPiecePages().has_value())
    return emitOpError() << (dynamic ? "is dynamic but has no 'pieces'"
                                     : "has 'pieces' but is not dynamic");
  // C1
  if (isa<RowsType>(getType()))
    return success();
  auto storable = [](Type element) {
    return isStorageFloat(element) || element.isInteger(8) ||
           element.isInteger(32);
  };
  if (!type || type.getRank() < 1 || !type.getLayout().isIdentity() ||
      !storable(type.getElementType()))
    return emitOpError() << "needs a plain memref of f32, f16, bf16, i8 or i32,"
                            " or !tile.rows, not "
                         << getType();
  return success();
}

LogicalResult LayersOp::verifyRegions() {
  // C1
  if (getBody().front().empty())
    return emitOpError() << "has no phase";
  for (Operation &op : getBody().front())
    if (!isa<PhaseOp>(op))
      return op.emitOpError() << "cannot stand in tile.layers";
  // C2
  if (int64_t(getRepeat()) < 1)
    return emitOpError() << "repeats at least once, not "
                         << int64_t(getRepeat());
  return success();
}

/// The part of a phase that \p op belongs to, in order; -1: none.
static int partOfPhase(Operation &op) {
  if (isa<PrefetchOp>(op))
    return 0;
  if (isa<WaitOp>(op))
    return 1;
  if (isa<StageOp, RouteOp, RecallOp>(op))
    return 2;
  if (isa<TasksOp>(op))
    return 3;
  if (isa<SignalOp>(op))
    return 4;
  return -1;
}

LogicalResult PhaseOp::verifyRegions() {
  static constexpr const char *kParts[] = {"tile.prefetch", "tile.wait",
                                           "what every worker does",
                                           "tile.tasks", "tile.signal"};
  int part = 0;
  unsigned tasks = 0, signals = 0;
  for (Operation &op : getBody().front()) {
    int next = partOfPhase(op);
    // C1
    if (next < 0)
      return op.emitOpError() << "cannot stand in a phase outside tile.tasks";
    if (next < part)
      return op.emitOpError()
             << "stands after " << kParts[part] << " of its phase";
    part = next;
    tasks += isa<TasksOp>(op);
    signals += isa<SignalOp>(op);
  }
  // C2
  if (tasks == 0)
    return emitOpError() << "has no tile.tasks";
  if (signals > 1)
    return emitOpError() << "has " << signals << " signals; one is enough";
  return success();
}

/// Whether an extent counts tiles of what \p coordinate cuts.
static bool counts(ExtentAttr extent, const Coordinate &coordinate) {
  switch (coordinate.axis) {
  case Axis::Tokens:
    return (extent.getKind() == ExtentKind::Tokens ||
            extent.getKind() == ExtentKind::Rows) &&
           extent.getSize() == coordinate.tile;
  case Axis::Columns:
  case Axis::Heads:
    return extent.getKind() == ExtentKind::Count;
  case Axis::Sequences:
    return extent.getKind() == ExtentKind::Sequences && extent.getSize() == 1;
  case Axis::Ranges:
    return extent.getKind() == ExtentKind::Ranges &&
           extent.getSize() == coordinate.tile;
  case Axis::Experts:
    return extent.getKind() == ExtentKind::Experts && extent.getSize() == 1;
  }
  return false;
}

static StringRef nameOf(Axis axis) {
  switch (axis) {
  case Axis::Tokens:
    return "tokens";
  case Axis::Columns:
    return "columns";
  case Axis::Sequences:
    return "sequences";
  case Axis::Heads:
    return "heads";
  case Axis::Ranges:
    return "pages";
  case Axis::Experts:
    return "experts";
  }
  return "";
}

/// C4 of tile.tasks for one op in it.
static LogicalResult checkCoordinates(TasksOp tasks, AccessOpInterface kernel) {
  SmallVector<Access> accesses;
  kernel.getAccesses(accesses);
  for (const Access &access : accesses)
    for (const Coordinate &coordinate : access.coordinates) {
      auto argument = dyn_cast<BlockArgument>(coordinate.value);
      if (!argument || argument.getOwner() != &tasks.getBody().front())
        return kernel.emitOpError() << "is cut by what is no coordinate";
      auto extent =
          cast<ExtentAttr>(tasks.getExtents()[argument.getArgNumber()]);
      if (!counts(extent, coordinate))
        return kernel.emitOpError()
               << "cuts @" << access.symbol << " into tiles of "
               << coordinate.tile << " " << nameOf(coordinate.axis)
               << " by coordinate " << argument.getArgNumber()
               << ", which counts <" << stringifyExtentKind(extent.getKind())
               << " " << extent.getSize() << ">";
    }
  return success();
}

LogicalResult TasksOp::verifyRegions() {
  Block &body = getBody().front();
  // C1
  if (body.getNumArguments() != getExtents().size())
    return emitOpError() << "has " << getExtents().size() << " extents and "
                         << body.getNumArguments() << " coordinates";
  for (BlockArgument argument : body.getArguments())
    if (!argument.getType().isIndex())
      return emitOpError() << "needs coordinates of type index, not "
                           << argument.getType();
  // C2
  for (auto extent : getExtents().getAsRange<ExtentAttr>())
    if (extent.getKind() == ExtentKind::Experts && !getGroups())
      return emitOpError() << "counts experts but has no groups";
  for (Operation &op : body) {
    // C3
    if (op.getDialect() != getOperation()->getDialect())
      return op.emitOpError() << "is no micro-kernel";
    auto visited = op.walk([&](AccessOpInterface kernel) {
      return failed(checkCoordinates(*this, kernel)) ? WalkResult::interrupt()
                                                     : WalkResult::advance();
    });
    if (visited.wasInterrupted())
      return failure();
  }
  return success();
}
