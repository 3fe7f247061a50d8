// The schedule on a GPU. Tasks of a phase go to blocks in turn: which block
// does what is known without counters, and a block reads its weights in order.
// What a block keeps between kernels (routing) lies in its own piece of device
// memory.
#include "targets/gpu/StepLowering.h"
#include "dialects/Tile/StagedRow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "targets/gpu/kernels/WideMatmul.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

/// Shared memory that stays free for the kernels' own use (partial sums,
/// fragments), in bytes.
static constexpr int64_t kKernelRoom = 24 << 10;
/// Blocks that shall share the delta rule of a step, and the least value
/// elements (rows of the state) of one: a warp each, twice.
static constexpr int64_t kDeltaTasks = 128, kDeltaRows = 16;
/// What one request brings into the shared cache, in bytes.
static constexpr int64_t kCacheLine = 128;

StepLowering::StepLowering(DeviceBuilder &k, tile::ProgramOp program,
                           tile::StepOp step)
    : StepBase(k, program, step, kGlobalSpace, "GPUs"), k(k) {
  step.walk([&](tile::PhaseOp phase) {
    phaseNumbers.try_emplace(phase, int64_t(phaseNumbers.size()));
  });
}

FailureOr<ProgramBucket> StepLowering::lower(StringRef name, LaunchMode mode) {
  ProgramBucket bucket;
  bucket.tokens = step.getTokens();
  bucket.sequences = step.getSequences();
  numberCounters();
  deltaCounters = result.syncCounters;
  step.walk([&](tile::DeltaScanOp op) {
    if (op.getChunked())
      return;
    int64_t each = int64_t(op.getKeyHeads()) * bucket.sequences;
    result.syncCounters = std::max(result.syncCounters, deltaCounters + each);
  });
  if (failed(placeBuffers()) || failed(checkWaits()))
    return failure();
  // Then there are workers for one block in a unit.
  bool alone = mode == LaunchMode::Persistent;
  if (needsLaunches())
    mode = LaunchMode::Graph;
  if (mode == LaunchMode::Persistent)
    numberDieCounters();
  localUsed = keptLocal;
  result.localBytes = keptLocal;
  if (failed(mode == LaunchMode::Graph ? lowerGraph(name, alone, bucket)
                                       : lowerPersistent(name, bucket)))
    return failure();
  for (Operation *size : localSizes)
    size->setAttr("value", k.b.getI64IntegerAttr(result.localBytes));
  bucket.scratchBytes = result.scratchBytes;
  bucket.scratchPageBytes = result.scratchPageBytes;
  bucket.localBytes = result.localBytes;
  bucket.syncCounters = result.syncCounters;
  return bucket;
}

/// What every kernel does first.
void StepLowering::begin(V args, V repetition) {
  readArguments({args, k.worker(), k.workers()});
  layer = repetition;
  // The size is known when the whole step is; the address needs it now.
  V bytes = k.i64(0);
  localSizes.push_back(bytes.get().getDefiningOp());
  local = field("local") + worker * bytes;
  groupData.clear();
  tiles.clear();
}

/// Names of phases have dots, which PTX does not take.
static std::string symbolOf(StringRef name, tile::PhaseOp phase) {
  std::string symbol = (name + "_" + phase.getSymName()).str();
  std::replace(symbol.begin(), symbol.end(), '.', '_');
  return symbol;
}

LogicalResult StepLowering::lowerGraph(StringRef name, bool alone,
                                       ProgramBucket &bucket) {
  bool failed = false;
  auto add = [&](tile::PhaseOp phase) {
    std::string symbol = symbolOf(name, phase);
    k.setSite(phase.getSymName());
    auto body = [&](V args, V repetition) {
      begin(args, repetition);
      V began = stampBegin();
      k.dependencyLaunch();
      lowerPrefetches(phase);
      k.dependencyWait();
      stampReady(phase, began);
      failed |= mlir::failed(lowerTasks(phase, /*waits=*/false));
    };
    k.kernel(symbol, body, alone || isWide(phase));
    ProgramLaunch launch;
    launch.kernel = symbol;
    launch.sharedBytes = k.sharedBytes();
    launch.overlap = k.machine.dependentLaunch;
    launch.spans = {{phase.getSymName().str(), 0}};
    return launch;
  };
  for (Operation &op : step.getBody().front()) {
    if (auto phase = dyn_cast<tile::PhaseOp>(op)) {
      bucket.launches.push_back(add(phase));
    } else if (auto layers = dyn_cast<tile::LayersOp>(op)) {
      std::vector<ProgramLaunch> body;
      for (auto phase : layers.getBody().front().getOps<tile::PhaseOp>())
        body.push_back(add(phase));
      for (int64_t i = 0; i < int64_t(layers.getRepeat()); ++i)
        for (ProgramLaunch launch : body) {
          launch.layer = launch.spans[0].layer = i;
          bucket.launches.push_back(launch);
        }
    }
  }
  bucket.launches.front().overlap = false; // nothing of this step is before it
  return failure(failed);
}

FailureOr<func::FuncOp> StepLowering::makePhase(StringRef name,
                                                tile::PhaseOp phase) {
  bool failed = false;
  std::string symbol = symbolOf(name, phase);
  k.setSite(phase.getSymName());
  func::FuncOp made = k.phase(
      symbol,
      [&](V args, V repetition) {
        begin(args, repetition);
        totals = k.shared(int64_t(phaseNumbers.size()) * 8);
        failed |= mlir::failed(lowerTasks(phase, /*waits=*/true));
      },
      /*alone=*/true);
  if (failed)
    return failure();
  return made;
}

void StepLowering::enterPhase(tile::PhaseOp phase, func::FuncOp tasks) {
  V began = stampBegin();
  lowerPrefetches(phase);
  if (phaseNumbers.lookup(phase) != 0) {
    k.setSite((phase.getSymName() + " / wait").str());
    for (auto wait : phase.getBody().front().getOps<tile::WaitOp>())
      lowerWait(wait);
    k.acquireBarrier();
  }
  stampReady(phase, began);
  V stamps = k.select(k.wantsStamps(), stampsOf(phase), k.stamps());
  k.callPhase(tasks, args, layer, stamps);
}

LogicalResult StepLowering::lowerPersistent(StringRef name,
                                            ProgramBucket &bucket) {
  // All phases in one kernel need more registers at once than half of a unit
  // has; as functions, each has them for itself, and layers share them.
  llvm::MapVector<Operation *, func::FuncOp> functions;
  WalkResult walked = step.walk([&](tile::PhaseOp phase) {
    FailureOr<func::FuncOp> made = makePhase(name, phase);
    if (mlir::failed(made))
      return WalkResult::interrupt();
    functions[phase] = *made;
    return WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return failure();
  ProgramLaunch launch;
  launch.spans = numberSpans();
  auto enter = [&](tile::PhaseOp phase) {
    enterPhase(phase, functions.lookup(phase));
  };
  auto body = [&](V args, V) {
    begin(args, k.i64(0));
    totals = k.shared(int64_t(phaseNumbers.size()) * 8);
    for (Operation &op : step.getBody().front()) {
      if (auto phase = dyn_cast<tile::PhaseOp>(op)) {
        enter(phase);
      } else if (auto layers = dyn_cast<tile::LayersOp>(op)) {
        V outside = layer;
        k.loop(k.i64(0), k.i64(layers.getRepeat()), 1, [&](V i) {
          layer = i;
          for (auto phase : layers.getBody().front().getOps<tile::PhaseOp>())
            enter(phase);
        });
        layer = outside;
      }
    }
  };
  k.kernel(name, body, /*alone=*/true);
  launch.kernel = name.str();
  launch.sharedBytes = k.sharedBytes();
  launch.cooperative = true;
  bucket.launches.push_back(launch);
  return success();
}

void StepLowering::lowerPrefetch(tile::PrefetchOp prefetch) {
  // Tasks of a stream are its tiles, in order.
  tile::StreamOp stream;
  prefetch->getParentOfType<tile::PhaseOp>().walk([&](tile::StreamOp found) {
    if (!stream && found.getMatrix() == prefetch.getMatrix())
      stream = found;
  });
  if (!stream)
    return;
  tile::WeightsType type = stream.getWeights().getType();
  PanelLayout layout(type.getPackedFormat(), type.getColumns());
  int64_t tileBytes = panelCount(type.getRows()) * layout.bytes;
  int64_t bytes = panelCount(stream.getCount()) * layout.bytes;
  V first = worker * tileBytes;
  V data = weightData(prefetch.getMatrix()) +
           int64_t(stream.getFirst()) / kPanelRows * layout.bytes;
  V end = k.min(first + tileBytes, k.i64(bytes));
  k.loop(first + k.thread() * kCacheLine, end, k.machine.threads * kCacheLine,
         [&](V byte) { k.prefetchShared(data + byte); });
}

void StepLowering::lowerPrefetches(tile::PhaseOp phase) {
  k.setSite((phase.getSymName() + " / prefetch").str());
  for (auto prefetch : phase.getBody().front().getOps<tile::PrefetchOp>())
    lowerPrefetch(prefetch);
}

LogicalResult StepLowering::lowerTasks(tile::PhaseOp phase, bool waits) {
  Block &body = phase.getBody().front();
  DeviceBuilder::SharedScope scope(k);
  localUsed = keptLocal;
  std::string name = phase.getSymName().str();
  freshShared = true;
  // Routing is kept for later phases, so every worker does it, and the phase is
  // not done before all have.
  bool routes = !body.getOps<tile::RouteOp>().empty();
  k.setSite(name + " / route");
  for (auto route : body.getOps<tile::RouteOp>())
    if (mlir::failed(lower(route)))
      return failure();
  for (auto recall : body.getOps<tile::RecallOp>())
    lower(recall);
  SmallVector<Grid> grids = gridsOf(phase);
  int64_t split = splitOf(phase);
  V total = grids.back().end * split;
  if (waits)
    k.onFirstThread([&] {
      V counted = routes ? total + workers : total;
      k.store(k.truncate(counted, k.i32()), totals,
              phaseNumbers.lookup(phase) * 8);
    });
  bool failed = false;
  k.ifThen(worker < total, [&] {
    k.setSite(name + " / stage");
    for (auto stage : body.getOps<tile::StageOp>())
      lower(stage);
    freshShared = false;
    failed |= mlir::failed(runTasks(phase, grids, split));
  });
  // Of what a phase's function is given, the place is known.
  stampEnd(phase, [&] { return waits ? k.stamps() : stampsOf(phase); });
  if (waits && !body.getOps<tile::SignalOp>().empty()) {
    k.setSite(name + " / signal");
    // Tasks worker, worker + workers, ... below the total.
    V rest = k.max(total - worker, k.i64(0));
    V finished = (rest + workers - 1) / workers;
    lowerSignal(phase, routes ? finished + 1 : finished, total, routes);
  }
  return failure(failed);
}

bool StepLowering::isWide(tile::PhaseOp phase) {
  if (step.getKind() != tile::StepKind::Many || !wideNeedsUnit(k.machine))
    return false;
  auto wants = [&](const PackedFormat &format) {
    return wantsWideMatmul(k.machine, format);
  };
  bool found = false;
  phase.walk([&](Operation *op) {
    if (auto stream = dyn_cast<tile::StreamOp>(op))
      found |= wants(stream.getWeights().getType().getPackedFormat());
    else if (auto up = dyn_cast<tile::ExpertUpOp>(op))
      found |=
          wants(declared<tile::MatrixOp>(up.getMatrix()).getPackedFormat());
    else if (auto pairs = dyn_cast<tile::ExpertPairsOp>(op))
      found |=
          wants(declared<tile::MatrixOp>(pairs.getMatrix()).getPackedFormat());
  });
  return found;
}

bool StepLowering::needsLaunches() {
  // ptxas lets matrix instructions of warp groups overlap only in kernels that
  // call no functions, and has no registers for all phases inlined. In steps
  // that have such products, launches are a small part.
  bool wide = false;
  step.walk([&](tile::PhaseOp phase) { wide |= isWide(phase); });
  return wide && k.machine.wgmma;
}

int64_t StepLowering::splitOf(tile::PhaseOp phase) {
  int64_t split = 1;
  phase.walk([&](tile::DeltaScanOp op) {
    // A key head of a sequence is a task, too few of them for a GPU.
    int64_t tasks = int64_t(op.getKeyHeads()) *
                    (op.getChunked() ? 1 : int64_t(step.getSequences()));
    int64_t rows =
        int64_t(op.getValueHeads() / op.getKeyHeads() * op.getValueDim());
    while (tasks * split * 2 <= kDeltaTasks &&
           rows % (split * 2 * kDeltaRows) == 0)
      split *= 2;
  });
  return split;
}

LogicalResult StepLowering::runTasks(tile::PhaseOp phase, ArrayRef<Grid> grids,
                                     int64_t split) {
  bool failed = false;
  int64_t localBefore = localUsed;
  V total = grids.back().end * split;
  k.whileLoop(
      {worker}, [&](ArrayRef<V> turn) { return turn[0] < total; },
      [&](ArrayRef<V> turn) {
        V task = split > 1 ? turn[0] / split : turn[0];
        part = split > 1 ? turn[0] % split : V();
        for (const Grid &grid : grids) {
          DeviceBuilder::SharedScope scope(k); // grids share what tasks use
          localUsed = localBefore;
          if (grids.size() == 1)
            failed |= mlir::failed(runTask(grid, task));
          else
            k.ifThen((task >= grid.begin) & (task < grid.end),
                     [&] { failed |= mlir::failed(runTask(grid, task)); });
        }
        return SmallVector<V>{turn[0] + workers};
      });
  return failure(failed);
}

V StepLowering::localMemory(int64_t bytes) {
  return localMemory(bytes, kKernelRoom);
}

V StepLowering::resultMemory(const PackedFormat &format, int64_t rows,
                             int64_t bytes) {
  // A task writes and reads them once, which is a fraction of the weights and
  // rows that it reads: 6 % for bf16, 24 % for int4 of 35B-A3B's experts.
  // Passes of half the tokens would read the weights twice.
  int64_t room = 0;
  if (step.getKind() == tile::StepKind::Many && makesWideMatmul(k, format))
    room = wideRoom(k.machine, format, rows);
  return localMemory(bytes, std::max(kKernelRoom, room));
}

V StepLowering::localMemory(int64_t bytes, int64_t kept) {
  if (bytes <= k.sharedRoom() - kept)
    return k.shared(bytes);
  V memory = k.gep(local, k.i64(localUsed));
  localUsed += quartet::tile::alignTo64(bytes);
  result.localBytes = std::max(result.localBytes, localUsed);
  return memory;
}
