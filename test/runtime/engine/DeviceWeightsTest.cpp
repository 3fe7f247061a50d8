// Weights arrive on the device as they are in the file, however small the
// staging is; the fake device copies as late as it may, so a piece of staging
// that is filled too early shows. Made-up ones are those of the host.
#include "runtime/src/engine/DeviceWeights.h"
#include "../device/FakeMakers.h"
#include "TestManifest.h"
#include "runtime/src/engine/SyntheticWeights.h"
#include <cstring>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
const FakeImage::Kernel kernels[] = {{"fill", fakeFill}};
const FakeImage image = {FakeImage::expected, kernels, 1};

/// Weights of these sizes, in bytes.
Manifest manifestOf(const std::vector<uint64_t> &sizes) {
  Manifest manifest;
  for (uint64_t bytes : sizes) {
    WeightInfo weight;
    weight.name = "w" + std::to_string(manifest.weights.size());
    weight.dtype = "F32";
    weight.offset = manifest.weightsBytes;
    weight.bytes = bytes;
    manifest.weights.push_back(weight);
    manifest.weightsBytes += bytes;
  }
  return manifest;
}

class DeviceWeightsTest : public testing::TestWithParam<Maker> {
protected:
  void SetUp() override {
    device = driver.open(&error);
    ASSERT_TRUE(device) << error;
  }
  std::vector<uint8_t> read(DeviceAddress address, uint64_t bytes) {
    std::vector<uint8_t> out(bytes);
    EXPECT_TRUE(device->download(out.data(), address, bytes, &error) &&
                device->synchronize(&error))
        << error;
    return out;
  }
  FakeDriver driver{GetParam(), image};
  std::unique_ptr<Device> device;
  std::string error;
};

TEST_P(DeviceWeightsTest, ArriveAsTheyAre) {
  Manifest manifest = manifestOf({1000, 1, 333, 4096});
  std::vector<std::vector<uint8_t>> host;
  std::vector<void *> bases;
  for (const WeightInfo &weight : manifest.weights) {
    host.emplace_back(weight.bytes);
    for (size_t i = 0; i != weight.bytes; ++i)
      host.back()[i] = uint8_t(31 * i + host.size());
  }
  for (std::vector<uint8_t> &bytes : host)
    bases.push_back(bytes.data());
  Team team(2, /*pin=*/false);
  for (uint64_t staging : {uint64_t(64), uint64_t(100), uint64_t(1) << 20}) {
    std::vector<uint64_t> progress;
    auto weights = DeviceWeights::upload(
        *device, manifest, MappedWeights(bases.data(), team),
        [&](uint64_t done, uint64_t total) {
          EXPECT_EQ(total, 5430u);
          progress.push_back(done);
        },
        &error, staging);
    ASSERT_TRUE(weights) << error;
    for (size_t w = 0; w != host.size(); ++w)
      EXPECT_EQ(read(weights->addresses()[w], host[w].size()), host[w])
          << "weight " << w << ", staging " << staging;
    EXPECT_EQ(progress.back(), 5430u);
    EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
    EXPECT_EQ(progress.size(), staging > 5430 ? 4u : progress.size());
  }
}

// The team copies what is worth it.
TEST_P(DeviceWeightsTest, LargeOnesAreCopiedByATeam) {
  Manifest manifest = manifestOf({(uint64_t(3) << 20) + 5});
  std::vector<uint8_t> host(manifest.weightsBytes);
  for (size_t i = 0; i != host.size(); ++i)
    host[i] = uint8_t(i * 2654435761u >> 24);
  void *bases[] = {host.data()};
  Team team(3, /*pin=*/false);
  auto weights =
      DeviceWeights::upload(*device, manifest, MappedWeights(bases, team),
                            nullptr, &error, (uint64_t(1) << 20) + 3);
  ASSERT_TRUE(weights) << error;
  EXPECT_EQ(read(weights->addresses()[0], host.size()), host);
}

// A launch for each: nothing but what to fill is copied.
TEST_P(DeviceWeightsTest, SyntheticOnesAreMadeByAKernel) {
  Manifest manifest = manifestOf({(uint64_t(9) << 20) + 12, 100, 1});
  Team team(2, /*pin=*/false);
  auto whole = SyntheticWeights::create(manifest, 7, team, &error);
  ASSERT_TRUE(whole) << error;
  driver.forget();
  std::vector<uint64_t> progress;
  auto weights = DeviceWeights::makeUp(
      *device, fakeFillLaunch, manifest, 7,
      [&](uint64_t done, uint64_t total) {
        EXPECT_EQ(total, manifest.weightsBytes);
        progress.push_back(done);
      },
      &error);
  ASSERT_TRUE(weights) << error;
  std::string one = "upload " + std::to_string(sizeof(quartet_fill)) +
                    "\nlaunch fill layer=0 blocks=8 threads=256 shared=0\n";
  EXPECT_EQ(driver.log(), one + one + one);
  uint64_t all = manifest.weightsBytes;
  EXPECT_EQ(progress, (std::vector<uint64_t>{all - 101, all - 1, all}));
  for (size_t w = 0; w != 3; ++w) {
    uint64_t bytes = manifest.weights[w].bytes;
    EXPECT_EQ(memcmp(read(weights->addresses()[w], bytes).data(),
                     whole->pointers()[w], bytes),
              0);
  }
}

TEST_P(DeviceWeightsTest, AFailingKernelIsReported) {
  Manifest manifest = manifestOf({1000, 3000});
  uint64_t before = device->freeBytes();
  auto makeUp = [&](const quartet_launch &kernel) {
    return DeviceWeights::makeUp(*device, kernel, manifest, 7, nullptr, &error);
  };
  driver.environment.set("FAKE_GPU_FAIL",
                         "cuLaunchKernelEx=719,hipModuleLaunchKernel=719");
  EXPECT_FALSE(makeUp(fakeFillLaunch));
  EXPECT_NE(error.find("719"), std::string::npos) << error;
  driver.environment.set("FAKE_GPU_FAIL", "");
  EXPECT_FALSE(makeUp({"none", nullptr, 0, 0, 0, 0, nullptr, 0}));
  EXPECT_NE(error.find("kernel 'none'"), std::string::npos) << error;
  driver.environment.set("FAKE_GPU_BYTES", "3999");
  EXPECT_FALSE(makeUp(fakeFillLaunch));
  EXPECT_NE(error.find("weight w1"), std::string::npos) << error;
  driver.environment.set("FAKE_GPU_BYTES", std::to_string(uint64_t(1) << 32));
  EXPECT_EQ(device->freeBytes(), before);
}

TEST_P(DeviceWeightsTest, FailuresAreReportedAndGiveMemoryBack) {
  Manifest manifest = manifestOf({1000, 3000});
  std::vector<uint8_t> host(3000);
  void *bases[] = {host.data(), host.data()};
  Team team(1, /*pin=*/false);
  auto upload = [&] {
    return DeviceWeights::upload(*device, manifest, MappedWeights(bases, team),
                                 nullptr, &error, 64);
  };
  uint64_t before = device->freeBytes();
  driver.environment.set("FAKE_GPU_FAIL",
                         "cuMemcpyHtoDAsync_v2=719,hipMemcpyHtoDAsync=719");
  EXPECT_FALSE(upload());
  EXPECT_NE(error.find("719"), std::string::npos) << error;
  driver.environment.set("FAKE_GPU_FAIL",
                         "cuMemAllocHost_v2=2,hipHostMalloc=2");
  EXPECT_FALSE(upload());
  EXPECT_NE(error.find("pin memory"), std::string::npos) << error;
  driver.environment.set("FAKE_GPU_FAIL", "");
  driver.environment.set("FAKE_GPU_BYTES", "3999");
  EXPECT_FALSE(upload());
  EXPECT_NE(error.find("weight w1"), std::string::npos) << error;
  driver.environment.set("FAKE_GPU_BYTES", std::to_string(uint64_t(1) << 32));
  EXPECT_EQ(device->freeBytes(), before);
}

INSTANTIATE_TEST_SUITE_P(Makers, DeviceWeightsTest,
                         testing::Values(nvidia, amd),
                         [](const testing::TestParamInfo<Maker> &info) {
                           return info.param.name;
                         });
} // namespace
