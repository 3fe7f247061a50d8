// The convolution kernel against the reference, and in pieces against itself.
#include "targets/cpu/kernels/Conv.h"
#include "test/targets/cpu/KernelRunner.h"
#include "test/targets/cpu/MixerInputs.h"

using namespace quartet;
using namespace quartet::test;
using reference::Type;

using ConvFunction = void(const float *x, int64_t xStride, void *window,
                          int64_t windowStride, const float *weight,
                          int64_t channels, int64_t tokens, float *out,
                          int64_t outStride);

static mlir::Type elementType(quartet::cpu::KernelBuilder &k, Type type) {
  return type == Type::kF32 ? k.f32() : type == Type::kF16 ? k.f16() : k.bf16();
}

/// A window as the kernel keeps it.
static std::vector<uint8_t> packed(const std::vector<float> &values,
                                   Type type) {
  int64_t width = type == Type::kF32 ? 4 : 2;
  std::vector<uint8_t> bytes(values.size() * width);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t half = reference::toBits(type, values[i]);
    if (width == 4)
      std::memcpy(&bytes[4 * i], &values[i], 4);
    else
      std::memcpy(&bytes[2 * i], &half, 2);
  }
  return bytes;
}

static void testConv(ConvFunction *conv, Type type, int64_t taps,
                     int64_t channels, int64_t tokens, int64_t split) {
  SCOPED_TRACE(testing::Message() << "taps " << taps << ", channels "
                                  << channels << ", tokens " << tokens);
  Random random(1);
  int64_t kept = taps - 1, stride = channels + 3;
  std::vector<float> x = random.floats(tokens * stride, -2, 2);
  std::vector<float> weight = random.floats(channels * taps, -1, 1);
  std::vector<float> window = random.floats(kept * channels, -2, 2);
  for (float &value : window)
    value = reference::roundTo(type, value);
  std::vector<uint8_t> kernelWindow = packed(window, type);
  int64_t rowBytes = kernelWindow.size() / kept;

  std::vector<float> dense;
  for (int64_t t = 0; t < tokens; ++t)
    dense.insert(dense.end(), &x[t * stride], &x[t * stride] + channels);
  std::vector<float> expected(tokens * channels), got(tokens * channels);
  int32_t start[] = {0, static_cast<int32_t>(tokens)}, slot[] = {0};
  reference::Ragged ragged{tokens, 1, start, nullptr, slot};
  reference::causalConv(dense.data(), weight.data(), window.data(),
                        expected.data(), ragged, channels, taps, type);

  // In two calls, which must leave the same window as one.
  for (auto [begin, end] :
       {std::pair(int64_t(0), split), std::pair(split, tokens)})
    conv(x.data() + begin * stride, stride * 4, kernelWindow.data(), rowBytes,
         weight.data(), channels, end - begin, got.data() + begin * channels,
         channels * 4);
  expectNear(got, expected, 1e-6, "out");
  EXPECT_EQ(kernelWindow, packed(window, type));
}

TEST(Conv, MatchesReference) {
  for (const std::string &cpu : kernelCpus())
    for (Type type : {Type::kF32, Type::kBF16, Type::kF16})
      for (int64_t taps : {4, 2, 3}) {
        KernelRunner runner{llvm::StringRef(cpu)};
        auto *conv =
            runner.get<ConvFunction>(runner.add(quartet::cpu::convKernel(
                runner.k(), taps, elementType(runner.k(), type))));
        for (auto [channels, tokens, split] : {std::tuple(128, 1, 0),
                                               {32, 9, 4},
                                               {24, 2, 1},
                                               {8, 5, 2},
                                               {1, 3, 3},
                                               {256, 3, 1}})
          testConv(conv, type, taps, channels, tokens, split);
      }
}
