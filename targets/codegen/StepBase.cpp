// Addresses: fields of the step's arguments, buffers, weights, states; which
// tokens a coordinate means; which tasks a phase has.
#include "targets/codegen/StepBase.h"
#include "dialects/Quartet/KvPage.h"
#include "dialects/Tile/TileSizes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/Lower/EntryLayout.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quartet;
using llvm::ArrayRef;
using llvm::SmallVector;
using tile::stagedRowBytes;

StepBase::StepBase(CodeBuilder &k, tile::ProgramOp program, tile::StepOp step,
                   unsigned globalSpace, StringRef machines)
    : k(k), program(program), step(step), pointer(k.ptr(globalSpace)),
      machines(machines) {
  unsigned weights = 0, states = 0;
  for (Operation &op : program.getBody().front()) {
    if (isa<tile::MatrixOp, tile::VectorOp>(op))
      weightPlaces[SymbolTable::getSymbolName(&op)] = weights++;
    if (isa<tile::StateOp>(op))
      statePlaces[SymbolTable::getSymbolName(&op)] = states++;
  }
}

int64_t StepBase::repetitions(tile::PhaseOp phase) {
  auto layers = dyn_cast<tile::LayersOp>(phase->getParentOp());
  return layers ? int64_t(layers.getRepeat()) : 1;
}

void StepBase::numberCounters() {
  step.walk([&](tile::PhaseOp phase) {
    counterBase[phase] = result.syncCounters;
    result.syncCounters += 2 * repetitions(phase);
    for (auto route : phase.getBody().front().getOps<tile::RouteOp>())
      keptLocal = std::max(keptLocal, layoutOf(route).bytes);
    phase.walk(
        [&](tile::SignalOp signal) { signaller[signal.getEvent()] = phase; });
  });
}

V StepBase::counter(tile::PhaseOp phase, V repetition, bool done) {
  // Phases of several layers differ in the last offset only.
  int64_t first = counterBase[phase] + (done ? 1 : 0);
  return sync + repetition * (2 * kCounterBytes) + first * kCounterBytes;
}

void StepBase::readArguments(ArrayRef<V> arguments) {
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

LogicalResult StepBase::checkWaits() {
  WalkResult result = step.walk([&](tile::WaitOp wait) {
    if (signaller.contains(wait.getEvent()))
      return WalkResult::advance();
    wait.emitOpError() << "waits for @" << wait.getEvent()
                       << ", which no phase of the step signals";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

void StepBase::overWait(tile::WaitOp wait,
                        llvm::function_ref<void(tile::PhaseOp, V)> emit) {
  tile::PhaseOp phase = signaller.lookup(wait.getEvent());
  auto here = wait->getParentOfType<tile::LayersOp>();
  auto there = phase->getParentOfType<tile::LayersOp>();
  if (!there)
    emit(phase, k.i64(0));
  else if (here != there)
    emit(phase, k.i64(int64_t(there.getRepeat()) - 1));
  else if (!wait.getPrevious())
    emit(phase, layer);
  else
    k.ifThen(layer > k.i64(0), [&] { emit(phase, layer - 1); });
}

LogicalResult StepBase::placeBuffers() {
  for (auto buffer : step.getBody().front().getOps<tile::BufferOp>()) {
    if (!buffer.getOffset())
      return buffer.emitOpError()
             << "has no place in scratch memory; run tile-plan-memory first";
    if (buffer.getParts() && int64_t(*buffer.getParts()) != rowParts())
      return buffer.emitOpError()
             << "keeps rows in " << int64_t(*buffer.getParts())
             << " parts; products of " << machines << " here take "
             << (rowParts() ? std::to_string(rowParts()) : "f32");
    bufferOffsets[buffer.getSymName()] = *buffer.getOffset();
  }
  result.scratchBytes = step.getScratchBytes().value_or(0);
  result.scratchPageBytes = step.getScratchPageBytes().value_or(0);
  return success();
}

V StepBase::extentOf(tile::ExtentAttr extent, tile::TasksOp tasks) {
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

SmallVector<StepBase::Grid> StepBase::gridsOf(tile::PhaseOp phase) {
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

LogicalResult StepBase::runTask(const Grid &grid, V task) {
  Block &block = const_cast<Grid &>(grid).tasks.getBody().front();
  V rest = task - grid.begin;
  for (int64_t i = int64_t(grid.extents.size()) - 1; i >= 0; --i) {
    coordinates[block.getArgument(i)] = i == 0 ? rest : rest % grid.extents[i];
    if (i != 0)
      rest = rest / grid.extents[i];
  }
  return lowerBody(block);
}

LogicalResult StepBase::lowerOp(Operation &op) {
  beginOp(op);
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<tile::EmbedOp, tile::RopeTableOp, tile::ReadHiddenOp,
            tile::WriteHiddenOp, tile::StageOp, tile::StreamOp, tile::StoreOp,
            tile::StoreHeadOp, tile::StoreLogitsOp, tile::SiluMulOp,
            tile::AttendOp, tile::ExpertUpOp, tile::ExpertDownOp,
            tile::SampleOp>([&](auto kernel) {
        lower(kernel);
        return success();
      })
      .Case<tile::MatmulOp, tile::DeltaPrepareOp, tile::DeltaScanOp,
            tile::ChooseExpertsOp, tile::ExpertPairsOp, tile::ExpertSumOp>(
          [&](auto kernel) { return lower(kernel); })
      .Default([&](Operation *other) { return noLowering(other); });
}

LogicalResult StepBase::noLowering(Operation *op) const {
  return op->emitOpError() << "has no lowering for " << machines;
}

LogicalResult StepBase::lower(tile::ChooseExpertsOp op) {
  return noLowering(op);
}

LogicalResult StepBase::lower(tile::ExpertPairsOp op) { return noLowering(op); }

LogicalResult StepBase::lower(tile::ExpertSumOp op) { return noLowering(op); }

LogicalResult StepBase::lower(tile::DeltaPrepareOp op) {
  return noLowering(op);
}

void StepBase::lower(tile::StreamOp op) {
  tile::WeightsType type = op.getWeights().getType();
  PanelLayout layout(type.getPackedFormat(), type.getColumns());
  V data = weightData(op.getMatrix()) +
           int64_t(op.getFirst()) / kPanelRows * layout.bytes;
  V rows = k.i64(op.getCount());
  if (op.getIndex()) {
    V first = coordinate(op.getIndex()) * type.getRows();
    data = data + first / kPanelRows * layout.bytes;
    rows =
        columnsOfTile(coordinate(op.getIndex()), type.getRows(), op.getCount());
  }
  V panels = (rows + (kPanelRows - 1)) / kPanelRows;
  tiles[op.getWeights()] = {data, k.i64(layout.bytes), panels};
}

void StepBase::lower(tile::RecallOp op) { groupData[op.getGroups()] = local; }

LogicalResult StepBase::lowerBody(Block &block) {
  for (Operation &op : block)
    if (failed(lowerOp(op)))
      return failure();
  return success();
}

GroupsLayout StepBase::layoutOf(tile::RouteOp op) {
  return GroupsLayout(op.getTokens(), op.getExperts(), op.getTopK(),
                      op.getShared(), op.getWeights().has_value());
}

tile::RouteOp StepBase::routeOf(Value groups) {
  if (auto route = groups.getDefiningOp<tile::RouteOp>())
    return route;
  auto recall = groups.getDefiningOp<tile::RecallOp>();
  tile::RouteOp found;
  recall->getParentOfType<tile::StepOp>().walk([&](tile::PhaseOp phase) {
    if (phase.getSymName() == recall.getPhase())
      phase.walk([&](tile::RouteOp route) { found = route; });
  });
  return found;
}

V StepBase::field(StringRef name) {
  const auto *found = llvm::find(kStepFields, name);
  assert(found != std::end(kStepFields) && "not a field of quartet_step_args");
  int64_t place = found - std::begin(kStepFields);
  Type type = place < kNumCounts ? k.i64() : pointer;
  return k.load(type, args, place * 8);
}

V StepBase::element32(V array, V i) { return k.loadIndex(array, i); }

int64_t StepBase::rowBytesOf(Type type) {
  if (auto rows = dyn_cast<tile::RowsType>(type))
    return stagedRowBytes(rows.getGroup(), rows.getColumns());
  auto memref = cast<MemRefType>(type);
  int64_t bytes = memref.getElementTypeBitWidth() / 8;
  for (int64_t size : memref.getShape().drop_front())
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  return bytes;
}

StepBase::Buffer StepBase::buffer(StringRef symbol) {
  auto op = cast<tile::BufferOp>(
      SymbolTable::lookupSymbolIn(step.getOperation(), symbol));
  V data = scratch + bufferOffsets.lookup(symbol);
  if (auto pages = op.getPiecePages()) { // behind the static ones, per piece
    int64_t pieces = *pages;
    V count = (tableWidth + (pieces - 1)) / pieces;
    data = scratch + tile::dynamicBase(step) +
           count * bufferOffsets.lookup(symbol);
  }
  return {data, op.getType(), rowBytesOf(op.getType()),
          int64_t(op.getParts().value_or(0))};
}

V StepBase::addressIn(StringRef table, unsigned place) {
  // With its offset also where that is 0: kernels of layers that do the same
  // then differ in numbers only.
  return k.gep(field(table), k.i64(int64_t(place) * 8));
}

V StepBase::weightData(StringRef symbol) {
  Operation *op = SymbolTable::lookupSymbolIn(program.getOperation(), symbol);
  int64_t bytes, repeat;
  if (auto matrix = dyn_cast<tile::MatrixOp>(op)) {
    PanelLayout layout(matrix.getPackedFormat(), matrix.getColumns());
    bytes = layout.bytes * panelCount(matrix.getRows()) * matrix.getExperts();
    repeat = matrix.getRepeat();
  } else {
    auto vector = cast<tile::VectorOp>(op);
    auto type = cast<RankedTensorType>(vector.getType());
    bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
    repeat = vector.getRepeat();
  }
  V base = k.load(pointer, addressIn("weights", weightPlaces.lookup(symbol)));
  return repeat == 1 ? base : base + layer * bytes;
}

V StepBase::stateData(StringRef symbol, int64_t *entryBytes) {
  auto op = declared<tile::StateOp>(symbol);
  auto type = cast<RankedTensorType>(op.getType());
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  for (int64_t size : type.getShape().drop_front())
    bytes *= size;
  if (entryBytes)
    *entryBytes = bytes;
  V base = k.load(pointer, addressIn("states", statePlaces.lookup(symbol)));
  if (op.getRepeat() == 1)
    return base;
  V entries =
      field(op.getDim() == tile::StateDim::Slots ? "num_slots" : "num_pages");
  return base + layer * entries * bytes;
}

V StepBase::columnsOfTile(V index, int64_t tile, int64_t columns) {
  if (columns % tile == 0)
    return k.i64(tile);
  return k.min(k.i64(columns) - index * tile, k.i64(tile));
}

V StepBase::coordinate(Value value) { return coordinates.lookup(value); }

StepBase::TokenRange StepBase::tokensOf(Value value, int64_t tile,
                                        bool chosen) {
  V all = chosen ? numRows : numTokens;
  if (!value)
    return {k.i64(0), all};
  V first = coordinate(value) * tile;
  return {first, k.min(all - first, k.i64(tile))};
}

V StepBase::placeOf(V token) {
  V sequence = element32(field("token_seq"), token);
  return element32(field("seq_past"), sequence) + token -
         element32(field("seq_start"), sequence);
}

V StepBase::rangesOf(V tokensInSequence, int64_t pages) {
  int64_t tokens = pages * 64;
  return (tokensInSequence + (tokens - 1)) / tokens;
}

void StepBase::overRuns(TokenRange tokens,
                        llvm::function_ref<void(SequenceRun)> body) {
  V end = tokens.first + tokens.count;
  k.whileLoop(
      {tokens.first}, [&](llvm::ArrayRef<V> at) { return at[0] < end; },
      [&](llvm::ArrayRef<V> at) {
        V first = at[0];
        V sequence = element32(field("token_seq"), first);
        V starts = field("seq_start");
        V stop = k.min(element32(starts, sequence + 1), end);
        V past = element32(field("seq_past"), sequence) + first -
                 element32(starts, sequence);
        V slot = element32(field("seq_slot"), sequence);
        body({sequence, first, stop - first, past, slot});
        return llvm::SmallVector<V>{stop};
      });
}

StepBase::ExpertPairs StepBase::pairsOf(V groups, const GroupsLayout &layout,
                                        V block) {
  V first = element32(groups + layout.blockFirst, block);
  return {element32(groups + layout.blockExperts, block), first,
          element32(groups + layout.blockFirst, block + 1) - first};
}

StepBase::CacheRow StepBase::cacheRow(tile::StoreHeadOp op, V token, V head) {
  auto cache =
      cast<RankedTensorType>(declared<tile::StateOp>(op.getTarget()).getType());
  Type type = cache.getElementType();
  int64_t pageBytes = 0;
  V data = stateData(op.getTarget(), &pageBytes);
  V place = placeOf(token);
  V slot = element32(field("seq_slot"), element32(field("token_seq"), token));
  V page =
      element32(field("page_table"), slot * tableWidth + place / kPageTokens);
  int64_t rowBytes = int64_t(op.getWidth()) * type.getIntOrFloatBitWidth() / 8;
  V rows = data + page * pageBytes + head * (cache.getDimSize(2) * rowBytes);
  V inPage = place % kPageTokens;
  V scale;
  if (type.isInteger(8)) // behind the rows
    scale = rows + kPageTokens * rowBytes + inPage * kScaleBytes;
  return {type, rows + inPage * rowBytes, scale};
}

void StepBase::overAttendRuns(
    tile::AttendOp op, llvm::function_ref<void(const AttendRun &)> body) {
  int64_t width = op.getHeadDim(), heads = op.getQueryHeads();
  auto cache =
      cast<RankedTensorType>(declared<tile::StateOp>(op.getKey()).getType());
  int64_t pageBytes = 0;
  V head = coordinate(op.getHead()), range = coordinate(op.getRange());
  V firstHead = head * (heads / int64_t(op.getKvHeads()));
  V inPage =
      head * (cache.getDimSize(2) * width * cache.getElementTypeBitWidth() / 8);
  AttendRun made;
  made.keys = stateData(op.getKey(), &pageBytes) + inPage;
  made.values = stateData(op.getValue(), &pageBytes) + inPage;
  made.pageStride = k.i64(pageBytes);
  made.page0 = range * int64_t(op.getPages());
  made.page1 = made.page0 + int64_t(op.getPages());
  Buffer query = buffer(op.getQuery()), partials = buffer(op.getPartials());
  made.qTokenStride = k.i64(query.rowBytes);
  made.qHeadStride = k.i64(width * 4);
  // [tokens, heads, ranges, record], ranges as wide as the page table.
  auto type = cast<MemRefType>(partials.type);
  int64_t record = type.getDimSize(3) * 4;
  V allRanges = type.isDynamicDim(2)
                    ? rangesOf(tableWidth * kPageTokens, op.getPages())
                    : k.i64(type.getDimSize(2));
  made.recordTokenStride = allRanges * (record * heads);
  made.recordHeadStride = allRanges * record;
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  overRuns(tokens, [&](SequenceRun run) {
    // Ranges that begin behind the run's last token have nothing to do.
    V reaches = made.page0 * kPageTokens < run.past + run.count;
    k.ifThen(reaches, [&] {
      made.q =
          query.data + run.first * query.rowBytes + firstHead * (width * 4);
      made.pages = field("page_table") + run.slot * tableWidth * 4;
      made.place = run.past;
      made.tokens = run.count;
      made.records =
          partials.data +
          ((run.first * heads + firstHead) * allRanges + range) * record;
      body(made);
    });
  });
}
