// Vector clocks over a random interleaving of workers.
#include "test/passes/Tile/ScheduleSimulator.h"
#include "dialects/Tile/PreparedRow.h"
#include <array>
#include <map>
#include <random>
#include <vector>

using namespace mlir;
using namespace quartet::tile;

namespace {
constexpr int kWorkers = 3;
constexpr int64_t kPages = 4; ///< width of the page table
using Clock = std::array<unsigned, kWorkers>;

/// What is known of one element.
struct Element {
  int owner = -1; ///< memory that wrote it last; -1: nobody
  int writer = 0;
  unsigned written = 0;
  Clock read{};
};

/// Tokens, columns: half-open.
struct Span {
  int64_t begin, end;
};

struct Memory {
  int id;
  int64_t base, rowStride, unit; ///< elements; unit: columns per element
  bool isState;
};

struct Task {
  TasksOp grid;
  std::vector<int64_t> at;
};

/// One run of one phase.
struct Run {
  PhaseOp phase;
  LayersOp loop;
  int64_t repetition;
  std::vector<Task> tasks;
  size_t claimed = 0, done = 0;
  int arrived = 0; ///< workers that did what precedes the tasks
  bool routes = false;
  Clock finished{};
};

class Simulator {
public:
  Simulator(StepOp step, unsigned seed) : step(step), random(seed) {
    tokens = step.getTokens();
    sequences = std::min<int64_t>(step.getSequences(), tokens);
  }

  std::string run() {
    layOut();
    for (Operation &op : step.getBody().front()) {
      if (auto phase = dyn_cast<PhaseOp>(op))
        addRun(phase, nullptr, 0);
      else if (auto loop = dyn_cast<LayersOp>(op))
        for (int64_t r = 0; r < int64_t(loop.getRepeat()); ++r)
          for (auto phase : loop.getOps<PhaseOp>())
            addRun(phase, loop, r);
    }
    for (auto &clock : clocks)
      clock.fill(0);
    for (int w = 0; w < kWorkers; ++w)
      clocks[w][w] = 1;
    while (trouble.empty()) {
      std::vector<int> able;
      bool allDone = true;
      for (int w = 0; w < kWorkers; ++w) {
        allDone &= place[w] == runs.size();
        if (place[w] < runs.size() && (entered[w] || mayEnter(w)))
          able.push_back(w);
      }
      if (allDone)
        break;
      if (able.empty())
        trouble = "workers wait for ever";
      if (trouble.empty())
        advance(able[random() % able.size()]);
    }
    if (trouble.empty())
      checkWeights();
    return trouble;
  }

private:
  // --- Memory ---------------------------------------------------------------

  void layOut() {
    int64_t end = 0;
    for (auto buffer : step.getOps<BufferOp>())
      if (buffer.getOffset() && !buffer.getPiecePages())
        end = std::max<int64_t>(end, *buffer.getOffset() / 4 + (1 << 16));
    for (auto buffer : step.getOps<BufferOp>()) {
      Memory memory{int(memories.size()), 0, 0, 1, false};
      int64_t rows, columns = 1;
      if (auto type = dyn_cast<RowsType>(buffer.getType())) {
        rows = type.getTokens();
        columns = type.getColumns();
        if (type.getGroup()) {
          int64_t groups = (columns + type.getGroup() - 1) / type.getGroup();
          int64_t scales = (4 * groups + 63) / 64 * 64;
          memory.unit = 4;
          memory.rowStride =
              ((groups * type.getGroup() + 63) / 64 * 64 + 2 * scales) / 4;
        } else {
          memory.rowStride = (columns + 15) / 16 * 16;
        }
      } else {
        auto shape = cast<MemRefType>(buffer.getType()).getShape();
        rows = shape[0];
        for (int64_t size : shape.drop_front())
          columns *= ShapedType::isDynamic(size) ? kPages : size;
        memory.rowStride = columns;
      }
      if (buffer.getOffset() && !buffer.getPiecePages()) {
        memory.base = *buffer.getOffset() / 4;
      } else {
        memory.base = end;
        end += rows * memory.rowStride;
      }
      memories[buffer.getSymName().str()] = memory;
    }
    elements.resize(end);
  }

  /// A state's elements are only found out when they are used.
  Memory stateMemory(Operation *from, StringRef name, int64_t repetition) {
    auto state = cast<StateOp>(lookUp(from, name));
    std::string key = name.str();
    if (state.getRepeat() > 1)
      key += "#" + std::to_string(repetition);
    auto [found, isNew] = memories.try_emplace(key);
    if (isNew) {
      int64_t rows = std::max(tokens, sequences), stride = 4096;
      found->second = {int(memories.size()) + 1000, int64_t(elements.size()),
                       stride, 1, true};
      elements.resize(elements.size() + rows * stride);
    }
    return found->second;
  }

  void touch(int worker, const Memory &memory, Span rows, Span columns,
             bool reads, bool writes, Operation *op) {
    Clock &clock = clocks[worker];
    for (int64_t r = rows.begin; r < rows.end; ++r)
      for (int64_t c = columns.begin / memory.unit;
           c < (columns.end + memory.unit - 1) / memory.unit; ++c) {
        size_t index = memory.base + r * memory.rowStride + c;
        if (index >= elements.size() || c >= memory.rowStride)
          return fail("access outside of memory", op);
        Element &element = elements[index];
        if (element.written > clock[element.writer])
          return fail("meets a write of another worker", op);
        if (reads && !memory.isState && element.owner < 0)
          return fail("reads what nobody wrote", op);
        if (reads && !memory.isState && element.owner != memory.id)
          return fail("reads what another buffer overwrote", op);
        if (writes) {
          for (int w = 0; w < kWorkers; ++w)
            if (element.read[w] > clock[w])
              return fail("overwrites what another worker reads", op);
          element.owner = memory.id;
          element.writer = worker;
          element.written = clock[worker];
        }
        if (reads)
          element.read[worker] = clock[worker];
      }
  }

  void fail(StringRef what, Operation *op) {
    if (trouble.empty())
      trouble = (what + ": " + op->getName().getStringRef()).str();
  }

  // --- Ops ------------------------------------------------------------------

  struct Context {
    int worker;
    int64_t repetition;
    const Task *task; ///< null: every worker for itself
  };

  static int64_t at(const Context &context, Value coordinate) {
    return context.task->at[cast<BlockArgument>(coordinate).getArgNumber()];
  }
  Span tile(const Context &context, Value coordinate, int64_t size) const {
    if (!coordinate)
      return {0, tokens};
    int64_t begin = at(context, coordinate) * size;
    return {std::min(begin, tokens), std::min(begin + size, tokens)};
  }
  Span tokensOf(int64_t sequence) const {
    return {sequence * tokens / sequences, (sequence + 1) * tokens / sequences};
  }
  Memory memoryOf(StringRef name) { return memories.at(name.str()); }
  int64_t widthOf(StringRef name) {
    const Memory &memory = memories.at(name.str());
    auto buffer = cast<BufferOp>(lookUp(firstOp(), name));
    if (auto rows = dyn_cast<RowsType>(buffer.getType()))
      return rows.getColumns();
    return memory.rowStride;
  }
  Operation *firstOp() { return &step.getBody().front().front(); }

  void read(const Context &c, StringRef name, Span rows, Span columns,
            Operation *op) {
    touch(c.worker, memoryOf(name), rows, columns, true, false, op);
  }
  void write(const Context &c, StringRef name, Span rows, Span columns,
             Operation *op, bool alsoReads = false) {
    touch(c.worker, memoryOf(name), rows, columns, alsoReads, true, op);
  }

  void useWeights(const Context &c, Operation *op, StringRef matrix,
                  int64_t expert, int64_t begin, int64_t end) {
    // Tiles of tokens may read the same rows again.
    int64_t tokenTile = 0;
    auto extents = c.task->grid;
    for (auto [i, attr] : llvm::enumerate(extents.getExtents())) {
      auto kind = cast<ExtentAttr>(attr).getKind();
      if (kind == ExtentKind::Tokens || kind == ExtentKind::Rows)
        tokenTile = c.task->at[i];
    }
    auto declaration = cast<MatrixOp>(lookUp(op, matrix));
    int64_t repetition = c.repetition;
    if (repetition >= int64_t(declaration.getRepeat()))
      return fail("has no such repetition of its matrix", op);
    auto &rows = weights[declaration];
    for (int64_t row = begin; row < end; ++row)
      ++rows[{repetition, expert, tokenTile}][row];
  }

  void checkWeights() {
    for (auto &[op, uses] : weights) {
      auto matrix = cast<MatrixOp>(op);
      std::map<int64_t, bool> repetitions;
      for (auto &[key, rows] : uses) {
        repetitions[std::get<0>(key)] = true;
        for (int64_t row = 0; row < int64_t(matrix.getRows()); ++row) {
          auto found = rows.find(row);
          if (found == rows.end() || found->second != 1)
            return fail("row " + std::to_string(row) + " of @" +
                            matrix.getSymName().str() +
                            " is not read exactly once",
                        op);
        }
      }
      if (repetitions.size() != matrix.getRepeat())
        return fail("some repetitions are not read", op);
    }
  }

  void execute(const Context &c, Operation &op) {
    if (auto embed = dyn_cast<EmbedOp>(op))
      write(c, embed.getX(), tile(c, embed.getToken(), embed.getTile()),
            {0, widthOf(embed.getX())}, &op);
    else if (auto rope = dyn_cast<RopeTableOp>(op))
      write(c, rope.getTable(), tile(c, rope.getToken(), rope.getTile()),
            {0, 2 * int64_t(rope.getInvFreq().size())}, &op);
    else if (auto stage = dyn_cast<StageOp>(op))
      executeStage(c, stage);
    else if (auto matmul = dyn_cast<MatmulOp>(op))
      executeMatmul(c, matmul);
    else if (auto scan = dyn_cast<DeltaScanOp>(op))
      executeScan(c, scan);
    else if (auto prepare = dyn_cast<DeltaPrepareOp>(op))
      executePrepare(c, prepare);
    else if (auto attend = dyn_cast<AttendOp>(op))
      executeAttend(c, attend);
    else if (auto choose = dyn_cast<ChooseExpertsOp>(op)) {
      Span rows = tile(c, choose.getToken(), choose.getTile());
      readLogits(c, choose, choose.getLogits(), rows);
      for (StringRef to : {choose.getChosen(), choose.getWeights()})
        write(c, to, rows, {0, widthOf(to)}, &op);
    } else if (auto route = dyn_cast<RouteOp>(op))
      executeRoute(c, route);
    else if (auto up = dyn_cast<ExpertUpOp>(op))
      executeUp(c, up);
    else if (auto down = dyn_cast<ExpertDownOp>(op))
      executeDown(c, down);
    else if (auto pairs = dyn_cast<ExpertPairsOp>(op))
      executePairs(c, pairs);
    else if (auto sum = dyn_cast<ExpertSumOp>(op)) {
      auto pairs = cast<BufferOp>(lookUp(sum, sum.getPairs()));
      read(c, sum.getPairs(),
           {0, cast<MemRefType>(pairs.getType()).getDimSize(0)},
           {0, widthOf(sum.getPairs())}, &op);
      write(c, sum.getX(), tile(c, sum.getToken(), sum.getTile()),
            {0, widthOf(sum.getX())}, &op, /*alsoReads=*/true);
    } else if (auto sample = dyn_cast<SampleOp>(op))
      read(c, sample.getMaxima(), tile(c, sample.getRow(), 1),
           {0, int64_t(sample.getVocabulary() + sample.getTile() - 1) /
                   int64_t(sample.getTile())},
           &op);
  }

  void executeStage(const Context &c, StageOp op) {
    RowsType type = op.getRows().getType();
    Span rows = tile(c, op.getToken(), type.getTokens());
    Span from = op.getChosen() ? Span{0, tokens} : rows;
    Span columns{0, type.getColumns()};
    if (op.getStaging() == Staging::Merge)
      columns.end = widthOf(op.getSource());
    read(c, op.getSource(), from, columns, op);
    int64_t gate = op.getGateColumn();
    if (op.getGate())
      read(c, *op.getGate(), from, {gate, gate + type.getColumns()}, op);
    if (op.getPublish())
      write(c, *op.getPublish(), rows, {0, type.getColumns()}, op);
  }

  void executeMatmul(const Context &c, MatmulOp op) {
    for (Value value : op.getWeights()) {
      auto stream = value.getDefiningOp<StreamOp>();
      int64_t tile = stream.getWeights().getType().getRows();
      int64_t index = stream.getIndex() ? at(c, stream.getIndex()) : 0;
      int64_t first = stream.getFirst(), count = stream.getCount();
      useWeights(c, stream, stream.getMatrix(), 0, first + index * tile,
                 first + std::min(count, (index + 1) * tile));
    }
    for (Operation &inner : op.getEpilogue().front())
      executeStore(c, &inner);
  }

  void executeStore(const Context &c, Operation *op) {
    if (auto store = dyn_cast<StoreOp>(op)) {
      AccType acc = store.getAcc().getType();
      int64_t width = store.getWidth().value_or(acc.getRows());
      int64_t first = store.getColumn(), count = store.getColumns();
      int64_t index = at(c, store.getIndex());
      write(c, store.getBuffer(), tile(c, store.getToken(), acc.getTokens()),
            {first + std::min(count, index * width),
             first + std::min(count, (index + 1) * width)},
            op, store.getAdd());
    } else if (auto head = dyn_cast<StoreHeadOp>(op)) {
      Span rows = tile(c, head.getToken(), head.getAcc().getType().getTokens());
      int64_t width = head.getWidth(), index = at(c, head.getHead());
      Span columns{index * width, (index + 1) * width};
      if (head.getCache())
        touch(c.worker, stateMemory(op, head.getTarget(), c.repetition), rows,
              columns, false, true, op);
      else
        write(c, head.getTarget(), rows, columns, op);
      if (head.getRope())
        read(c, *head.getRope(), rows, {0, widthOf(*head.getRope())}, op);
    } else if (auto logits = dyn_cast<StoreLogitsOp>(op)) {
      int64_t index = at(c, logits.getIndex());
      write(c, logits.getMaxima(),
            tile(c, logits.getToken(), logits.getAcc().getType().getTokens()),
            {index, index + 1}, op);
    } else if (auto mul = dyn_cast<SiluMulOp>(op)) {
      AccType acc = mul.getGate().getType();
      int64_t index = at(c, mul.getIndex());
      write(c, mul.getBuffer(), tile(c, mul.getToken(), acc.getTokens()),
            {index * acc.getRows(), (index + 1) * acc.getRows()}, op);
    }
  }

  template <typename Op> void readGates(const Context &c, Op op, Span rows) {
    int64_t head = at(c, op.getHead());
    int64_t group = op.getValueHeads() / op.getKeyHeads();
    for (int64_t column : {op.getAColumn(), op.getBColumn()})
      read(c, op.getControls(), rows,
           {column + head * group, column + (head + 1) * group}, op);
  }

  Span preparedOf(StringRef buffer, int64_t head, int64_t heads) {
    int64_t each = widthOf(buffer) / heads;
    return {head * each, (head + 1) * each};
  }

  /// Sequences begin with the step here, so that it has their chunks from the
  /// first one on.
  void executePrepare(const Context &c, DeltaPrepareOp op) {
    Span begins = tile(c, op.getToken(), op.getTile());
    int64_t head = at(c, op.getHead());
    int64_t keys = op.getKeyHeads(), dk = op.getKeyDim();
    Memory window = stateMemory(op, op.getWindow(), c.repetition);
    for (int64_t sequence = 0; sequence < sequences; ++sequence) {
      Span all = tokensOf(sequence);
      for (int64_t first = all.begin; first < all.end; first += kDeltaChunk) {
        if (first < begins.begin || first >= begins.end)
          continue;
        Span rows{first, std::min(first + kDeltaChunk, all.end)};
        for (int64_t channel : {head * dk, (keys + head) * dk}) {
          int64_t column = op.getInputColumn() + channel;
          read(c, op.getInput(), rows, {column, column + dk}, op);
          touch(c.worker, window, {sequence, sequence + 1},
                {channel, channel + dk}, true, false, op);
        }
        readGates(c, op, rows);
        write(c, op.getPrepared(), rows,
              preparedOf(op.getPrepared(), head, keys), op);
      }
    }
  }

  void executeScan(const Context &c, DeltaScanOp op) {
    int64_t sequence = at(c, op.getSequence()), head = at(c, op.getHead());
    Span rows = tokensOf(sequence), slot{sequence, sequence + 1};
    int64_t keys = op.getKeyHeads(), dk = op.getKeyDim(), dv = op.getValueDim();
    int64_t group = op.getValueHeads() / keys;
    Memory window = stateMemory(op, op.getWindow(), c.repetition);
    auto channels = [&](int64_t begin, int64_t count) {
      int64_t column = op.getInputColumn();
      read(c, op.getInput(), rows, {column + begin, column + begin + count},
           op);
      touch(c.worker, window, slot, {begin, begin + count}, true, true, op);
    };
    channels(head * dk, dk);
    channels(keys * dk + head * dk, dk);
    channels(2 * keys * dk + head * group * dv, group * dv);
    if (op.getPrepared())
      read(c, *op.getPrepared(), rows,
           preparedOf(*op.getPrepared(), head, keys), op);
    else
      readGates(c, op, rows);
    Span values{head * group * dv, (head + 1) * group * dv};
    touch(c.worker, stateMemory(op, op.getState(), c.repetition), slot, values,
          true, true, op);
    write(c, op.getOut(), rows, values, op);
  }

  void executeAttend(const Context &c, AttendOp op) {
    Span rows = tile(c, op.getToken(), op.getTile());
    int64_t head = at(c, op.getHead()), range = at(c, op.getRange());
    int64_t dim = op.getHeadDim(), group = op.getQueryHeads() / op.getKvHeads();
    read(c, op.getQuery(), rows, {head * group * dim, (head + 1) * group * dim},
         op);
    for (StringRef name : {op.getKey(), op.getValue()})
      touch(c.worker, stateMemory(op, name, c.repetition), {0, tokens},
            {head * dim, (head + 1) * dim}, true, false, op);
    // [tokens, heads, ranges, record], room for a range per page unless one
    // holds all.
    auto buffer = cast<BufferOp>(lookUp(op, op.getPartials()));
    auto shape = cast<MemRefType>(buffer.getType()).getShape();
    int64_t room = ShapedType::isDynamic(shape[2]) ? kPages : shape[2];
    int64_t record = shape[3];
    int64_t ranges = (kPages + op.getPages() - 1) / int64_t(op.getPages());
    for (int64_t h = head * group; h < (head + 1) * group; ++h) {
      // What no range fills counts as written by the last one.
      int64_t last = range + 1 == ranges ? room : range + 1;
      write(c, op.getPartials(), rows,
            {(h * room + range) * record, (h * room + last) * record}, op);
    }
  }

  /// Rows of h that belong to an expert: all have the same number here.
  Span rowsOf(StringRef h, int64_t expert, int64_t experts) {
    auto buffer = cast<BufferOp>(lookUp(firstOp(), h));
    int64_t rows = cast<RowsType>(buffer.getType()).getTokens();
    return {expert * rows / experts, (expert + 1) * rows / experts};
  }

  template <typename Op>
  void readLogits(const Context &c, Op op, StringRef logits, Span rows) {
    int64_t experts = op.getExperts();
    int64_t gate = op.getGateColumn().value_or(experts);
    read(c, logits, rows, {0, experts}, op);
    if (op.getShared() > 0)
      read(c, logits, rows, {gate, gate + 1}, op);
  }

  void executeRoute(const Context &c, RouteOp op) {
    if (!op.getWeights())
      return readLogits(c, op, op.getSource(), {0, tokens});
    for (StringRef from : {op.getSource(), *op.getWeights()})
      read(c, from, {0, tokens}, {0, widthOf(from)}, op);
  }

  void executeUp(const Context &c, ExpertUpOp op) {
    auto matrix = cast<MatrixOp>(lookUp(op, op.getMatrix()));
    int64_t expert = at(c, op.getExpert()), index = at(c, op.getIndex());
    int64_t tile = op.getTile(), count = op.getIntermediate();
    if (op.getSource())
      read(c, *op.getSource(), {0, tokens}, {0, widthOf(*op.getSource())}, op);
    Span columns{std::min(count, index * tile),
                 std::min(count, (index + 1) * tile)};
    write(c, op.getH(), rowsOf(op.getH(), expert, matrix.getExperts()), columns,
          op);
    int64_t up = (count + 15) / 16 * 16;
    useWeights(c, op, op.getMatrix(), expert, columns.begin, columns.end);
    useWeights(c, op, op.getMatrix(), expert, up + columns.begin,
               up + columns.end);
  }

  void executeDown(const Context &c, ExpertDownOp op) {
    auto matrix = cast<MatrixOp>(lookUp(op, op.getMatrix()));
    int64_t index = at(c, op.getIndex()), tile = op.getTile();
    int64_t rows = matrix.getRows();
    Span columns{std::min(rows, index * tile),
                 std::min(rows, (index + 1) * tile)};
    for (int64_t e = 0; e < int64_t(matrix.getExperts()); ++e) {
      read(c, op.getH(), rowsOf(op.getH(), e, matrix.getExperts()),
           {0, widthOf(op.getH())}, op);
      useWeights(c, op, op.getMatrix(), e, columns.begin, columns.end);
    }
    write(c, op.getX(), {0, tokens}, columns, op, /*alsoReads=*/true);
  }

  void executePairs(const Context &c, ExpertPairsOp op) {
    auto matrix = cast<MatrixOp>(lookUp(op, op.getMatrix()));
    int64_t expert = at(c, op.getExpert()), index = at(c, op.getIndex());
    int64_t tile = op.getTile(), rows = matrix.getRows();
    Span columns{std::min(rows, index * tile),
                 std::min(rows, (index + 1) * tile)};
    Span pairs = rowsOf(op.getH(), expert, matrix.getExperts());
    read(c, op.getH(), pairs, {0, widthOf(op.getH())}, op);
    useWeights(c, op, op.getMatrix(), expert, columns.begin, columns.end);
    write(c, op.getPairs(), pairs, columns, op);
  }

  // --- Workers --------------------------------------------------------------

  void addRun(PhaseOp phase, LayersOp loop, int64_t repetition) {
    Run run;
    run.phase = phase;
    run.loop = loop;
    run.repetition = repetition;
    run.routes = !phase.getOps<RouteOp>().empty();
    for (auto grid : phase.getOps<TasksOp>()) {
      std::vector<int64_t> sizes;
      for (auto extent : grid.getExtents().getAsRange<ExtentAttr>())
        sizes.push_back(sizeOf(grid, extent));
      std::vector<int64_t> at(sizes.size(), 0);
      int64_t total = 1;
      for (int64_t size : sizes)
        total *= size;
      for (int64_t i = 0; i < total; ++i) {
        int64_t rest = i;
        for (size_t d = sizes.size(); d-- > 0; rest /= sizes[d])
          at[d] = rest % sizes[d];
        run.tasks.push_back({grid, at});
      }
    }
    std::shuffle(run.tasks.begin(), run.tasks.end(), random);
    runs.push_back(std::move(run));
  }

  int64_t sizeOf(TasksOp grid, ExtentAttr extent) {
    int64_t size = extent.getSize();
    switch (extent.getKind()) {
    case ExtentKind::Count:
      return size;
    case ExtentKind::Tokens:
    case ExtentKind::Rows:
      return (tokens + size - 1) / size;
    case ExtentKind::Sequences:
      return sequences;
    case ExtentKind::Ranges:
      return (kPages + size - 1) / size;
    case ExtentKind::Experts:
      break;
    }
    int64_t experts = 1;
    grid.walk([&](ExpertUpOp up) {
      experts = cast<MatrixOp>(lookUp(up, up.getMatrix())).getExperts();
    });
    grid.walk([&](ExpertPairsOp pairs) {
      experts = cast<MatrixOp>(lookUp(pairs, pairs.getMatrix())).getExperts();
    });
    return experts;
  }

  /// The runs that a worker at run \p index waits for; false: there is no such
  /// run.
  bool awaited(size_t index, std::vector<const Run *> &result) {
    Run &here = runs[index];
    for (auto wait : here.phase.getOps<WaitOp>()) {
      const Run *found = nullptr;
      bool exists = false;
      for (Run &run : runs) {
        bool signals = false;
        for (auto signal : run.phase.getOps<SignalOp>())
          signals |= signal.getEvent() == wait.getEvent();
        if (!signals)
          continue;
        exists = true;
        bool sameLoop = run.loop && run.loop == here.loop;
        if (wait.getPrevious() && !sameLoop)
          return false;
        int64_t wanted = here.repetition - (wait.getPrevious() ? 1 : 0);
        // Of another loop: its last repetition, which comes last.
        if (!sameLoop || run.repetition == wanted)
          found = &run;
      }
      if (!exists)
        return false;
      if (found)
        result.push_back(found);
    }
    return true;
  }

  static bool isFinished(const Run &run) {
    return run.done == run.tasks.size() &&
           (!run.routes || run.arrived == kWorkers);
  }

  bool mayEnter(int w) {
    std::vector<const Run *> sources;
    if (!awaited(place[w], sources))
      return false;
    return llvm::all_of(sources,
                        [](const Run *run) { return isFinished(*run); });
  }

  void join(Clock &into, const Clock &from) {
    for (int w = 0; w < kWorkers; ++w)
      into[w] = std::max(into[w], from[w]);
  }

  void doOwn(int w, Run &run) {
    for (Operation &op : run.phase.getBody().front())
      if (!isa<TasksOp>(op))
        execute({w, run.repetition, nullptr}, op);
  }

  /// All that \p w did so far has happened before whoever waits for \p run.
  void release(int w, Run &run) {
    join(run.finished, clocks[w]);
    ++clocks[w][w];
  }

  void advance(int w) {
    Run &run = runs[place[w]];
    if (!entered[w]) {
      std::vector<const Run *> sources;
      awaited(place[w], sources);
      for (const Run *source : sources)
        join(clocks[w], source->finished);
      entered[w] = true;
      hasOwn[w] = false;
      if (run.routes) {
        doOwn(w, run);
        hasOwn[w] = true;
        ++run.arrived;
        release(w, run);
      }
      return;
    }
    if (run.claimed == run.tasks.size()) {
      ++place[w];
      entered[w] = false;
      return;
    }
    const Task &task = run.tasks[run.claimed++];
    if (!hasOwn[w])
      doOwn(w, run);
    hasOwn[w] = true;
    for (Operation &op : TasksOp(task.grid).getBody().front())
      execute({w, run.repetition, &task}, op);
    ++run.done;
    release(w, run);
  }

  StepOp step;
  std::mt19937 random;
  int64_t tokens, sequences;
  std::map<std::string, Memory> memories;
  std::vector<Element> elements;
  std::map<Operation *, std::map<std::tuple<int64_t, int64_t, int64_t>,
                                 std::map<int64_t, int>>>
      weights;
  std::vector<Run> runs;
  std::array<Clock, kWorkers> clocks;
  std::array<size_t, kWorkers> place{};
  std::array<bool, kWorkers> entered{}, hasOwn{};
  std::string trouble;
};
} // namespace

std::string quartet::tile::simulate(StepOp step, unsigned seed) {
  return Simulator(step, seed).run();
}

static int64_t padded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

static int64_t rowsBytes(RowsType type) {
  int64_t group = type.getGroup();
  if (group == 0)
    return type.getTokens() * padded((type.getColumns() + 15) / 16 * 64);
  int64_t groups = (type.getColumns() + group - 1) / group;
  return type.getTokens() * (padded(groups * group) + padded(4 * groups) * 2);
}

int64_t quartet::tile::simulateLocalBytes(StepOp step) {
  std::vector<int64_t> held;
  std::map<std::string, std::pair<size_t, int64_t>> routed;
  step.walk([&](PhaseOp phase) {
    int64_t own = 0, tasks = 0;
    for (Operation &op : phase.getBody().front()) {
      if (auto stage = dyn_cast<StageOp>(op))
        own += rowsBytes(stage.getRows().getType());
      if (auto route = dyn_cast<RouteOp>(op)) {
        int64_t experts = route.getExperts();
        int64_t all = experts + route.getShared();
        int64_t pairs =
            route.getTokens() * (route.getTopK() + route.getShared());
        int64_t blocks = all + pairs / 64;
        // A count; experts and first pairs of blocks; first pairs of experts;
        // tokens, weights and places of pairs.
        int64_t groups = 64 + padded(4 * blocks) + padded(4 * (blocks + 1)) +
                         padded(4 * (all + 1)) + 3 * padded(4 * pairs);
        if (!route.getWeights()) // the choice is the worker's own
          groups += 2 * padded(4 * pairs) + padded(4 * experts);
        own += groups;
        routed[phase.getSymName().str()] = {held.size(), groups};
      }
      // Groups are kept from the phase that made them to this one.
      if (auto recall = dyn_cast<RecallOp>(op)) {
        auto [from, bytes] = routed[recall.getPhase().str()];
        own += bytes;
        for (size_t i = from + 1; i < held.size(); ++i)
          held[i] += bytes;
      }
      auto grid = dyn_cast<TasksOp>(op);
      if (!grid)
        continue;
      // The inputs have one stage and one matmul in a task.
      int64_t task = 0;
      grid.walk(
          [&](StageOp stage) { task += rowsBytes(stage.getRows().getType()); });
      grid.walk([&](MatmulOp matmul) {
        for (BlockArgument acc : matmul.getEpilogue().getArguments()) {
          auto type = cast<AccType>(acc.getType());
          task += padded(4 * type.getTokens() * type.getRows());
        }
      });
      tasks = std::max(tasks, task);
    }
    held.push_back(own + tasks);
  });
  return *std::max_element(held.begin(), held.end());
}
