// Lets phases begin to read their weights before they wait for activations.
#include "dialects/Tile/TileOps.h"
#include "mlir/IR/Builders.h"
#include "passes/Passes.h"

#define DEBUG_TYPE "tile-pipeline"

namespace quartet {
#define GEN_PASS_DEF_TILEPIPELINE
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;
using namespace quartet::tile;

/// The first stream of the phase's tasks; null when they stream nothing, or
/// experts only, which have no tile.stream.
static StreamOp firstStream(PhaseOp phase) {
  StreamOp first;
  phase.walk([&](StreamOp stream) {
    first = stream;
    return WalkResult::interrupt();
  });
  return first;
}

namespace {
struct TilePipeline : quartet::impl::TilePipelineBase<TilePipeline> {
  using Base::Base;

  void runOnOperation() override {
    if (prefetchBytes <= 0)
      return;
    getOperation()->walk([&](PhaseOp phase) {
      StreamOp stream = firstStream(phase);
      if (!stream || phase.getOps<WaitOp>().empty() ||
          !phase.getOps<PrefetchOp>().empty())
        return;
      OpBuilder b = OpBuilder::atBlockBegin(&phase.getBody().front());
      PrefetchOp::create(b, stream.getLoc(), stream.getMatrixAttr(),
                         b.getI64IntegerAttr(prefetchBytes));
    });
  }
};
} // namespace
