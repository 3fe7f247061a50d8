// The small kernels on rows against plain loops, with widths that are no
// multiple of a vector and rows further apart than they are wide.
#include "targets/cpu/kernels/Rows.h"
#include "test/targets/cpu/KernelRunner.h"
#include "test/targets/cpu/MixerInputs.h"
#include <algorithm>

using namespace quartet;
using namespace quartet::test;
using reference::Type;

namespace {
using EmbedFunction = void(const void *table, const int32_t *ids, int64_t count,
                           int64_t columns, float *out, int64_t outStride);
using CopyFunction = void(const float *from, int64_t fromStride, float *to,
                          int64_t toStride, int64_t rows, int64_t columns);
using GatherFunction = void(const float *rows, int64_t stride,
                            const int32_t *tokens, int64_t count, float *out);
using AddWeightedFunction = void(const float *from, int64_t fromStride,
                                 const float *weights, const int32_t *tokens,
                                 int64_t count, float *to, int64_t toStride,
                                 int64_t columns);
using MaxFunction = void(const float *row, int64_t count, float *out);
constexpr int64_t kWidths[] = {1, 16, 20, 64, 100};
} // namespace

TEST(Rows, Embed) {
  for (const std::string &cpuName : kernelCpus()) {
    KernelRunner runner{llvm::StringRef(cpuName)};
    cpu::KernelBuilder &k = runner.k();
    std::string f32 = runner.add(cpu::embedKernel(k, k.f32()));
    std::string bf16 = runner.add(cpu::embedKernel(k, k.bf16()));
    std::string f16 = runner.add(cpu::embedKernel(k, k.f16()));
    for (int64_t columns : kWidths)
      for (auto [type, name] : {std::pair(Type::kF32, f32),
                                {Type::kBF16, bf16},
                                {Type::kF16, f16}}) {
        std::vector<float> table = Random(3).floats(7 * columns, -9, 9);
        std::vector<uint16_t> halves;
        for (float &value : table) {
          value = reference::roundTo(type, value);
          if (type != Type::kF32)
            halves.push_back(reference::toBits(type, value));
        }
        const std::vector<int32_t> ids = {6, 0, 3, 3};
        int64_t stride = columns + 2;
        std::vector<float> out(4 * stride, -1.0f), expected = out;
        runner.get<EmbedFunction>(name)(
            halves.empty() ? static_cast<void *>(table.data()) : halves.data(),
            ids.data(), 4, columns, out.data(), stride * 4);
        for (int64_t i = 0; i < 4; ++i)
          std::copy_n(&table[ids[i] * columns], columns, &expected[i * stride]);
        expectSame(out, expected, name + " of " + std::to_string(columns));
      }
  }
}

TEST(Rows, CopyAndAdd) {
  for (const std::string &cpuName : kernelCpus()) {
    KernelRunner runner{llvm::StringRef(cpuName)};
    std::string copy = runner.add(cpu::copyRowsKernel(runner.k(), false));
    std::string add = runner.add(cpu::copyRowsKernel(runner.k(), true));
    for (int64_t columns : kWidths)
      for (bool adds : {false, true}) {
        int64_t fromStride = columns + 3, toStride = columns + 1;
        std::vector<float> from = Random(4).floats(3 * fromStride, -9, 9);
        std::vector<float> to = Random(5).floats(3 * toStride, -9, 9);
        std::vector<float> expected = to;
        for (int64_t i = 0; i < 3; ++i)
          for (int64_t c = 0; c < columns; ++c) {
            float value = from[i * fromStride + c];
            float &there = expected[i * toStride + c];
            there = adds ? there + value : value;
          }
        runner.get<CopyFunction>(adds ? add : copy)(
            from.data(), fromStride * 4, to.data(), toStride * 4, 3, columns);
        expectSame(to, expected, "columns " + std::to_string(columns));
      }
  }
}

TEST(Rows, Gather) {
  KernelRunner runner;
  auto *gather =
      runner.get<GatherFunction>(runner.add(cpu::gatherRowsKernel(runner.k())));
  for (int64_t floats : {16, 48}) {
    Aligned<float> rows(5 * floats), out(5 * floats);
    std::vector<float> values = Random(6).floats(5 * floats, -9, 9);
    std::copy(values.begin(), values.end(), rows.data());
    std::fill_n(out.data(), 5 * floats, -1.0f);
    const std::vector<int32_t> tokens = {4, 1, 1, 0};
    gather(rows.data(), floats * 4, tokens.data(), 4, out.data());
    std::vector<float> expected(5 * floats, -1.0f);
    for (int64_t i = 0; i < 4; ++i)
      std::copy_n(&values[tokens[i] * floats], floats, &expected[i * floats]);
    expectSame({out.data(), out.data() + 5 * floats}, expected, "rows");
  }
}

// A token may come more than once: one rounding per row, in order.
TEST(Rows, AddWeighted) {
  for (const std::string &cpuName : kernelCpus()) {
    KernelRunner runner{llvm::StringRef(cpuName)};
    auto *addWeighted = runner.get<AddWeightedFunction>(
        runner.add(cpu::addWeightedRowsKernel(runner.k())));
    for (int64_t columns : kWidths) {
      int64_t fromStride = columns + 5, toStride = columns + 2;
      std::vector<float> from = Random(7).floats(4 * fromStride, -9, 9);
      std::vector<float> to = Random(8).floats(3 * toStride, -9, 9);
      std::vector<float> weights = Random(9).floats(4, 0, 1);
      const std::vector<int32_t> tokens = {2, 0, 2, 2};
      std::vector<float> expected = to;
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t c = 0; c < columns; ++c) {
          float &sum = expected[tokens[i] * toStride + c];
          sum = std::fma(weights[i], from[i * fromStride + c], sum);
        }
      addWeighted(from.data(), fromStride * 4, weights.data(), tokens.data(), 4,
                  to.data(), toStride * 4, columns);
      expectSame(to, expected, "columns " + std::to_string(columns));
    }
  }
}

TEST(Rows, Max) {
  for (const std::string &cpuName : kernelCpus()) {
    KernelRunner runner{llvm::StringRef(cpuName)};
    auto *rowMax =
        runner.get<MaxFunction>(runner.add(cpu::rowMaxKernel(runner.k())));
    std::vector<float> row = Random(10).floats(40, -9, -1);
    for (int64_t count : {0, 1, 15, 16, 17, 32, 39})
      for (int64_t top = 0; top < std::max<int64_t>(count, 1); ++top) {
        std::vector<float> values = row;
        values[count] = 100.0f; // behind the last: not looked at
        float expected = -INFINITY, found = 0.0f;
        if (count)
          expected = values[top] = 50.0f + static_cast<float>(top);
        rowMax(values.data(), count, &found);
        EXPECT_EQ(found, expected) << count << ", " << top;
      }
  }
}
