// Verifiers of the schedule's ops: what one op can tell. What needs the whole
// step is the work of tile-verify-schedule.
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileOps.h"

using namespace mlir;
using namespace quartet::tile;

LogicalResult ProgramOp::verifyRegions() {
  int64_t last = 0;
  for (Operation &op : getBody().front()) {
    // C1
    if (!isa<MatrixOp, VectorOp, StateOp, StepOp>(op))
      return op.emitOpError() << "cannot stand in a tile.program";
    auto step = dyn_cast<StepOp>(op);
    if (!step)
      continue;
    // C2
    if (int64_t(step.getTokens()) <= last)
      return step.emitOpError()
             << "has " << step.getTokens()
             << " tokens, no more than the step before (" << last << ")";
    last = step.getTokens();
  }
  if (last == 0)
    return emitOpError() << "needs at least one tile.step";
  return success();
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
  return success();
}

LogicalResult BufferOp::verify() {
  if (isa<RowsType>(getType()))
    return success();
  auto type = dyn_cast<MemRefType>(getType());
  if (!type || !type.getLayout().isIdentity())
    return emitOpError() << "needs a plain memref or !tile.rows, not "
                         << getType();
  for (auto [place, size] : llvm::enumerate(type.getShape()))
    if (ShapedType::isDynamic(size) && (place != 2 || !getPiecePages()))
      return emitOpError() << "has a dynamic dimension " << place
                           << "; only dimension 2 of a buffer with 'pieces' is";
  return success();
}

LogicalResult LayersOp::verifyRegions() {
  for (Operation &op : getBody().front())
    // C1
    if (!isa<PhaseOp>(op))
      return op.emitOpError() << "cannot stand in tile.layers";
  // C2
  if (int64_t(getRepeat()) < 1)
    return emitOpError() << "repeats at least once, not " << getRepeat();
  return success();
}

/// The part of a phase that \p op belongs to, in order; -1: none.
static int partOfPhase(Operation &op) {
  if (isa<PrefetchOp>(op))
    return 0;
  if (isa<WaitOp>(op))
    return 1;
  if (isa<StageOp, RouteOp>(op))
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
  return success();
}
