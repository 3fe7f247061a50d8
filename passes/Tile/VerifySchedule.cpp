// Proves that a step's schedule cannot race, hang, read what nobody wrote or
// miss a weight, and that its memory fits.
#include "dialects/Tile/TileSizes.h"
#include "passes/Passes.h"
#include "passes/Tile/VerifyStreams.h"
#include "llvm/ADT/DenseSet.h"

#define DEBUG_TYPE "tile-verify-schedule"

namespace quartet {
#define GEN_PASS_DEF_TILEVERIFYSCHEDULE
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;
using namespace quartet::tile;

static StringRef nameOf(Operation *memory) {
  return SymbolTable::getSymbolName(memory).getValue();
}

static StringRef nameOf(const Touch &touch) {
  return touch.op->getName().getStringRef();
}

static StringRef verb(const Access &access) {
  return access.writes ? "writes" : "reads";
}

/// "'tile.store' writes @x".
static std::string describe(const Touch &touch) {
  return ("'" + nameOf(touch) + "' " + verb(touch.access) + " @" +
          nameOf(touch.memory))
      .str();
}

/// Two phases, or two repetitions, that could run at once and must not.
static void reportRace(const Schedule &schedule, const Instance &a,
                       const Instance &b, const Conflict &conflict) {
  const SchedulePhase &first = schedule.phases[a.phase];
  const SchedulePhase &second = schedule.phases[b.phase];
  auto error = conflict.second->op->emitError();
  error << "phases @" << first.op.getSymName() << " and @"
        << second.op.getSymName();
  if (first.loop && first.loop == second.loop && a.repetition != b.repetition)
    error << " of a later repetition";
  error << " can run at once: " << describe(*conflict.first) << ", "
        << describe(*conflict.second);
  if (conflict.first->memory != conflict.second->memory)
    error << " at the same place";
  error << ", and no wait orders them";
  error.attachNote(conflict.first->op->getLoc())
      << "'" << nameOf(*conflict.first) << "' of phase @"
      << first.op.getSymName();
}

static LogicalResult checkOrder(const Schedule &schedule) {
  std::vector<llvm::BitVector> before = schedule.happenedBefore();
  LogicalResult result = success();
  llvm::DenseSet<std::pair<const Touch *, const Touch *>> reported;
  for (size_t b = 0; b < schedule.instances.size(); ++b)
    for (size_t a = 0; a < b; ++a) {
      if (before[b].test(a))
        continue;
      auto conflict =
          schedule.conflict(schedule.instances[a], schedule.instances[b]);
      // Once for all repetitions.
      if (!conflict ||
          !reported.insert({conflict->first, conflict->second}).second)
        continue;
      reportRace(schedule, schedule.instances[a], schedule.instances[b],
                 *conflict);
      result = failure();
    }
  return result;
}

static const Coordinate *coordinateOf(const Access &access, Value value) {
  for (const Coordinate &coordinate : access.coordinates)
    if (coordinate.value == value)
      return &coordinate;
  return nullptr;
}

/// A coordinate of the tasks' grid that two tasks can differ in while they
/// touch the same piece: nothing when there is none.
static std::optional<unsigned> sharedBy(const Touch &a, const Touch &b,
                                        StepOp step) {
  TasksOp grid = a.grid;
  for (BlockArgument value : grid.getBody().getArguments()) {
    auto extent = cast<ExtentAttr>(grid.getExtents()[value.getArgNumber()]);
    if (mostTasks(extent, step) == 1)
      continue;
    const Coordinate *first = coordinateOf(a.access, value);
    const Coordinate *second = coordinateOf(b.access, value);
    bool apart = first && second && first->axis == second->axis &&
                 first->tile == second->tile;
    // Tiles of columns count from the first one.
    if (apart && first->axis == Axis::Columns)
      apart = a.access.column == b.access.column;
    if (!apart)
      return value.getArgNumber();
  }
  return std::nullopt;
}

static bool columnsMeet(const Access &a, const Access &b) {
  return a.columns < 0 || b.columns < 0 ||
         (a.column < b.column + b.columns && b.column < a.column + a.columns);
}

/// Whether tasks of \p phase can meet at what \p a writes and \p b touches.
static LogicalResult checkPair(const SchedulePhase &phase, const Touch &a,
                               const Touch &b, StepOp step) {
  if (a.memory != b.memory || !columnsMeet(a.access, b.access))
    return success();
  StringRef name = phase.op.getSymName();
  if (a.grid != b.grid) {
    auto error = a.op->emitError();
    error << "two " << (b.grid ? "grids" : "parts") << " of phase @" << name
          << " can run at once: " << describe(a) << ", " << describe(b);
    error.attachNote(b.op->getLoc()) << "'" << nameOf(b) << "' is here";
    return error;
  }
  std::optional<unsigned> shared = sharedBy(a, b, step);
  if (!shared)
    return success();
  auto error = a.op->emitError();
  if (b.access.writes)
    error << "two tasks of phase @" << name << " write the same part of @"
          << nameOf(a.memory);
  else
    error << "a task of phase @" << name << " reads a part of @"
          << nameOf(a.memory) << " that another one writes";
  error << ": " << describe(a) << ", and coordinate " << *shared
        << " does not select what '" << nameOf(b) << "' " << verb(b.access);
  return error;
}

static LogicalResult checkPhase(const SchedulePhase &phase, StepOp step) {
  for (const Touch &a : phase.touches) {
    if (!a.access.writes)
      continue;
    if (!a.grid)
      return a.op->emitError()
             << "every worker runs '" << nameOf(a) << "' of phase @"
             << phase.op.getSymName() << " for itself, but it writes @"
             << nameOf(a.memory);
    for (const Touch &b : phase.touches)
      if (failed(checkPair(phase, a, b, step)))
        return failure();
  }
  return success();
}

static LogicalResult checkDefined(const Schedule &schedule) {
  for (auto [touch, column] : readsOfNothing(schedule))
    return touch->op->emitError()
           << describe(*touch) << ", but no phase before writes its column "
           << column;
  return success();
}

/// Offsets, where a plan has given them.
static LogicalResult checkPlan(const Schedule &schedule, StepOp step) {
  bool planned = false;
  for (auto buffer : step.getOps<BufferOp>())
    planned |= buffer.getOffset().has_value();
  if (!planned)
    return success();
  int64_t base = dynamicBase(step);
  int64_t end = step.getScratchBytes().value_or(0);
  int64_t pages = piecePages(step), pieceEnd = 0;
  for (auto buffer : step.getOps<BufferOp>()) {
    if (!buffer.getOffset())
      return buffer.emitError() << "buffer @" << buffer.getSymName()
                                << " has no place, but others have";
    int64_t offset = *buffer.getOffset();
    if (offset % kTileAlign)
      return buffer.emitError()
             << "buffer @" << buffer.getSymName() << " stands at " << offset
             << ", no multiple of " << kTileAlign;
    if (isDynamic(buffer)) {
      pieceEnd = std::max(pieceEnd, offset + bytesOf(buffer));
      continue;
    }
    if (offset + bytesOf(buffer) > base)
      return buffer.emitError()
             << "buffer @" << buffer.getSymName() << " ends at "
             << offset + bytesOf(buffer) << ", behind the scratch memory's "
             << base << " bytes for buffers of fixed size (" << end << ")";
  }
  int64_t perPage = step.getScratchPageBytes().value_or(0);
  if (pieceEnd > perPage * pages)
    return step.emitError()
           << "step @" << step.getSymName() << " has " << perPage
           << " bytes of scratch memory per page; pieces of " << pages
           << " pages need " << pieceEnd << " bytes";
  auto ranges = liveRanges(schedule);
  for (auto &[a, first] : ranges)
    for (auto &[b, second] : ranges)
      if (a != b && shareMemory(a, b) && first.overlaps(second))
        return b->emitError()
               << "buffers @" << nameOf(a) << " and @" << nameOf(b)
               << " share memory, but phase @"
               << schedule.phases[std::max(first.first, second.first)]
                      .op.getSymName()
               << " needs both";
  return success();
}

/// All buffers in pieces grow alike.
static LogicalResult checkPieces(StepOp step) {
  for (auto buffer : step.getOps<BufferOp>())
    if (auto pages = buffer.getPiecePages())
      if (int64_t(*pages) != piecePages(step))
        return buffer.emitError()
               << "buffer @" << buffer.getSymName() << " has pieces of "
               << *pages << " pages, others of " << piecePages(step);
  return success();
}

static LogicalResult checkLimits(const Schedule &schedule, StepOp step,
                                 int64_t local, int64_t scratch) {
  std::vector<int64_t> bytes = localBytes(schedule);
  for (auto [phase, needed] : llvm::zip(schedule.phases, bytes)) {
    if (local > 0 && needed > local)
      return phase.op.emitError()
             << "phase @" << phase.op.getSymName() << " needs " << needed
             << " bytes of local memory; a worker has " << local;
    if (step.getLocalBytes() && needed > int64_t(*step.getLocalBytes()))
      return phase.op.emitError()
             << "phase @" << phase.op.getSymName() << " needs " << needed
             << " bytes of local memory; the step says "
             << *step.getLocalBytes();
  }
  if (scratch == 0)
    return success();
  int64_t needed = step.getScratchBytes().value_or(0);
  if (!step.getScratchBytes())
    for (auto buffer : step.getOps<BufferOp>())
      needed += isDynamic(buffer) ? 0 : bytesOf(buffer);
  if (needed > scratch)
    return step.emitError()
           << "step @" << step.getSymName() << " needs " << needed
           << " bytes of scratch memory; there are " << scratch;
  return success();
}

/// What would go wrong without \p wait: the first conflict that it alone
/// orders.
static std::optional<Conflict> whyNeeded(const Schedule &schedule, WaitOp wait,
                                         ArrayRef<llvm::BitVector> before) {
  std::vector<llvm::BitVector> without = schedule.happenedBefore(wait);
  // The nearest one says most.
  for (size_t b = 0; b < schedule.instances.size(); ++b)
    for (size_t a = b; a-- > 0;)
      if (before[b].test(a) && !without[b].test(a))
        if (auto conflict =
                schedule.conflict(schedule.instances[a], schedule.instances[b]))
          return conflict;
  return std::nullopt;
}

static void explainWaits(const Schedule &schedule) {
  std::vector<llvm::BitVector> before = schedule.happenedBefore();
  for (const SchedulePhase &phase : schedule.phases)
    for (auto wait : phase.op.getOps<WaitOp>()) {
      auto remark = wait.emitRemark();
      remark << "phase @" << phase.op.getSymName() << " waits for @"
             << wait.getEvent();
      auto conflict = whyNeeded(schedule, wait, before);
      if (!conflict) {
        remark << ": redundant, other waits order the same";
        continue;
      }
      remark << ": needed, " << describe(*conflict->first) << " of phase @"
             << conflict->first->op->getParentOfType<PhaseOp>().getSymName()
             << " before " << describe(*conflict->second) << " of phase @"
             << conflict->second->op->getParentOfType<PhaseOp>().getSymName();
    }
}

namespace {
struct TileVerifySchedule
    : quartet::impl::TileVerifyScheduleBase<TileVerifySchedule> {
  using Base::Base;

  LogicalResult verify(StepOp step) {
    Schedule schedule(step);
    if (failed(schedule.link()))
      return failure();
    for (const SchedulePhase &phase : schedule.phases)
      if (failed(checkPhase(phase, step)))
        return failure();
    if (failed(checkOrder(schedule)) || failed(checkDefined(schedule)) ||
        failed(verifyStreams(schedule)) || failed(checkPieces(step)) ||
        failed(checkPlan(schedule, step)) ||
        failed(checkLimits(schedule, step, localBytes, scratchBytes)))
      return failure();
    if (explain)
      explainWaits(schedule);
    return success();
  }

  void runOnOperation() override {
    bool isBroken = false;
    getOperation()->walk(
        [&](StepOp step) { isBroken |= failed(verify(step)); });
    if (isBroken)
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};
} // namespace
