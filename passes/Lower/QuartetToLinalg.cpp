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

struct QuartetToLinalgPass
    : quartet::impl::QuartetToLinalgBase<QuartetToLinalgPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<
        Decompose<EmbedOp>, Decompose<RmsNormOp>, Decompose<GatedRmsNormOp>,
        Decompose<LinearOp>, Decompose<CausalConvOp>, Decompose<GatedDeltaOp>,
        Decompose<RopeOp>, Decompose<GatedAttentionOp>, Decompose<RouteOp>,
        Decompose<ExpertsOp>, Decompose<SharedExpertOp>, Decompose<MlpOp>,
        Decompose<LmHeadOp>, Decompose<SampleOp>>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
