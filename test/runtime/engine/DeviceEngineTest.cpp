// The same step function, once as a CPU's program and once as a kernel of a
// fake device: both give the same, and the device gets one small copy per
// token.
#include "../device/FakeMakers.h"
#include "TestManifest.h"
#include "runtime/src/engine/Engine.h"
#include "runtime/src/engine/Programs.h"
#include <cstring>
#include <set>

using namespace quartet::rt;
using namespace quartet::rt::test;
using Ints = std::vector<int32_t>;

namespace {
constexpr int64_t kVocab = 16, kHidden = 8; // of the test manifest

/// Reads everything that a step has, and writes everything that it may.
void work(const quartet_step_args *args, int64_t layer, int64_t *stamps) {
  fakeStamps(stamps, 130, 2);
  const auto *b = static_cast<const float *>(args->weights[0]);
  const auto *a = static_cast<const uint16_t *>(args->weights[1]);
  auto *conv = static_cast<float *>(args->states[0]); // [2, slots, 3]
  auto *key = static_cast<float *>(args->states[2]);  // [2, pages, 64]
  // Counters are zero when a step begins, scratch is the step's own.
  float wrong = 0;
  for (int i = 0; i != 3; ++i)
    wrong += float(args->sync[i * QUARTET_SYNC_STRIDE]++);
  memset(args->scratch, 1, 256);
  memset(args->local, 2, 64);
  for (int64_t t = 0; t != args->num_tokens; ++t) {
    int32_t sequence = args->token_seq[t], slot = args->seq_slot[sequence];
    int32_t place =
        args->seq_past[sequence] + int32_t(t) - args->seq_start[sequence];
    int32_t page = args->page_table[slot * args->table_width + place / 64];
    key[page * 64 + place % 64] = float(args->tokens[t]);
    conv[slot * 3] += float(args->tokens[t]) * b[1] + float(a[5]);
    conv[(args->num_slots + slot) * 3 + 2] += float(args->positions[t]);
    if (args->hidden_out)
      for (int64_t c = 0; c != kHidden; ++c)
        args->hidden_out[t * kHidden + c] =
            float(args->tokens[t]) +
            (args->hidden_in ? args->hidden_in[t * kHidden + c] : 0.0f);
  }
  for (int64_t r = 0; r != args->num_rows; ++r) {
    int32_t token = args->rows[r], sequence = args->token_seq[token];
    int32_t slot = args->seq_slot[sequence];
    int32_t page = args->page_table[slot * args->table_width];
    for (int64_t id = 0; id != kVocab; ++id)
      args->logits[r * kVocab + id] =
          conv[slot * 3] + key[page * 64] * float(id) + args->temperature[r] +
          args->top_p[r] + args->min_p[r] + args->uniform[r] + float(layer) +
          conv[(args->num_slots + slot) * 3 + 2] + wrong;
    args->sampled[r] = args->tokens[token] + args->top_k[r];
  }
}
void nothing(const quartet_step_args *, int64_t, int64_t *stamps) {
  fakeStamps(stamps, 100);
}
void cpuStep(const quartet_step_args *args, int64_t, int64_t) {
  work(args, 3, nullptr);
}

const FakeImage::Kernel kernels[] = {{"work", work}, {"nothing", nothing}};
const FakeImage image = {FakeImage::expected, kernels, 2};
const quartet_span spans[] = {
    {"embed", 0}, {"l0.in", 0}, {"l0.in", 1}, {"l0.in", 2}};
quartet_launch launches[] = {{"nothing", nullptr, 0, 0, 0, 0, spans, 1},
                             {"work", nullptr, 3, 0, 0, 0, spans + 1, 2}};

StepPiece piece(int32_t sequence, Ints tokens, Ints rows = {}) {
  StepPiece result;
  result.sequence = sequence;
  result.tokens = std::move(tokens);
  for (int32_t row : rows)
    result.rows.push_back({row, {0.5f, 3, 0.9f, 0.1f, 0.25f}});
  return result;
}

class DeviceEngineTest : public testing::TestWithParam<Maker> {
protected:
  void SetUp() override {
    device = driver.open(&error);
    ASSERT_TRUE(device) << error;
    options.sequences = 2;
    cpu = make(cpuProgram.program, hostWeights, nullptr);
    for (size_t i = 0; i != 2; ++i) {
      DeviceAddress address = 0;
      ASSERT_TRUE(device->allocate("weight", 16, DeviceAccess::ReadOnly,
                                   address, &error));
      ASSERT_TRUE(device->upload(address, hostWeights[i], i ? 12 : 16, &error));
      deviceWeights[i] = reinterpret_cast<void *>(uintptr_t(address));
    }
    gpuProgram.program.device = &driver.program;
    gpu = make(gpuProgram.program, deviceWeights, device.get());
    ASSERT_TRUE(cpu && gpu) << error;
    driver.forget();
  }
  std::unique_ptr<Engine> make(const quartet_program &program, void **weights,
                               Device *on) {
    EngineOptions all = options;
    all.device = on;
    return Engine::create(manifest, program, weights, all, &error);
  }
  /// Runs a step on both and compares all that comes back.
  void both(const std::vector<StepPiece> &pieces) {
    StepResult expected, found;
    ASSERT_TRUE(cpu->step(pieces, expected, &error)) << error;
    ASSERT_TRUE(gpu->step(pieces, found, &error)) << error;
    ASSERT_EQ(found.rows, expected.rows);
    for (int64_t r = 0; r != found.rows; ++r) {
      EXPECT_EQ(found.sampled[r], expected.sampled[r]);
      for (int64_t id = 0; id != kVocab; ++id)
        EXPECT_EQ(found.logits[r * kVocab + id],
                  expected.logits[r * kVocab + id]);
    }
  }
  float b[4] = {1, 2, 3, 4};
  uint16_t a[6] = {1, 2, 3, 4, 5, 6};
  void *hostWeights[2] = {b, a}, *deviceWeights[2] = {};
  Manifest manifest = parse(manifestJson());
  FakeDriver driver{GetParam(), image};
  TestProgram cpuProgram{std::vector<quartet_bucket>{
      {16, 4, 256, 16, 64, 3, 0, cpuStep, nullptr, 0}}};
  TestProgram gpuProgram{std::vector<quartet_bucket>{
      {1, 1, 256, 16, 64, 3, 0, nullptr, launches, 2},
      {16, 4, 256, 16, 64, 3, 0, nullptr, launches, 2}}};
  std::string error;
  EngineOptions options;
  std::unique_ptr<Device> device;
  std::unique_ptr<Engine> cpu, gpu;
};

TEST_P(DeviceEngineTest, GivesWhatTheCpuGives) {
  for (Engine *engine : {cpu.get(), gpu.get()}) {
    EXPECT_EQ(engine->open(&error), 0);
    EXPECT_EQ(engine->open(&error), 1);
  }
  both({piece(0, {1, 2, 3}, {2, 0}), piece(1, {4}, {0})});
  both({piece(1, {5, 6}, {})});
  both({piece(0, {7}, {0})});
  for (int i = 0; i != 70; ++i) // beyond the first page
    both({piece(0, {8}, {0})});
  both({piece(1, Ints(15, 9), {14}), piece(0, {1}, {0})});
  // A slot that was used is zero for the next sequence.
  for (Engine *engine : {cpu.get(), gpu.get()}) {
    engine->close(0);
    EXPECT_EQ(engine->open(&error), 0);
  }
  both({piece(0, {2}, {0})});
  for (size_t state : {0, 1}) {
    EXPECT_EQ(gpu->readState(0, state), cpu->readState(0, state));
    EXPECT_EQ(gpu->readState(1, state), cpu->readState(1, state));
  }
}

// Generation copies a block of arguments to the device and a token back.
TEST_P(DeviceEngineTest, CopiesOneSmallBlockPerToken) {
  int32_t s = gpu->open(&error);
  StepResult result;
  StepWish wish;
  wish.logits = wish.hidden = false;
  ASSERT_TRUE(gpu->step({piece(s, {1, 2}, {1})}, result, &error, wish));
  driver.forget();
  ASSERT_TRUE(gpu->step({piece(s, {3}, {0})}, result, &error, wish));
  EXPECT_EQ(result.logits, nullptr);
  EXPECT_EQ(result.sampled[0], 6);
  std::string log = driver.log();
  size_t line = log.find('\n');
  EXPECT_EQ(log.substr(0, 7), "upload ");
  EXPECT_LT(atoi(log.c_str() + 7), 1200) << log;
  EXPECT_EQ(log.substr(line + 1), "graph launch\ndownload 4\nfill 192\n");
  // Without rows nothing comes back at all.
  driver.forget();
  ASSERT_TRUE(gpu->step({piece(s, {3})}, result, &error, wish));
  EXPECT_EQ(driver.log().find("download"), std::string::npos);
}

// The page table goes when it changes.
TEST_P(DeviceEngineTest, SendsThePageTableWhenItChanges) {
  int32_t s = gpu->open(&error);
  StepResult result;
  auto uploads = [&] {
    driver.forget();
    EXPECT_TRUE(gpu->step({piece(s, {1}, {0})}, result, &error)) << error;
    std::string log = driver.log();
    int count = 0;
    for (size_t at = log.find("upload"); at != std::string::npos;
         at = log.find("upload", at + 1))
      ++count;
    return count;
  };
  std::vector<int> counts;
  for (int i = 0; i != 130; ++i)
    counts.push_back(uploads());
  for (int i = 0; i != 130; ++i)
    EXPECT_EQ(counts[size_t(i)], i == 0 || i == 64 || i == 128 ? 2 : 1) << i;
}

// Blocks of a device say when they ran each phase of a step that runs as
// always.
TEST_P(DeviceEngineTest, TimesEveryPhase) {
  int32_t s = gpu->open(&error);
  StepResult result;
  StepWish wish;
  StepTimes times;
  wish.times = &times;
  for (int i = 0; i != 2; ++i) {
    driver.forget();
    ASSERT_TRUE(gpu->step({piece(s, {1}, {0})}, result, &error, wish)) << error;
    EXPECT_EQ(result.sampled[0], 4);
    EXPECT_NE(driver.log().find("graph launch"), std::string::npos);
  }
  ASSERT_EQ(times.spans.size(), 3u);
  EXPECT_STREQ(times.spans[2].phase, "l0.in");
  EXPECT_EQ(times.spans[2].layer, 1);
  ASSERT_EQ(times.workers, 8);
  EXPECT_DOUBLE_EQ(times.at(0, 7).begin, 0);
  EXPECT_DOUBLE_EQ(times.at(0, 7).ready, 2e-6);
  EXPECT_DOUBLE_EQ(times.at(0, 0).end, 9e-6);
  EXPECT_DOUBLE_EQ(times.at(0, 7).end, 16e-6);
  EXPECT_DOUBLE_EQ(times.at(1, 3).begin, 30e-6);
  EXPECT_DOUBLE_EQ(times.at(2, 3).begin, 50e-6);
  double step = 0;
  ASSERT_TRUE(gpu->lastDeviceSeconds(step, &error)) << error;
  EXPECT_FLOAT_EQ(float(step), 2e-3f); // the fake's: a millisecond a launch
  // Blocks that do not say it all.
  launches[1].num_spans = 3;
  EXPECT_FALSE(gpu->step({piece(s, {1, 1}, {0})}, result, &error, wish));
  launches[1].num_spans = 2;
  EXPECT_NE(error.find("block 0 does not say when it ran phase 'l0.in'"),
            std::string::npos)
      << error;
}

TEST_P(DeviceEngineTest, SaysWhatFailed) {
  int32_t s = gpu->open(&error);
  StepResult result;
  driver.environment.set("FAKE_GPU_FAIL",
                         "cuGraphLaunch=719,hipGraphLaunch=719");
  EXPECT_FALSE(gpu->step({piece(s, {1})}, result, &error));
  EXPECT_NE(error.find("Fake GPU 0 could not start a step"), std::string::npos)
      << error;
  EXPECT_EQ(gpu->length(s), 0);
  driver.environment.set("FAKE_GPU_FAIL",
                         "cuEventSynchronize=700,hipEventSynchronize=700,"
                         "cuStreamSynchronize=700,hipStreamSynchronize=700");
  EXPECT_FALSE(gpu->step({piece(s, {1})}, result, &error));
  EXPECT_NE(error.find("700"), std::string::npos) << error;
  error.clear();
  EXPECT_TRUE(gpu->readState(s, 0, &error).empty());
  EXPECT_NE(error.find("700"), std::string::npos) << error;
  // More rows of logits than there is memory for.
  driver.environment.set("FAKE_GPU_FAIL", "cuMemAlloc_v2=2,hipMalloc=2");
  EXPECT_FALSE(gpu->step({piece(s, {1, 2}, {0, 1})}, result, &error));
  EXPECT_NE(error.find("the logits"), std::string::npos) << error;
}

TEST_P(DeviceEngineTest, NeedsTheDevice) {
  EXPECT_FALSE(make(gpuProgram.program, deviceWeights, nullptr));
  EXPECT_NE(error.find("for a device"), std::string::npos) << error;
}

TEST_P(DeviceEngineTest, PassesHiddenStates) {
  quartet_bucket bucket = {16, 4, 256, 16, 64, 3, 0, nullptr, launches, 2};
  gpuProgram.program.mtp_buckets = &bucket;
  gpuProgram.program.num_mtp_buckets = 1;
  gpu = make(gpuProgram.program, deviceWeights, device.get());
  ASSERT_TRUE(gpu) << error;
  int32_t s = gpu->open(&error);
  StepResult result;
  ASSERT_TRUE(gpu->step({piece(s, {5, 6})}, result, &error)) << error;
  ASSERT_TRUE(result.hidden);
  EXPECT_EQ(result.hidden[kHidden], 6.0f);
  float hidden[2 * kHidden];
  for (int64_t i = 0; i != 2 * kHidden; ++i)
    hidden[i] = 100.0f * float(i);
  MtpPiece pairs;
  pairs.sequence = s;
  pairs.tokens = {1, 2};
  pairs.hidden = hidden;
  ASSERT_TRUE(gpu->mtpStep({pairs}, result, &error)) << error;
  EXPECT_EQ(result.hidden[0], 1.0f);
  EXPECT_EQ(result.hidden[kHidden + 1], 902.0f);
  // The model's own step has none that come in.
  ASSERT_TRUE(gpu->step({piece(s, {5})}, result, &error)) << error;
  EXPECT_EQ(result.hidden[1], 5.0f);
  StepWish wish;
  wish.hidden = false;
  ASSERT_TRUE(gpu->step({piece(s, {5})}, result, &error, wish)) << error;
  EXPECT_EQ(result.hidden, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Makers, DeviceEngineTest, testing::Values(nvidia, amd),
                         [](const testing::TestParamInfo<Maker> &info) {
                           return info.param.name;
                         });

TEST(DevicePrograms, AreChosenWhereTheirDeviceIs) {
  quartet_device device = {QUARTET_DEVICE_CUDA,
                           "sm_90a",
                           256,
                           32,
                           1,
                           1,
                           nullptr,
                           0,
                           nullptr,
                           nullptr};
  quartet_bucket bucket = {1, 1, 0, 0, 0, 0, 0, nullptr, launches, 2};
  quartet_program programs[] = {{"gpu", "", &bucket, 1, nullptr, 0, &device},
                                {"cpu", "", &bucket, 1, nullptr, 0, nullptr}};
  std::string error;
  auto chosen = [&](const WhyNotDevice &why, const char *wanted = "") {
    const quartet_program *program =
        chooseProgram(programs, 2, CpuFeatures(), &error, wanted, why);
    return program ? std::string(program->target) : "none";
  };
  auto yes = [](const quartet_device &) { return std::string(); };
  auto no = [](const quartet_device &) { return std::string("has no GPU"); };
  EXPECT_EQ(chosen(yes), "gpu");
  EXPECT_EQ(chosen(no), "cpu");
  EXPECT_EQ(chosen(nullptr), "cpu");
  EXPECT_EQ(chosen(no, "gpu"), "none");
  EXPECT_NE(error.find("'gpu': has no GPU"), std::string::npos) << error;
}

TEST(DevicePrograms, DamagedTablesAreRefused) {
  quartet_image image = {QUARTET_IMAGE_CUBIN, "x", 1};
  quartet_device good = {
      QUARTET_DEVICE_CUDA, "sm_90a", 256, 32, 1, 1000000, &image, 1,
      &fakeFillLaunch,     nullptr};
  auto why = [&](quartet_device device, const quartet_launch *list,
                 int64_t count, int64_t tokens = 8) {
    quartet_bucket bucket = {tokens, 8, 0, 0, 64, 0, 0, nullptr, list, count};
    return whyNotProgram({"gpu", "", &bucket, 1, nullptr, 0, &device});
  };
  auto has = [](const std::string &text, const char *part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  EXPECT_EQ(why(good, launches, 2), "");
  has(why(good, launches, 0), "no launches");
  has(why(good, launches, 2, INT64_MAX), "expected a limit");
  quartet_launch nameless[] = {{nullptr, nullptr, 0, 0, 0, 0, nullptr, 0}};
  has(why(good, nameless, 1), "launch 0 has no kernel");
  quartet_launch negative[] = {{"k", nullptr, 0, -1, 0, 0, nullptr, 0}};
  has(why(good, negative, 1), "-1 bytes of shared memory");
  quartet_device bad = good;
  bad.threads = 0;
  has(why(bad, launches, 2), "blocks of 0 threads");
  bad = good;
  bad.clock_hertz = 0;
  has(why(bad, launches, 2), "without a clock");
  bad = good;
  bad.lanes = 48;
  has(why(bad, launches, 2), "blocks of 256 threads");
  quartet_launch unnamed[] = {{"k", nullptr, 0, 0, 0, 0, nullptr, 3}};
  has(why(good, unnamed, 1), "launch 0 does not say which phases it runs");
  bad = good;
  bad.num_images = 0;
  has(why(bad, launches, 2), "no images");
  quartet_image empty = {QUARTET_IMAGE_CUBIN, nullptr, 0};
  bad = good;
  bad.images = &empty;
  has(why(bad, launches, 2), "image 0 is empty");
  bad = good;
  bad.fill = nullptr;
  has(why(bad, launches, 2), "no kernel that fills weights");
  bad = good;
  bad.kind = QUARTET_DEVICE_EMULATOR;
  has(why(bad, launches, 2), "no kernel that fills weights");
  quartet_launch emulatedFill = {"fill", fakeFill, 0, 0, 0, 0, nullptr, 0};
  bad.fill = &emulatedFill;
  has(why(bad, launches, 2), "launch 0 has no kernel");
  bad.peaks = fakePeakLaunches;
  has(why(bad, launches, 2), "no kernel that measures matrix instructions");
}
} // namespace
