// Every description that is built in is sound, and each way to get one wrong is
// an error that names the file and the field.
#include "targets/Chips.h"
#include "targets/cpu/Isa.h"
#include "llvm/Support/Path.h"
#include <gtest/gtest.h>

using namespace quartet;

namespace {
constexpr const char *kSound = R"({
  "name": "x", "about": "a machine", "triple": "x86_64-unknown-linux-gnu",
  "cpu": "x86-64-v4", "features": ["+avx512vnni", "-gfni"], "workers": 8,
  "local_memory_bytes": 1048576, "vector_bits": 512,
  "matrix_units": [{"m": 16, "n": 8, "k": 64, "a": "int8", "b": "int4",
                    "sum": "int32"}],
  "peak_per_worker": {"read_gb_s": 1.5, "f32_gflop_s": 20, "int8_gop_s": 30}
})";

/// The error of kSound with \p from exchanged for \p to.
std::string problem(const std::string &from, const std::string &to) {
  std::string text = kSound;
  size_t place = text.find(from);
  if (place == std::string::npos)
    return "the test's text has no " + from;
  text.replace(place, from.size(), to);
  llvm::Expected<Chip> chip = parseChip({"targets/cpu/x.json", text});
  return chip ? "none" : llvm::toString(chip.takeError());
}

TEST(Chips, ReadsEveryField) {
  llvm::Expected<Chip> chip = parseChip({"targets/cpu/x.json", kSound});
  ASSERT_TRUE(bool(chip)) << llvm::toString(chip.takeError());
  const Capabilities &facts = chip->capabilities;
  EXPECT_EQ(chip->name, "x");
  EXPECT_EQ(chip->about, "a machine");
  EXPECT_EQ(facts.triple, "x86_64-unknown-linux-gnu");
  EXPECT_EQ(facts.cpu, "x86-64-v4");
  EXPECT_EQ(facts.features, "+avx512vnni,-gfni");
  EXPECT_EQ(facts.workers, 8);
  EXPECT_EQ(facts.readGBs, 1.5);
  EXPECT_EQ(facts.f32Gflops, 20);
  EXPECT_EQ(facts.int8Gops, 30);
  EXPECT_EQ(chip->localBytes, 1048576);
  EXPECT_EQ(chip->vectorBits, 512);
  ASSERT_EQ(chip->matrixUnits.size(), 1u);
  const MatrixUnit &unit = chip->matrixUnits[0];
  EXPECT_EQ(unit.m * 10000 + unit.n * 100 + unit.k, 160864);
  EXPECT_EQ(unit.a + " " + unit.b + " " + unit.sum, "int8 int4 int32");
}

TEST(Chips, NamesWhatIsWrong) {
  auto expect = [](const char *from, const char *to, const char *message) {
    EXPECT_EQ(problem(from, to), std::string("targets/cpu/x.json: ") + message)
        << from << " -> " << to;
  };
  expect("\"cpu\": \"x86-64-v4\", ", "", "field 'cpu' is missing");
  expect("\"workers\"", "\"worker\"", "field 'workers' is missing");
  expect("\"int8_gop_s\": 30", "\"int8_gop_s\": 30, \"f64\": 1",
         "field 'peak_per_worker.f64' is not known; expected one of "
         "f32_gflop_s, int8_gop_s, read_gb_s");
  expect("\"m\": 16, ", "", "field 'matrix_units[0].m' is missing");
  expect("\"about\"", "\"cpu\": \"i386\", \"about\"",
         "field 'cpu' stands twice");
  expect("\"a machine\"", "\"\"",
         "field 'about' is \"\"; expected a text that is not empty");
  expect("512,", "\"wide\",",
         "field 'vector_bits' is \"wide\"; expected an integer from 128 to "
         "4096");
  expect("\"workers\": 8", "\"workers\": 0",
         "field 'workers' is 0; expected an integer from 1 to 4096");
  expect("1048576", "18446744073709551615",
         "field 'local_memory_bytes' is 18446744073709551615; expected an "
         "integer from 1024 to 1073741824");
  expect("1.5", "-1.5",
         "field 'peak_per_worker.read_gb_s' is -1.5; expected a number over 0");
  expect("\"-gfni\"", "\"gfni\"",
         "field 'features' is [\"+avx512vnni\",\"gfni\"]; expected a list of "
         "texts like \"+dotprod\"");
  expect("\"a\": \"int8\"", "\"a\": \"i8\"",
         "field 'matrix_units[0].a' is \"i8\"; expected one of int4, int8, "
         "fp8, bf16, f16, f32, int32");
  expect("[{", "[3, {", "field 'matrix_units[0]' is 3; expected an object");
  expect("\"name\": \"x\"", "\"name\": \"y\"",
         "field 'name' is \"y\"; expected that of the file, x");
}

TEST(Chips, RefusesOtherText) {
  for (const char *text : {"", "[]", "{\"name\": ", "null"}) {
    llvm::Expected<Chip> chip = parseChip({"targets/cpu/x.json", text});
    ASSERT_FALSE(bool(chip)) << text;
    EXPECT_EQ(llvm::toString(chip.takeError()),
              "targets/cpu/x.json: is not one JSON object");
  }
}

TEST(Chips, ThoseBuiltInAreSound) {
  ASSERT_FALSE(chipFiles().empty());
  for (const ChipFile &file : chipFiles()) {
    llvm::Expected<Chip> chip = parseChip(file);
    ASSERT_TRUE(bool(chip)) << llvm::toString(chip.takeError());
    if (chip->gpu)
      continue;
    const Capabilities &facts = chip->capabilities;
    // LLVM knows the CPU, and its registers are as wide as the file says.
    auto target = createTarget(chip->name, "");
    ASSERT_TRUE(bool(target)) << llvm::toString(target.takeError());
    auto isa = cpu::Isa::of(facts.triple, facts.cpu, facts.features);
    ASSERT_TRUE(bool(isa)) << llvm::toString(isa.takeError());
    EXPECT_EQ(int64_t(isa->lanes) * 32, chip->vectorBits) << chip->name;
    EXPECT_EQ(isa->amxInt8, !chip->matrixUnits.empty()) << chip->name;
  }
}

/// What the names promise.
TEST(Chips, HaveTheInstructionsOfTheirNames) {
  auto isaOf = [](const char *name) {
    Capabilities facts = llvm::cantFail(findChip(name)).capabilities;
    return llvm::cantFail(
        cpu::Isa::of(facts.triple, facts.cpu, facts.features));
  };
  EXPECT_FALSE(isaOf("x86-64").fusedMultiplyAdd);
  EXPECT_EQ(isaOf("x86-64-v3").byteDot, cpu::ByteDot::Avx2);
  EXPECT_EQ(isaOf("x86-64-v4").byteDot, cpu::ByteDot::Vnni);
  EXPECT_TRUE(isaOf("sapphirerapids").amxInt8);
  EXPECT_TRUE(isaOf("sapphirerapids").amxBf16);
  EXPECT_EQ(isaOf("armv8-a").byteDot, cpu::ByteDot::Widen);
  EXPECT_EQ(isaOf("aarch64").byteDot, cpu::ByteDot::Neon);
}
} // namespace
