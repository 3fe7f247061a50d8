// Gives buffers their places in scratch memory: those that are never needed at
// once, and whose users are ordered by waits, may share bytes.
#include "dialects/Tile/TileSizes.h"
#include "mlir/IR/Builders.h"
#include "passes/Passes.h"
#include "passes/Tile/ScheduleAnalysis.h"

#define DEBUG_TYPE "tile-plan-memory"

namespace quartet {
#define GEN_PASS_DEF_TILEPLANMEMORY
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;
using namespace quartet::tile;

namespace {
/// Which buffers of a step may have the same place.
class Sharing {
public:
  explicit Sharing(const Schedule &schedule)
      : schedule(schedule), ranges(liveRanges(schedule)),
        before(schedule.happenedBefore()) {
    for (auto [phase, contents] : llvm::enumerate(schedule.phases))
      for (const Touch &touch : contents.touches) {
        auto &phases = users[touch.memory];
        if (phases.empty() || phases.back() != phase)
          phases.push_back(phase);
      }
  }

  bool mayShare(BufferOp a, BufferOp b) const {
    auto first = ranges.find(a), second = ranges.find(b);
    // Nobody looks at a buffer that nobody touches.
    if (first == ranges.end() || second == ranges.end())
      return true;
    return !first->second.overlaps(second->second) && areOrdered(a, b);
  }

private:
  /// Whether every use of \p a happens before every use of \p b that comes
  /// later, and the other way round.
  bool areOrdered(Operation *a, Operation *b) const {
    for (auto [i, x] : llvm::enumerate(schedule.instances)) {
      if (!llvm::is_contained(users.lookup(a), x.phase))
        continue;
      for (auto [j, y] : llvm::enumerate(schedule.instances))
        if (llvm::is_contained(users.lookup(b), y.phase) &&
            !(i < j ? before[j].test(i) : before[i].test(j)))
          return false;
    }
    return true;
  }

  const Schedule &schedule;
  llvm::MapVector<Operation *, LiveRange> ranges;
  std::vector<llvm::BitVector> before;
  llvm::DenseMap<Operation *, std::vector<unsigned>> users;
};
} // namespace

/// The tightest gap of \p size bytes between the places in \p taken, which are
/// sorted, or the end of the last.
static int64_t findPlace(ArrayRef<std::pair<int64_t, int64_t>> taken,
                         int64_t size) {
  int64_t best = -1, bestGap = 0, end = 0;
  for (auto [from, to] : taken) {
    int64_t gap = from - end;
    if (gap >= size && (best < 0 || gap < bestGap)) {
      best = end;
      bestGap = gap;
    }
    end = std::max(end, to);
  }
  return best < 0 ? end : best;
}

/// Places \p buffers from the largest on; returns the bytes that they take.
static int64_t place(ArrayRef<BufferOp> buffers, const Sharing &sharing) {
  SmallVector<BufferOp> order(buffers);
  llvm::sort(order, [](BufferOp a, BufferOp b) {
    int64_t x = bytesOf(a), y = bytesOf(b);
    return x != y ? x > y : a->isBeforeInBlock(b);
  });
  int64_t total = 0;
  for (auto [count, buffer] : llvm::enumerate(order)) {
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (BufferOp other : ArrayRef(order).take_front(count))
      if (!sharing.mayShare(buffer, other))
        taken.emplace_back(*other.getOffset(),
                           *other.getOffset() + bytesOf(other));
    llvm::sort(taken);
    int64_t size = bytesOf(buffer);
    int64_t offset = findPlace(taken, size);
    buffer.setOffset(offset);
    total = std::max(total, offset + size);
  }
  return total;
}

namespace {
struct TilePlanMemory : quartet::impl::TilePlanMemoryBase<TilePlanMemory> {
  LogicalResult plan(StepOp step) {
    Schedule schedule(step);
    if (failed(schedule.link()))
      return failure();
    SmallVector<BufferOp> fixed, inPieces;
    int64_t pages = piecePages(step);
    for (auto buffer : step.getOps<BufferOp>()) {
      if (!isDynamic(buffer)) {
        fixed.push_back(buffer);
        continue;
      }
      if (int64_t(*buffer.getPiecePages()) != pages)
        return buffer.emitError()
               << "buffer @" << buffer.getSymName() << " has pieces of "
               << *buffer.getPiecePages() << " pages, others of " << pages;
      inPieces.push_back(buffer);
    }
    Sharing sharing(schedule);
    int64_t bytes = place(fixed, sharing);
    int64_t pieceBytes = place(inPieces, sharing);
    // There are ceil(W / pages) pieces: nearly one more than W / pages.
    step.setScratchBytes(bytes + pieceBytes);
    step.setScratchPageBytes((pieceBytes + pages - 1) / pages);
    std::vector<int64_t> local = localBytes(schedule);
    step.setLocalBytes(local.empty() ? 0 : *llvm::max_element(local));
    return success();
  }

  void runOnOperation() override {
    bool isBroken = false;
    getOperation()->walk([&](StepOp step) { isBroken |= failed(plan(step)); });
    if (isBroken)
      signalPassFailure();
  }
};
} // namespace
