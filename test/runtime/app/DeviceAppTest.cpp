// Whole commands on a device: a fake one with a driver that can be told to
// fail, and the emulated one. The model is that of AppTest: byte b is followed
// by b + 1.
#include "../device/FakeMakers.h"
#include "../engine/TestManifest.h"
#include "quartet/emulator.h"
#include "runtime/src/app/App.h"
#include "runtime/src/app/UploadProgress.h"
#include <cmath>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
bool noisy = false;     ///< rows depend on what else is in the step
bool alike = false;     ///< the fake GPU does what the emulated kernel does
bool idle = false;      ///< it writes zeros
float spoiled = 0;      ///< more than it should be, on the fake GPU
int64_t trespass = 0;   ///< the emulated kernel reads so far beyond the tokens
bool scribbles = false; ///< it writes a weight

/// The logits of byte b are 1 at b + 1, and 0.01 * position everywhere else.
void nextByte(const quartet_step_args *args, int64_t, int64_t *stamps) {
  fakeStamps(stamps, 60);
  if (idle) {
    std::fill_n(args->logits, args->num_rows * 256, 0.0f);
    return;
  }
  for (int64_t t = 0; !alike && t != args->num_tokens; ++t) {
    int64_t slot = args->seq_slot[args->token_seq[t]];
    static_cast<float *>(args->states[0])[slot * 3 + 1] +=
        float(args->tokens[t]);
  }
  for (int64_t r = 0; r != args->num_rows; ++r) {
    int32_t token = args->rows[r], next = (args->tokens[token] + 1) % 256;
    for (int32_t id = 0; id != 256; ++id)
      args->logits[r * 256 + id] =
          (alike ? 0.0f : 0.01f * float(args->positions[token])) +
          (noisy ? 0.001f * float(args->num_tokens) : 0.0f);
    args->logits[r * 256 + next] = 1;
    args->logits[r * 256 + 3] += spoiled;
    args->sampled[r] = next;
  }
}
void nothing(const quartet_step_args *, int64_t layer, int64_t *stamps) {
  fakeStamps(stamps, 20 + 20 * layer);
}
void cpuStep(const quartet_step_args *args, int64_t, int64_t) {
  nextByte(args, 0, nullptr);
}

/// What the emulator runs on each thread; the work is thread 0's of block 0.
void emulated(const quartet_step_args *args, int64_t, int64_t *) {
  if (quartet_emu_thread() != 0 || quartet_emu_block() != 0)
    return;
  quartet_emu_read(args, sizeof(*args), 1, "arguments");
  quartet_emu_read(args->tokens + trespass, args->num_tokens * 4, 1, "tokens");
  if (scribbles)
    quartet_emu_write(args->weights[0], 4, 1, "weights");
  for (int64_t r = 0; r != args->num_rows; ++r) {
    quartet_emu_read(args->rows + r, 4, 1, "rows");
    int32_t next = (args->tokens[args->rows[r]] + 1) % 256;
    quartet_emu_write(args->logits + r * 256, 256 * 4, 1, "logits");
    for (int32_t id = 0; id != 256; ++id)
      args->logits[r * 256 + id] = id == next ? 1.0f : 0.0f;
    quartet_emu_write(args->sampled + r, 4, 1, "sampled");
    args->sampled[r] = next;
  }
}

/// The same for weights that are made up.
void emulatedFill(const quartet_step_args *args, int64_t, int64_t *) {
  if (quartet_emu_thread() != 0 || quartet_emu_block() != 0)
    return;
  const auto *fill = reinterpret_cast<const quartet_fill *>(args);
  quartet_emu_read(fill, sizeof(*fill), 1, "what to fill");
  quartet_emu_write(fill->out, fill->bytes, 1, "weights");
  fakeFill(args, 0, nullptr);
}
const quartet_launch emulatedFillLaunch = {"fill", emulatedFill, 0, 0, 0,
                                           0,      nullptr,      0};

const FakeImage::Kernel kernels[] = {{"step_few_l0_in", nothing},
                                     {"step_few_head", nextByte},
                                     {"fill", fakeFill},
                                     {"peak", fakePeak}};
const FakeImage image = {FakeImage::expected, kernels, 4};
const quartet_span spans[] = {{"l0.in", 0}, {"l0.in", 1}, {"head", 0}};
const quartet_launch launches[] = {
    {"step_few_l0_in", nothing, 0, 0, 0, 0, spans, 1},
    {"step_few_l0_in", nothing, 1, 0, 0, 0, spans + 1, 1},
    {"step_few_head", emulated, 0, 0, 0, 0, spans + 2, 1}};

struct Ran {
  int code;
  std::string out, err;
};

class DeviceAppTest : public testing::Test {
protected:
  void SetUp() override {
    noisy = alike = idle = false;
    spoiled = 0;
    trespass = 0;
    scribbles = false;
    json["model"]["vocab"] = 256;
    json["model"]["token_limit"] = 256;
    json["generation"] = {{"do_sample", false}, {"stop_ids", {255}}};
    weights = dir.write("w.safetensors", weightImage(weightHeader()));
    gpu.program.target = "gpu";
    gpu.program.device = &driver.program;
    programs = {gpu.program};
  }
  Ran run(std::vector<std::string> args) {
    std::string manifest = json.dump();
    args.insert(args.begin(), "model");
    args.insert(args.end(), {"--weights", weights});
    std::vector<char *> argv;
    for (std::string &arg : args)
      argv.push_back(arg.data());
    Image compiled = {{manifest.data(), manifest.size()},
                      {nullptr, 0},
                      {nullptr, 0},
                      {nullptr, 0},
                      programs.data(),
                      int64_t(programs.size())};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.code = runApp(int(argv.size()), argv.data(), compiled);
    fflush(stdout);
    ran.out = testing::internal::GetCapturedStdout();
    ran.err = testing::internal::GetCapturedStderr();
    return ran;
  }
  Ran generate(std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"run", "--tokens", "5,6",           "-n",
                                     "4",   "-q",       "--print-tokens"};
    args.insert(args.end(), more.begin(), more.end());
    return run(args);
  }
  /// Generation ends with code 1 and these words.
  void refused(std::vector<std::string> words,
               std::vector<std::string> more = {}) {
    Ran ran = generate(std::move(more));
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.out, "");
    for (const std::string &word : words)
      EXPECT_NE(ran.err.find(word), std::string::npos)
          << "'" << word << "' is not in: " << ran.err;
  }
  void set(const std::string &name, const std::string &value) {
    driver.environment.set(name, value);
  }
  TempDir dir;
  nlohmann::ordered_json json = manifestJson();
  std::string weights;
  FakeDriver driver{nvidia, image};
  TestProgram gpu{std::vector<quartet_bucket>{
      {1, 1, 64, 0, 64, 1, 0, nullptr, launches, 3},
      {16, 16, 64, 0, 64, 1, 0, nullptr, launches, 3}}};
  TestProgram cpu{cpuStep};
  std::vector<quartet_program> programs;
};

TEST_F(DeviceAppTest, RunsOnTheDevice) {
  Ran ran = generate();
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "7 8 9 10\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_NE(driver.log().find("graph launch"), std::string::npos);
  // Sampling with penalties needs the logits on the host.
  EXPECT_EQ(generate({"--presence-penalty", "0.5"}).out, "7 8 9 10\n");
  EXPECT_EQ(generate({"--blocks", "3"}).out, "7 8 9 10\n");
  EXPECT_NE(driver.log().find(" blocks=3 "), std::string::npos);
}

TEST_F(DeviceAppTest, SaysWhatIsMissing) {
  set("QUARTET_CUDA_LIBRARY", "/none/libcuda.so.1");
  refused({"'gpu': this machine has no NVIDIA driver", "/none/libcuda.so.1",
           "install it"});
  EXPECT_EQ(generate().err.find("quartetc"), std::string::npos);
  set("QUARTET_CUDA_LIBRARY", QUARTET_FAKE_CUDA);
  set("FAKE_GPU_VERSION", "11040");
  refused({"too old", "CUDA 11.4, expected 12.0", "nvidia-smi"});
  set("FAKE_GPU_VERSION", "13000");
  set("FAKE_GPU_COUNT", "0");
  refused({"sees no NVIDIA GPU", "CUDA_VISIBLE_DEVICES"});
  set("FAKE_GPU_COUNT", "1");
  set("FAKE_GPU_ARCH", "8.6");
  refused({"it is for sm_90a", "Fake GPU 0 (sm_86)", "quartetc targets"});
  set("FAKE_GPU_ARCH", "9.0");
  refused({"no NVIDIA device 2, expected 0 to 0"}, {"--device", "2"});
  set("FAKE_GPU_FAIL", "cuModuleLoadDataEx=222");
  refused({"does not load the kernels", "CUDA_ERROR_222", "CUDA 13.0",
           "ptxas: as told)", "--ptx"});
  set("FAKE_GPU_FAIL", "cuDevicePrimaryCtxRetain=46");
  refused({"Fake GPU 0 could not be opened", "CUDA_ERROR_46"});
  set("FAKE_GPU_FAIL", "cuEventSynchronize=700");
  refused({"Fake GPU 0 could not run on the GPU", "CUDA_ERROR_700"});
  set("FAKE_GPU_FAIL", "");
  EXPECT_EQ(generate().code, 0);
}

TEST_F(DeviceAppTest, SaysHowMuchMemoryIsMissing) {
  set("FAKE_GPU_BYTES", "3000");
  refused({"Fake GPU 0 has not enough memory", "3.0 kB are free", "missing"});
  set("FAKE_GPU_BYTES", "100000");
  EXPECT_EQ(generate().code, 0);
}

TEST_F(DeviceAppTest, TakesTheCpuWhereThereIsNoDevice) {
  programs = {gpu.program, cpu.program};
  set("QUARTET_CUDA_LIBRARY", "/none/libcuda.so.1");
  Ran ran = generate();
  EXPECT_EQ(ran.out, "7 8 9 10\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(driver.log(), "");
  // Whoever does not ask for quiet learns of it.
  ran = run({"run", "--tokens", "5,6", "-n", "1", "--print-tokens"});
  EXPECT_NE(ran.err.find("runs program 'test', because 'gpu': this machine has "
                         "no NVIDIA driver"),
            std::string::npos)
      << ran.err;
  EXPECT_EQ(generate({"--program", "gpu"}).code, 1);
  set("QUARTET_CUDA_LIBRARY", QUARTET_FAKE_CUDA);
  EXPECT_EQ(generate({"--program", "test"}).out, "7 8 9 10\n");
  EXPECT_EQ(driver.log(), "");
  EXPECT_EQ(generate().out, "7 8 9 10\n");
  EXPECT_NE(driver.log(), "");
}

TEST_F(DeviceAppTest, LogitsAndStatesComeBack) {
  std::string path = dir.path + "/l.npy", states = dir.path + "/s.safetensors";
  EXPECT_EQ(run({"logits", "--tokens", "5,6,7", "-o", path}).code, 0);
  std::string onDevice = TempDir::read(path);
  ASSERT_EQ(onDevice.size(), 128 + 3 * 256 * 4u);
  Ran ran = run({"states", "--tokens", "5,6,7", "-o", states, "-q"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  std::string statesOnDevice = TempDir::read(states);
  programs = {cpu.program};
  EXPECT_EQ(run({"logits", "--tokens", "5,6,7", "-o", path}).code, 0);
  EXPECT_EQ(TempDir::read(path), onDevice);
  EXPECT_EQ(run({"states", "--tokens", "5,6,7", "-o", states, "-q"}).code, 0);
  EXPECT_EQ(TempDir::read(states), statesOnDevice);
}

TEST_F(DeviceAppTest, InfoDescribesTheDeviceWithoutOpeningIt) {
  Ran ran = run({"info"});
  EXPECT_EQ(ran.code, 0);
  for (const char *part :
       {"gpu, for NVIDIA sm_90a (used here, on Fake GPU 0)",
        "up to 1 token, 3 launches", "device memory", "of 4.3 GB: weights"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  EXPECT_EQ(driver.log(), "");
  auto info =
      nlohmann::json::parse(run({"info", "--json"}).out, nullptr, false);
  auto program = info["computed"]["programs"][0];
  EXPECT_EQ(program["device"]["arch"], "sm_90a");
  EXPECT_EQ(program["device"]["images"][0]["kind"], "cubin");
  EXPECT_EQ(program["buckets"][0]["launches"], 3);
}

TEST_F(DeviceAppTest, InfoListsTheDevices) {
  set("FAKE_GPU_COUNT", "2");
  set("QUARTET_HIP_LIBRARY", "/none/libamdhip64.so");
  Ran ran = run({"info", "--devices"});
  EXPECT_EQ(ran.code, 0);
  for (const char *part :
       {"NVIDIA 1: Fake GPU 1, sm_90, 4 units, 4.3 GB, CUDA 13.0; runs 'gpu'\n",
        "AMD: this machine has no ROCm"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  set("FAKE_GPU_ARCH", "8.0");
  ran = run({"info", "--devices"});
  EXPECT_NE(ran.out.find("does not run 'gpu'"), std::string::npos) << ran.out;
  auto list = nlohmann::json::parse(run({"info", "--devices", "--json"}).out,
                                    nullptr, false);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[1]["arch"], "sm_80");
  EXPECT_EQ(list[2]["kind"], "AMD");
}

TEST_F(DeviceAppTest, BenchUsesTheDevicesClock) {
  set("FAKE_GPU_BYTES", "16000000"); // of which bench copies a quarter
  json["plan"] = nlohmann::json::parse(
      R"({"buckets": [{"tokens": 16, "phases": [{"weight_bytes": 1000,
          "macs": 3000000, "int8_macs": 1000000}]}]})");
  driver.program.peaks = fakePeakLaunches;
  Ran ran =
      run({"bench", "--json", "--context", "8", "--batch", "1,2", "--prompt",
           "20", "--tokens", "2", "--repeat", "3", "--synthetic-weights", "5"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto bench = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(bench.is_object()) << ran.out;
  EXPECT_EQ(bench["device"]["name"], "Fake GPU 0");
  EXPECT_EQ(bench["threads"], 8);
  EXPECT_GT(bench["device"]["bytes_in_use"], 0);
  // Six sequences of one prompt each for the first token, three of two steps
  // for the prompt; 3 times 2 tokens after 8 that are not computed, alone and
  // for two.
  std::string log = driver.log();
  size_t steps = 0;
  for (size_t at = log.find("graph launch"); at != std::string::npos;
       at = log.find("graph launch", at + 1))
    ++steps;
  EXPECT_EQ(steps, 4u + 6u + 6u + 6u) << log;
  // The fake's clock: a millisecond for each of three launches.
  auto decode = bench["decode"][0];
  EXPECT_FLOAT_EQ(float(decode["device_seconds_per_step"]["median"]), 3e-3f);
  EXPECT_FLOAT_EQ(float(bench["prefill"][0]["device_seconds"]["median"]),
                  6e-3f); // two steps
  double bandwidth = bench["read_bandwidth"]["bytes_per_second"];
  EXPECT_DOUBLE_EQ(decode["fraction_of_bandwidth"], 1000 / 3e-3 / bandwidth);
  double int8 = bench["matrix_peak"]["int8_operations_per_second"];
  EXPECT_NEAR(int8, (1 << 20) * 2000 / 1e-3, 1e6);
  EXPECT_NEAR(double(decode["fraction_of_matrix_peak"]),
              (2e6 / int8 + 4e6 / (int8 / 2)) / 3e-3, 1e-6);
  ran = run({"bench", "--context", "8", "--batch", "1", "--prompt", "20",
             "--tokens", "2", "--repeat", "1", "-q"});
  for (const char *part :
       {"Fake GPU 0 (CUDA 13.0), 8 blocks", "device 3.000 ms", "copy bandwidth",
        "matrix peak", "of the matrix peak", "device memory"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
}

TEST_F(DeviceAppTest, ProfileShowsBlocksAndPhases) {
  set("FAKE_GPU_BYTES", "16000000");
  json["plan"] = nlohmann::json::parse(
      R"({"buckets": [{"tokens": 16, "phases": [
          {"name": "l0.in", "repeat": 2, "weight_bytes": 1000, "macs": 7},
          {"name": "head", "weight_bytes": 5000, "macs": 500000}]}]})");
  driver.program.peaks = fakePeakLaunches;
  std::string path = dir.path + "/trace.json";
  Ran ran = run({"profile", "--after", "20", "--repeat", "3", "-o", path});
  EXPECT_EQ(ran.code, 0) << ran.err;
  // Phases end 16, 36 and 56 us after the first begins. A block works 7 us at
  // the beginning and 14 at the end of the row, 10.5 on average.
  for (const char *part :
       {"test on Fake GPU 0, 1 token after 20",
        "a step takes 3000.0 us; while blocks read the clock, 56.0 us",
        "\nl0.in                    2       36.0   64.3 ",
        "  41.7\nhead                     1       20.0   35.7 ", " 47.5\nidle"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  auto trace = nlohmann::json::parse(TempDir::read(path), nullptr, false);
  ASSERT_TRUE(trace.is_object());
  std::vector<nlohmann::json> phases, last; // of all blocks, of block 7
  for (const nlohmann::json &event : trace["traceEvents"])
    if (event["ph"] == "X" && (event["tid"] == 0 || event["tid"] == 8))
      (event["tid"] == 0 ? phases : last).push_back(event);
  ASSERT_EQ(phases.size(), 3u);
  EXPECT_EQ(phases[1]["name"], "l0.in");
  EXPECT_EQ(phases[1]["args"]["layer"], 1);
  EXPECT_EQ(phases[1]["args"]["bytes"], 1000);
  EXPECT_EQ(phases[1]["args"]["flops"], 14);
  EXPECT_EQ(phases[2]["name"], "head");
  EXPECT_NEAR(double(phases[2]["ts"]), 36, 1e-6);
  EXPECT_NEAR(double(phases[2]["dur"]), 20, 1e-6);
  EXPECT_GT(phases[2]["args"]["fraction_of_bandwidth"], 0);
  // The matrix units take longer than memory: a million operations.
  EXPECT_NEAR(double(phases[2]["args"]["fraction_of_ceiling"]),
              1e6 / ((1 << 20) * 1000 / 1e-3) / 20e-6, 1e-6);
  ASSERT_EQ(last.size(), 6u); // waits and works, three times
  EXPECT_EQ(last[4]["name"], "wait");
  EXPECT_EQ(last[4]["args"]["for"], "head");
  EXPECT_NEAR(double(last[4]["ts"]), 40, 1e-6);
  EXPECT_NEAR(double(last[4]["dur"]), 2, 1e-6);
  EXPECT_NEAR(double(last[5]["ts"]), 42, 1e-6);
  EXPECT_NEAR(double(last[5]["dur"]), 14, 1e-6);

  // One line for each of twelve kinds of phases, if all are wanted.
  EXPECT_EQ(run({"profile", "--all"}).out.find("more phases"),
            std::string::npos);
  EXPECT_EQ(run({"profile", "--after", "300"}).code, 2);
  EXPECT_EQ(run({"profile", "--tokens", "17"}).code, 2);
  EXPECT_EQ(run({"profile", "-o", dir.path + "/none/t.json"}).code, 1);
  programs = {cpu.program};
  ran = run({"profile"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("runs on the CPU"), std::string::npos) << ran.err;
}

TEST_F(DeviceAppTest, SelfTestComparesSteps) {
  programs = {gpu.program, cpu.program};
  Ran ran = run({"selftest"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  for (const char *part :
       {"program gpu on Fake GPU 0", "alone and in a batch of 3",
        "steps of 16 tokens and a token at a time", "and on the CPU"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  EXPECT_EQ(ran.out.find("WRONG"), std::string::npos);
  noisy = true;
  ran = run({"selftest"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.out.find("WRONG"), std::string::npos) << ran.out;
  EXPECT_NE(ran.err.find("do not agree"), std::string::npos) << ran.err;
}

// What a device that does nothing leaves agrees with itself.
TEST_F(DeviceAppTest, SelfTestFindsKernelsThatDoNothing) {
  idle = true;
  Ran ran = run({"selftest"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.out.find("same bits     constant            WRONG"),
            std::string::npos)
      << ran.out;
}

TEST_F(DeviceAppTest, SelfTestComparesPhases) {
  quartet_device device = {
      QUARTET_DEVICE_EMULATOR, "sm_90a", 64, 32, 1, 1000000000, nullptr, 0,
      &emulatedFillLaunch,     nullptr};
  quartet_program emulated = gpu.program;
  emulated.target = "emulated";
  emulated.device = &device;
  programs = {gpu.program, emulated};
  alike = true;
  Ran ran = run({"selftest"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  for (const char *part :
       {"program gpu on Fake GPU 0", "those of program 'emulated'",
        "1 token of 1 sequence, steps of up to 1",
        "3 tokens of 3 sequences, steps of up to 16",
        "16 tokens of 1 sequence, steps of up to 16", "step_few_l0_in ",
        "step_few_head "})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  EXPECT_EQ(ran.out.find("WRONG"), std::string::npos) << ran.out;
  // What one phase does wrong is told with its name and place.
  spoiled = 0.5f;
  ran = run({"selftest"});
  EXPECT_EQ(ran.code, 1);
  size_t at = ran.out.find("WRONG: byte 12 of the logits in layer group 0");
  ASSERT_NE(at, std::string::npos) << ran.out;
  size_t line = ran.out.rfind('\n', at) + 1;
  EXPECT_EQ(ran.out.compare(line, 13, "step_few_head"), 0) << ran.out;
  // Without an emulated program of the same phases nothing is compared.
  emulated.num_buckets = 1;
  programs = {gpu.program, emulated};
  ran = run({"selftest"});
  EXPECT_EQ(ran.out.find("those of program"), std::string::npos);
  EXPECT_NE(ran.out.find("phases: not compared"), std::string::npos);
}

// Made-up weights need no file: what is copied says how to fill them.
TEST_F(DeviceAppTest, WeightsAreMadeUpOnTheDevice) {
  weights = dir.path + "/none.safetensors";
  programs = {gpu.program, cpu.program};
  Ran ran = run({"selftest", "--synthetic-weights", "3"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  std::string log = driver.log();
  for (const std::string &part :
       {std::string("launch fill layer=0 blocks=8 threads=256 shared=0\n"),
        "upload " + std::to_string(sizeof(quartet_fill)) + "\n"})
    EXPECT_NE(log.find(part), std::string::npos) << part << "\n" << log;
}

TEST(UploadProgress, SaysHowFarItIs) {
  EXPECT_EQ(uploadText(0, 18'000'000'000, 0.5), "weights: 0.0 kB of 18.0 GB");
  EXPECT_EQ(uploadText(12'000'000'000, 18'000'000'000, 2.0),
            "weights: 12.0 GB of 18.0 GB, 6.0 GB/s, 1 s left");
  EXPECT_EQ(uploadText(18'000'000, 18'000'000, 2.0),
            "weights: 18.0 MB of 18.0 MB, 9.0 MB/s");
}

/// The same with the emulator, which needs no driver.
class EmulatorAppTest : public DeviceAppTest {
protected:
  void SetUp() override {
    DeviceAppTest::SetUp();
    gpu.program.device = &device;
    programs = {gpu.program};
  }
  quartet_device device = {
      QUARTET_DEVICE_EMULATOR, "sm_90a", 64, 32, 1, 1000000000, nullptr, 0,
      &emulatedFillLaunch,     nullptr};
};

TEST_F(EmulatorAppTest, Runs) {
  Ran ran = generate({"--blocks", "2", "--emulator-seed", "9"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "7 8 9 10\n");
  ran = run({"info", "--devices"});
  EXPECT_NE(ran.out.find("emulated 0: the emulator"), std::string::npos)
      << ran.out;
}

// The kernel that makes weights up may write them, those of steps may not.
// At the end: the process remembers faults.
TEST_F(EmulatorAppTest, ZMadeUpWeightsAreReadOnly) {
  weights = dir.path + "/none.safetensors";
  Ran ran = run({"selftest", "--synthetic-weights", "3"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  scribbles = true;
  ran = run({"selftest", "--synthetic-weights", "3"});
  EXPECT_EQ(ran.code, 3) << ran.out << ran.err;
  EXPECT_NE(ran.err.find("write of read-only memory"), std::string::npos)
      << ran.err;
}

// A read beyond the arguments ends the program with a code of its own, also
// where the result is right. Last: the process remembers it.
TEST_F(EmulatorAppTest, ZWrongKernelsFail) {
  trespass = 1 << 20;
  Ran ran = generate();
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_EQ(ran.out, "");
  for (const char *part : {"tokens", "faults in the kernels of this step"})
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
}
} // namespace
