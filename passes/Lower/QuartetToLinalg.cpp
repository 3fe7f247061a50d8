// Replaces every op that computes by its decomposition (Decompose.h).
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "passes/Lower/Decompose.h"
#include "passes/Passes.h"

#define DEBUG_TYPE "quartet-to-linalg"

namespace quartet {
#define GEN_PASS_DEF_QUARTETTOLINALG
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

namespace {
template <typename OpT> struct Decompose : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, decompose(rewriter, op));
    return success();
  }
};
} // namespace

/// Refuses packed matrices: only kernels of the step program read panels.
static LogicalResult checkUnpacked(Operation *root) {
  auto walked = root->walk([](Operation *op) {
    for (Value operand : op->getOperands())
      if (isa<PackedType>(operand.getType())) {
        op->emitOpError() << "has a packed matrix, " << operand.getType()
                          << ": lower with the step program, or pack for the "
                             "generic lowering";
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

/// Puts the ops of each phase in its place.
static void inlinePhases(Operation *root) {
  root->walk([](PhaseOp phase) {
    Block &body = phase.getBody().front();
    auto yield = cast<YieldOp>(body.getTerminator());
    phase->replaceAllUsesWith(yield.getValues());
    yield.erase();
    phase->getBlock()->getOperations().splice(phase->getIterator(),
                                              body.getOperations());
    phase.erase();
  });
}

namespace {
struct QuartetToLinalgPass
    : quartet::impl::QuartetToLinalgBase<QuartetToLinalgPass> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(checkUnpacked(getOperation())))
      return signalPassFailure();
    inlinePhases(getOperation());
    RewritePatternSet patterns(&getContext());
    patterns.add<
        Decompose<EmbedOp>, Decompose<RmsNormOp>, Decompose<GatedRmsNormOp>,
        Decompose<LinearOp>, Decompose<CausalConvOp>, Decompose<GatedDeltaOp>,
        Decompose<RopeOp>, Decompose<GatedAttentionOp>, Decompose<RouteOp>,
        Decompose<ExpertsOp>, Decompose<SharedExpertOp>, Decompose<MlpOp>,
        Decompose<LmHeadOp>, Decompose<SampleOp>, Decompose<ProjectionsOp>,
        Decompose<SelectExpertsOp>, Decompose<ExpertUpOp>,
        Decompose<ExpertDownOp>, Decompose<MlpUpOp>,
        Decompose<AccumulateSquaresOp>>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
