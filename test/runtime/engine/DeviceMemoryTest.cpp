// What a device needs is what the engine takes of it, and a message names a way
// out that works.
#include "runtime/src/engine/DeviceMemory.h"
#include "../device/FakeMakers.h"
#include "TestManifest.h"
#include "runtime/src/engine/DeviceWeights.h"

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
void nothing(const quartet_step_args *, int64_t, int64_t *) {}
const FakeImage::Kernel kernels[] = {{"k", nothing}};
const FakeImage image = {FakeImage::expected, kernels, 1};
const quartet_launch launches[] = {{"k", nullptr, 0, 0, 0, 0, nullptr, 0}};

struct DeviceMemoryTest : testing::Test {
  DeviceMemoryTest() {
    program.program.device = &driver.program;
    options.sequences = 2;
    info.name = "Fake GPU 0";
  }
  std::string whyNot(uint64_t free) {
    return whyNotMemory(info, free, manifest, program.program, options, 8);
  }
  uint64_t need() {
    return deviceNeed(manifest, program.program, options, 8).total();
  }
  Manifest manifest = parse(manifestJson());
  FakeDriver driver{nvidia, image};
  TestProgram program{std::vector<quartet_bucket>{
      {16, 4, 25600, 160, 6400, 3, 0, nullptr, launches, 1}}};
  EngineOptions options;
  DeviceInfo info;
};

// Apart from small arrays, which are counted by about.
TEST_F(DeviceMemoryTest, IsWhatTheEngineTakes) {
  std::string error;
  std::unique_ptr<Device> device = driver.open(&error);
  ASSERT_TRUE(device) << error;
  uint64_t before = device->freeBytes();
  DeviceAddress weights[2] = {};
  for (DeviceAddress &weight : weights)
    ASSERT_TRUE(
        device->allocate("weight", 14, DeviceAccess::ReadOnly, weight, &error));
  void *pointers[] = {reinterpret_cast<void *>(weights[0]),
                      reinterpret_cast<void *>(weights[1])};
  options.device = device.get();
  auto engine =
      Engine::create(manifest, program.program, pointers, options, &error);
  ASSERT_TRUE(engine) << error;
  uint64_t taken = before - device->freeBytes();
  EXPECT_NEAR(double(taken), double(need()), 3000);
}

TEST_F(DeviceMemoryTest, NamesAContextThatFits) {
  EXPECT_EQ(whyNot(need()), "");
  uint64_t full = need();
  std::string why = whyNot(full - 1);
  for (const char *part :
       {"Fake GPU 0 has not enough memory", "2 contexts of 300 tokens",
        "a context of 256 tokens fits (--context 256)"})
    EXPECT_NE(why.find(part), std::string::npos) << why;
  options.context = 256;
  EXPECT_EQ(whyNot(full - 1), "");
}

TEST_F(DeviceMemoryTest, NamesAQuantizationThatFits) {
  manifest.parameters = 1'000'000'000;
  manifest.weightsBytes = 2'000'000'000;
  std::string why = whyNot(1'200'000'000);
  for (const char *part : {"2.0 GB are needed", "1.2 GB are free",
                           "800.1 MB are missing", "--quant int8)"})
    EXPECT_NE(why.find(part), std::string::npos) << part << ": " << why;
  why = whyNot(700'000'000);
  EXPECT_NE(why.find("--quant int4)"), std::string::npos) << why;
  why = whyNot(100'000'000);
  EXPECT_NE(why.find("a device with more memory"), std::string::npos) << why;
}

TEST_F(DeviceMemoryTest, HasNoOverflow) {
  program.buckets[0].scratch_bytes = INT64_MAX;
  EXPECT_NE(whyNot(uint64_t(1) << 40), "");
}
} // namespace
