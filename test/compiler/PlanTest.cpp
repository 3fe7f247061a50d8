// Bytes and multiply-adds of phases, counted by hand from the shapes in
// config.json; the plan against the weight file's layout; the manifest's plan
// as the runtime reads it.
#include "compiler/plan/Plan.h"
#include "compiler/Manifest.h"
#include "compiler/Pipelines.h"
#include "mlir/IR/MLIRContext.h"
#include "models/BuildModel.h"
#include "runtime/src/engine/StepCost.h"
#include <gtest/gtest.h>

using namespace quartet;

namespace {
constexpr int64_t kHidden = 2048;

PlanReport planOf(PlanCommand command) {
  command.model = QUARTET_TEST_MODELS + command.model;
  command.target = "x86-64-v3";
  auto report = makePlan(command);
  if (!report) {
    ADD_FAILURE() << llvm::toString(report.takeError());
    return {};
  }
  return std::move(*report);
}

/// The first 12 layers of the 35B model: 9 of DeltaNet, 3 of attention.
const PlanReport &large() {
  static const PlanReport report = [] {
    PlanCommand command;
    command.model = "Qwen3.6-35B-A3B";
    command.quant = "w4";
    command.config.layers = 12;
    command.contexts = {0, 4096};
    return planOf(command);
  }();
  return report;
}

const PhasePlan &phase(const StepPlan &step, llvm::StringRef name) {
  for (const PhasePlan &phase : step.phases)
    if (phase.name == name)
      return phase;
  ADD_FAILURE() << "no phase " << name.str();
  return step.phases.front();
}

const StepPlan &step(const PlanReport &report, int64_t tokens) {
  const StepPlan *found = report.program.stepFor(double(tokens));
  EXPECT_TRUE(found && found->tokens == tokens);
  return *found;
}

/// A half byte for each value, an f16 scale for every 64.
int64_t int4(int64_t rows, int64_t columns) {
  return rows * (columns / 2 + columns / 64 * 2);
}
int64_t int8(int64_t rows, int64_t columns) {
  return rows * (columns + columns / 64 * 2);
}

TEST(Plan, CountsDeltaNetByHand) {
  const StepPlan &one = step(large(), 1);
  // q, k (16 heads of 128), v, z (32 heads of 128) as int4; b, a (32 heads) as
  // bf16; the norm before them in f32.
  const StepWork &in = phase(one, "l0.in").work;
  int64_t rows = 2 * 16 * 128 + 2 * 32 * 128;
  EXPECT_EQ(in.weightBytes,
            int4(rows, kHidden) + 64 * kHidden * 2 + kHidden * 4);
  EXPECT_EQ(in.macs, (rows + 64) * kHidden);
  EXPECT_EQ(in.int8Macs, rows * kHidden);
  EXPECT_EQ(in.stateBytes, 0);
  // 32 matrices of 128 x 128 in f32 and 3 inputs of 8192 channels in bf16;
  // taps, A_log and dt_bias in f32.
  const PhasePlan &delta = phase(one, "l0.delta");
  int64_t state = 32 * 128 * 128 * 4 + 3 * 8192 * 2;
  EXPECT_EQ(delta.work.stateBytes, state);
  EXPECT_EQ(delta.work.stateWriteBytes, state);
  EXPECT_EQ(delta.work.weightBytes, 8192 * 4 * 4 + 2 * 32 * 4);
  EXPECT_EQ(delta.work.macs, 3 * 32 * 128 * 128 + 8192 * 4);
  EXPECT_EQ(delta.work.int8Macs, 0);
  EXPECT_EQ(delta.repeat, 3);
  EXPECT_EQ(delta.tasks({1, 1, 1, 0}), 16);
  const StepWork &out = phase(one, "l0.out").work;
  EXPECT_EQ(out.weightBytes, int4(kHidden, 32 * 128) + 128 * 4);
}

TEST(Plan, CountsAttentionByHand) {
  const StepPlan &one = step(large(), 1);
  // 16 query heads with gates, 2 key and 2 value heads, of 256; three norms.
  const StepWork &in = phase(one, "l3.in").work;
  int64_t rows = (2 * 16 + 2 + 2) * 256;
  EXPECT_EQ(in.weightBytes, int4(rows, kHidden) + (kHidden + 2 * 256) * 4);
  EXPECT_EQ(in.tokenWriteBytes, 2 * 2 * 256 * 2);
  const StepWork &attend = phase(one, "l3.attend").work;
  EXPECT_EQ(attend.kvBytesPerPosition, 2 * 2 * 256 * 2);
  EXPECT_EQ(attend.macsPerPosition, 2 * 16 * 256);
  EXPECT_EQ(attend.macs, 0);
  EXPECT_EQ(attend.weightBytes, 0);
}

TEST(Plan, CountsExpertsByHand) {
  const StepPlan &batch = step(large(), 16);
  // 256 experts and the shared one, 512 wide.
  const StepWork &up = phase(batch, "l2.up").work;
  EXPECT_EQ(up.expertBytes, int4(2 * 512, kHidden));
  EXPECT_EQ(up.weightBytes, int4(2 * 512, kHidden));
  EXPECT_EQ(up.experts, 256);
  EXPECT_EQ(up.expertsPerToken, 8);
  EXPECT_EQ(up.macs, 9 * 2 * 512 * kHidden);
  EXPECT_EQ(up.int8Macs, up.macs);
  const StepWork &down = phase(batch, "l2.down").work;
  EXPECT_EQ(down.expertBytes, int4(kHidden, 512));
  EXPECT_EQ(down.weightBytes, int4(kHidden, 512));
  EXPECT_EQ(down.macs, 9 * kHidden * 512);
  // 256 experts and the gate of the shared one in bf16, in panels of 16 rows;
  // the norm of both phases counts here.
  EXPECT_EQ(phase(batch, "l2.route").work.weightBytes,
            (256 + 16) * kHidden * 2 + kHidden * 4);
  // One token reads 8 experts, two tokens 8 + 8 * 248/256.
  StepShape one, two{2, 2, 2, 0};
  EXPECT_NEAR(up.bytes(one), 9.0 * double(up.expertBytes), 1);
  EXPECT_NEAR(up.bytes(two), (1 + 8 + 7.75) * double(up.expertBytes), 1);
}

TEST(Plan, CountsEmbeddingAndHeadByHand) {
  const StepPlan &one = step(large(), 1);
  EXPECT_EQ(phase(one, "embed").work.tokenBytes, kHidden * 2);
  EXPECT_EQ(phase(one, "embed").work.weightBytes, 0);
  const StepWork &head = phase(one, "head").work;
  EXPECT_EQ(head.weightBytes, int8(248320, kHidden) + kHidden * 4);
  EXPECT_EQ(head.macs, 0);
  EXPECT_EQ(head.macsPerRow, 248320 * kHidden);
  EXPECT_EQ(head.int8MacsPerRow, head.macsPerRow);
  EXPECT_EQ(head.bytes({512, 1, 0, 0}), 0) << "no rows are wanted";
}

/// What the README says that a token of 12 layers reads.
TEST(Plan, TokenOfTwelveLayers) {
  int64_t moe = 9 * (int4(1024, kHidden) + int4(kHidden, 512)) +
                272 * kHidden * 2 + kHidden * 4;
  int64_t state = 2 * (32 * 128 * 128 * 4 + 3 * 8192 * 2);
  int64_t delta = int4(12288, kHidden) + 64 * kHidden * 2 + kHidden * 4 +
                  8192 * 16 + 256 + state + int4(kHidden, 4096) + 512;
  int64_t attention =
      int4(9216, kHidden) + (kHidden + 512) * 4 + 2048 + int4(kHidden, 4096);
  int64_t total = 9 * delta + 3 * attention + 12 * moe + int8(248320, kHidden) +
                  kHidden * 4 + kHidden * 2;
  ASSERT_EQ(large().decode.size(), 2u);
  EXPECT_NEAR(large().decode[0].time.bytes, double(total), 1);
  EXPECT_NEAR(double(total), 0.97e9, 0.01e9);
  // 4096 positions of 3 layers with keys and values of 2 heads in bf16.
  EXPECT_NEAR(large().decode[1].time.bytes - double(total),
              4096.0 * 3 * 2 * 2 * 256 * 2, 1);
}

/// Every byte of the weight file is read by one phase, but for the embedding,
/// of which each token reads a row.
void expectWholeFile(const PlanReport &report, int64_t vocabulary) {
  EXPECT_EQ(uint64_t(report.program.weightBytes), report.weightFileBytes);
  ASSERT_FALSE(report.program.steps.empty());
  for (const StepPlan &step : report.program.steps) {
    int64_t bytes = 0;
    for (const PhasePlan &phase : step.phases) {
      const StepWork &work = phase.work;
      bytes +=
          phase.repeat * (work.weightBytes + work.expertBytes * work.experts +
                          work.tokenBytes * vocabulary);
    }
    EXPECT_EQ(bytes, report.program.weightBytes) << "bucket " << step.tokens;
  }
}

TEST(Plan, PhasesReadTheWholeWeightFile) {
  expectWholeFile(large(), 248320);
  PlanCommand command;
  command.model = "tiny";
  expectWholeFile(planOf(command), 2048);
  command.quant = "int8";
  command.quantGroup = 32;
  expectWholeFile(planOf(command), 2048);
  command = PlanCommand();
  command.model = "Qwen3.6-27B"; // dense
  command.config.layers = 4;
  expectWholeFile(planOf(command), 248320);
}

TEST(Plan, BalanceOfTasks) {
  PhasePlan plan;
  GridPlan grid;
  grid.dims.push_back({tile::ExtentKind::Count, 3, 0.5});
  grid.work.weightBytes = 250; // tasks of 100, 100 and 50
  plan.grids.push_back(grid);
  EXPECT_EQ(plan.tasks({}), 3);
  EXPECT_DOUBLE_EQ(plan.balance({}, 1), 1);
  EXPECT_DOUBLE_EQ(plan.balance({}, 2), 150 / 125.0);
  EXPECT_DOUBLE_EQ(plan.balance({}, 5), 100 / 50.0);
  plan.grids[0].work = {};
  EXPECT_DOUBLE_EQ(plan.balance({}, 2), 0);
}

TEST(Plan, TimesAreTheLargerOfBytesAndOperations) {
  PhasePlan plan;
  plan.repeat = 2;
  plan.work.weightBytes = 1000;
  plan.work.macs = 100;
  plan.work.int8Macs = 60;
  PlanMachine machine{4, 1e-9, 1e-9, 2e-9}; // a byte, an operation per second
  PhaseTime reads = timeOf(plan, {1, 1, 1, 0}, machine);
  EXPECT_DOUBLE_EQ(reads.seconds, 2000);
  EXPECT_FALSE(reads.computes);
  PhaseTime computes = timeOf(plan, {100, 1, 1, 0}, machine);
  EXPECT_DOUBLE_EQ(computes.seconds, 2 * 2 * 100 * (40 / 4.0 + 60 / 8.0));
  EXPECT_TRUE(computes.computes);
}

/// What the runtime makes of the manifest is what the compiler plans.
TEST(Plan, RuntimeReadsTheManifest) {
  auto config =
      readConfig(QUARTET_TEST_MODELS "Qwen3.6-35B-A3B", ConfigOptions{12, 0});
  ASSERT_TRUE(bool(config));
  WeightPlan weights = planWeights(*config, {});
  WeightLayout layout = layoutWeights(plainPackPlan(weights), weights);
  mlir::MLIRContext context;
  mlir::DialectRegistry registry;
  registerDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  auto model = buildModel(context, *config, weights, {});
  ManifestFacts facts{*config, layout, Capabilities(), {}, {}, {}};
  facts.tokenLimit = config->vocabSize;
  facts.plan = manifestPlan(large().program);
  std::string error;
  auto manifest = rt::parseManifest(writeManifest(facts, *model), &error);
  ASSERT_TRUE(manifest) << error;
  ASSERT_EQ(manifest->plan.size(), large().program.steps.size());
  for (auto shape : {StepShape{1, 1, 1, 64}, StepShape{4, 4, 4, 4096},
                     StepShape{512, 1, 0, 256}}) {
    const StepPlan &step = *large().program.stepFor(shape.tokens);
    PhaseTime here = timeOf(step, shape, large().machine);
    auto there =
        rt::stepCost(*manifest, int64_t(shape.tokens), int64_t(shape.sequences),
                     int64_t(shape.rows), shape.context);
    ASSERT_TRUE(there);
    EXPECT_DOUBLE_EQ(there->bytes, here.bytes);
    EXPECT_DOUBLE_EQ(there->flops, here.flops);
  }
}
} // namespace
