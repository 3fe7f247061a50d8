// Order, happens-before, conflicts and lifetimes of a step's schedule.
#include "passes/Tile/ScheduleAnalysis.h"
#include "dialects/Tile/TileSizes.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::tile;

/// Collects what \p op and the ops in it do to buffers and states.
static void collectTouches(Operation *op, TasksOp grid,
                           std::vector<Touch> &touches) {
  op->walk<WalkOrder::PreOrder>([&](AccessOpInterface kernel) {
    SmallVector<Access> accesses;
    kernel.getAccesses(accesses);
    for (Access &access : accesses) {
      Operation *memory = lookUp(kernel, access.symbol);
      // Weights are never written.
      if (isa_and_nonnull<BufferOp, StateOp>(memory))
        touches.push_back({kernel, memory, grid, std::move(access)});
    }
  });
}

Schedule::Schedule(StepOp step) : step(step) {
  auto add = [&](PhaseOp op, LayersOp loop) {
    SchedulePhase phase{op, loop, {}};
    for (Operation &part : op.getBody().front())
      collectTouches(&part, dyn_cast<TasksOp>(part), phase.touches);
    phases.push_back(std::move(phase));
  };
  for (Operation &op : step.getBody().front()) {
    if (auto phase = dyn_cast<PhaseOp>(op))
      add(phase, nullptr);
    else if (auto loop = dyn_cast<LayersOp>(op))
      for (auto phase : loop.getOps<PhaseOp>())
        add(phase, loop);
  }
}

namespace {
/// Resolves the waits of a schedule.
class Linker {
public:
  explicit Linker(Schedule &schedule) : schedule(schedule) {}

  LogicalResult findSignals() {
    for (auto [position, phase] : llvm::enumerate(schedule.phases))
      for (auto signal : phase.op.getOps<SignalOp>()) {
        auto [place, isNew] =
            signaller.try_emplace(signal.getEventAttr().getAttr(), position);
        if (!isNew)
          return signal.emitOpError()
                 << "signals @" << signal.getEvent() << ", which phase @"
                 << schedule.phases[place->second].op.getSymName()
                 << " signals too";
      }
    return success();
  }

  LogicalResult makeInstances() {
    for (unsigned i = 0; i < schedule.phases.size();) {
      LayersOp loop = schedule.phases[i].loop;
      unsigned end = i + 1;
      while (loop && end < schedule.phases.size() &&
             schedule.phases[end].loop == loop)
        ++end;
      int64_t repeat = loop ? int64_t(loop.getRepeat()) : 1;
      if (repeat > int64_t(Schedule::kMaxInstances) ||
          repeat * (end - i) + schedule.instances.size() >
              Schedule::kMaxInstances)
        return (loop ? loop.getOperation() : schedule.step.getOperation())
                   ->emitOpError()
               << "runs too many phases, with all repetitions, to be checked; "
                  "at most "
               << Schedule::kMaxInstances << " can be";
      for (unsigned phase = i; phase < end; ++phase)
        firstInstance.push_back(schedule.instances.size() + (phase - i));
      stride.insert(stride.end(), end - i, end - i);
      for (int64_t r = 0; r < repeat; ++r)
        for (unsigned phase = i; phase < end; ++phase)
          schedule.instances.push_back({phase, r});
      i = end;
    }
    return success();
  }

  /// The instance that \p wait of \p instance is for; nothing when it is for
  /// the repetition before the first.
  FailureOr<std::optional<unsigned>> resolve(WaitOp wait,
                                             const Instance &instance) {
    auto found = signaller.find(wait.getEventAttr().getAttr());
    if (found == signaller.end())
      return wait.emitOpError()
             << "waits for @" << wait.getEvent() << ", which no phase signals";
    unsigned from = found->second;
    const SchedulePhase &source = schedule.phases[from];
    const SchedulePhase &phase = schedule.phases[instance.phase];
    if (wait.getPrevious()) {
      if (!phase.loop || source.loop != phase.loop)
        return wait.emitOpError()
               << "waits for the previous repetition of @" << wait.getEvent()
               << ", but is not in the tile.layers of phase @"
               << source.op.getSymName() << ", which signals it";
      if (instance.repetition == 0)
        return std::optional<unsigned>();
      return std::optional(at(from, instance.repetition - 1));
    }
    if (from >= instance.phase) {
      auto error = wait.emitOpError()
                   << "waits for @" << wait.getEvent()
                   << ", which is signalled by phase @"
                   << source.op.getSymName()
                   << (from == instance.phase ? " itself" : ", a later one")
                   << ": all workers would wait for ever";
      if (phase.loop && phase.loop == source.loop)
        error << "; 'previous' waits for the repetition before";
      return error;
    }
    if (source.loop && source.loop == phase.loop)
      return std::optional(at(from, instance.repetition));
    int64_t last = source.loop ? int64_t(source.loop.getRepeat()) - 1 : 0;
    return std::optional(at(from, last));
  }

private:
  unsigned at(unsigned phase, int64_t repetition) const {
    return firstInstance[phase] + repetition * stride[phase];
  }

  Schedule &schedule;
  llvm::DenseMap<StringAttr, unsigned> signaller;
  std::vector<unsigned> firstInstance, stride;
};
} // namespace

LogicalResult Schedule::link() {
  Linker linker(*this);
  if (failed(linker.findSignals()) || failed(linker.makeInstances()))
    return failure();
  waits.resize(instances.size());
  for (auto [index, instance] : llvm::enumerate(instances))
    for (auto wait : phases[instance.phase].op.getOps<WaitOp>()) {
      auto source = linker.resolve(wait, instance);
      if (failed(source))
        return failure();
      if (*source)
        waits[index].emplace_back(**source, wait);
    }
  for (bool same : {false, true})
    for (const SchedulePhase &a : phases)
      for (const SchedulePhase &b : phases)
        conflicts[same].push_back(findConflict(a, b, same));
  return success();
}

std::vector<llvm::BitVector> Schedule::happenedBefore(WaitOp without) const {
  std::vector<llvm::BitVector> before(instances.size(),
                                      llvm::BitVector(instances.size()));
  // All waits are for earlier instances, so one pass is enough.
  for (size_t i = 0; i < instances.size(); ++i)
    for (auto [source, wait] : waits[i]) {
      if (wait == without)
        continue;
      before[i] |= before[source];
      before[i].set(source);
    }
  return before;
}

/// Bytes [first, second) that a buffer occupies, if it has a place.
static std::optional<std::pair<int64_t, int64_t>> placeOf(BufferOp buffer) {
  if (!buffer.getOffset())
    return std::nullopt;
  int64_t begin = *buffer.getOffset();
  return std::pair(begin, begin + bytesOf(buffer));
}

bool quartet::tile::shareMemory(Operation *a, Operation *b) {
  if (a == b)
    return true;
  auto first = dyn_cast<BufferOp>(a), second = dyn_cast<BufferOp>(b);
  if (!first || !second || isDynamic(first) != isDynamic(second))
    return false;
  auto x = placeOf(first), y = placeOf(second);
  return x && y && x->first < y->second && y->first < x->second;
}

/// Whether two pieces of the same memory can have a column in common.
static bool columnsOverlap(const Touch &a, const Touch &b) {
  // Different buffers at one place: any byte may be any column.
  if (a.memory != b.memory || a.access.columns < 0 || b.access.columns < 0)
    return true;
  return a.access.column < b.access.column + b.access.columns &&
         b.access.column < a.access.column + a.access.columns;
}

/// Whether repetitions have one of their own.
static bool isRepeated(Operation *memory) {
  auto state = dyn_cast<StateOp>(memory);
  return state && state.getRepeat() > 1;
}

std::optional<Conflict> Schedule::findConflict(const SchedulePhase &a,
                                               const SchedulePhase &b,
                                               bool sameRepetition) const {
  for (const Touch &x : a.touches)
    for (const Touch &y : b.touches) {
      if (!x.access.writes && !y.access.writes)
        continue;
      if (!shareMemory(x.memory, y.memory) || !columnsOverlap(x, y))
        continue;
      if (isRepeated(x.memory) && !sameRepetition && a.loop && a.loop == b.loop)
        continue;
      return Conflict{&x, &y};
    }
  return std::nullopt;
}

std::optional<Conflict> Schedule::conflict(const Instance &a,
                                           const Instance &b) const {
  bool same = a.repetition == b.repetition;
  return conflicts[same][a.phase * phases.size() + b.phase];
}

int64_t quartet::tile::mostTasks(ExtentAttr extent, StepOp step) {
  int64_t size = extent.getSize();
  int64_t tokens = step.getTokens();
  switch (extent.getKind()) {
  case ExtentKind::Count:
    return size;
  case ExtentKind::Tokens:
  case ExtentKind::Rows:
    return (tokens + size - 1) / size;
  case ExtentKind::Sequences:
    return std::min<int64_t>(step.getSequences(), tokens);
  case ExtentKind::Ranges:
  case ExtentKind::Experts:
    return -1;
  }
  return -1;
}

namespace {
/// Sets of columns, as sorted intervals that do not overlap.
class Columns {
public:
  void add(int64_t begin, int64_t end) {
    parts.emplace_back(begin, end);
    llvm::sort(parts);
  }
  /// The first column of [begin, end) that is missing; \p end if none is.
  int64_t firstMissing(int64_t begin, int64_t end) const {
    for (auto [from, to] : parts) {
      if (from > begin)
        break;
      begin = std::max(begin, to);
    }
    return std::min(begin, end);
  }

private:
  std::vector<std::pair<int64_t, int64_t>> parts;
};
} // namespace

static std::pair<int64_t, int64_t> columnsOf(const Touch &touch) {
  if (touch.access.columns < 0)
    return {0, columnsOf(cast<BufferOp>(touch.memory))};
  return {touch.access.column, touch.access.column + touch.access.columns};
}

/// The first column that \p read, of phase \p position, finds unwritten by
/// phases from \p from on; -1: it finds all.
static int64_t missingColumn(const Schedule &schedule, unsigned from,
                             unsigned position, const Touch &read) {
  Columns written;
  for (unsigned i = from; i <= position; ++i)
    for (const Touch &touch : schedule.phases[i].touches) {
      // Within a phase, only the same task's own writes come before.
      if (i == position && (touch.op->getBlock() != read.op->getBlock() ||
                            !touch.op->isBeforeInBlock(read.op)))
        continue;
      if (touch.memory == read.memory && touch.access.writes) {
        auto [begin, end] = columnsOf(touch);
        written.add(begin, end);
      }
    }
  auto [begin, end] = columnsOf(read);
  int64_t missing = written.firstMissing(begin, end);
  return missing < end ? missing : -1;
}

std::vector<std::pair<const Touch *, int64_t>>
quartet::tile::readsOfNothing(const Schedule &schedule) {
  std::vector<std::pair<const Touch *, int64_t>> result;
  for (auto [position, phase] : llvm::enumerate(schedule.phases))
    for (const Touch &touch : phase.touches) {
      if (!isa<BufferOp>(touch.memory) || !touch.access.reads)
        continue;
      int64_t column = missingColumn(schedule, 0, position, touch);
      if (column >= 0)
        result.emplace_back(&touch, column);
    }
  return result;
}

llvm::MapVector<Operation *, LiveRange>
quartet::tile::liveRanges(const Schedule &schedule) {
  llvm::MapVector<Operation *, LiveRange> ranges;
  auto extend = [&](Operation *memory, unsigned position) {
    auto [place, isNew] = ranges.try_emplace(memory);
    LiveRange &range = place->second;
    range.first = isNew ? position : std::min(range.first, position);
    range.last = isNew ? position : std::max(range.last, position);
  };
  unsigned loopBegin = 0;
  for (auto [position, phase] : llvm::enumerate(schedule.phases)) {
    if (position == 0 || phase.loop != schedule.phases[position - 1].loop)
      loopBegin = position;
    for (const Touch &touch : phase.touches) {
      if (!isa<BufferOp>(touch.memory))
        continue;
      extend(touch.memory, position);
      if (!phase.loop || !touch.access.reads ||
          missingColumn(schedule, loopBegin, position, touch) < 0)
        continue;
      unsigned loopEnd = position;
      while (loopEnd + 1 < schedule.phases.size() &&
             schedule.phases[loopEnd + 1].loop == phase.loop)
        ++loopEnd;
      extend(touch.memory, loopBegin);
      extend(touch.memory, loopEnd);
    }
  }
  return ranges;
}

/// Peak bytes of the values that live while \p block, the body of a grid, runs.
static int64_t peakBytes(Block &block) {
  int64_t peak = 0;
  for (Operation &op : block) {
    int64_t bytes = 0;
    // Rows staged up to here that are used from here on.
    for (Operation &other : block) {
      auto stage = dyn_cast<StageOp>(other);
      if (!stage || op.isBeforeInBlock(&other))
        continue;
      bool isUsed = &other == &op;
      for (Operation *user : stage.getRows().getUsers())
        isUsed |= !block.findAncestorOpInBlock(*user)->isBeforeInBlock(&op);
      if (isUsed)
        bytes += bytesOf(stage.getRows().getType());
    }
    if (auto matmul = dyn_cast<MatmulOp>(op))
      for (BlockArgument acc : matmul.getEpilogue().getArguments())
        bytes += bytesOf(cast<AccType>(acc.getType()));
    peak = std::max(peak, bytes);
  }
  return peak;
}

std::vector<int64_t> quartet::tile::localBytes(const Schedule &schedule) {
  std::vector<int64_t> result;
  for (const SchedulePhase &phase : schedule.phases) {
    // What every worker has for itself stays to the end of the phase.
    int64_t own = 0, tasks = 0;
    for (Operation &op : phase.op.getBody().front()) {
      if (auto stage = dyn_cast<StageOp>(op))
        own += bytesOf(stage.getRows().getType());
      else if (auto route = dyn_cast<RouteOp>(op))
        own += groupsBytes(route);
      else if (auto grid = dyn_cast<TasksOp>(op))
        tasks = std::max(tasks, peakBytes(grid.getBody().front()));
    }
    result.push_back(own + tasks);
  }
  // Groups stay until they are recalled for the last time.
  for (auto [last, phase] : llvm::enumerate(schedule.phases))
    for (auto recall : phase.op.getOps<RecallOp>())
      for (unsigned i = last; i-- > 0;) {
        const SchedulePhase &source = schedule.phases[i];
        if (source.op.getSymName() != recall.getPhase())
          continue;
        int64_t bytes = 0;
        for (auto route : source.op.getOps<RouteOp>())
          bytes += groupsBytes(route);
        for (unsigned j = i + 1; j <= last; ++j)
          result[j] += bytes;
        break;
      }
  return result;
}
