// Breaks valid schedules at random and lets a simulator that knows nothing of
// the verifier say which are really broken: the verifier must refuse those.
#include "dialects/Tile/TileSizes.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "test/passes/Tile/ScheduleSimulator.h"
#include "gtest/gtest.h"
#include <map>
#include <random>

using namespace mlir;
using namespace quartet;
using namespace quartet::tile;

namespace {
constexpr unsigned kSeeds = 6; ///< interleavings per schedule

class Schedules : public ::testing::Test {
protected:
  Schedules() : quiet(&context, [](Diagnostic &) { return success(); }) {
    context.loadDialect<TileDialect>();
    context.disableMultithreading();
  }

  OwningOpRef<ModuleOp> parse(StringRef text) {
    return parseSourceString<ModuleOp>(text, &context);
  }
  /// One that is written by hand, or what the compiler makes of models/tiny.
  OwningOpRef<ModuleOp> parseInput(StringRef name) {
    return parseSourceFile<ModuleOp>(
        name == "tiny" ? QUARTET_TEST_TINY : QUARTET_TEST_HYBRID, &context);
  }
  void refuseMutants(ModuleOp module, StringRef step, int mutants);

  bool run(ModuleOp module, std::unique_ptr<Pass> pass) {
    PassManager pm(&context);
    pm.enableVerifier(false);
    pm.addPass(std::move(pass));
    return succeeded(pm.run(module));
  }
  /// Whether the dialect and the pass accept the schedule.
  bool accepts(ModuleOp module, int64_t localBytes = 0) {
    TileVerifyScheduleOptions options;
    options.localBytes = localBytes;
    return succeeded(verify(module)) &&
           run(module, createTileVerifySchedule(options));
  }
  static std::string trouble(ModuleOp module) {
    std::string result;
    module.walk([&](StepOp step) {
      for (unsigned seed = 0; seed < kSeeds && result.empty(); ++seed)
        result = simulate(step, seed);
    });
    return result;
  }

  MLIRContext context;
  ScopedDiagnosticHandler quiet;
};

/// Text of a random step: buffers, and phases that read some and write others,
/// with waits that are not always enough.
std::string randomSchedule(std::mt19937 &random) {
  auto below = [&](int n) { return int(random() % n); };
  std::string text = "tile.program @p {\n tile.step @s few tokens 4 sequences "
                     "2 {\n";
  int buffers = 2 + below(5), phases = 3 + below(5);
  std::vector<int> columns;
  for (int b = 0; b < buffers; ++b) {
    columns.push_back(16 * (1 + below(4)));
    text += "tile.buffer @b" + std::to_string(b) + " : memref<4x" +
            std::to_string(columns[b]) + "xf32>\n";
  }
  for (int p = 0; p < phases; ++p)
    text += "tile.event @e" + std::to_string(p) + "\n";
  int loopBegin = below(phases),
      loopEnd = loopBegin + below(phases - loopBegin + 1);
  bool careful = below(3) != 0;
  std::vector<int> written;
  for (int p = 0; p < phases; ++p) {
    if (p == loopBegin && loopEnd > loopBegin)
      text += "tile.layers repeat " + std::to_string(1 + below(3)) + " {\n";
    bool inLoop = loopBegin <= p && p < loopEnd;
    text += "tile.phase @p" + std::to_string(p) + " {\n";
    for (int q = 0; q < p; ++q)
      if ((q == p - 1 && careful) || below(3) == 0)
        text += "tile.wait @e" + std::to_string(q) + "\n";
    if (inLoop && (below(4) != 0 || (careful && p == loopBegin)))
      text += "tile.wait previous @e" +
              std::to_string(careful ? loopEnd - 1
                                     : loopBegin + below(loopEnd - loopBegin)) +
              "\n";
    std::vector<int> read;
    for (int b : written)
      if (below(3) == 0)
        read.push_back(b);
    for (int b : read)
      text += "%s" + std::to_string(b) + " = tile.stage plain @b" +
              std::to_string(b) + " : !tile.rows<4, " +
              std::to_string(columns[b]) + ", 0>\n";
    int target = below(buffers), tile = 1 << below(3);
    bool writes = !llvm::is_contained(read, target);
    text += "tile.tasks [<tokens " + std::to_string(tile) + ">] {\n" +
            "^bb0(%t: index):\n";
    if (writes) {
      std::string frequencies = "1.0", axes = "0";
      for (int i = 1; i < columns[target] / 2; ++i) {
        frequencies += ", 1.0";
        axes += ", 0";
      }
      text += "tile.rope_table @b" + std::to_string(target) + "[%t] tile " +
              std::to_string(tile) + " inv_freq [" + frequencies + "] axes [" +
              axes + "] scale 1.0\n";
      if (!llvm::is_contained(written, target))
        written.push_back(target);
    }
    text += "}\ntile.signal @e" + std::to_string(p) + "\n}\n";
    if (p + 1 == loopEnd && loopEnd > loopBegin)
      text += "}\n";
  }
  return text + "}\n}\n";
}

/// One random change of a schedule.
class Mutator {
public:
  Mutator(ModuleOp module, std::mt19937 &random)
      : module(module), random(random) {}

  /// Makes a change; what it was, or nothing when it does not apply.
  std::string mutate() {
    switch (random() % 14) {
    case 0: {
      auto wait = pick<WaitOp>();
      return wait ? (wait->erase(), "drop a wait") : "";
    }
    case 1: {
      auto wait = pick<WaitOp>();
      auto event = pick<EventOp>();
      if (!wait || !event)
        return "";
      wait.setEvent(event.getSymName());
      return "retarget a wait";
    }
    case 2: {
      auto wait = pick<WaitOp>();
      if (wait)
        wait.setPrevious(!wait.getPrevious());
      return wait ? "toggle previous" : "";
    }
    case 3: {
      auto signal = pick<SignalOp>();
      return signal ? (signal->erase(), "drop a signal") : "";
    }
    case 4: {
      auto phase = pick<PhaseOp>();
      Operation *next = phase ? phase->getNextNode() : nullptr;
      if (!isa_and_nonnull<PhaseOp>(next))
        return "";
      phase->moveAfter(next);
      return "swap phases";
    }
    case 5:
      return aliasBuffer();
    case 6: {
      auto store = pick<StoreOp>();
      if (!store)
        return "";
      store.setColumns(store.getColumns() + (random() % 2 ? 16 : -16));
      return "widen a store";
    }
    case 7: {
      auto store = pick<StoreOp>();
      if (!store)
        return "";
      store.setColumn(store.getColumn() + (random() % 2 ? 16 : -16));
      return "move a store";
    }
    case 8: {
      auto store = pick<StoreOp>();
      if (!store || !store.getToken())
        return "";
      store.getTokenMutable().clear();
      return "drop a coordinate";
    }
    case 9: {
      auto grid = pick<TasksOp>();
      if (!grid)
        return "";
      OpBuilder b(grid);
      b.clone(*grid);
      return "run tasks twice";
    }
    case 10: {
      auto grid = pick<TasksOp>();
      return grid ? (grid->erase(), "drop tasks") : "";
    }
    case 11: {
      auto stream = pick<StreamOp>();
      if (!stream)
        return "";
      stream.setFirst(stream.getFirst() + (random() % 2 ? 16 : -16));
      return "move a stream";
    }
    case 12: {
      auto stream = pick<StreamOp>();
      if (!stream)
        return "";
      stream.setCount(stream.getCount() + (random() % 2 ? 16 : -16));
      return "shorten a stream";
    }
    default:
      return changeExtent();
    }
  }

  /// A buffer of a planned step goes where another one is.
  std::string moveBuffer() {
    auto buffer = pick<BufferOp>(), other = pick<BufferOp>();
    if (buffer == other || isDynamic(buffer) || isDynamic(other))
      return "";
    buffer.setOffset(*other.getOffset());
    return "move a buffer";
  }

private:
  template <typename Op> Op pick() {
    std::vector<Op> all;
    module.walk([&](Op op) { all.push_back(op); });
    return all.empty() ? Op() : all[random() % all.size()];
  }

  /// Another buffer of the same type in one use.
  std::string aliasBuffer() {
    std::vector<std::pair<Operation *, NamedAttribute>> uses;
    module.walk([&](AccessOpInterface op) {
      for (NamedAttribute attribute : op->getAttrs())
        if (auto symbol = dyn_cast<FlatSymbolRefAttr>(attribute.getValue()))
          if (isa_and_nonnull<BufferOp>(lookUp(op, symbol.getValue())))
            uses.emplace_back(op, attribute);
    });
    auto [op, attribute] = uses[random() % uses.size()];
    auto symbol = cast<FlatSymbolRefAttr>(attribute.getValue());
    auto old = cast<BufferOp>(lookUp(op, symbol.getValue()));
    std::vector<BufferOp> others;
    for (auto buffer : op->getParentOfType<StepOp>().getOps<BufferOp>())
      if (buffer != old && buffer.getType() == old.getType())
        others.push_back(buffer);
    if (others.empty())
      return "";
    auto other = others[random() % others.size()];
    op->setAttr(attribute.getName(),
                FlatSymbolRefAttr::get(other.getSymNameAttr()));
    return "alias a buffer";
  }

  std::string changeExtent() {
    auto grid = pick<TasksOp>();
    if (!grid)
      return "";
    SmallVector<Attribute> extents(grid.getExtents().getValue());
    Attribute &extent = extents[random() % extents.size()];
    auto old = cast<ExtentAttr>(extent);
    bool isMore = random() % 2 || old.getSize() == 1;
    if (old.getKind() != ExtentKind::Count)
      return "";
    extent = ExtentAttr::get(old.getContext(), ExtentKind::Count,
                             old.getSize() + (isMore ? 1 : -1));
    grid.setExtentsAttr(ArrayAttr::get(old.getContext(), extents));
    return "change a grid";
  }

  ModuleOp module;
  std::mt19937 &random;
};

/// A module of one of a program's steps.
OwningOpRef<ModuleOp> keepStep(ModuleOp module, StringRef name) {
  OwningOpRef<ModuleOp> copy(module.clone());
  SmallVector<StepOp> others;
  copy->walk([&](StepOp step) {
    if (step.getSymName() != name)
      others.push_back(step);
  });
  for (StepOp step : others)
    step->erase();
  return copy;
}

/// Made, broken, refused: for each kind of change.
std::map<std::string, std::array<int, 3>> counts;

void Schedules::refuseMutants(ModuleOp module, StringRef step, int mutants) {
  std::mt19937 random(1);
  auto valid = keepStep(module, step);
  for (int i = 0; i < mutants; ++i) {
    OwningOpRef<ModuleOp> copy(valid->clone());
    std::string what = Mutator(*copy, random).mutate();
    if (what.empty())
      continue;
    bool isAccepted = accepts(*copy);
    auto &count = counts[what];
    ++count[0];
    count[2] += !isAccepted;
    // What the dialect itself refuses has no meaning to simulate.
    if (failed(verify(*copy)))
      continue;
    std::string why = trouble(*copy);
    count[1] += !why.empty();
    if (!isAccepted || why.empty())
      continue;
    std::string text;
    llvm::raw_string_ostream(text) << *copy;
    FAIL() << what << ", " << step.str() << ": accepted, but: " << why << "\n"
           << text;
  }
}

TEST_F(Schedules, AcceptsWhatRuns) {
  for (StringRef name : {"hybrid", "tiny"}) {
    auto module = parseInput(name);
    ASSERT_TRUE(module) << name.str();
    EXPECT_TRUE(accepts(*module));
    EXPECT_EQ(trouble(*module), "") << name.str();
    ASSERT_TRUE(run(*module, createTilePlanMemory()));
    EXPECT_TRUE(accepts(*module));
    EXPECT_EQ(trouble(*module), "") << name.str();
  }
}

TEST_F(Schedules, LocalMemoryIsWhatWorkersHold) {
  for (StringRef name : {"hybrid", "tiny"}) {
    auto module = parseInput(name);
    ASSERT_TRUE(module) << name.str();
    SmallVector<StepOp> steps;
    module->walk([&](StepOp step) { steps.push_back(step); });
    for (StepOp step : steps) {
      auto one = keepStep(*module, step.getSymName());
      int64_t bytes = simulateLocalBytes(step);
      EXPECT_TRUE(accepts(*one, bytes)) << name.str();
      EXPECT_FALSE(accepts(*one, bytes - 1)) << name.str();
    }
  }
}

TEST_F(Schedules, RefusesWhatBreaks) {
  auto hybrid = parseInput("hybrid"), tiny = parseInput("tiny");
  ASSERT_TRUE(hybrid);
  ASSERT_TRUE(tiny);
  refuseMutants(*hybrid, "few", 1000);
  refuseMutants(*hybrid, "many", 1000);
  refuseMutants(*tiny, "few_2", 200);
  int broken = 0;
  for (auto &[what, count] : counts) {
    std::printf("%-20s %4d, broken %4d, refused %4d\n", what.c_str(), count[0],
                count[1], count[2]);
    broken += count[1];
  }
  EXPECT_GT(broken, 600);
}

TEST_F(Schedules, RefusesPlacesThatOverlap) {
  auto module = parseInput("hybrid");
  ASSERT_TRUE(module);
  ASSERT_TRUE(run(*module, createTilePlanMemory()));
  std::mt19937 random(2);
  int broken = 0;
  for (StringRef name : {"few", "many"}) {
    auto valid = keepStep(*module, name);
    for (int i = 0; i < 200; ++i) {
      OwningOpRef<ModuleOp> copy(valid->clone());
      if (Mutator(*copy, random).moveBuffer().empty())
        continue;
      std::string why = trouble(*copy);
      broken += !why.empty();
      if (!why.empty() && accepts(*copy)) {
        std::string text;
        llvm::raw_string_ostream(text) << *copy;
        FAIL() << "accepted, but: " << why << "\n" << text;
      }
    }
  }
  EXPECT_GT(broken, 100);
}

TEST_F(Schedules, AgreesOnRandomOnes) {
  std::mt19937 random(3);
  int accepted = 0, broken = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text = randomSchedule(random);
    auto module = parse(text);
    ASSERT_TRUE(module) << text;
    bool isAccepted = accepts(*module);
    std::string why = trouble(*module);
    accepted += isAccepted;
    broken += !why.empty();
    ASSERT_FALSE(isAccepted && !why.empty()) << why << "\n" << text;
    if (!isAccepted)
      continue;
    // A plan keeps it whole and takes no more than the buffers.
    ASSERT_TRUE(run(*module, createTilePlanMemory()));
    ASSERT_TRUE(accepts(*module)) << text;
    ASSERT_EQ(trouble(*module), "") << text;
    module->walk([&](StepOp step) {
      int64_t sum = 0;
      for (auto buffer : step.getOps<BufferOp>()) {
        sum += bytesOf(buffer);
        EXPECT_EQ(*buffer.getOffset() % 64, 0u);
      }
      EXPECT_LE(int64_t(*step.getScratchBytes()), sum);
    });
  }
  std::printf("%d accepted, %d broken\n", accepted, broken);
  EXPECT_GT(accepted, 300);
  EXPECT_GT(broken, 300);
}
} // namespace
