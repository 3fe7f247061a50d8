// When blocks work: `profile` passes memory for it to the kernels, other runs
// pass null and skip it. Only then do kernels read the clock.
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "runtime/include/quartet/abi.h"
#include "targets/gpu/StepLowering.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

/// Bytes of a stamp.
static constexpr int64_t kStamp = 8;

std::vector<ProgramSpan> StepLowering::numberSpans() {
  std::vector<ProgramSpan> spans;
  auto add = [&](tile::PhaseOp phase, int64_t layer) {
    spans.push_back({phase.getSymName().str(), layer});
  };
  for (Operation &op : step.getBody().front()) {
    if (auto phase = dyn_cast<tile::PhaseOp>(op)) {
      spanNumbers[phase] = {int64_t(spans.size()), 0};
      add(phase, 0);
    } else if (auto layers = dyn_cast<tile::LayersOp>(op)) {
      auto phases =
          llvm::to_vector(layers.getBody().front().getOps<tile::PhaseOp>());
      for (auto [i, phase] : llvm::enumerate(phases))
        spanNumbers[phase] = {int64_t(spans.size() + i),
                              int64_t(phases.size())};
      for (int64_t i = 0; i < int64_t(layers.getRepeat()); ++i)
        for (tile::PhaseOp phase : phases)
          add(phase, i);
    }
  }
  return spans;
}

V StepLowering::stampsOf(tile::PhaseOp phase) {
  int64_t bytes = (QUARTET_STAMP_ENDS + k.machine.warps()) * kStamp;
  V place = worker;
  if (auto found = spanNumbers.find(phase); found != spanNumbers.end()) {
    auto [first, stride] = found->second;
    place = (layer * stride + first) * workers + worker;
  }
  return k.stamps() + place * bytes;
}

V StepLowering::stampBegin() {
  // Nothing is written yet: the launch in front may still run.
  return k.ifElse(
      k.wantsStamps(), [&] { return SmallVector<V>{k.clock()}; },
      [&] { return SmallVector<V>{k.i64(0)}; })[0];
}

void StepLowering::stampReady(tile::PhaseOp phase, V begin) {
  k.setSite((phase.getSymName() + " / stamps").str());
  k.ifThen(k.wantsStamps(), [&] {
    k.onFirstThread([&] {
      V stamps = stampsOf(phase);
      k.store(begin, stamps, int64_t(QUARTET_STAMP_BEGIN * kStamp));
      k.store(k.clock(), stamps, int64_t(QUARTET_STAMP_READY * kStamp));
    });
  });
}

void StepLowering::stampEnd(tile::PhaseOp phase,
                            llvm::function_ref<V()> stamps) {
  k.setSite((phase.getSymName() + " / stamps").str());
  k.ifThen(k.wantsStamps(), [&] {
    k.ifThen(k.lane() == 0, [&] {
      k.store(k.clock(), stamps() + k.warp() * kStamp,
              int64_t(QUARTET_STAMP_ENDS * kStamp));
    });
  });
}
