// Weights that a kernel makes up are, bit by bit, those that the runtime makes
// up for CPUs.
#include "targets/gpu/kernels/FillWeights.h"
#include "dialects/Quartet/PackedFormat.h"
#include "runtime/src/engine/WeightFill.h"
#include "test/targets/gpu/DeviceRunner.h"
#include <cstring>
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::test;
using rt::WeightInfo;

namespace {
/// Memory with guards around it, of which kernels know nothing.
constexpr size_t kGuard = 64;

class Filler {
public:
  explicit Filler(gpu::GpuFacts gpu) : runner(gpu) {
    launch = gpu::addFillWeights(runner.k());
  }

  void check(const WeightInfo &weight, const std::string &name) {
    quartet_fill fill = rt::weightFill(weight, /*seed=*/11);
    std::vector<uint8_t> expected(weight.bytes);
    rt::fillWeight(fill, 0, fill.bytes, expected.data());
    for (int64_t blocks : {1, 3}) {
      std::vector<uint8_t> memory(weight.bytes + 2 * kGuard, 0xee);
      uint8_t *out = memory.data() + kGuard;
      fill.out = reinterpret_cast<char *>(out);
      runner.forget();
      runner.know(out, fill.bytes, "weight", emu::RegionKind::Scratch);
      std::vector<DeviceRunner::Argument> words;
      for (size_t at = 0; at != sizeof(fill); at += 8) {
        int64_t word = 0;
        std::memcpy(&word, reinterpret_cast<const char *>(&fill) + at, 8);
        words.push_back(word);
      }
      runner.launch(launch.kernel, blocks, words, uint64_t(blocks));
      for (size_t i = 0; i != expected.size(); ++i)
        ASSERT_EQ(out[i], expected[i])
            << name << ", byte " << i << " of " << expected.size();
    }
  }

private:
  DeviceRunner runner;
  ProgramLaunch launch;
};

WeightInfo plain(const char *dtype, uint64_t bytes) {
  WeightInfo info;
  info.dtype = dtype;
  info.offset = 4096;
  info.bytes = bytes;
  return info;
}

WeightInfo packed(const PackedFormat &format, int64_t columns, int64_t panels) {
  PanelLayout layout(format, columns);
  WeightInfo info = plain("U8", uint64_t(panels * layout.bytes));
  info.format = format.str();
  info.panelBytes = layout.bytes;
  info.scaleBytes =
      layout.groups * kPanelRows * (format.scale == ScaleType::F32 ? 4 : 2);
  info.zerosOffset = layout.zerosOffset;
  info.valuesOffset = layout.valuesOffset;
  return info;
}
} // namespace

TEST(GpuFillWeights, PlainOnesOfAnySize) {
  for (const gpu::GpuFacts &gpu : kernelGpus()) {
    SCOPED_TRACE(gpu.name);
    Filler filler(gpu);
    for (const char *dtype : {"F32", "BF16", "F16", "F8_E4M3", "U8"})
      for (uint64_t bytes : {1, 12, 16, 23, 4096, 70006})
        filler.check(plain(dtype, bytes), dtype);
  }
}

TEST(GpuFillWeights, PackedOnes) {
  for (const gpu::GpuFacts &gpu : kernelGpus()) {
    SCOPED_TRACE(gpu.name);
    Filler filler(gpu);
    for (const char *text :
         {"f32", "bf16", "fp8:128:f32", "int8:32", "int8:128:min",
          "int8:64:point", "int6:16", "int4:64", "int4:32:point:bf16",
          "int4:128:min", "int4:32:iq4_nl", "int4:32:e2m1"}) {
      std::optional<PackedFormat> format = PackedFormat::parse(text);
      ASSERT_TRUE(format) << text;
      for (int64_t columns : {128, 1056})
        filler.check(packed(*format, columns, 5), text);
    }
  }
}
