// Follows the weights of a step: which rows of which matrix are read by whom.
#include "passes/Tile/VerifyStreams.h"
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileSizes.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::tile;

namespace {
/// Rows [begin, end) of a matrix that \p op reads.
struct Run {
  int64_t begin, end;
  Operation *op;
};

/// Collects what is read of each matrix, and checks it at the end.
class StreamVerifier {
public:
  LogicalResult visit(const SchedulePhase &phase) {
    WalkResult walked = phase.op->walk([&](AccessOpInterface kernel) {
      if (failed(checkRepeats(kernel, phase)) || failed(checkCounts(kernel)) ||
          failed(collect(kernel)))
        return WalkResult::interrupt();
      return WalkResult::advance();
    });
    return failure(walked.wasInterrupted());
  }

  LogicalResult finish() {
    for (auto &[matrix, runs] : read)
      if (failed(checkCover(cast<MatrixOp>(matrix), runs)))
        return failure();
    return success();
  }

private:
  /// Weights and states of a loop have one piece for each of its repetitions.
  static LogicalResult checkRepeats(AccessOpInterface kernel,
                                    const SchedulePhase &phase) {
    int64_t repeat = phase.loop ? int64_t(phase.loop.getRepeat()) : 1;
    SmallVector<Access> accesses;
    kernel.getAccesses(accesses);
    for (const Access &access : accesses) {
      Operation *memory = lookUp(kernel, access.symbol);
      int64_t has = 1;
      if (auto matrix = dyn_cast_or_null<MatrixOp>(memory))
        has = matrix.getRepeat();
      else if (auto vector = dyn_cast_or_null<VectorOp>(memory))
        has = vector.getRepeat();
      else if (auto state = dyn_cast_or_null<StateOp>(memory))
        has = state.getRepeat();
      else
        continue;
      // A vector or state without repetitions is the same in all.
      if (has == repeat || (has == 1 && !isa<MatrixOp>(memory)))
        continue;
      return kernel.emitOpError()
             << "runs " << repeat << " times in phase @"
             << phase.op.getSymName() << ", but @" << access.symbol << " has "
             << has << (has == 1 ? " repetition" : " repetitions");
    }
    return success();
  }

  /// The heads that the tasks of \p kernel share out.
  static int64_t headsOf(AccessOpInterface kernel) {
    if (auto scan = dyn_cast<DeltaScanOp>(*kernel))
      return scan.getKeyHeads();
    if (auto prepare = dyn_cast<DeltaPrepareOp>(*kernel))
      return prepare.getKeyHeads();
    if (auto attend = dyn_cast<AttendOp>(*kernel))
      return attend.getKvHeads();
    auto store = cast<StoreHeadOp>(*kernel);
    Operation *target = lookUp(store, store.getTarget());
    if (auto state = dyn_cast<StateOp>(target))
      return cast<RankedTensorType>(state.getType()).getDimSize(1);
    return columnsOf(cast<BufferOp>(target)) / int64_t(store.getWidth());
  }

  /// What is cut into heads or columns is cut into as many tiles as there are
  /// tasks.
  static LogicalResult checkCounts(AccessOpInterface kernel) {
    SmallVector<Access> accesses;
    kernel.getAccesses(accesses);
    for (const Access &access : accesses) {
      int64_t columns = access.columns;
      if (auto down = dyn_cast<ExpertDownOp>(*kernel))
        columns = cast<MatrixOp>(lookUp(down, down.getMatrix())).getRows();
      if (auto pairs = dyn_cast<ExpertPairsOp>(*kernel))
        columns = cast<MatrixOp>(lookUp(pairs, pairs.getMatrix())).getRows();
      if (auto up = dyn_cast<ExpertUpOp>(*kernel))
        columns = up.getIntermediate();
      if (auto logits = dyn_cast<StoreLogitsOp>(*kernel))
        columns = logits.getVocabulary();
      if (auto mul = dyn_cast<SiluMulOp>(*kernel))
        columns = columnsOf(cast<BufferOp>(lookUp(mul, mul.getBuffer())));
      for (const Coordinate &coordinate : access.coordinates) {
        if (coordinate.axis == Axis::Heads) {
          int64_t tasks = extentOf(coordinate.value).getSize();
          if (tasks != headsOf(kernel))
            return kernel.emitOpError()
                   << "has " << tasks << " tasks for " << headsOf(kernel)
                   << " heads of @" << access.symbol;
        }
        if (coordinate.axis != Axis::Columns || columns < 0)
          continue;
        int64_t tasks = extentOf(coordinate.value).getSize();
        int64_t tiles = (columns + coordinate.tile - 1) / coordinate.tile;
        if (tasks != tiles)
          return kernel.emitOpError()
                 << "has " << tasks << " tasks for the " << tiles
                 << " tiles of " << coordinate.tile << " that " << columns
                 << " columns or rows of @" << access.symbol << " have";
      }
    }
    return success();
  }

  LogicalResult collect(AccessOpInterface kernel) {
    if (auto stream = dyn_cast<StreamOp>(*kernel)) {
      if (!stream.getWeights().hasOneUse())
        return stream.emitOpError()
               << "reads @" << stream.getMatrix() << " for "
               << llvm::range_size(stream.getWeights().getUses())
               << " uses; a tile is used exactly once";
      add(stream, stream.getMatrix(), stream.getFirst(),
          stream.getFirst() + stream.getCount());
      return checkGrid(stream, {stream.getIndex()});
    }
    if (auto up = dyn_cast<ExpertUpOp>(*kernel)) {
      auto matrix = cast<MatrixOp>(lookUp(up, up.getMatrix()));
      // The padding of the last panel belongs to the rows before it.
      int64_t half = panelCount(up.getIntermediate()) * kPanelRows;
      add(up, up.getMatrix(), 0, half);
      add(up, up.getMatrix(), half, matrix.getRows());
      return checkGrid(up, {up.getIndex(), up.getExpert()});
    }
    if (auto down = dyn_cast<ExpertDownOp>(*kernel)) {
      auto matrix = cast<MatrixOp>(lookUp(down, down.getMatrix()));
      add(down, down.getMatrix(), 0, matrix.getRows());
      return checkGrid(down, {down.getIndex()});
    }
    if (auto pairs = dyn_cast<ExpertPairsOp>(*kernel)) {
      auto matrix = cast<MatrixOp>(lookUp(pairs, pairs.getMatrix()));
      add(pairs, pairs.getMatrix(), 0, matrix.getRows());
      return checkGrid(pairs, {pairs.getIndex(), pairs.getExpert()});
    }
    return success();
  }

  void add(Operation *op, StringRef matrix, int64_t begin, int64_t end) {
    read[lookUp(op, matrix)].push_back({begin, end, op});
  }

  static ExtentAttr extentOf(Value coordinate) {
    auto argument = cast<BlockArgument>(coordinate);
    auto grid = cast<TasksOp>(argument.getOwner()->getParentOp());
    return cast<ExtentAttr>(grid.getExtents()[argument.getArgNumber()]);
  }

  /// Only tiles of tokens or rows may repeat a read; all other coordinates of
  /// the grid select something to read.
  static LogicalResult checkGrid(Operation *op, ArrayRef<Value> selecting) {
    auto grid = op->getParentOfType<TasksOp>();
    for (BlockArgument coordinate : grid.getBody().getArguments()) {
      ExtentAttr extent = extentOf(coordinate);
      if (extent.getKind() == ExtentKind::Tokens ||
          extent.getKind() == ExtentKind::Rows ||
          llvm::is_contained(selecting, Value(coordinate)))
        continue;
      if (extent.getKind() == ExtentKind::Count && extent.getSize() == 1)
        continue;
      return op->emitOpError()
             << "reads the same rows in every task of coordinate "
             << coordinate.getArgNumber() << ", <"
             << stringifyExtentKind(extent.getKind()) << " " << extent.getSize()
             << ">";
    }
    return success();
  }

  static LogicalResult checkCover(MatrixOp matrix, std::vector<Run> &runs) {
    llvm::sort(runs, [](const Run &a, const Run &b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    int64_t next = 0;
    Operation *last = nullptr;
    for (const Run &run : runs) {
      if (run.begin > next)
        return run.op->emitOpError()
               << "begins at row " << run.begin << " of @"
               << matrix.getSymName() << ", but the step reads no rows " << next
               << " to " << run.begin - 1;
      if (run.begin < next) {
        auto error = run.op->emitOpError()
                     << "reads rows " << run.begin << " to "
                     << std::min(next, run.end) - 1 << " of @"
                     << matrix.getSymName() << " again";
        error.attachNote(last->getLoc()) << "read here";
        return error;
      }
      next = run.end;
      last = run.op;
    }
    if (next < int64_t(matrix.getRows()))
      return last->emitOpError()
             << "ends at row " << next << " of @" << matrix.getSymName()
             << ", but the step reads no rows " << next << " to "
             << matrix.getRows() - 1;
    return success();
  }

  llvm::MapVector<Operation *, std::vector<Run>> read;
};
} // namespace

LogicalResult quartet::tile::verifyStreams(const Schedule &schedule) {
  StreamVerifier verifier;
  for (const SchedulePhase &phase : schedule.phases)
    if (failed(verifier.visit(phase)))
      return failure();
  return verifier.finish();
}
