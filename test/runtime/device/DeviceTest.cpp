// Devices through the fake drivers: what is said when something is missing, in
// which order work is done, and what graphs are made of. Each test runs for
// NVIDIA and for AMD, as far as both have the feature.
#include "FakeMakers.h"
#include "runtime/src/device/MatrixPeak.h"

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
/// Adds 1 to what `scratch` points to.
void addOne(const quartet_step_args *args, int64_t, int64_t *) {
  ++*reinterpret_cast<int32_t *>(args->scratch);
}
/// Multiplies it by the layer.
void multiply(const quartet_step_args *args, int64_t layer, int64_t *) {
  *reinterpret_cast<int32_t *>(args->scratch) *= int32_t(layer);
}

const FakeImage::Kernel kernels[] = {
    {"add", addOne}, {"multiply", multiply}, {"peak", fakePeak}};
const FakeImage fakeImage = {FakeImage::expected, kernels, 3};
const uint64_t brokenImage = 0;

template <size_t count>
DeviceStep stepOf(const quartet_launch (&launches)[count], int64_t workers,
                  DeviceAddress args = 0) {
  DeviceStep step;
  step.launches = launches;
  step.count = count;
  step.workers = workers;
  step.args = args;
  return step;
}

class DeviceTest : public testing::TestWithParam<Maker> {
protected:
  void set(const std::string &name, const std::string &value) {
    driver.environment.set(name, value);
  }
  /// Finds and opens the device; \returns why it could not.
  std::string open(const DeviceWish &wish = DeviceWish()) {
    device.reset();
    std::string why;
    device = driver.open(&why, wish);
    return device ? "" : why;
  }
  DeviceAddress memory(uint64_t bytes) {
    DeviceAddress address = 0;
    EXPECT_TRUE(device->allocate("test", bytes, DeviceAccess::ReadWrite,
                                 address, &error))
        << error;
    return address;
  }
  std::string log() { return driver.log(); }
  void resetLog() { driver.forget(); }

  const Maker maker = GetParam();
  FakeDriver driver{maker, fakeImage};
  quartet_image &image = driver.image;
  quartet_device &program = driver.program;
  std::unique_ptr<Device> device;
  std::string error;
};

void expectIn(const std::string &part, const std::string &text) {
  EXPECT_NE(text.find(part), std::string::npos)
      << "'" << part << "' is not in: " << text;
}

TEST_P(DeviceTest, DescribesTheDevices) {
  set("FAKE_GPU_COUNT", "2");
  std::vector<DeviceInfo> list;
  ASSERT_TRUE(listDevices(maker.kind, list, &error)) << error;
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1].name, "Fake GPU 1");
  EXPECT_EQ(list[1].index, 1);
  EXPECT_EQ(list[1].units, 4);
  EXPECT_EQ(list[1].bytes, uint64_t(1) << 32);
  EXPECT_EQ(list[1].arch,
            maker.kind == QUARTET_DEVICE_CUDA ? "sm_90" : "gfx942");
  expectIn(maker.kind == QUARTET_DEVICE_CUDA ? "CUDA 13.0" : "HIP 6.3",
           list[1].driver);
  // Nothing was opened for that.
  EXPECT_EQ(log(), "");
}

TEST_P(DeviceTest, SaysThatThereIsNoDriver) {
  set(maker.variable, "/none/libgpu.so");
  std::string why = open();
  expectIn("/none/libgpu.so", why);
  expectIn(maker.kind == QUARTET_DEVICE_CUDA ? "no NVIDIA driver" : "no ROCm",
           why);
  expectIn(maker.variable, why);
}

TEST_P(DeviceTest, SaysThatTheDriverIsTooOld) {
  set("FAKE_GPU_VERSION",
      maker.kind == QUARTET_DEVICE_CUDA ? "11080" : "50700000");
  std::string why = open();
  expectIn(maker.kind == QUARTET_DEVICE_CUDA ? "CUDA 11.8, expected 12.0"
                                             : "HIP 5.7, expected 6.0",
           why);
  // A library that lacks functions.
  set(maker.variable, "libm.so.6");
  why = open();
  expectIn("too old", why);
  expectIn(maker.kind == QUARTET_DEVICE_CUDA ? "has no cuInit"
                                             : "has no hipInit",
           why);
}

TEST_P(DeviceTest, SaysThatThereIsNoGpu) {
  set("FAKE_GPU_COUNT", "0");
  expectIn("sees no " + std::string(maker.name) + " GPU", open());
  set("FAKE_GPU_COUNT", "1");
  set("FAKE_GPU_FAIL", "cuInit=100,hipInit=100");
  expectIn("sees no " + std::string(maker.name) + " GPU", open());
  set("FAKE_GPU_FAIL", "cuInit=999,hipInit=999");
  std::string why = open();
  expectIn("does not start", why);
  expectIn("999", why);
}

TEST_P(DeviceTest, SaysThatTheGpuIsAnother) {
  set("FAKE_GPU_ARCH", maker.otherArch);
  std::string why = open();
  expectIn("is for " + std::string(maker.arch), why);
  expectIn(maker.kind == QUARTET_DEVICE_CUDA ? "Fake GPU 0 (sm_80)"
                                             : "Fake GPU 0 (gfx1100)",
           why);
}

TEST_P(DeviceTest, TakesTheDeviceThatIsWanted) {
  set("FAKE_GPU_COUNT", "3");
  DeviceWish wish;
  wish.index = 2;
  ASSERT_EQ(open(wish), "");
  EXPECT_EQ(device->info().name, "Fake GPU 2");
  EXPECT_EQ(device->workers(), 8); // 4 units, 2 blocks each
  wish.index = 3;
  std::string why = open(wish);
  expectIn("device 3, expected 0 to 2", why);
  wish.index = 0;
  wish.blocks = 5;
  ASSERT_EQ(open(wish), "");
  EXPECT_EQ(device->workers(), 5);
}

TEST_P(DeviceTest, SaysThatImagesAreNotTaken) {
  image.data = &brokenImage;
  std::string why = open();
  expectIn("load the kernels", why);
  expectIn("200", why);
}

// The first image that the driver takes is used.
TEST_P(DeviceTest, TriesAllImages) {
  quartet_image images[] = {image, image};
  images[0].data = &brokenImage;
  program.images = images;
  program.num_images = 2;
  EXPECT_EQ(open(), "");
}

TEST_P(DeviceTest, SaysThatMemoryIsMissing) {
  set("FAKE_GPU_BYTES", "1000");
  ASSERT_EQ(open(), "");
  DeviceAddress address = 0;
  EXPECT_FALSE(device->allocate("the activations", 1001,
                                DeviceAccess::ReadWrite, address, &error));
  for (const char *part : {"Fake GPU 0", "the activations", "1001", "1000"})
    expectIn(part, error);
  EXPECT_TRUE(
      device->allocate("x", 1000, DeviceAccess::ReadWrite, address, &error));
  EXPECT_EQ(device->freeBytes(), 0u);
  device->release(address);
  EXPECT_EQ(device->freeBytes(), 1000u);
}

TEST_P(DeviceTest, CopiesInOrder) {
  ASSERT_EQ(open(), "");
  DeviceAddress a = memory(8), b = memory(8);
  int64_t from = 7, to = 0, zero = -1;
  ASSERT_TRUE(device->upload(a, &from, 8, &error));
  ASSERT_TRUE(device->copy(b, a, 8, &error));
  ASSERT_TRUE(device->fillZero(a, 8, &error));
  ASSERT_TRUE(device->download(&to, b, 8, &error));
  ASSERT_TRUE(device->download(&zero, a, 8, &error));
  ASSERT_TRUE(device->synchronize(&error)) << error;
  EXPECT_EQ(to, 7);
  EXPECT_EQ(zero, 0);
}

TEST_P(DeviceTest, ReportsWhatWentWrongInTheQueue) {
  ASSERT_EQ(open(), "");
  set("FAKE_GPU_FAIL", "cuStreamSynchronize=700,hipStreamSynchronize=700,"
                       "cuEventSynchronize=700,hipEventSynchronize=700");
  EXPECT_FALSE(device->synchronize(&error));
  expectIn("Fake GPU 0", error);
  expectIn("700", error);
  expectIn("as told", error);
  ASSERT_TRUE(device->record(3, &error));
  EXPECT_FALSE(device->await(3, &error));
}

/// The steps' arguments with one number as scratch.
struct OneNumber {
  DeviceAddress args, number;
};

OneNumber oneNumber(Device &device, int32_t value, std::string *error) {
  OneNumber result = {};
  EXPECT_TRUE(device.allocate("number", 4, DeviceAccess::ReadWrite,
                              result.number, error));
  EXPECT_TRUE(device.allocate("args", sizeof(quartet_step_args),
                              DeviceAccess::ReadOnly, result.args, error));
  quartet_step_args args = {};
  args.scratch = reinterpret_cast<char *>(result.number);
  EXPECT_TRUE(device.upload(result.number, &value, 4, error));
  EXPECT_TRUE(device.upload(result.args, &args, sizeof(args), error));
  EXPECT_TRUE(device.synchronize(error));
  return result;
}

// The fake's launches take a millisecond each, so that rounds are added up to
// the most there may be: 2^20, of the operations that fakePeak says.
TEST_P(DeviceTest, MeasuresMatrixPeaks) {
  ASSERT_EQ(open(), "");
  MatrixPeaks peaks;
  ASSERT_TRUE(measureMatrixPeaks(*device, program, peaks, &error)) << error;
  EXPECT_EQ(peaks.int8, 0); // the program has no kernels for it
  EXPECT_EQ(peaks.seconds(5, 2), 0);
  program.peaks = fakePeakLaunches;
  ASSERT_TRUE(measureMatrixPeaks(*device, program, peaks, &error)) << error;
  EXPECT_NEAR(peaks.int8, (1 << 20) * 2000 / 1e-3, 1e6);
  EXPECT_NEAR(peaks.bf16, (1 << 20) * 1000 / 1e-3, 1e6);
  EXPECT_NEAR(peaks.seconds(3 * peaks.bf16, peaks.bf16), 2.5, 1e-6);
  set("FAKE_GPU_BYTES", "10");
  EXPECT_FALSE(measureMatrixPeaks(*device, program, peaks, &error));
  expectIn("a peak's size", error);
}

TEST_P(DeviceTest, RunsLaunchesAsOneGraph) {
  ASSERT_EQ(open(), "");
  OneNumber there = oneNumber(*device, 5, &error);
  const quartet_launch launches[] = {
      {"add", nullptr, 0, 100, 0, 0, nullptr, 0},
      {"multiply", nullptr, 10, 0, 0, 0, nullptr, 0},
      {"add", nullptr, 0, 0, 1, 0, nullptr, 0},
      {"multiply", nullptr, 2, 0, 0, 0, nullptr, 0}};
  DeviceStep step = stepOf(launches, 8, there.args);
  resetLog();
  int64_t number = device->prepare(step, &error);
  ASSERT_GE(number, 0) << error;
  if (maker.kind == QUARTET_DEVICE_CUDA)
    // All blocks that a unit has room for, each with a kilobyte of the
    // driver's: the same for each launch.
    EXPECT_EQ(log(), "attribute 9=1\nattribute 9=1\nattribute 9=1\n"
                     "attribute 9=1\n"
                     "graph\n"
                     "node add layer=0 blocks=8 threads=256 shared=100\n"
                     "node multiply layer=10 blocks=8 threads=256 shared=0 "
                     "behind=0\n"
                     "node add layer=0 blocks=8 threads=256 shared=0\n"
                     "edge 1->2 port=1 type=1\n"
                     "node multiply layer=2 blocks=8 threads=256 shared=0 "
                     "behind=2\n");
  else
    EXPECT_EQ(log(), "graph\n"
                     "node add layer=0 blocks=8 threads=256 shared=100\n"
                     "node multiply layer=10 blocks=8 threads=256 shared=0\n"
                     "node add layer=0 blocks=8 threads=256 shared=0\n"
                     "node multiply layer=2 blocks=8 threads=256 shared=0\n");
  resetLog();
  ASSERT_TRUE(device->run(number, &error)) << error;
  int32_t value = 0;
  ASSERT_TRUE(device->download(&value, there.number, 4, &error));
  ASSERT_TRUE(device->synchronize(&error));
  EXPECT_EQ(value, (6 * 10 + 1) * 2);
  EXPECT_EQ(log(), "graph launch\ndownload 4\n");

  // One by one, with a mark before and behind each.
  resetLog();
  for (int64_t i = 0; i != 4; ++i)
    ASSERT_TRUE(device->record(size_t(i), &error) &&
                device->launch(number, i, &error))
        << error;
  ASSERT_TRUE(device->record(4, &error));
  double seconds = 0;
  ASSERT_TRUE(device->seconds(1, 3, seconds, &error)) << error;
  EXPECT_FLOAT_EQ(float(seconds), 2e-3f);
  expectIn("launch multiply layer=10 blocks=8 threads=256 shared=0\n", log());
}

TEST_P(DeviceTest, LaunchesCooperatively) {
  ASSERT_EQ(open(), "");
  OneNumber there = oneNumber(*device, 5, &error);
  const quartet_launch launches[] = {{"add", nullptr, 0, 0, 0, 1, nullptr, 0}};
  DeviceStep step = stepOf(launches, 8, there.args);
  resetLog();
  int64_t number = device->prepare(step, &error);
  ASSERT_GE(number, 0) << error;
  ASSERT_TRUE(device->run(number, &error)) << error;
  EXPECT_EQ(log(),
            "launch add layer=0 blocks=8 threads=256 shared=0 cooperative\n");
  // 9 blocks that wait for each other do not fit 4 units with room for 2.
  step.workers = 9;
  EXPECT_EQ(device->prepare(step, &error), -1);
  for (const char *part : {"'add'", "8 blocks run at once, expected 9"})
    expectIn(part, error);
  set("FAKE_GPU_ROOM", "0");
  step.workers = 1;
  EXPECT_EQ(device->prepare(step, &error), -1);
  expectIn("0 blocks run at once, expected 1", error);
}

TEST_P(DeviceTest, CooperativeLaunchesOfSeveralKernels) {
  ASSERT_EQ(open(), "");
  OneNumber there = oneNumber(*device, 5, &error);
  const quartet_launch launches[] = {
      {"add", nullptr, 0, 0, 0, 1, nullptr, 0},
      {"multiply", nullptr, 3, 0, 0, 0, nullptr, 0}};
  DeviceStep step = stepOf(launches, 8, there.args);
  resetLog();
  int64_t number = device->prepare(step, &error);
  ASSERT_GE(number, 0) << error;
  if (maker.kind == QUARTET_DEVICE_CUDA)
    expectIn("node attribute of add 2=1\n", log());
  ASSERT_TRUE(device->run(number, &error)) << error;
  int32_t value = 0;
  ASSERT_TRUE(device->download(&value, there.number, 4, &error));
  ASSERT_TRUE(device->synchronize(&error));
  EXPECT_EQ(value, 18);
}

TEST_P(DeviceTest, SaysThatAKernelIsMissing) {
  ASSERT_EQ(open(), "");
  const quartet_launch launches[] = {
      {"subtract", nullptr, 0, 0, 0, 0, nullptr, 0}};
  DeviceStep step = stepOf(launches, 1);
  EXPECT_EQ(device->prepare(step, &error), -1);
  expectIn("'subtract' is not in the images", error);
}

TEST_P(DeviceTest, AsksForMuchSharedMemory) {
  if (maker.kind != QUARTET_DEVICE_CUDA)
    GTEST_SKIP() << "AMD needs no permission";
  ASSERT_EQ(open(), "");
  const quartet_launch launches[] = {
      {"add", nullptr, 0, 200000, 0, 0, nullptr, 0},
      {"add", nullptr, 0, 49152, 0, 0, nullptr, 0}};
  DeviceStep step = stepOf(launches, 1);
  resetLog();
  EXPECT_GE(device->prepare(step, &error), 0) << error;
  EXPECT_EQ(log().substr(0, log().find('\n')), "attribute 8=200000");
  EXPECT_EQ(log().find("attribute"), log().rfind("attribute")) << log();
  set("FAKE_GPU_FAIL", "cuFuncSetAttribute=1");
  EXPECT_EQ(device->prepare(step, &error), -1);
  expectIn("200000 bytes of shared memory", error);
}

TEST_P(DeviceTest, GraphsWithoutOverlapAndNoGraphs) {
  if (maker.kind != QUARTET_DEVICE_CUDA)
    GTEST_SKIP() << "nothing overlaps";
  const quartet_launch launches[] = {
      {"add", nullptr, 0, 0, 0, 0, nullptr, 0},
      {"multiply", nullptr, 2, 0, 1, 0, nullptr, 0}};
  DeviceStep step = stepOf(launches, 1);
  ASSERT_EQ(open(), "");
  resetLog();
  EXPECT_GE(device->prepare(step, &error), 0) << error;
  EXPECT_NE(log().find("edge 0->1 port=1 type=1"), std::string::npos) << log();
  // A driver that can't: the edge becomes an ordinary one.
  set("FAKE_GPU_FAIL", "cuGraphAddDependencies_v2=801");
  resetLog();
  EXPECT_GE(device->prepare(step, &error), 0) << error;
  EXPECT_NE(log().find("shared=0 behind=0"), std::string::npos) << log();
  set("FAKE_GPU_FAIL", "");
  DeviceWish wish;
  wish.overlap = false;
  device.reset();
  ASSERT_EQ(open(wish), "");
  resetLog();
  EXPECT_GE(device->prepare(step, &error), 0) << error;
  EXPECT_NE(log().find("shared=0 behind=0"), std::string::npos) << log();
  EXPECT_EQ(log().find("edge"), std::string::npos) << log();
  wish.graph = false;
  device.reset();
  ASSERT_EQ(open(wish), "");
  resetLog();
  int64_t number = device->prepare(step, &error);
  ASSERT_GE(number, 0) << error;
  EXPECT_EQ(log().find("graph"), std::string::npos) << log();
}

INSTANTIATE_TEST_SUITE_P(Makers, DeviceTest, testing::Values(nvidia, amd),
                         [](const testing::TestParamInfo<Maker> &info) {
                           return info.param.name;
                         });

/// Which images run where.
TEST(DeviceImages, FitTheirArch) {
  auto runs = [](int64_t deviceKind, int64_t imageKind, const char *program,
                 const char *device) {
    quartet_device wanted = {deviceKind, program, 256, 32,      1,
                             1000000,    nullptr, 0,   nullptr, nullptr};
    quartet_image image = {imageKind, nullptr, 0};
    return runsOn(wanted, image, device);
  };
  auto cubin = [&](const char *program, const char *device) {
    return runs(QUARTET_DEVICE_CUDA, QUARTET_IMAGE_CUBIN, program, device);
  };
  auto ptx = [&](const char *program, const char *device) {
    return runs(QUARTET_DEVICE_CUDA, QUARTET_IMAGE_PTX, program, device);
  };
  EXPECT_TRUE(cubin("sm_90a", "sm_90"));
  EXPECT_TRUE(cubin("sm_80", "sm_80"));
  EXPECT_FALSE(cubin("sm_80", "sm_86"));
  EXPECT_FALSE(cubin("sm_90a", "sm_100"));
  EXPECT_TRUE(ptx("sm_80", "sm_90"));
  EXPECT_FALSE(ptx("sm_90", "sm_80"));
  EXPECT_FALSE(ptx("sm_90a", "sm_100"));
  EXPECT_TRUE(ptx("sm_100f", "sm_103"));
  EXPECT_FALSE(ptx("sm_100f", "sm_120"));
  auto hsaco = [&](const char *program, const char *device) {
    return runs(QUARTET_DEVICE_HIP, QUARTET_IMAGE_HSACO, program, device);
  };
  EXPECT_TRUE(hsaco("gfx942", "gfx942:sramecc+:xnack-"));
  EXPECT_FALSE(hsaco("gfx942", "gfx950"));
  EXPECT_FALSE(runs(QUARTET_DEVICE_HIP, QUARTET_IMAGE_PTX, "gfx942", "gfx942"));
}
} // namespace
