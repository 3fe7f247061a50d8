// Convolution and both forms of the delta rule against the reference, and their
// bits against other ways of cutting the same work.
#include "targets/gpu/kernels/Delta.h"
#include "targets/Chips.h"
#include "test/targets/cpu/DeltaInputs.h"
#include "test/targets/gpu/DeviceRunner.h"
#include <limits>

using namespace quartet;
using namespace quartet::test;
using emu::RegionKind;
using reference::Type;

static constexpr float kEps = 1e-6f;
/// Of the chunked form: the matrix unit multiplies sums of two bf16, which are
/// within 2^-17 of an f32. Both operands are, so products are within 1.9e-5 of
/// their sizes (with what low parts would give); a result may be a small
/// difference of them. Without one of the low parts it would be 2e-3.
static constexpr double kSplit = 6e-5;
/// Where they are one bf16 alone.
static constexpr double kOnePart = 8e-3;

namespace {
/// Two key heads of a sequence, as behind one projection.
struct Delta {
  static constexpr int64_t keyHeads = 2;
  int64_t keyDim, valueDim, heads, tokens; ///< heads: value heads of a key head
  int64_t taps;
  Type windowType;
  int64_t channels, valueHeads;
  int64_t width; ///< of a row of inputs: the channels, a, b, one more
  std::vector<float> rows, weights, aLog, dtBias, window, state;

  Delta(int64_t keyDim, int64_t valueDim, int64_t heads, int64_t tokens,
        Range range, int64_t taps = 4, Type windowType = Type::kBF16)
      : keyDim(keyDim), valueDim(valueDim), heads(heads), tokens(tokens),
        taps(taps), windowType(windowType),
        channels(keyHeads * (2 * keyDim + heads * valueDim)),
        valueHeads(keyHeads * heads), width(channels + 2 * valueHeads + 1) {
    Random random(7);
    for (int64_t t = 0; t < tokens; ++t) {
      auto put = [&](int64_t count, float low, float high) {
        auto values = random.floats(count, low, high);
        rows.insert(rows.end(), values.begin(), values.end());
      };
      put(channels, -1, 2);
      put(valueHeads, range.aLow, range.aHigh);
      put(valueHeads, range.bLow, range.bHigh);
      put(1, 0, 0);
    }
    weights = random.floats(channels * taps, -0.5f, 0.8f);
    aLog = random.floats(valueHeads, -1, 1.5f);
    dtBias = random.floats(valueHeads, -0.5f, 0.5f);
    window = random.floats((taps - 1) * channels, -1, 2);
    for (float &value : window)
      value = reference::roundTo(windowType, value);
    state = random.floats(valueHeads * valueDim * keyDim, -0.3f, 0.3f);
  }

  /// Of a token and key head.
  tile::PreparedRow prepared() const { return {keyDim, heads}; }

  /// Window and state change.
  struct Result {
    std::vector<float> out, state;
    std::vector<uint8_t> window;
  };

  std::vector<float> columns(const std::vector<float> &from, int64_t stride,
                             int64_t first, int64_t count) const {
    std::vector<float> result;
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < count; ++i)
        result.push_back(from[t * stride + first + i]);
    return result;
  }

  /// The window as the kernel keeps it.
  std::vector<uint8_t> packed(const std::vector<float> &values) const {
    int64_t size = windowType == Type::kF32 ? 4 : 2;
    std::vector<uint8_t> bytes(values.size() * size);
    for (size_t i = 0; i < values.size(); ++i) {
      uint16_t half = reference::toBits(windowType, values[i]);
      if (size == 4)
        std::memcpy(&bytes[4 * i], &values[i], 4);
      else
        std::memcpy(&bytes[2 * i], &half, 2);
    }
    return bytes;
  }

  Result expected() const {
    Result result;
    int32_t start[] = {0, static_cast<int32_t>(tokens)}, slot[] = {0};
    reference::Ragged ragged{tokens, 1, start, nullptr, slot};
    auto x = columns(rows, width, 0, channels);
    std::vector<float> convolved(x.size()), nowWindow = window;
    reference::causalConv(x.data(), weights.data(), nowWindow.data(),
                          convolved.data(), ragged, channels, taps, windowType);
    int64_t keys = keyHeads * keyDim;
    auto q = columns(convolved, channels, 0, keys);
    auto k = columns(convolved, channels, keys, keys);
    auto v = columns(convolved, channels, 2 * keys, valueHeads * valueDim);
    auto a = columns(rows, width, channels, valueHeads);
    auto b = columns(rows, width, channels + valueHeads, valueHeads);
    result.state = state;
    result.out.resize(tokens * valueHeads * valueDim);
    reference::GatedDelta op{keyHeads,
                             valueHeads,
                             keyDim,
                             valueDim,
                             kEps,
                             q.data(),
                             k.data(),
                             v.data(),
                             a.data(),
                             b.data(),
                             aLog.data(),
                             dtBias.data(),
                             result.state.data(),
                             result.out.data()};
    reference::gatedDelta(op, ragged);
    result.window = packed(nowWindow);
    return result;
  }
};

/// The kernels for one shape: a block per key head and part.
struct Kernel {
  DeviceRunner runner;
  int64_t parts;
  bool chunked;

  Kernel(const gpu::GpuFacts &gpu, const Delta &d, bool chunked,
         int64_t parts = 1)
      : runner(gpu), parts(parts), chunked(chunked) {
    gpu::DeviceBuilder &k = runner.k();
    auto setUp = [&](gpu::DeltaShape &shape, gpu::DeltaArgs &args,
                     llvm::ArrayRef<V> a) {
      shape.keyHeads = Delta::keyHeads;
      shape.valueHeads = d.valueHeads;
      shape.keyDim = d.keyDim;
      shape.valueDim = d.valueDim;
      shape.taps = d.taps;
      shape.windowType = d.windowType == Type::kF32   ? k.f32()
                         : d.windowType == Type::kF16 ? k.f16()
                                                      : k.bf16();
      args.input = a[0];
      args.inputStride = k.i64(d.width * 4);
      args.a = a[0] + d.channels * 4;
      args.b = args.a + d.valueHeads * 4;
      args.controlStride = args.inputStride;
      args.taps = a[1];
      args.window = a[2];
      args.aLog = a[3];
      args.dtBias = a[4];
      args.qkEps = k.f32(kEps);
      args.state = a[5];
      args.out = a[6];
      args.outStride = k.i64(d.valueHeads * d.valueDim * 4);
      args.prepared = a[7];
      args.preparedStride = k.i64(Delta::keyHeads * d.prepared().bytes());
      args.tokens = a[8];
      args.place = a[9];
    };
    if (chunked) // a block per key head and chunk
      runner.add("prepare", "ppppppppiip", [&](llvm::ArrayRef<V> a) {
        gpu::DeltaShape shape;
        gpu::DeltaArgs args;
        setUp(shape, args, a);
        args.head = k.worker() % Delta::keyHeads;
        V first = k.fold(k.i64(0), k.worker() / Delta::keyHeads, 1, {k.i64(0)},
                         [&](V, llvm::ArrayRef<V> at) {
                           return llvm::SmallVector<V>{
                               gpu::endOfChunk(k, args, at[0])};
                         })[0];
        k.ifThen(first < args.tokens, [&] {
          gpu::deltaPrepare(k, shape, args, first,
                            gpu::endOfChunk(k, args, first) - first);
        });
      });
    runner.add("delta", "ppppppppiip", [&](llvm::ArrayRef<V> a) {
      gpu::DeltaShape shape;
      gpu::DeltaArgs args;
      setUp(shape, args, a);
      shape.parts = parts;
      args.head = k.worker() / parts;
      args.part = k.worker() % parts;
      args.readers = a[10] + args.head * 4;
      gpu::deltaScan(k, shape, args, chunked);
    });
  }

  /// Cut into calls at \p cuts, which begin with 0 and end with all tokens.
  Delta::Result run(const Delta &d, llvm::ArrayRef<int64_t> cuts,
                    uint64_t seed = 0) {
    Delta::Result result{{}, d.state, d.packed(d.window)};
    int64_t outWidth = d.valueHeads * d.valueDim;
    result.out.resize(d.tokens * outWidth);
    std::vector<int32_t> readers(Delta::keyHeads, 0);
    // What is read without being written would show.
    std::vector<float> prepared(d.tokens * Delta::keyHeads *
                                    d.prepared().bytes() / 4,
                                std::numeric_limits<float>::quiet_NaN());
    runner.know(d.rows, "rows");
    runner.know(d.weights, "taps");
    runner.know(d.aLog, "a_log");
    runner.know(d.dtBias, "dt_bias");
    runner.know(result.window, "window", RegionKind::ReadWrite);
    runner.know(result.state, "state", RegionKind::ReadWrite);
    runner.know(result.out, "out", RegionKind::ReadWrite);
    runner.know(prepared, "prepared", RegionKind::ReadWrite);
    runner.know(readers, "readers", RegionKind::ReadWrite);
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      int64_t tokens = cuts[i + 1] - cuts[i];
      llvm::SmallVector<DeviceRunner::Argument> arguments{
          d.rows.data() + cuts[i] * d.width,
          d.weights.data(),
          result.window.data(),
          d.aLog.data(),
          d.dtBias.data(),
          result.state.data(),
          result.out.data() + cuts[i] * outWidth,
          prepared.data(),
          tokens,
          cuts[i],
          readers.data()};
      int64_t chunks = (tokens + gpu::kDeltaChunk - 1) / gpu::kDeltaChunk + 1;
      if (chunked)
        runner.launch("prepare", Delta::keyHeads * chunks, arguments, seed);
      runner.launch("delta", Delta::keyHeads * parts, arguments, seed);
    }
    runner.forget();
    EXPECT_EQ(readers, std::vector<int32_t>(Delta::keyHeads, 0));
    return result;
  }

  void expectReference(const Delta &d, double tolerance = 2e-5) {
    Delta::Result got = run(d, {0, d.tokens}), expected = d.expected();
    expectNear(got.out, expected.out, tolerance, "out");
    expectNear(got.state, expected.state, tolerance, "state");
    EXPECT_EQ(got.window, expected.window);
  }
};
} // namespace

static void expectSame(const Delta::Result &got, const Delta::Result &first) {
  expectSame(got.out, first.out, "out");
  expectSame(got.state, first.state, "state");
  EXPECT_EQ(got.window, first.window);
}

TEST(GpuDeltaRecurrent, MatchesReference) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [keyDim, valueDim, heads] : kShapes) {
      Kernel kernel(gpu, Delta(keyDim, valueDim, heads, 1, kRanges[0]), false);
      for (const Range &range : kRanges)
        for (int64_t tokens : {1, 2, 19}) {
          if (keyDim == 128 && (tokens == 19) != (range.aLow == -4))
            continue;
          SCOPED_TRACE(testing::Message()
                       << gpu.name << ", " << keyDim << " x " << valueDim
                       << ", tokens " << tokens << ", a from " << range.aLow);
          kernel.expectReference(Delta(keyDim, valueDim, heads, tokens, range));
        }
    }
}

TEST(GpuDeltaRecurrent, OtherWindows) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [taps, type] :
         {std::pair(int64_t(4), Type::kF32), {2, Type::kF16}, {3, Type::kBF16}})
      for (int64_t tokens : {1, 2, 9}) {
        SCOPED_TRACE(testing::Message()
                     << gpu.name << ", taps " << taps << ", tokens " << tokens);
        Delta delta(16, 24, 2, tokens, kRanges[0], taps, type);
        Kernel(gpu, delta, false).expectReference(delta);
      }
}

// Three tokens at once have the bits of one and two, one block those of many.
TEST(GpuDeltaRecurrent, SameBitsInPieces) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [keyDim, valueDim, heads] :
         {std::tuple(128, 128, 2), {24, 24, 2}}) {
      Delta delta(keyDim, valueDim, heads, 19, kRanges[0]);
      Delta::Result first =
          Kernel(gpu, delta, false).run(delta, {0, delta.tokens});
      for (int64_t parts : {1, 2, 8}) {
        Kernel kernel(gpu, delta, false, parts);
        for (std::vector<int64_t> cuts :
             {std::vector<int64_t>{0, 1, 3, 19}, {0, 18, 19}}) {
          SCOPED_TRACE(testing::Message() << gpu.name << ", parts " << parts);
          expectSame(kernel.run(delta, cuts, /*seed=*/parts), first);
        }
      }
    }
}

// With one bf16 for each element: eight bits of them.
TEST(GpuDeltaChunked, OnePart) {
  for (gpu::GpuFacts gpu : kernelGpus()) {
    gpu.activationParts = 1;
    for (auto [keyDim, valueDim, heads] : kShapes) {
      SCOPED_TRACE(testing::Message()
                   << gpu.name << ", " << keyDim << " x " << valueDim);
      Delta delta(keyDim, valueDim, heads, 70, kRanges[0]);
      Kernel(gpu, delta, true).expectReference(delta, kOnePart);
    }
  }
}

TEST(GpuDeltaChunked, MatchesReference) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [keyDim, valueDim, heads] : kShapes) {
      Kernel kernel(gpu, Delta(keyDim, valueDim, heads, 1, kRanges[0]), true);
      bool large = keyDim == 128;
      for (const Range &range : kRanges)
        for (int64_t tokens : large ? std::vector<int64_t>{1, 70}
                                    : std::vector<int64_t>{3, 17, 97}) {
          if (large && (tokens == 70) != (range.aLow == -4))
            continue;
          SCOPED_TRACE(testing::Message()
                       << gpu.name << ", " << keyDim << " x " << valueDim
                       << ", tokens " << tokens << ", a from " << range.aLow);
          kernel.expectReference(Delta(keyDim, valueDim, heads, tokens, range),
                                 kSplit);
        }
    }
}

TEST(GpuDeltaChunked, EveryLength) {
  for (const gpu::GpuFacts &gpu : kernelGpus()) {
    Kernel kernel(gpu, Delta(24, 40, 2, 1, kRanges[0]), true);
    for (int64_t tokens = 1; tokens <= 70; tokens += tokens < 36 ? 1 : 7) {
      SCOPED_TRACE(testing::Message() << gpu.name << ", " << tokens);
      kernel.expectReference(Delta(24, 40, 2, tokens, kRanges[tokens % 7]),
                             kSplit);
    }
  }
}

// Instructions of other shapes, chunks of 16 and of 32 tokens, and the state of
// one head, which stays in registers.
TEST(GpuDeltaChunked, OtherUnits) {
  for (const char *name : {"sm_80", "gfx950", "gfx1100", "gfx1201"})
    for (auto [keyDim, valueDim, heads, tokens] :
         {std::tuple(128, 32, 1, 50), {24, 40, 2, 37}}) {
      SCOPED_TRACE(testing::Message()
                   << name << ", " << keyDim << " x " << valueDim);
      Delta delta(keyDim, valueDim, heads, tokens, kRanges[0]);
      Kernel(llvm::cantFail(findGpuFacts(name)), delta, true)
          .expectReference(delta, kSplit);
    }
}

// Cuts at multiples of a chunk do not show in the bits, nor do parts, whose
// state may stay in shared memory. Other cuts show in the last digits.
TEST(GpuDeltaChunked, SameBitsInPieces) {
  for (const gpu::GpuFacts &gpu : kernelGpus())
    for (auto [keyDim, valueDim, heads] :
         {std::tuple(128, 128, 2), {24, 24, 2}}) {
      Delta delta(keyDim, valueDim, heads, 75, kRanges[0]);
      Delta::Result first =
          Kernel(gpu, delta, true).run(delta, {0, delta.tokens});
      for (int64_t parts : {1, 2, 3, 8}) {
        if (heads * valueDim % parts)
          continue;
        Kernel kernel(gpu, delta, true, parts);
        SCOPED_TRACE(testing::Message() << gpu.name << ", parts " << parts);
        expectSame(kernel.run(delta, {0, 32, 75}, /*seed=*/parts), first);
        if (parts != 8)
          continue;
        Delta::Result cut = kernel.run(delta, {0, 5, 70, 75});
        expectNear(cut.out, first.out, 1e-5, "out");
        expectNear(cut.state, first.state, 1e-5, "state");
        EXPECT_EQ(cut.window, first.window);
      }
    }
}
