// The walk over a tile.program: ops say by their accesses which weights and
// states they touch; only multiply-adds need to know the op.
#include "compiler/plan/StepPlan.h"
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/Access.h"
#include "mlir/IR/SymbolTable.h"
#include "quartet/abi.h"
#include "llvm/ADT/StringSet.h"

using namespace quartet;
using namespace mlir;
using tile::ExtentKind;

static int64_t bytesOfPanels(tile::MatrixOp matrix, int64_t rows) {
  PanelLayout panel(matrix.getPackedFormat(), matrix.getColumns());
  return panelCount(rows) * panel.bytes;
}

/// Bytes of a tensor; a dynamic dimension counts once.
static int64_t bytesOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  int64_t bytes = (tensor.getElementTypeBitWidth() + 7) / 8;
  for (int64_t size : tensor.getShape())
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  return bytes;
}

/// The op's groups of experts, or null.
static tile::RouteOp routeOf(Value groups) {
  if (auto route = groups.getDefiningOp<tile::RouteOp>())
    return route;
  auto recall = groups.getDefiningOp<tile::RecallOp>();
  if (!recall)
    return {};
  for (auto phase : recall->getParentOp()->getBlock()->getOps<tile::PhaseOp>())
    if (phase.getSymName() == recall.getPhase())
      for (auto route : phase.getOps<tile::RouteOp>())
        return route;
  return {};
}

namespace {
/// Counts the phases of one step. What several phases read, such as the weight
/// of a norm, counts where it is read first.
class Counter {
public:
  explicit Counter(tile::ProgramOp program) : symbols(program) {}

  PhasePlan count(tile::PhaseOp phase, int64_t repeat) {
    PhasePlan plan;
    plan.name = phase.getSymName().str();
    plan.repeat = repeat;
    touched.clear();
    for (Operation &op : phase.getBody().front()) {
      auto tasks = dyn_cast<tile::TasksOp>(op);
      if (!tasks) {
        add(&op, plan.work);
        continue;
      }
      GridPlan grid;
      for (Attribute extent : tasks.getExtents()) {
        auto attr = cast<tile::ExtentAttr>(extent);
        grid.dims.push_back({attr.getKind(), attr.getSize(), 1});
      }
      if (tile::RouteOp route =
              tasks.getGroups() ? routeOf(tasks.getGroups()) : tile::RouteOp())
        grid.sharedExperts = route.getShared();
      tasks.getBody().walk([&](Operation *kernel) {
        add(kernel, grid.work);
        cutLast(kernel, grid);
      });
      plan.work += grid.work;
      plan.grids.push_back(std::move(grid));
    }
    return plan;
  }

private:
  void add(Operation *op, StepWork &work) {
    if (auto accessing = dyn_cast<tile::AccessOpInterface>(op)) {
      SmallVector<tile::Access> accesses;
      accessing.getAccesses(accesses);
      for (const tile::Access &access : accesses)
        addBytes(op, access, work);
    }
    addMacs(op, work);
  }

  void addBytes(Operation *op, const tile::Access &access, StepWork &work);
  void addMacs(Operation *op, StepWork &work);
  void cutLast(Operation *op, GridPlan &grid);

  SymbolTable symbols;
  llvm::StringSet<> seen;    ///< vectors that some phase has read
  llvm::StringSet<> touched; ///< states that this phase touches
};
} // namespace

/// The route behind an op that works with experts, or null.
static tile::RouteOp expertsOf(Operation *op) {
  if (auto up = dyn_cast<tile::ExpertUpOp>(op))
    return routeOf(up.getGroups());
  if (auto down = dyn_cast<tile::ExpertDownOp>(op))
    return routeOf(down.getGroups());
  if (auto pairs = dyn_cast<tile::ExpertPairsOp>(op))
    return routeOf(pairs.getGroups());
  return {};
}

void Counter::addBytes(Operation *op, const tile::Access &access,
                       StepWork &work) {
  Operation *symbol = symbols.lookup(access.symbol);
  if (auto matrix = dyn_cast_or_null<tile::MatrixOp>(symbol)) {
    int64_t rows = access.columns < 0 ? matrix.getRows() : access.columns;
    int64_t bytes = bytesOfPanels(matrix, rows);
    if (tile::RouteOp route = expertsOf(op)) {
      work.expertBytes += bytes;
      work.experts = route.getExperts();
      work.expertsPerToken = route.getTopK();
      work.weightBytes += int64_t(route.getShared()) * bytes;
    } else {
      work.weightBytes += bytes * int64_t(matrix.getExperts());
    }
    return;
  }
  if (auto vector = dyn_cast_or_null<tile::VectorOp>(symbol)) {
    int64_t bytes = bytesOf(vector.getType());
    if (isa<tile::EmbedOp>(op))
      work.tokenBytes +=
          bytes / cast<RankedTensorType>(vector.getType()).getDimSize(0);
    else if (seen.insert(access.symbol).second)
      work.weightBytes += bytes;
    return;
  }
  auto state = dyn_cast_or_null<tile::StateOp>(symbol);
  if (!state)
    return; // a buffer: scratch memory
  int64_t bytes = bytesOf(state.getType());
  bool pages = state.getDim() == tile::StateDim::Pages;
  if (pages)
    bytes /= QUARTET_PAGE_TOKENS;
  if (access.reads && touched.insert(("read " + access.symbol).str()).second)
    (pages ? work.kvBytesPerPosition : work.stateBytes) += bytes;
  if (access.writes && touched.insert(("write " + access.symbol).str()).second)
    (pages ? work.tokenWriteBytes : work.stateWriteBytes) += bytes;
}

void Counter::addMacs(Operation *op, StepWork &work) {
  if (auto matmul = dyn_cast<tile::MatmulOp>(op)) {
    auto rows = matmul.getRows().getDefiningOp<tile::StageOp>();
    bool chosen = rows && rows.getChosen();
    bool bytes = matmul.getRows().getType().getGroup() > 0;
    for (Value weights : matmul.getWeights()) {
      auto stream = weights.getDefiningOp<tile::StreamOp>();
      if (!stream)
        continue;
      int64_t macs = int64_t(stream.getCount()) *
                     stream.getWeights().getType().getColumns();
      (chosen ? work.macsPerRow : work.macs) += macs;
      if (bytes)
        (chosen ? work.int8MacsPerRow : work.int8Macs) += macs;
    }
    return;
  }
  if (tile::RouteOp route = expertsOf(op)) {
    auto up = dyn_cast<tile::ExpertUpOp>(op);
    auto pairs = dyn_cast<tile::ExpertPairsOp>(op);
    StringRef name = up      ? up.getMatrix()
                     : pairs ? pairs.getMatrix()
                             : cast<tile::ExpertDownOp>(op).getMatrix();
    auto matrix = symbols.lookup<tile::MatrixOp>(name);
    if (!matrix)
      return;
    int64_t rows = up ? 2 * int64_t(up.getIntermediate()) : matrix.getRows();
    int64_t macs = int64_t(route.getTopK() + route.getShared()) * rows *
                   int64_t(matrix.getColumns());
    work.macs += macs;
    if (matrix.getPackedFormat().activationGroup())
      work.int8Macs += macs;
    return;
  }
  // The taps of q and k where they are prepared, of all channels otherwise.
  auto tapsOf = [&](StringRef name, int64_t first, int64_t channels) {
    auto taps = symbols.lookup<tile::VectorOp>(name);
    if (!taps)
      return;
    auto type = cast<RankedTensorType>(taps.getType());
    int64_t end = channels < 0 ? type.getDimSize(0) : first + channels;
    work.macs += (end - first) * type.getDimSize(1);
  };
  if (auto prepare = dyn_cast<tile::DeltaPrepareOp>(op))
    return tapsOf(prepare.getTaps(), 0,
                  2 * int64_t(prepare.getKeyHeads() * prepare.getKeyDim()));
  if (auto scan = dyn_cast<tile::DeltaScanOp>(op)) {
    // S k, S + u k^T, S q.
    work.macs += 3 * int64_t(scan.getValueHeads() * scan.getValueDim() *
                             scan.getKeyDim());
    int64_t vectors = 2 * int64_t(scan.getKeyHeads() * scan.getKeyDim());
    return tapsOf(scan.getTaps(), scan.getPrepared() ? vectors : 0, -1);
  }
  if (auto attend = dyn_cast<tile::AttendOp>(op))
    work.macsPerPosition +=
        2 * int64_t(attend.getQueryHeads() * attend.getHeadDim());
}

/// Finds out how large the last tile of a dimension is that cuts the rows of a
/// matrix.
void Counter::cutLast(Operation *op, GridPlan &grid) {
  int64_t tile = 0, total = 0;
  Value index;
  if (auto stream = dyn_cast<tile::StreamOp>(op)) {
    index = stream.getIndex();
    tile = stream.getWeights().getType().getRows();
    total = stream.getCount();
  } else if (auto up = dyn_cast<tile::ExpertUpOp>(op)) {
    index = up.getIndex();
    tile = up.getTile();
    total = up.getIntermediate();
  } else if (auto pairs = dyn_cast<tile::ExpertPairsOp>(op)) {
    index = pairs.getIndex();
    tile = pairs.getTile();
    if (auto matrix = symbols.lookup<tile::MatrixOp>(pairs.getMatrix()))
      total = matrix.getRows();
  } else if (auto down = dyn_cast<tile::ExpertDownOp>(op)) {
    index = down.getIndex();
    tile = down.getTile();
    if (auto matrix = symbols.lookup<tile::MatrixOp>(down.getMatrix()))
      total = matrix.getRows();
  }
  auto argument = dyn_cast_or_null<BlockArgument>(index);
  if (!argument || tile <= 0 || total <= 0 ||
      argument.getArgNumber() >= grid.dims.size())
    return;
  int64_t rest = panelCount(total % tile) * kPanelRows;
  grid.dims[argument.getArgNumber()].last =
      rest ? double(rest) / double(tile) : 1;
}

static StepPlan planStep(tile::ProgramOp program, tile::StepOp step) {
  StepPlan plan;
  plan.kind = step.getKind();
  plan.tokens = step.getTokens();
  plan.sequences = step.getSequences();
  plan.scratchBytes = step.getScratchBytes().value_or(0);
  plan.scratchPageBytes = step.getScratchPageBytes().value_or(0);
  plan.localBytes = step.getLocalBytes().value_or(0);
  Counter counter(program);
  for (Operation &op : step.getBody().front()) {
    if (auto phase = dyn_cast<tile::PhaseOp>(op))
      plan.phases.push_back(counter.count(phase, 1));
    else if (auto layers = dyn_cast<tile::LayersOp>(op))
      for (auto phase : layers.getBody().front().getOps<tile::PhaseOp>())
        plan.phases.push_back(counter.count(phase, layers.getRepeat()));
  }
  return plan;
}

ProgramPlan quartet::planProgram(ModuleOp module) {
  ProgramPlan plan;
  module.walk([&](tile::ProgramOp program) {
    for (Operation &op : program.getBody().front()) {
      if (auto matrix = dyn_cast<tile::MatrixOp>(op))
        plan.weightBytes += int64_t(matrix.getRepeat() * matrix.getExperts()) *
                            bytesOfPanels(matrix, matrix.getRows());
      else if (auto vector = dyn_cast<tile::VectorOp>(op))
        plan.weightBytes +=
            int64_t(vector.getRepeat()) * bytesOf(vector.getType());
      else if (auto state = dyn_cast<tile::StateOp>(op))
        (state.getDim() == tile::StateDim::Pages ? plan.pageBytes
                                                 : plan.slotBytes) +=
            int64_t(state.getRepeat()) * bytesOf(state.getType());
      else if (auto step = dyn_cast<tile::StepOp>(op); step && !step.getMtp())
        plan.steps.push_back(planStep(program, step));
    }
  });
  return plan;
}
