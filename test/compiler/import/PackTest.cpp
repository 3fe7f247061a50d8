// The weight file: layout, contents read back with our own parser, identity,
// and that nothing is left behind when writing fails.
#include "compiler/import/Pack.h"
#include "ImportTesting.h"
#include "compiler/import/Convert.h"
#include "compiler/import/Progress.h"
#include "llvm/Support/BLAKE3.h"
#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

Weight weightOf(StringRef name, std::vector<int64_t> shape, Dtype dtype,
                std::vector<Run> runs = {}) {
  Weight weight;
  weight.name = name.str();
  weight.shape = std::move(shape);
  weight.dtype = dtype;
  weight.runs = std::move(runs);
  return weight;
}

PackOptions quiet(StringRef model = "tiny") {
  PackOptions options;
  options.modelName = model.str();
  options.progress = false;
  return options;
}

WeightLayout layoutPlain(const WeightPlan &plan) {
  return layoutWeights(plainPackPlan(plan), plan);
}

Expected<std::string> writePlain(const WeightPlan &plan,
                                 const WeightLayout &layout,
                                 WeightSource &source, StringRef path,
                                 const PackOptions &options) {
  return writeWeights(plainPackPlan(plan), plan, layout, source, path, options);
}

TEST(Layout, AlignsEveryWeightAsFarAsItsSizeAllows) {
  WeightPlan plan;
  plan.weights = {
      weightOf("odd", {3}, Dtype::BF16),  weightOf("big", {64, 8}, Dtype::BF16),
      weightOf("four", {5}, Dtype::F32),  weightOf("empty", {0, 4}, Dtype::F32),
      weightOf("half", {16}, Dtype::F16), weightOf("last", {32}, Dtype::BF16)};
  WeightLayout layout = layoutPlain(plan);
  ASSERT_EQ(layout.weights.size(), 6u);
  std::map<uint64_t, uint64_t> ranges;
  for (size_t i = 0; i < 6; ++i) {
    const PackedWeight &weight = layout.weights[i];
    EXPECT_EQ(weight.name, plan.weights[i].name); // order of the plan
    uint64_t natural = weight.bytes ? (weight.bytes & -weight.bytes) : 64;
    EXPECT_EQ(weight.offset % std::min<uint64_t>(64, natural), 0u)
        << weight.name;
    if (weight.bytes)
      ranges[weight.offset] = weight.bytes;
  }
  uint64_t end = 0; // no gap, no overlap
  for (auto [offset, bytes] : ranges) {
    EXPECT_EQ(offset, end);
    end = offset + bytes;
  }
  EXPECT_EQ(layout.dataBytes, end);
  EXPECT_EQ(layout.layoutId.size(), 64u);
}

TEST(Layout, IdFollowsNamesTypesShapes) {
  auto idOf = [](StringRef name, std::vector<int64_t> shape, Dtype dtype) {
    WeightPlan plan;
    plan.weights = {weightOf(name, std::move(shape), dtype)};
    return layoutPlain(plan).layoutId;
  };
  std::string id = idOf("w", {2, 32}, Dtype::F16);
  EXPECT_EQ(id, idOf("w", {2, 32}, Dtype::F16));
  EXPECT_NE(id, idOf("v", {2, 32}, Dtype::F16));
  EXPECT_NE(id, idOf("w", {32, 2}, Dtype::F16));
  EXPECT_NE(id, idOf("w", {2, 32}, Dtype::BF16));
  EXPECT_NE(id, idOf("w", {64}, Dtype::F16));
}

TEST(Progress, FormatsAmounts) {
  EXPECT_EQ(formatBytes(0), "0 bytes");
  EXPECT_EQ(formatBytes(999), "999 bytes");
  EXPECT_EQ(formatBytes(1000), "1.00 KB");
  EXPECT_EQ(formatBytes(999'999), "1.00 MB");
  EXPECT_EQ(formatBytes(69'321'000'000), "69.3 GB");
  EXPECT_EQ(formatBytes(512'300'000), "512 MB");
  EXPECT_EQ(formatBytes(UINT64_MAX), "18.4 EB");
  EXPECT_EQ(formatSeconds(0.4), "0 s");
  EXPECT_EQ(formatSeconds(59.6), "1 min 00 s");
  EXPECT_EQ(formatSeconds(187), "3 min 07 s");
  EXPECT_EQ(formatSeconds(7500), "2 h 5 min");
}

class Pack : public ::testing::Test {
protected:
  TemporaryDirectory directory;
  std::string target = directory.file("out.safetensors");

  /// A checkpoint of two tensors, F32 [300] and BF16 [200].
  void writeCheckpoint(float last = 299.0f) {
    std::string data(300 * 4 + 200 * 2, '\0');
    for (int i = 0; i < 300; ++i) {
      float value = i == 299 ? last : float(i);
      memcpy(&data[size_t(i) * 4], &value, 4);
    }
    for (int i = 0; i < 200; ++i) {
      uint16_t value = floatToBf16(float(-i));
      memcpy(&data[1200 + size_t(i) * 2], &value, 2);
    }
    directory.write(
        "model.safetensors",
        safetensors(
            R"({"a":{"dtype":"F32","shape":[300],"data_offsets":[0,1200]},)"
            R"("b":{"dtype":"BF16","shape":[200],"data_offsets":[1200,1600]}})",
            data));
  }
  Checkpoint checkpoint() {
    return cantFail(Checkpoint::open(directory.str()));
  }

  /// No half-written file under any name.
  void expectOnlyInputs() {
    for (const std::string &name : directory.list())
      EXPECT_EQ(name, "model.safetensors");
  }
};

TEST_F(Pack, WritesRunsInOrderConverted) {
  writeCheckpoint();
  Checkpoint from = checkpoint();
  WeightPlan plan;
  plan.weights = {
      weightOf("mixed", {10}, Dtype::F16,
               {{"b", 3, 4}, {"a", 100, 5}, {"a", 0, 1}}),
      weightOf("whole", {2, 100}, Dtype::F32, {{"b", 0, 200}}),
  };
  WeightLayout layout = layoutPlain(plan);
  auto source = checkpointSource(from);
  Expected<std::string> id =
      writePlain(plan, layout, *source, target, quiet("a \"b\"\xff"));
  ASSERT_TRUE(bool(id)) << message(std::move(id));

  std::string file = directory.read("out.safetensors");
  Expected<SafetensorsHeader> header =
      parseSafetensors(arrayRefFromStringRef(file), "out");
  ASSERT_TRUE(bool(header)) << message(std::move(header));
  EXPECT_EQ(header->dataStart % 4096, 0u);
  EXPECT_EQ(file.size(), header->dataStart + layout.dataBytes);
  EXPECT_EQ(header->metadata.at("format"), "quartet");
  EXPECT_EQ(header->metadata.at("quartet.weights_id"), *id);
  EXPECT_EQ(header->metadata.at("quartet.layout_id"), layout.layoutId);
  EXPECT_EQ(header->metadata.at("quartet.model"), "a \"b\"\xef\xbf\xbd");
  auto digest = BLAKE3::hash(
      arrayRefFromStringRef(StringRef(file).substr(header->dataStart)));
  EXPECT_EQ(*id, toHex(ArrayRef<uint8_t>(digest.data(), digest.size()), true));

  for (const PackedWeight &weight : layout.weights) {
    const char *data = file.data() + header->dataStart + weight.offset;
    if (weight.name == "whole") {
      for (int i = 0; i < 200; ++i) {
        float value;
        memcpy(&value, data + i * 4, 4);
        ASSERT_EQ(value, bf16ToFloat(floatToBf16(float(-i))));
      }
      continue;
    }
    const float want[] = {-3, -4, -5, -6, 100, 101, 102, 103, 104, 0};
    for (int i = 0; i < 10; ++i) {
      uint16_t value;
      memcpy(&value, data + i * 2, 2);
      EXPECT_EQ(halfToFloat(value), want[i]) << i;
    }
  }
  // A part that begins inside one run and ends inside another.
  std::vector<uint8_t> part(10);
  cantFail(source->read(plan.weights[0], 2, part));
  const float wantPart[] = {-5, -6, 100, 101, 102};
  for (size_t i = 0; i < 5; ++i) {
    uint16_t value;
    memcpy(&value, &part[i * 2], 2);
    EXPECT_EQ(halfToFloat(value), wantPart[i]) << i;
  }
  EXPECT_EQ(directory.list(),
            (std::set<std::string>{"model.safetensors", "out.safetensors"}));
}

TEST_F(Pack, WritesTheSameBytesAgainOverAnOldFile) {
  WeightPlan plan;
  plan.weights = {weightOf("w", {70, 33}, Dtype::BF16),
                  weightOf("v", {5}, Dtype::F32)};
  directory.write("out.safetensors", "old");
  WeightLayout layout = layoutPlain(plan);
  auto source = syntheticSource(7);
  cantFail(writePlain(plan, layout, *source, target, quiet()));
  std::string first = directory.read("out.safetensors");
  cantFail(writePlain(plan, layout, *source, target, quiet()));
  EXPECT_TRUE(first == directory.read("out.safetensors"));
  EXPECT_GT(first.size(), 4096u);
}

// 40 MB of one weight and a small one: more than the two buffers hold.
TEST_F(Pack, WritesManyChunks) {
  WeightPlan plan;
  plan.weights = {weightOf("w", {20, 1000, 1001}, Dtype::BF16),
                  weightOf("v", {64}, Dtype::F32)};
  WeightLayout layout = layoutPlain(plan);
  auto source = syntheticSource(7);
  cantFail(writePlain(plan, layout, *source, target, quiet()));
  std::string file = directory.read("out.safetensors");
  SafetensorsHeader header =
      cantFail(parseSafetensors(arrayRefFromStringRef(file), "out"));
  for (size_t i = 0; i < 2; ++i) {
    std::vector<uint8_t> want(layout.weights[i].bytes);
    cantFail(source->read(plan.weights[i], 0, want));
    EXPECT_TRUE(
        StringRef(file).substr(header.dataStart + layout.weights[i].offset,
                               want.size()) == toStringRef(want));
  }
}

TEST_F(Pack, ReportsAValueTooLargeForF16) {
  writeCheckpoint(70000.0f);
  Checkpoint from = checkpoint();
  WeightPlan plan;
  plan.weights = {weightOf("w", {250}, Dtype::F16, {{"a", 50, 250}})};
  auto source = checkpointSource(from);
  EXPECT_EQ(
      message(writePlain(plan, layoutPlain(plan), *source, target, quiet())),
      directory.file("model.safetensors") +
          ": tensor 'a': element 299 is too large for F16, expected "
          "values up to 65504 (use --dtype bf16)");
  expectOnlyInputs();
}

// A plan that does not fit its checkpoint must not read outside of it.
TEST_F(Pack, ChecksRunsAgainstTheCheckpoint) {
  writeCheckpoint();
  Checkpoint from = checkpoint();
  auto source = checkpointSource(from);
  auto problem = [&](std::vector<quartet::Run> runs) {
    WeightPlan plan;
    plan.weights = {weightOf("w", {10}, Dtype::F32, std::move(runs))};
    return message(
        writePlain(plan, layoutPlain(plan), *source, target, quiet()));
  };
  EXPECT_TRUE(contains(problem({{"none", 0, 10}}),
                       "weight 'w': tensor 'none' not found"));
  EXPECT_TRUE(contains(problem({{"a", 291, 10}}),
                       "tensor 'a': has 300 elements, expected at least 301"));
  EXPECT_TRUE(contains(problem({{"a", 301, 10}}), "tensor 'a': has 300"));
  EXPECT_TRUE(contains(problem({{"a", -1, 10}}), "tensor 'a': has 300"));
  EXPECT_TRUE(contains(problem({{"a", 0, 9}}),
                       "weight 'w': 1 elements have no tensor"));
  expectOnlyInputs();
}

TEST_F(Pack, ChecksTheSpaceFirst) {
  WeightPlan plan;
  plan.weights = {weightOf("w", {int64_t(1) << 31, 1 << 20}, Dtype::BF16)};
  auto source = syntheticSource(1);
  std::string text =
      message(writePlain(plan, layoutPlain(plan), *source, target, quiet()));
  EXPECT_TRUE(contains(text, target + ": 4.50 PB needed, "));
  EXPECT_TRUE(contains(text, " available in " + directory.str()));
  expectOnlyInputs();
}

TEST_F(Pack, RejectsATargetThatCannotBeAFile) {
  WeightPlan plan;
  plan.weights = {weightOf("w", {4}, Dtype::BF16)};
  auto source = syntheticSource(1);
  auto problem = [&](const std::string &path) {
    return message(writePlain(plan, layoutPlain(plan), *source, path, quiet()));
  };
  EXPECT_TRUE(contains(problem(directory.str()), "not a regular file"));
  EXPECT_TRUE(contains(problem("/dev/null"), "not a regular file"));
  EXPECT_TRUE(contains(problem(directory.file("no/out")),
                       "cannot use the directory " + directory.file("no")));
  expectOnlyInputs();
}

// A limit on the size of files stands in for a disk that fills up.
TEST_F(Pack, RemovesTheFileAfterAWriteError) {
  WeightPlan plan;
  plan.weights = {weightOf("w", {40, 1 << 20}, Dtype::BF16)};
  auto source = syntheticSource(1);
  auto oldHandler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 20 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string text =
      message(writePlain(plan, layoutPlain(plan), *source, target, quiet()));
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, oldHandler);
  EXPECT_TRUE(contains(text, target + ": cannot write at byte "));
  EXPECT_TRUE(contains(text, "File too large"));
  expectOnlyInputs();
}

/// Waits in its second read until the process is killed.
class StuckSource : public WeightSource {
public:
  explicit StuckSource(int pipe) : pipe(pipe) {}
  Error read(const Weight &, int64_t begin,
             MutableArrayRef<uint8_t> out) override {
    std::fill(out.begin(), out.end(), 0);
    if (begin == 0)
      return Error::success();
    char ready = 1;
    (void)!::write(pipe, &ready, 1);
    for (;;)
      std::this_thread::sleep_for(std::chrono::seconds(1));
  }

private:
  int pipe;
};

class PackSignal : public Pack, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Signals, PackSignal,
                         ::testing::Values(SIGINT, SIGTERM),
                         [](const auto &info) {
                           return info.param == SIGINT ? "Int" : "Term";
                         });

TEST_P(PackSignal, RemovesTheFileWhenInterrupted) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  pid_t child = ::fork();
  if (child == 0) {
    WeightPlan plan;
    plan.weights = {weightOf("w", {40, 1 << 20}, Dtype::BF16)};
    StuckSource source(ends[1]);
    (void)message(writePlain(plan, layoutPlain(plan), source, target, quiet()));
    ::_exit(0);
  }
  ::close(ends[1]);
  char ready = 0;
  ASSERT_EQ(::read(ends[0], &ready, 1), 1);
  EXPECT_EQ(directory.list().size(), 1u); // the temporary file is there
  ::kill(child, GetParam());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == GetParam());
  ::close(ends[0]);
  expectOnlyInputs();
}

} // namespace
