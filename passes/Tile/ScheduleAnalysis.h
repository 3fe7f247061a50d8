// What a step's schedule means: the order in which phases run, what has
// happened before what, what each touches, and how long buffers are needed.
#ifndef QUARTET_PASSES_TILE_SCHEDULEANALYSIS_H
#define QUARTET_PASSES_TILE_SCHEDULEANALYSIS_H
#include "dialects/Tile/TileOps.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/MapVector.h"
#include <optional>
#include <utility>
#include <vector>

namespace quartet::tile {

/// What one op of a phase does to a buffer or state.
struct Touch {
  mlir::Operation *op = nullptr;
  mlir::Operation *memory = nullptr; ///< tile.buffer or tile.state
  TasksOp grid;                      ///< null: every worker does it for itself
  Access access;
};

/// Two touches of the same memory, at least one of which writes.
struct Conflict {
  const Touch *first = nullptr, *second = nullptr;
};

struct SchedulePhase {
  // Handles, whose methods are not const.
  mutable PhaseOp op;
  mutable LayersOp loop; ///< null outside of loops
  std::vector<Touch> touches;
};

/// One run of a phase: in a loop there is one for each repetition.
struct Instance {
  unsigned phase;
  int64_t repetition;
};

/// The schedule of one step. Workers run its instances in their order; an
/// instance's tasks begin when the waits of its phase are over.
class Schedule {
public:
  /// Most instances of a step whose order is computed.
  static constexpr unsigned kMaxInstances = 4096;

  /// Reads \p step, which must outlive this and not change.
  explicit Schedule(StepOp step);

  /// Resolves waits to instances. Emits an error and fails when an event has no
  /// phase or two, when a wait can never end, when `previous` has no meaning,
  /// or when there are too many instances. Call before what is below.
  mlir::LogicalResult link();

  /// Bit b of element a: instance b, all its tasks, happened before instance a
  /// begins. \p without: as if that wait were not there.
  std::vector<llvm::BitVector> happenedBefore(WaitOp without = {}) const;

  /// The first two touches of \p a and \p b, different instances, that must
  /// not happen at once.
  std::optional<Conflict> conflict(const Instance &a, const Instance &b) const;

  StepOp step;
  std::vector<SchedulePhase> phases;
  std::vector<Instance> instances;

private:
  std::optional<Conflict> findConflict(const SchedulePhase &a,
                                       const SchedulePhase &b,
                                       bool sameRepetition) const;

  /// Waits of each instance, and the instances that they are for.
  std::vector<std::vector<std::pair<unsigned, WaitOp>>> waits;
  /// Conflicts of pairs of phases, in the same repetition and in different
  /// ones.
  std::vector<std::optional<Conflict>> conflicts[2];
};

/// First and last phase, as positions in Schedule::phases, between which a
/// buffer's memory cannot be used for another.
struct LiveRange {
  unsigned first = 0, last = 0;
  bool overlaps(const LiveRange &other) const {
    return first <= other.last && other.first <= last;
  }
};

/// Of all buffers that are touched. A buffer whose contents one repetition of a
/// loop finds as something before it left them is live throughout the loop.
llvm::MapVector<mlir::Operation *, LiveRange>
liveRanges(const Schedule &schedule);

/// The first touch of each read that finds columns no phase has written, with
/// the first such column.
std::vector<std::pair<const Touch *, int64_t>>
readsOfNothing(const Schedule &schedule);

/// Whether two buffers or states may share bytes: they are the same, or have
/// places that overlap.
bool shareMemory(mlir::Operation *a, mlir::Operation *b);

/// Most tasks that a dimension of a grid can have; -1: any number.
int64_t mostTasks(ExtentAttr extent, StepOp step);

/// Peak bytes of local values that a worker holds in each phase, each value
/// rounded up to 64 bytes: staged rows, results and groups, and the groups that
/// an earlier phase leaves for this or a later one.
std::vector<int64_t> localBytes(const Schedule &schedule);

} // namespace quartet::tile
#endif
