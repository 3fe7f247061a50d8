// The schedule on a CPU. Each phase has two counters per repetition: tasks
// claimed and tasks done. Worker w begins with task w, so that it can prefetch
// that task's weights while it waits; further tasks are claimed one by one.
#include "targets/cpu/StepLowering.h"
#include "dialects/Tile/StagedRow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

StepLowering::StepLowering(KernelBuilder &k, tile::ProgramOp program,
                           tile::StepOp step)
    : StepBase(k, program, step, /*globalSpace=*/0, "CPUs"), k(k) {}

FailureOr<LoweredStep> StepLowering::lower(StringRef name) {
  bool failed = false;
  result.tokens = step.getTokens();
  result.sequences = step.getSequences();
  result.function = k.function(name, "pii", [&](ArrayRef<V> arguments) {
    readArguments(arguments);
    numberCounters();
    step.walk([&](tile::PhaseOp phase) { totals[phase] = k.stack(8); });
    if (mlir::failed(placeBuffers()) || mlir::failed(checkWaits())) {
      failed = true;
      return;
    }
    // The size of local memory is known at the end; the address needs it now.
    V localBytes = k.i64(0);
    Operation *sizeOp = localBytes.get().getDefiningOp();
    local = field("local") + worker * localBytes;
    for (Operation &op : step.getBody().front()) {
      if (auto phase = dyn_cast<tile::PhaseOp>(op)) {
        failed |= mlir::failed(lowerPhase(phase));
      } else if (auto layers = dyn_cast<tile::LayersOp>(op)) {
        V before = layer;
        k.loop(k.i64(0), k.i64(layers.getRepeat()), 1, [&](V i) {
          layer = i;
          for (auto phase : layers.getBody().front().getOps<tile::PhaseOp>())
            failed |= mlir::failed(lowerPhase(phase));
        });
        layer = before;
      }
    }
    sizeOp->setAttr("value", k.b.getI64IntegerAttr(result.localBytes));
  });
  if (failed)
    return failure();
  return result;
}

V StepLowering::localMemory(int64_t bytes) {
  V memory = k.gep(local, k.i64(localUsed));
  localUsed += quartet::tile::alignTo64(bytes);
  result.localBytes = std::max(result.localBytes, localUsed);
  return memory;
}

void StepLowering::lowerWait(tile::WaitOp wait) {
  overWait(wait, [&](tile::PhaseOp phase, V repetition) {
    V total = k.load(k.i64(), totals[phase]);
    auto module = wait->getParentOfType<ModuleOp>();
    auto callee = module.lookupSymbol<func::FuncOp>("quartet_wait");
    if (!callee) {
      OpBuilder::InsertionGuard guard(k.b);
      k.b.setInsertionPointToStart(module.getBody());
      callee = func::FuncOp::create(
          k.b, "quartet_wait", k.b.getFunctionType({k.ptr(), k.i32()}, {}));
      callee.setPrivate();
    }
    k.call(callee, {counter(phase, repetition, /*done=*/true),
                    k.truncate(total, k.i32())});
  });
}

void StepLowering::lowerPrefetch(tile::PrefetchOp prefetch) {
  // The share of worker w: the bytes of its first task.
  V bytes = k.i64(prefetch.getBytes());
  V data = weightData(prefetch.getMatrix()) + worker * bytes;
  k.loop(k.i64(0), bytes, 64, [&](V byte) { k.prefetch(data + byte, 2); });
}

LogicalResult StepLowering::lowerPhase(tile::PhaseOp phase) {
  Block &body = phase.getBody().front();
  localUsed = keptLocal;
  for (auto prefetch : body.getOps<tile::PrefetchOp>())
    lowerPrefetch(prefetch);
  for (auto wait : body.getOps<tile::WaitOp>())
    lowerWait(wait);
  // Routing is kept for later phases, so every worker does it, and the phase is
  // not done before all have. Other preparations belong to tasks: a worker that
  // comes when all are taken must not read what later phases may overwrite.
  bool routes = !body.getOps<tile::RouteOp>().empty();
  bool failed = false;
  for (auto route : body.getOps<tile::RouteOp>())
    if (mlir::failed(lower(route)))
      return failure();
  for (auto recall : body.getOps<tile::RecallOp>())
    lower(recall);
  SmallVector<Grid> grids = gridsOf(phase);
  V total = grids.back().end;
  k.store(routes ? total + workers : total, totals[phase]);
  V finished = k.ifElse(
      worker < total,
      [&] {
        for (auto stage : body.getOps<tile::StageOp>())
          lower(stage);
        return SmallVector<V>{runTasks(phase, grids, failed)};
      },
      [&] { return SmallVector<V>{k.i64(0)}; })[0];
  if (failed)
    return failure();
  if (routes)
    finished = finished + 1;
  if (!body.getOps<tile::SignalOp>().empty())
    k.ifThen(finished > k.i64(0), [&] {
      LLVM::AtomicRMWOp::create(k.b, LLVM::AtomicBinOp::add,
                                counter(phase, layer, /*done=*/true).get(),
                                k.truncate(finished, k.i32()).get(),
                                LLVM::AtomicOrdering::release);
    });
  return success();
}

V StepLowering::runTasks(tile::PhaseOp phase, ArrayRef<Grid> grids,
                         bool &failed) {
  V total = grids.back().end;
  int64_t localBefore = localUsed;
  return k.whileLoop(
      {worker, k.i64(0)},
      [&](ArrayRef<V> carried) { return carried[0] < total; },
      [&](ArrayRef<V> carried) {
        V task = carried[0];
        for (const Grid &grid : grids) {
          localUsed = localBefore; // grids share what tasks use
          if (grids.size() == 1)
            failed |= mlir::failed(runTask(grid, task));
          else
            k.ifThen((task >= grid.begin) & (task < grid.end),
                     [&] { failed |= mlir::failed(runTask(grid, task)); });
        }
        Value claimed = LLVM::AtomicRMWOp::create(
            k.b, LLVM::AtomicBinOp::add,
            counter(phase, layer, /*done=*/false).get(), k.i32(1).get(),
            LLVM::AtomicOrdering::monotonic);
        V next = workers + k.zeroExtend(k.wrap(claimed), k.i64());
        return SmallVector<V>{next, carried[1] + 1};
      })[1];
}
