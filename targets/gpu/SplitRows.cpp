// A buffer is split where all who use it are known to write or to multiply such
// rows.
#include "targets/gpu/SplitRows.h"
#include "dialects/Tile/TileOps.h"
#include "targets/gpu/ChipPass.h"
#include "targets/gpu/kernels/WideMatmul.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

static bool isWide(Operation *op, StringRef matrix, const GpuFacts &machine) {
  auto found = SymbolTable::lookupNearestSymbolFrom<tile::MatrixOp>(
      op->getParentOfType<tile::ProgramOp>(),
      StringAttr::get(op->getContext(), matrix));
  return found && wantsWideMatmul(machine, found.getPackedFormat());
}

/// Whether \p stage, whose rows lie in the buffer, hands them to products that
/// can read bf16, or to nobody.
static bool feedsWide(tile::StageOp stage, const GpuFacts &machine) {
  return llvm::all_of(stage.getRows().getUsers(), [&](Operation *user) {
    if (auto up = dyn_cast<tile::ExpertUpOp>(user))
      return isWide(up, up.getMatrix(), machine);
    auto matmul = dyn_cast<tile::MatmulOp>(user);
    return matmul && llvm::all_of(matmul.getWeights(), [&](Value weights) {
             return wantsWideMatmul(
                 machine,
                 cast<tile::WeightsType>(weights.getType()).getPackedFormat());
           });
  });
}

static bool canSplit(tile::BufferOp buffer, tile::StepOp step,
                     const GpuFacts &machine) {
  auto rows = dyn_cast<tile::RowsType>(buffer.getType());
  if (!rows || rows.getGroup() != 0)
    return false;
  auto uses = SymbolTable::getSymbolUses(buffer.getSymNameAttr(), step);
  return uses && llvm::all_of(*uses, [&](const SymbolTable::SymbolUse &use) {
           Operation *user = use.getUser();
           if (auto stage = dyn_cast<tile::StageOp>(user))
             return feedsWide(stage, machine);
           if (auto up = dyn_cast<tile::ExpertUpOp>(user))
             return up.getH() == buffer.getSymName() ||
                    isWide(up, up.getMatrix(), machine);
           if (auto pairs = dyn_cast<tile::ExpertPairsOp>(user))
             return isWide(pairs, pairs.getMatrix(), machine);
           return isa<tile::SiluMulOp>(user);
         });
}

namespace {
class SplitRowsPass : public ChipPass<SplitRowsPass> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SplitRowsPass)

  SplitRowsPass() { chip = "sm_90a"; }
  using ChipPass::ChipPass;

  StringRef getArgument() const override { return "gpu-split-rows"; }
  StringRef getDescription() const override {
    return "Keep staged rows as bf16 where wide products alone read them";
  }
  LogicalResult run(ModuleOp module, const GpuFacts &facts) {
    if (!isByWarpGroups(facts))
      return success();
    module.walk([&](tile::StepOp step) {
      if (step.getKind() != tile::StepKind::Many)
        return;
      for (auto buffer : step.getOps<tile::BufferOp>())
        if (canSplit(buffer, step, facts))
          buffer.setParts(facts.activationParts);
    });
    return success();
  }
};
} // namespace

std::unique_ptr<Pass> quartet::gpu::createSplitRows(GpuFacts facts) {
  return std::make_unique<SplitRowsPass>(std::move(facts));
}

void quartet::gpu::registerSplitRows() { PassRegistration<SplitRowsPass>(); }
