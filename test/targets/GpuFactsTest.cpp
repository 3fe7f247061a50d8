// The descriptions of GPUs: each is sound, says what its hardware has, and each
// way to get one wrong names the field.
#include "targets/Chips.h"
#include "targets/llvm/Subtarget.h"
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::gpu;

namespace {
constexpr const char *kSound = R"({
  "name": "x", "about": "a machine", "card": "a card",
  "triple": "nvptx64-nvidia-cuda", "features": ["+ptx80"],
  "lanes": 32, "threads": 256, "units": 10, "dies": 2, "blocks_per_unit": 2,
  "shared_memory": {"block_bytes": 100000, "unit_bytes": 120000,
                    "reserved_bytes": 1000},
  "registers": {"thread": 255, "unit": 65536, "granule": 8},
  "threads_per_unit": 2048, "matrix_family": "mma",
  "matrix_units": [
    {"m": 16, "n": 8, "k": 32, "a": "int8", "b": "int8", "sum": "int32"},
    {"m": 16, "n": 8, "k": 16, "a": "bf16", "b": "bf16", "sum": "f32"}],
  "copy_engine": "cp_async", "warp_group_matrix": true,
  "dependent_launch": false, "clock_hertz": 100000000, "launch_records": [],
  "peak": {"read_gb_s": 1, "f32_gflop_s": 2, "bf16_gflop_s": 3,
           "int8_gop_s": 4}
})";

llvm::Expected<Chip> parse(const std::string &from, const std::string &to) {
  std::string text = kSound;
  if (size_t place = text.find(from); place != std::string::npos)
    text.replace(place, from.size(), to);
  else
    return llvm::createStringError("the test's text has no " + from);
  return parseChip({"targets/nvidia/x.json", text});
}

TEST(GpuFacts, ReadsEveryField) {
  llvm::Expected<Chip> chip = parse("x", "x");
  ASSERT_TRUE(bool(chip)) << llvm::toString(chip.takeError());
  ASSERT_TRUE(chip->gpu.has_value());
  const GpuFacts &facts = *chip->gpu;
  EXPECT_EQ(facts.name, "x");
  EXPECT_EQ(facts.card, "a card");
  EXPECT_EQ(facts.triple, "nvptx64-nvidia-cuda");
  EXPECT_EQ(facts.features, "+ptx80");
  EXPECT_EQ(facts.vendor, Vendor::Nvidia);
  EXPECT_EQ(facts.lanes, 32);
  EXPECT_EQ(facts.threads, 256);
  EXPECT_EQ(facts.units, 10);
  EXPECT_EQ(facts.dies, 2);
  EXPECT_EQ(facts.blocksPerUnit, 2);
  EXPECT_EQ(facts.unitThreads, 2048);
  EXPECT_EQ(facts.unitRegisters, 65536);
  EXPECT_EQ(facts.registerGranule, 8);
  EXPECT_EQ(facts.unitSharedBytes, 120000);
  EXPECT_EQ(facts.sharedReserved, 1000);
  EXPECT_EQ(facts.matrix, MatrixFamily::Mma);
  EXPECT_EQ(facts.int8K, 32);
  EXPECT_EQ(facts.bf16K, 16);
  EXPECT_EQ(facts.copy, CopyEngine::CpAsync);
  EXPECT_TRUE(facts.wgmma);
  EXPECT_FALSE(facts.dependentLaunch);
  EXPECT_TRUE(facts.launchRecords.empty());
  EXPECT_EQ(facts.readGBs, 1);
  EXPECT_EQ(facts.f32Gflops, 2);
  EXPECT_EQ(facts.bf16Gflops, 3);
  EXPECT_EQ(facts.int8Gops, 4);
  EXPECT_EQ(chip->capabilities.cpu, "x");
}

/// A block may have what is left when the wanted number of them shares a unit.
TEST(GpuFacts, SharesTheUnit) {
  auto factsOf = [](const char *blocks) {
    return *llvm::cantFail(parse("\"blocks_per_unit\": 2", blocks)).gpu;
  };
  GpuFacts one = factsOf("\"blocks_per_unit\": 1");
  EXPECT_EQ(one.sharedBytes, 100000);
  EXPECT_EQ(one.registers, 255);
  GpuFacts two = factsOf("\"blocks_per_unit\": 2");
  EXPECT_EQ(two.sharedBytes, 59000);
  EXPECT_EQ(two.registers, 128);
  GpuFacts three = factsOf("\"blocks_per_unit\": 3");
  EXPECT_EQ(three.sharedBytes, 39000);
  EXPECT_EQ(three.registers, 80); // 85, of which it gets multiples of 8
}

/// Records say how steps are launched: what was faster, on average.
TEST(GpuFacts, LaunchesAsMeasured) {
  auto factsOf = [](const std::string &records) {
    return *llvm::cantFail(parse("\"launch_records\": []",
                                 "\"launch_records\": " + records))
                .gpu;
  };
  auto record = [](int tokens, const char *graph, const char *persistent) {
    return "{\"model\": \"m w4\", \"tokens\": " + std::to_string(tokens) +
           ", \"graph_us\": " + graph + ", \"persistent_us\": " + persistent +
           "}";
  };
  EXPECT_EQ(factsOf("[]").fasterLaunch(), LaunchMode::Graph);
  GpuFacts one = factsOf("[" + record(1, "600.5", "500") + "]");
  ASSERT_EQ(one.launchRecords.size(), 1u);
  EXPECT_EQ(one.launchRecords[0].model, "m w4");
  EXPECT_EQ(one.launchRecords[0].tokens, 1);
  EXPECT_EQ(one.launchRecords[0].graphUs, 600.5);
  EXPECT_EQ(one.launchRecords[0].persistentUs, 500);
  EXPECT_EQ(one.fasterLaunch(), LaunchMode::Persistent);
  // Twice as slow in a long step weighs more than some gain in a short one.
  GpuFacts two = factsOf("[" + record(1, "600", "500") + "," +
                         record(512, "9000", "18000") + "]");
  EXPECT_EQ(two.fasterLaunch(), LaunchMode::Graph);
}

TEST(GpuFacts, NamesWhatIsWrong) {
  auto expect = [](const char *from, const char *to, const char *message) {
    llvm::Expected<Chip> chip = parse(from, to);
    EXPECT_EQ(chip ? "none" : llvm::toString(chip.takeError()),
              std::string("targets/nvidia/x.json: ") + message)
        << from << " -> " << to;
  };
  expect("\"card\": \"a card\",", "", "field 'card' is missing");
  expect("\"lanes\": 32", "\"lanes\": 48",
         "field 'lanes' is 48; expected 32 or 64");
  expect("\"threads\": 256", "\"threads\": 240",
         "field 'threads' is 240; expected a multiple of the lanes");
  expect("\"granule\": 8", "\"granule\": 8, \"banks\": 4",
         "field 'registers.banks' is not known; expected one of granule, "
         "thread, unit");
  expect("\"matrix_family\": \"mma\"", "\"matrix_family\": \"amx\"",
         "field 'matrix_family' is \"amx\"; expected one of mma, mfma, wmma11, "
         "wmma12");
  expect("\"a\": \"bf16\"", "\"a\": \"f16\"",
         "field 'matrix_units' has none for bf16");
  expect("\"dependent_launch\": false", "\"dependent_launch\": 0",
         "field 'dependent_launch' is 0; expected true or false");
  expect("\"launch_records\": []", "\"launch_records\": 1",
         "field 'launch_records' is 1; expected a list of objects");
  expect("\"launch_records\": []",
         "\"launch_records\": [{\"model\": \"m\", \"tokens\": 1, "
         "\"graph_us\": 1}]",
         "field 'launch_records[0].persistent_us' is missing");
  expect("\"launch_records\": []", "\"launch_records\": [3]",
         "field 'launch_records[0]' is 3; expected an object");
  expect("\"bf16_gflop_s\": 3,", "", "field 'peak.bf16_gflop_s' is missing");
  expect("\"shared_memory\": {", "\"shared_memory\": 3, \"y\": {",
         "field 'shared_memory' is 3; expected an object");
  expect("\"units\": 10,", "\"units\": 10, \"cpu\": \"y\",",
         "field 'cpu' is not known; expected one of about, blocks_per_unit, "
         "card, clock_hertz, copy_engine, dependent_launch, dies, features, "
         "lanes, "
         "launch_records, matrix_family, matrix_units, name, peak, registers, "
         "shared_memory, threads, "
         "threads_per_unit, triple, units, warp_group_matrix");
}

TEST(GpuFacts, ThoseBuiltInAreSound) {
  int gpus = 0;
  for (const ChipFile &file : chipFiles()) {
    llvm::Expected<Chip> chip = parseChip(file);
    ASSERT_TRUE(bool(chip)) << llvm::toString(chip.takeError());
    if (!chip->gpu)
      continue;
    ++gpus;
    const GpuFacts &facts = *chip->gpu;
    bool nvidia = facts.vendor == Vendor::Nvidia;
    EXPECT_EQ(file.name.starts_with("targets/nvidia/"), nvidia);
    EXPECT_EQ(facts.triple,
              nvidia ? "nvptx64-nvidia-cuda" : "amdgcn-amd-amdhsa");
    // LLVM knows the chip, and the width of its waves.
    auto info = subtargetOf(facts.triple, facts.name, facts.features);
    ASSERT_TRUE(bool(info)) << llvm::toString(info.takeError());
    if (!nvidia)
      EXPECT_TRUE((*info)->checkFeatures("+wavefrontsize" +
                                         std::to_string(facts.lanes)))
          << facts.name;
    EXPECT_EQ(facts.matrix == MatrixFamily::Mma, nvidia) << facts.name;
    EXPECT_LE(facts.blocksPerUnit * (facts.sharedBytes + facts.sharedReserved),
              facts.unitSharedBytes)
        << facts.name;
    EXPECT_LE(facts.blocksPerUnit * facts.threads * facts.registers,
              facts.unitRegisters)
        << facts.name;
    EXPECT_GE(facts.int8Gops, facts.bf16Gflops) << facts.name;
    EXPECT_GT(facts.bf16Gflops, facts.f32Gflops) << facts.name;
  }
  EXPECT_EQ(gpus, 12);
}

/// What decides between kernels.
TEST(GpuFacts, HaveTheInstructionsOfTheirNames) {
  auto of = [](const char *name) { return llvm::cantFail(findGpuFacts(name)); };
  EXPECT_EQ(of("sm_80").copy, CopyEngine::CpAsync);
  EXPECT_FALSE(of("sm_89").dependentLaunch);
  EXPECT_TRUE(of("sm_90a").dependentLaunch);
  EXPECT_TRUE(of("sm_90a").wgmma);
  EXPECT_TRUE(of("sm_120a").dependentLaunch);
  EXPECT_FALSE(of("sm_100a").wgmma);
  EXPECT_EQ(of("sm_86").sharedBytes, 99 * 1024);
  EXPECT_EQ(of("gfx90a").int8K, 16);
  EXPECT_EQ(of("gfx942").int8K, 32);
  EXPECT_EQ(of("gfx950").int8K, 64);
  EXPECT_EQ(of("gfx950").bf16K, 32);
  EXPECT_EQ(of("gfx1100").matrix, MatrixFamily::Wmma11);
  EXPECT_EQ(of("gfx1201").matrix, MatrixFamily::Wmma12);
  EXPECT_EQ(of("gfx1151").lanes, 32);
}

TEST(GpuFacts, OtherNamesAreErrors) {
  EXPECT_EQ(llvm::toString(findGpuFacts("x86-64-v3").takeError()),
            "target 'x86-64-v3' is no GPU; known GPUs: sm_80 sm_86 sm_89 "
            "sm_90a sm_100a sm_120a gfx90a gfx942 gfx950 gfx1100 gfx1151 "
            "gfx1201");
  EXPECT_TRUE(llvm::StringRef(llvm::toString(findGpuFacts("sm_7").takeError()))
                  .starts_with("unknown target 'sm_7'; known targets: host "));
  EXPECT_TRUE(llvm::StringRef(llvm::toString(findGpuFacts("sm_90").takeError()))
                  .starts_with("unknown target 'sm_90' (did you mean "
                               "'sm_90a'?); known targets: host "));
  EXPECT_EQ(llvm::toString(createTarget("sm_90a", "").takeError()),
            "target 'sm_90a' is a GPU, whose code the CPUs' generator cannot "
            "make; expected a CPU");
}
} // namespace
