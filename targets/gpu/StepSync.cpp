// How the blocks of a persistent kernel wait for each other: a counter for each
// phase, and where blocks are dealt over several dies, one for each die in
// front of it.
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "targets/gpu/StepLowering.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

void StepLowering::numberDieCounters() {
  if (k.machine.dies == 1)
    return;
  step.walk([&](tile::PhaseOp phase) {
    dieCounters[phase] = result.syncCounters;
    result.syncCounters += repetitions(phase) * k.machine.dies;
  });
}

void StepLowering::lowerWait(tile::WaitOp wait) {
  overWait(wait, [&](tile::PhaseOp phase, V repetition) {
    // One thread looks; acquireBarrier behind all waits lets the others see.
    k.onFirstThread([&] {
      V total = k.load(k.i32(), totals, phaseNumbers.lookup(phase) * 8);
      V done = counter(phase, repetition, /*done=*/true);
      k.whileLoop(
          {k.readCounter(done)},
          [&](ArrayRef<V> seen) { return seen[0] != total; },
          [&](ArrayRef<V>) {
            k.pause();
            return SmallVector<V>{k.readCounter(done)};
          });
    });
  });
}

void StepLowering::lowerSignal(tile::PhaseOp phase, V finished, V total,
                               bool routes) {
  using LLVM::AtomicOrdering;
  auto add = [&](V counter, V value, AtomicOrdering ordering) {
    return k.addCounter(counter, k.truncate(value, k.i32()), ordering);
  };
  // What all threads wrote is before the release of one.
  k.releaseBarrier();
  V done = counter(phase, layer, /*done=*/true);
  k.ifThen((k.thread() == 0) & (finished > k.i64(0)), [&] {
    int64_t dies = k.machine.dies;
    if (dies == 1) {
      add(done, finished, AtomicOrdering::release);
      return;
    }
    // Hundreds of blocks would queue for one word of memory: those of a die
    // count for themselves, and the last one tells the others.
    V die = worker % dies;
    V ofDie = (workers - die + (dies - 1)) / dies; // its blocks
    V rest = total % workers;
    V all = total / workers * ofDie + (rest - die + (dies - 1)) / dies;
    if (routes)
      all = all + ofDie;
    V ofPhase = sync + dieCounters.lookup(phase) * kCounterBytes;
    V before = add(ofPhase + (layer * dies + die) * kCounterBytes, finished,
                   AtomicOrdering::acq_rel);
    k.ifThen(k.zeroExtend(before, k.i64()) + finished == all,
             [&] { add(done, all, AtomicOrdering::release); });
  });
}
