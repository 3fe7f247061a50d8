// Matrix products of every packed format, by the matrix instructions of all
// families, against plain loops in double.
#include "targets/Chips.h"
#include "targets/gpu/kernels/SplitRow.h"
#include "targets/gpu/kernels/WideMatmul.h"
#include "test/targets/cpu/DotData.h"
#include "test/targets/gpu/DeviceRunner.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::test;
using gpu::DeviceBuilder;
using llvm::ArrayRef;

namespace {
/// Shapes of one kernel.
struct Shape {
  int64_t columns, panels, rows; ///< most panels and rows
};

enum class Way {
  Global,     ///< matmul with all operands in device memory
  Local,      ///< matmul with rows and results in shared memory, rows gathered
  Wide,       ///< matmulWide of gathered rows
  Split,      ///< the same of rows that the kernel splits before
  FewOfSplit, ///< matmul of these
};
} // namespace

/// Row \p r times token \p t; \p size is the sum of the products' magnitudes.
static double exactDot(const PackedMatrix &matrix, const StagedRows &rows,
                       int64_t r, int64_t t, double &size) {
  const PackedFormat &format = matrix.format;
  double total = 0;
  size = 0;
  for (int64_t c = 0; c < matrix.columns; ++c) {
    double weight = matrix.value(r, c), x;
    int64_t group = format.group ? c / format.group : 0;
    if (format.group)
      weight *= matrix.scales[r * matrix.groups() + group];
    if (format.zero == ZeroKind::Min)
      weight += matrix.offsets[r * matrix.groups() + group];
    if (format.isInteger())
      x = double(*rows.bytes.at<int8_t>(t * rows.stride + c)) *
          *rows.bytes.at<float>(t * rows.stride + rows.scaleAt + 4 * group);
    else
      x = *rows.bytes.at<float>(t * rows.stride + 4 * c);
    total += weight * x;
    size += std::fabs(weight * x);
  }
  return total;
}

/// Adds a kernel "matmul" with arguments (weights, panels, rows, stride, count,
/// acc, accStride) and, but for Way::Global, the rows' order, gather; then room
/// for split rows.
static void addMatmul(DeviceRunner &runner, const std::string &name,
                      const PackedFormat &format, Shape shape, Way way,
                      int64_t rowBytes) {
  auto body = [&](ArrayRef<V> a) {
    DeviceBuilder &k = runner.k();
    if (way == Way::Wide) {
      ASSERT_TRUE(gpu::matmulWide(k, format, shape.columns, {a[0], a[1]},
                                  shape.panels, {a[2], a[3], a[4], a[7]},
                                  shape.rows, a[5], a[6]));
      return;
    }
    if (way == Way::Global) {
      gpu::matmul(k, format, shape.columns, {a[0], a[1]}, shape.panels,
                  {a[2], a[3], a[4], V()}, shape.rows, a[5], a[6]);
      return;
    }
    if (way == Way::Split || way == Way::FewOfSplit) {
      int parts = runner.machine.activationParts;
      gpu::splitRows(
          k, a[4], shape.columns, [&](V row) { return a[2] + row * a[3]; },
          [&](V row) { return a[8] + row * a[3]; }, parts);
      k.barrier();
      gpu::RowsOperand rows = {a[8], a[3], a[4], a[7], parts};
      if (way == Way::Split)
        ASSERT_TRUE(gpu::matmulWide(k, format, shape.columns, {a[0], a[1]},
                                    shape.panels, rows, shape.rows, a[5],
                                    a[6]));
      else
        gpu::matmul(k, format, shape.columns, {a[0], a[1]}, shape.panels, rows,
                    shape.rows, a[5], a[6]);
      return;
    }
    V rows = k.shared(rowBytes * shape.rows);
    V acc = k.shared(shape.panels * 64 * shape.rows);
    k.forThreads(a[4] * (rowBytes / 4), [&](V i) {
      V row = i / (rowBytes / 4), word = i % (rowBytes / 4);
      k.store(k.load(k.i32(), a[2], row * a[3] + word * 4), rows, i * 4);
    });
    k.barrier();
    gpu::matmul(k, format, shape.columns, {a[0], a[1]}, shape.panels,
                {rows, k.i64(rowBytes), a[4], a[7]}, shape.rows, acc,
                k.i64(shape.panels * 64));
    V width = a[1] * 16;
    k.forThreads(a[4] * width, [&](V i) {
      V row = i / width, column = i % width;
      k.store(k.load(k.f32(), acc, row * (shape.panels * 64) + column * 4),
              a[5], row * a[6] + column * 4);
    });
  };
  runner.add(name, way == Way::Global ? "pipiipi" : "pipiipipp", body,
             way == Way::Wide || way == Way::Split);
}

/// Of a sum of floats, by its magnitudes: wide products and split rows have 16
/// bits of an activation, or eight.
static double accuracyOf(const gpu::GpuFacts &machine,
                         const PackedFormat &format, Way way) {
  if (format.isInteger() || way == Way::Global || way == Way::Local)
    return 2e-6;
  return machine.activationParts == 1 ? 1.0 / 256 : 1.6e-5;
}

namespace {
class Case {
public:
  Case(DeviceRunner &runner, const char *text, Shape shape, Way way);
  /// Multiplies \p rows rows by \p panels panels.
  void run(int64_t rows, int64_t panels);

private:
  DeviceRunner &runner;
  PackedFormat format;
  Shape shape;
  Way way;
  std::string name;
  std::mt19937 random{7};
  PackedMatrix matrix;
  StagedRows rows;
  std::vector<float> results; ///< bits of [row][weight row] seen so far
  double accuracy;            ///< of a sum, by its magnitudes
};
} // namespace

Case::Case(DeviceRunner &runner, const char *text, Shape shape, Way way)
    : runner(runner), format(*PackedFormat::parse(text)), shape(shape),
      way(way), matrix(format, shape.panels * 16, shape.columns, random),
      rows(format, shape.rows, shape.columns, random),
      results(shape.rows * shape.panels * 16, NAN),
      accuracy(accuracyOf(runner.machine, format, way)) {
  static const char *const kWays[] = {"", "_local", "_wide", "_split",
                                      "_few_of_split"};
  name = std::string(text) + "_" + std::to_string(shape.columns) +
         kWays[size_t(way)];
  for (char &letter : name)
    letter = letter == ':' ? '_' : letter;
  addMatmul(runner, name, format, shape, way, rows.stride);
}

void Case::run(int64_t count, int64_t panels) {
  SCOPED_TRACE(runner.machine.name + ", " + name + ": " +
               std::to_string(count) + " rows, " + std::to_string(panels) +
               " panels");
  int64_t stride = panels * 16 + 4; // in floats
  std::vector<float> out(shape.rows * stride, -7.0f);
  std::vector<int32_t> gather; // backwards
  for (int64_t i = 0; i < count; ++i)
    gather.push_back(int32_t(count - 1 - i));
  runner.forget();
  runner.know(matrix.bytes.data(), panels * matrix.panelBytes(), "weights",
              emu::RegionKind::ReadOnly);
  runner.know(rows.bytes.data(), count * rows.stride, "rows",
              emu::RegionKind::ReadOnly);
  runner.know(gather, "gather");
  runner.know(out, "acc", emu::RegionKind::ReadWrite);
  std::vector<DeviceRunner::Argument> arguments = {
      matrix.bytes.data(), panels,    rows.bytes.data(), rows.stride, count,
      out.data(),          stride * 4};
  AlignedBytes split(rows.bytes.size());
  if (way != Way::Global) {
    arguments.push_back(gather.data());
    arguments.push_back(split.data());
    runner.know(split.data(), split.size(), "split",
                emu::RegionKind::ReadWrite);
  }
  runner.launch(name, 1, arguments, uint64_t(count));
  for (int64_t t = 0; t < shape.rows; ++t)
    for (int64_t r = 0; r < stride; ++r) {
      float got = out[t * stride + r];
      if (t >= count || r >= panels * 16) {
        ASSERT_EQ(got, -7.0f) << "row " << t << ", " << r << " is not written";
        continue;
      }
      int64_t row = way == Way::Global ? t : count - 1 - t;
      double size, expected = exactDot(matrix, rows, r, row, size);
      ASSERT_NEAR(got, expected, accuracy * size) << "row " << t << ", " << r;
      // Whatever else was multiplied, the bits are the same.
      float &before = results[row * shape.panels * 16 + r];
      if (!std::isnan(before))
        ASSERT_EQ(got, before) << "row " << t << ", " << r;
      before = got;
    }
}

static gpu::GpuFacts facts(llvm::StringRef name) {
  return llvm::cantFail(findGpuFacts(name));
}

/// All of \p formats on one GPU: a few whole tiles, and what is left over.
static void expectFormats(llvm::StringRef name,
                          ArrayRef<const char *> formats) {
  for (const char *format : formats) {
    DeviceRunner runner(facts(name));
    Case few(runner, format, {384, 5, 8}, Way::Global);
    Case odd(runner, format, {100, 3, 17}, Way::Local);
    few.run(1, 5);
    few.run(3, 1);
    few.run(8, 2);
    for (int64_t count : {0, 1, 9, 16, 17})
      odd.run(count, 3);
    if (testing::Test::HasFailure())
      return;
  }
}

static const char *const kIntegers[] = {
    "int4:16",          "int4:32",       "int4:64",        "int4:128",
    "int8:16",          "int8:32:bf16",  "int8:64:f32",    "int8:128",
    "int4:64:point",    "int8:32:point", "int4:32:min",    "int8:64:min:f32",
    "int4:64:min:bf16", "int6:16",       "int4:32:iq4_nl", "int4:32:e2m1",
    "int6:32:min",      "int6:64:point", "int6:128:f32"};
static const char *const kFloats[] = {"f32",         "bf16",       "f16",
                                      "fp8",         "fp8:16:f32", "fp8:32",
                                      "fp8:128:f32", "fp8:64:bf16"};
/// One for each way of cutting columns and of unpacking.
static const char *const kSome[] = {
    "int4:16", "int4:64",       "int8:32:point",   "int4:32:e2m1",
    "int6:16", "int6:64:point", "int8:64:min:f32", "f32",
    "bf16",    "f16",           "fp8:64:bf16"};

TEST(DeviceMatmul, IntegersWithMma) { expectFormats("sm_90a", kIntegers); }
TEST(DeviceMatmul, FloatsWithMma) { expectFormats("sm_90a", kFloats); }
TEST(DeviceMatmul, IntegersWithMfma) { expectFormats("gfx942", kIntegers); }
TEST(DeviceMatmul, FloatsWithMfma) { expectFormats("gfx942", kFloats); }
TEST(DeviceMatmul, ShortMfma) { expectFormats("gfx90a", kSome); }
TEST(DeviceMatmul, LongMfma) { expectFormats("gfx950", kSome); }
TEST(DeviceMatmul, Wmma11) { expectFormats("gfx1100", kSome); }
TEST(DeviceMatmul, Wmma12) { expectFormats("gfx1201", kSome); }

/// \p formats by wide products: several passes of tokens (in kernels for up to
/// \p rows of them) and of weights, and columns that are no whole slabs and
/// that do not fill the groups' shares. \p shared bytes of memory, or the
/// machine's.
static void expectWide(llvm::StringRef name, ArrayRef<const char *> formats,
                       int64_t rows = 80, int64_t columns = 1024,
                       int64_t shared = 0) {
  for (const char *format : formats) {
    gpu::GpuFacts machine = facts(name);
    if (shared)
      machine.loneSharedBytes = shared;
    DeviceRunner runner(machine);
    Case even(runner, format, {columns, 17, rows}, Way::Wide);
    Case odd(runner, format, {336, 3, 16}, Way::Wide);
    even.run(rows, 17);
    even.run(33, 8);
    even.run(1, 1);
    even.run(0, 1);
    even.run(1, 0);
    for (int64_t count : {3, 16})
      odd.run(count, 3);
    if (testing::Test::HasFailure())
      return;
  }
}

// One format for each way of cutting columns, of unpacking and of zeros.
TEST(DeviceMatmul, WideWithWarpGroups) {
  expectWide("sm_90a", {"int4:16", "int4:64", "int4:32:iq4_nl", "int6:16",
                        "int8:128", "int8:32:point", "int8:64:min:f32"});
}
// Warp groups multiply bytes with 48 or 64 rows, but not with these.
TEST(DeviceMatmul, WideWithFewShapes) {
  for (int64_t rows : {40, 56})
    expectWide("sm_90a", {"int4:64"}, rows);
}
TEST(DeviceMatmul, WideWithMma) {
  expectWide("sm_80", {"int4:64", "int6:16", "int8:32:point"});
}

TEST(DeviceMatmul, WideFloatsWithWarpGroups) {
  expectWide("sm_90a", {"bf16", "f16", "fp8:16:f32", "fp8:128:f32"}, 144, 640);
}
TEST(DeviceMatmul, WideFloatsWithMma) {
  expectWide("sm_80", {"bf16", "fp8:64:bf16"}, 80, 640);
}
// Little shared memory: slabs of 32 columns, both parts in a row of B. Passes
// are of 16 tokens or more, so that the last ones of 72 are not there. Bulk
// copies without warp groups have fences of their own.
TEST(DeviceMatmul, WideFloatsInNarrowSlabs) {
  expectWide("sm_120a", {"bf16"}, 72, 640);
  expectWide("sm_90a", {"fp8:16:f32"}, 72, 640, 96 << 10);
}

/// Split rows of one and of two parts by wide products and by others, in
/// columns that are no whole slabs.
static void expectSplit(llvm::StringRef name, ArrayRef<const char *> formats,
                        int64_t rows = 80) {
  for (int parts : {1, 2})
    for (const char *format : formats) {
      gpu::GpuFacts machine = facts(name);
      machine.activationParts = parts;
      DeviceRunner runner(machine);
      Case even(runner, format, {640, 17, rows}, Way::Split);
      Case odd(runner, format, {336, 3, 16}, Way::Split);
      Case few(runner, format, {320, 3, 16}, Way::FewOfSplit);
      even.run(rows, 17);
      even.run(33, 8);
      for (int64_t count : {3, 16}) {
        odd.run(count, 3);
        few.run(count, 3);
      }
      if (testing::Test::HasFailure())
        return;
    }
}

TEST(DeviceMatmul, SplitRowsWithWarpGroups) {
  expectSplit("sm_90a", {"bf16", "f16", "fp8:16:f32"}, 144);
}
TEST(DeviceMatmul, SplitRowsWithMma) {
  expectSplit("sm_80", {"bf16", "fp8:64:bf16"});
  expectSplit("sm_120a", {"bf16"}, 72);
}
// Columns that are not of f32 in fours.
TEST(DeviceMatmul, SplitRowsOfOddColumns) {
  DeviceRunner runner(facts("sm_90a"));
  Case(runner, "bf16", {102, 3, 16}, Way::Split).run(16, 3);
}

// One bf16 of an activation, where rows are f32.
TEST(DeviceMatmul, WideFloatsOfOnePart) {
  for (const char *name : {"sm_90a", "sm_89", "gfx942", "gfx1100"}) {
    gpu::GpuFacts machine = facts(name);
    machine.activationParts = 1;
    for (const char *format : {"bf16", "f16"}) {
      DeviceRunner runner(machine);
      Case wide(runner, format, {640, 17, 80}, Way::Wide);
      wide.run(80, 17);
      wide.run(33, 8);
    }
  }
}

// The same by waves that share rows: of 64 lanes ...
TEST(DeviceMatmul, WideWithMfma) {
  expectWide("gfx942", {"int4:16", "int4:64", "int6:16", "int8:128",
                        "int8:32:point", "int8:64:min:f32"});
  expectWide("gfx90a", {"int4:64"});
  expectWide("gfx950", {"int4:32:iq4_nl", "int6:64:point"});
}
// ... and of 32.
TEST(DeviceMatmul, WideWithWmma) {
  expectWide("gfx1100", {"int4:64", "int6:16", "int8:32:point"});
  expectWide("gfx1201", {"int4:32:min", "int8:128"});
}

TEST(DeviceMatmul, WideFloatsOnAmd) {
  expectWide("gfx942", {"bf16", "f16", "fp8:16:f32", "fp8:128:f32"}, 80, 640);
  expectWide("gfx950", {"bf16"}, 80, 640);
  expectWide("gfx1100", {"bf16", "fp8:64:bf16"}, 80, 640);
  expectWide("gfx1201", {"bf16"}, 80, 640);
}

// Where it can't be made, nothing is.
TEST(DeviceMatmul, WideRefuses) {
  auto made = [](llvm::StringRef chip, const char *format, bool alone,
                 int64_t rows, unsigned space = gpu::kGlobalSpace) {
    DeviceRunner runner(facts(chip));
    bool done = false;
    auto body = [&](ArrayRef<V> a) {
      DeviceBuilder &k = runner.k();
      V data = space == gpu::kGlobalSpace ? a[0] : k.shared(1024);
      done = gpu::matmulWide(
          k, *PackedFormat::parse(format), 256, {a[0], k.i64(8)}, 8,
          {data, k.i64(512), k.i64(rows), V()}, rows, a[0], k.i64(512));
    };
    runner.add("kernel", "p", body, alone);
    return done;
  };
  EXPECT_TRUE(made("sm_90a", "int4:64", true, 16));
  EXPECT_FALSE(made("sm_90a", "int4:64", false, 16));
  EXPECT_TRUE(made("sm_90a", "bf16", true, 16));
  EXPECT_FALSE(made("sm_90a", "f32", true, 16));
  EXPECT_FALSE(made("sm_90a", "int4:64", true, 4));
  EXPECT_FALSE(made("sm_90a", "int4:64", true, 16, gpu::kSharedSpace));
  for (bool alone : {false, true})
    EXPECT_TRUE(made("gfx942", "int4:64", alone, 16));
  EXPECT_TRUE(made("gfx1100", "bf16", false, 16));
  EXPECT_FALSE(made("gfx942", "f32", true, 16));
  EXPECT_FALSE(made("gfx942", "int4:64", true, 4));
  EXPECT_FALSE(made("gfx942", "int4:64", true, 16, gpu::kSharedSpace));
}

// Many rows in passes of several groups, more tiles than meet at once, and
// little shared memory, with which the sums of fewer rows meet at once.
TEST(DeviceMatmul, ManyRowsAndPanels) {
  for (const char *name : {"sm_90a", "gfx942", "gfx1100"})
    for (int64_t shared : {0, 12 << 10}) {
      gpu::GpuFacts machine = facts(name);
      if (shared)
        machine.sharedBytes = shared;
      DeviceRunner runner(machine);
      Case integers(runner, "int4:32", {512, 20, 64}, Way::Global);
      Case floats(runner, "bf16", {272, 9, 40}, Way::Global);
      for (int64_t count : {64, 33, 5, 1})
        integers.run(count, 20);
      integers.run(64, 0);
      for (int64_t count : {40, 9})
        floats.run(count, 9);
    }
}

// A kernel made for one row and one for 64 give the same bits.
TEST(DeviceMatmul, BitsDoNotDependOnTheKernel) {
  for (const char *text : {"int4:64", "bf16"}) {
    DeviceRunner runner(facts("sm_90a"));
    PackedFormat format = *PackedFormat::parse(text);
    constexpr int64_t kColumns = 1024, kPanels = 4;
    std::mt19937 random(5);
    PackedMatrix matrix(format, kPanels * 16, kColumns, random);
    StagedRows rows(format, 64, kColumns, random);
    std::vector<std::vector<float>> results;
    std::vector<std::pair<int64_t, int64_t>> kernels = {
        {1, 8}, {8, 4}, {64, 4}};
    for (auto [most, panels] : kernels)
      addMatmul(runner, "for" + std::to_string(most), format,
                {kColumns, panels, most}, Way::Global, rows.stride);
    for (auto [most, panels] : kernels) {
      std::vector<float> out(most * kPanels * 16);
      runner.forget();
      runner.know(matrix.bytes.data(), matrix.bytes.size(), "weights",
                  emu::RegionKind::ReadOnly);
      runner.know(rows.bytes.data(), rows.bytes.size(), "rows",
                  emu::RegionKind::ReadOnly);
      runner.know(out, "acc", emu::RegionKind::ReadWrite);
      runner.launch("for" + std::to_string(most), 1,
                    {matrix.bytes.data(), kPanels, rows.bytes.data(),
                     rows.stride, most, out.data(), kPanels * 64});
      out.resize(kPanels * 16);
      results.push_back(out);
    }
    EXPECT_EQ(results[0], results[1]) << text;
    EXPECT_EQ(results[0], results[2]) << text;
  }
}

// With one part, floats have the accuracy of bf16 and no more.
TEST(DeviceMatmul, OnePart) {
  for (const char *text : {"f32", "bf16", "f16"}) {
    DeviceRunner runner(facts("sm_90a"));
    PackedFormat format = *PackedFormat::parse(text);
    std::mt19937 random(5);
    PackedMatrix matrix(format, 32, 256, random);
    StagedRows rows(format, 8, 256, random);
    runner.add("matmul", "ppp", [&](ArrayRef<V> a) {
      DeviceBuilder &k = runner.k();
      gpu::matmul(k, format, 256, {a[0], k.i64(2)}, 2,
                  {a[1], k.i64(rows.stride), k.i64(8), V()}, 8, a[2],
                  k.i64(128), /*parts=*/1);
    });
    std::vector<float> out(8 * 32);
    runner.know(matrix.bytes.data(), matrix.bytes.size(), "weights",
                emu::RegionKind::ReadOnly);
    runner.know(rows.bytes.data(), rows.bytes.size(), "rows",
                emu::RegionKind::ReadOnly);
    runner.know(out, "acc", emu::RegionKind::ReadWrite);
    runner.launch("matmul", 1,
                  {matrix.bytes.data(), rows.bytes.data(), out.data()});
    double worst = 0;
    for (int64_t t = 0; t < 8; ++t)
      for (int64_t r = 0; r < 32; ++r) {
        double size, expected = exactDot(matrix, rows, r, t, size);
        worst = std::max(worst, std::fabs(out[t * 32 + r] - expected) / size);
      }
    EXPECT_LT(worst, 1.0 / 256) << text;
    EXPECT_GT(worst, 1e-5) << text;
  }
}
