// Weights and rows of tokens come from the second-level cache, task by task,
// and that is what bounds products of bf16 (docs/gpu-notes.md).
#include "targets/gpu/WidenTasks.h"
#include "dialects/Tile/TileOps.h"
#include "targets/gpu/ChipPass.h"
#include "targets/gpu/kernels/WideMatmul.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

/// Of a task's results in shared memory, which phases end with.
static int64_t resultBytes(tile::MatmulOp matmul, int64_t tokens) {
  int64_t bytes = 0;
  for (BlockArgument acc : matmul.getEpilogue().getArguments())
    bytes += cast<tile::AccType>(acc.getType()).getRows() * tokens * 4;
  return bytes;
}

/// The extent of \p tasks that counts tiles of tokens, as (place, tokens).
static std::optional<std::pair<size_t, int64_t>> tokenExtent(tile::TasksOp op) {
  for (auto [i, extent] :
       llvm::enumerate(op.getExtents().getAsRange<tile::ExtentAttr>()))
    if (extent.getKind() == tile::ExtentKind::Tokens)
      return std::pair(i, int64_t(extent.getSize()));
  return std::nullopt;
}

/// Tasks of \p op in a step of \p tokens tokens when it has tiles of \p tile.
static int64_t taskCount(tile::TasksOp op, int64_t tokens, int64_t tile) {
  int64_t count = llvm::divideCeil(tokens, tile);
  for (auto extent : op.getExtents().getAsRange<tile::ExtentAttr>())
    if (extent.getKind() == tile::ExtentKind::Count)
      count *= int64_t(extent.getSize());
  return count;
}

/// Tokens that tasks of \p op can have instead; those they have where they
/// can't.
static int64_t widerTile(tile::TasksOp op, const GpuFacts &machine) {
  int64_t now = tokenExtent(op)->second, wide = now;
  op.walk([&](tile::MatmulOp matmul) {
    // Rows that the task stages itself lie in shared memory.
    auto stage = matmul.getRows().getDefiningOp<tile::StageOp>();
    tile::BufferOp source;
    if (stage)
      source = SymbolTable::lookupNearestSymbolFrom<tile::BufferOp>(
          op, stage.getSourceAttr());
    if (!source || !isa<tile::RowsType>(source.getType()))
      return;
    int64_t tokens = std::numeric_limits<int64_t>::max(), room = 0;
    for (Value weights : matmul.getWeights()) {
      auto format =
          cast<tile::WeightsType>(weights.getType()).getPackedFormat();
      tokens = std::min(tokens, wideTaskTokens(machine, format));
      room = std::max(room, wideRoom(machine, format, tokens));
    }
    if (resultBytes(matmul, tokens) + room <= machine.loneSharedBytes)
      wide = std::max(now, tokens);
  });
  return wide;
}

/// What the busiest unit reads when tasks of \p tokens tokens go to all in
/// turn, in bytes for each column of 128 rows of bf16 weights and of the
/// tokens' two bf16: 512 for 64 tokens, 768 for 128. So twice the tokens take
/// 1.5 times as long (with one bf16 1.33 times), and pay as long as units have
/// more than one task of 64 each, or the last turn is full.
static int64_t readBytes(int64_t tasks, int64_t tokens,
                         const GpuFacts &machine) {
  return llvm::divideCeil(tasks, machine.units) *
         (128 * 2 + tokens * 2 * machine.activationParts);
}

static void widen(tile::TasksOp op, int64_t tokens) {
  size_t place = tokenExtent(op)->first;
  SmallVector<Attribute> extents(op.getExtents().begin(),
                                 op.getExtents().end());
  extents[place] =
      tile::ExtentAttr::get(op.getContext(), tile::ExtentKind::Tokens, tokens);
  op.setExtentsAttr(ArrayAttr::get(op.getContext(), extents));
  auto widenType = [&](Value value) {
    if (auto rows = dyn_cast<tile::RowsType>(value.getType()))
      value.setType(tile::RowsType::get(rows.getContext(), tokens,
                                        rows.getColumns(), rows.getGroup()));
    else if (auto acc = dyn_cast<tile::AccType>(value.getType()))
      value.setType(
          tile::AccType::get(acc.getContext(), tokens, acc.getRows()));
  };
  op.walk([&](Operation *inner) {
    for (Value result : inner->getResults())
      widenType(result);
    for (Region &region : inner->getRegions())
      for (Value argument : region.getArguments())
        widenType(argument);
  });
}

static void widenPhase(tile::PhaseOp phase, int64_t stepTokens,
                       const GpuFacts &machine) {
  SmallVector<std::pair<tile::TasksOp, int64_t>> able;
  int64_t tasks = 0, fewer = 0, now = 0, wide = 0;
  for (auto op : phase.getBody().front().getOps<tile::TasksOp>()) {
    auto extent = tokenExtent(op);
    if (!extent)
      return;
    int64_t tokens = widerTile(op, machine);
    tasks += taskCount(op, stepTokens, extent->second);
    fewer += taskCount(op, stepTokens, tokens);
    if (tokens <= extent->second)
      continue;
    able.push_back({op, tokens});
    now = extent->second;
    wide = tokens;
  }
  if (!able.empty() &&
      readBytes(fewer, wide, machine) < readBytes(tasks, now, machine))
    for (auto [op, tokens] : able)
      widen(op, tokens);
}

namespace {
class WidenTasksPass : public ChipPass<WidenTasksPass> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(WidenTasksPass)

  WidenTasksPass() { chip = "sm_90a"; }
  using ChipPass::ChipPass;

  StringRef getArgument() const override { return "gpu-widen-tasks"; }
  StringRef getDescription() const override {
    return "Give tasks of products more tokens where a GPU then reads less";
  }
  LogicalResult run(ModuleOp module, const GpuFacts &facts) {
    module.walk([&](tile::StepOp step) {
      if (step.getKind() == tile::StepKind::Many)
        step.walk([&](tile::PhaseOp phase) {
          widenPhase(phase, step.getTokens(), facts);
        });
    });
    return success();
  }
};
} // namespace

std::unique_ptr<Pass> quartet::gpu::createWidenTasks(GpuFacts facts) {
  return std::make_unique<WidenTasksPass>(std::move(facts));
}

void quartet::gpu::registerWidenTasks() { PassRegistration<WidenTasksPass>(); }
