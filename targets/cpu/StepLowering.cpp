// The schedule on a CPU. Each phase has two counters per repetition: tasks
// claimed and tasks done. Worker w begins with task w, so that it can prefetch
// that task's weights while it waits; further tasks are claimed one by one.
#include "targets/cpu/StepLowering.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

static constexpr int64_t kCounterBytes = 64;

StepLowering::StepLowering(KernelBuilder &k, tile::ProgramOp program,
                           tile::StepOp step)
    : k(k), program(program), step(step) {
  unsigned weights = 0, states = 0;
  for (Operation &op : program.getBody().front()) {
    if (isa<tile::MatrixOp, tile::VectorOp>(op))
      weightPlaces[SymbolTable::getSymbolName(&op)] = weights++;
    if (isa<tile::StateOp>(op))
      statePlaces[SymbolTable::getSymbolName(&op)] = states++;
  }
}

/// How often a phase runs in a step.
static int64_t repetitions(tile::PhaseOp phase) {
  auto layers = dyn_cast<tile::LayersOp>(phase->getParentOp());
  return layers ? int64_t(layers.getRepeat()) : 1;
}

void StepLowering::numberCounters() {
  step.walk([&](tile::PhaseOp phase) {
    counterBase[phase] = result.syncCounters;
    result.syncCounters += 2 * repetitions(phase);
    totals[phase] = k.stack(8);
    for (auto route : phase.getBody().front().getOps<tile::RouteOp>())
      keptLocal = std::max(keptLocal, layoutOf(route).bytes);
    phase.walk(
        [&](tile::SignalOp signal) { signaller[signal.getEvent()] = phase; });
  });
}

V StepLowering::counter(tile::PhaseOp phase, V repetition, bool done) {
  V place = repetition * 2 + (counterBase[phase] + (done ? 1 : 0));
  return sync + place * kCounterBytes;
}

LogicalResult StepLowering::placeBuffers() {
  for (auto buffer : step.getBody().front().getOps<tile::BufferOp>()) {
    if (!buffer.getOffset())
      return buffer.emitOpError()
             << "has no place in scratch memory; run tile-plan-memory first";
    bufferOffsets[buffer.getSymName()] = *buffer.getOffset();
  }
  result.scratchBytes = step.getScratchBytes().value_or(0);
  result.scratchPageBytes = step.getScratchPageBytes().value_or(0);
  return success();
}

LogicalResult StepLowering::checkWaits() {
  WalkResult result = step.walk([&](tile::WaitOp wait) {
    if (signaller.contains(wait.getEvent()))
      return WalkResult::advance();
    wait.emitOpError() << "waits for @" << wait.getEvent()
                       << ", which no phase of the step signals";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

void StepLowering::readArguments(ArrayRef<V> arguments) {
  args = arguments[0];
  worker = arguments[1];
  workers = arguments[2];
  scratch = field("scratch");
  sync = field("sync");
  numTokens = field("num_tokens");
  numSequences = field("num_sequences");
  numRows = field("num_rows");
  tableWidth = field("table_width");
  layer = k.i64(0);
}

FailureOr<LoweredStep> StepLowering::lower(StringRef name) {
  bool failed = false;
  result.tokens = step.getTokens();
  result.sequences = step.getSequences();
  result.function = k.function(name, "pii", [&](ArrayRef<V> arguments) {
    readArguments(arguments);
    numberCounters();
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

void StepLowering::lowerWait(tile::WaitOp wait) {
  tile::PhaseOp phase = signaller.lookup(wait.getEvent());
  auto here = wait->getParentOfType<tile::LayersOp>();
  auto there = phase->getParentOfType<tile::LayersOp>();
  auto emit = [&](V repetition) {
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
  };
  if (!there)
    emit(k.i64(0));
  else if (here != there)
    emit(k.i64(int64_t(there.getRepeat()) - 1));
  else if (!wait.getPrevious())
    emit(layer);
  else
    k.ifThen(layer > k.i64(0), [&] { emit(layer - 1); });
}

void StepLowering::lowerPrefetch(tile::PrefetchOp prefetch) {
  // The share of worker w: the bytes of its first task.
  V bytes = k.i64(prefetch.getBytes());
  V data = weightData(prefetch.getMatrix()) + worker * bytes;
  k.loop(k.i64(0), bytes, 64, [&](V byte) { k.prefetch(data + byte, 2); });
}

V StepLowering::extentOf(tile::ExtentAttr extent, tile::TasksOp tasks) {
  int64_t size = extent.getSize();
  auto tilesOf = [&](V count) { return (count + (size - 1)) / size; };
  switch (extent.getKind()) {
  case tile::ExtentKind::Count:
    return k.i64(size);
  case tile::ExtentKind::Tokens:
    return tilesOf(numTokens);
  case tile::ExtentKind::Rows:
    return tilesOf(numRows);
  case tile::ExtentKind::Sequences:
    return numSequences;
  case tile::ExtentKind::Experts:
    return k.load(k.i64(), groupData[tasks.getGroups()]);
  case tile::ExtentKind::Ranges:
    break;
  }
  // The longest sequence after this step.
  V longest =
      k.fold(k.i64(0), numSequences, 1, {k.i64(1)}, [&](V s, ArrayRef<V> most) {
        V starts = field("seq_start");
        V length = element32(field("seq_past"), s) +
                   (element32(starts, s + 1) - element32(starts, s));
        return SmallVector<V>{k.max(most[0], length)};
      })[0];
  return rangesOf(longest, size);
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
    lower(route);
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

SmallVector<StepLowering::Grid> StepLowering::gridsOf(tile::PhaseOp phase) {
  SmallVector<Grid> grids;
  V end = k.i64(0);
  for (auto tasks : phase.getBody().front().getOps<tile::TasksOp>()) {
    Grid grid{tasks, {}, end, {}};
    V count = k.i64(1);
    for (auto extent : tasks.getExtents().getAsRange<tile::ExtentAttr>()) {
      grid.extents.push_back(extentOf(extent, tasks));
      count = count * grid.extents.back();
    }
    end = end + count;
    grid.end = end;
    grids.push_back(std::move(grid));
  }
  return grids;
}

LogicalResult StepLowering::runTask(const Grid &grid, V task) {
  Block &block = const_cast<Grid &>(grid).tasks.getBody().front();
  V rest = task - grid.begin;
  for (int64_t i = int64_t(grid.extents.size()) - 1; i >= 0; --i) {
    coordinates[block.getArgument(i)] = i == 0 ? rest : rest % grid.extents[i];
    if (i != 0)
      rest = rest / grid.extents[i];
  }
  return lowerBody(block);
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

LogicalResult StepLowering::lowerBody(Block &block) {
  for (Operation &op : block)
    if (failed(lowerOp(op)))
      return failure();
  return success();
}
