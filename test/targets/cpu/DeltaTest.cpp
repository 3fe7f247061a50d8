// Both forms of the delta rule against the reference.
#include "targets/cpu/kernels/DeltaChunked.h"
#include "targets/cpu/kernels/DeltaRecurrent.h"
#include "test/targets/cpu/DeltaInputs.h"
#include "test/targets/cpu/KernelRunner.h"

using namespace quartet;
using namespace quartet::test;

using RecurrentFunction = void(const float *q, int64_t qStride, const float *k,
                               int64_t kStride, const float *v, int64_t vStride,
                               const float *a, int64_t aStride, const float *b,
                               int64_t bStride, const float *aLog,
                               const float *dtBias, float qkEps, float *state,
                               int64_t heads, int64_t tokens, float *out,
                               int64_t outStride);
using ChunkedFunction = void(const float *q, int64_t qStride, const float *k,
                             int64_t kStride, const float *v, int64_t vStride,
                             const float *a, int64_t aStride, const float *b,
                             int64_t bStride, const float *aLog,
                             const float *dtBias, float qkEps, float *state,
                             int64_t heads, int64_t tokens, float *out,
                             int64_t outStride, void *workspace);

static constexpr float kEps = 1e-6f;

namespace {
/// One key head of a sequence. Rows of all operands lie in one buffer, as
/// behind one projection.
struct Delta {
  int64_t keyDim, valueDim, heads, tokens;
  int64_t width; ///< of a row of inputs
  std::vector<float> rows, aLog, dtBias, state;

  Delta(int64_t keyDim, int64_t valueDim, int64_t heads, int64_t tokens,
        Range range)
      : keyDim(keyDim), valueDim(valueDim), heads(heads), tokens(tokens),
        width(2 * keyDim + heads * (valueDim + 2) + 1) {
    Random random(7);
    for (int64_t t = 0; t < tokens; ++t) {
      auto put = [&](int64_t count, float low, float high) {
        auto values = random.floats(count, low, high);
        rows.insert(rows.end(), values.begin(), values.end());
      };
      put(2 * keyDim, -1, 2);
      put(heads * valueDim, -1, 1);
      put(heads, range.aLow, range.aHigh);
      put(heads, range.bLow, range.bHigh);
      put(1, 0, 0);
    }
    aLog = random.floats(heads, -1, 1.5f);
    dtBias = random.floats(heads, -0.5f, 0.5f);
    state = random.floats(heads * valueDim * keyDim, -0.3f, 0.3f);
  }

  std::vector<float> columns(int64_t first, int64_t count) const {
    std::vector<float> result;
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < count; ++i)
        result.push_back(rows[t * width + first + i]);
    return result;
  }

  std::vector<float> reference(std::vector<float> &finalState) const {
    int64_t values = 2 * keyDim, a = values + heads * valueDim;
    auto q = columns(0, keyDim), k = columns(keyDim, keyDim);
    auto v = columns(values, heads * valueDim);
    auto as = columns(a, heads), bs = columns(a + heads, heads);
    finalState = state;
    std::vector<float> out(tokens * heads * valueDim);
    quartet::reference::GatedDelta op{1,
                                      heads,
                                      keyDim,
                                      valueDim,
                                      kEps,
                                      q.data(),
                                      k.data(),
                                      v.data(),
                                      as.data(),
                                      bs.data(),
                                      aLog.data(),
                                      dtBias.data(),
                                      finalState.data(),
                                      out.data()};
    int32_t start[] = {0, static_cast<int32_t>(tokens)}, slot[] = {0};
    quartet::reference::gatedDelta(op, {tokens, 1, start, nullptr, slot});
    return out;
  }

  /// Tokens begin .. end by \p kernel, with \p extra arguments at the end.
  template <typename Function, typename... Extra>
  void run(Function *kernel, int64_t begin, int64_t end,
           std::vector<float> &nowState, std::vector<float> &out,
           Extra... extra) const {
    const float *row = rows.data() + begin * width;
    const float *v = row + 2 * keyDim, *a = v + heads * valueDim;
    int64_t stride = width * 4, outWidth = heads * valueDim;
    kernel(row, stride, row + keyDim, stride, v, stride, a, stride, a + heads,
           stride, aLog.data(), dtBias.data(), kEps, nowState.data(), heads,
           end - begin, out.data() + begin * outWidth, outWidth * 4, extra...);
  }
};
} // namespace

/// Outputs and states of \p kernel against the reference.
template <typename Function, typename... Extra>
static void expectReference(Function *kernel, const Delta &delta,
                            Extra... extra) {
  std::vector<float> expectedState, state = delta.state;
  std::vector<float> expected = delta.reference(expectedState);
  std::vector<float> out(expected.size());
  delta.run(kernel, 0, delta.tokens, state, out, extra...);
  expectNear(out, expected, 2e-5, "out");
  expectNear(state, expectedState, 2e-5, "state");
}

TEST(DeltaRecurrent, MatchesReference) {
  for (const std::string &cpu : kernelCpus())
    for (auto [keyDim, valueDim, heads] : kShapes) {
      KernelRunner runner{llvm::StringRef(cpu)};
      auto *kernel = runner.get<RecurrentFunction>(runner.add(
          quartet::cpu::deltaRecurrentKernel(runner.k(), keyDim, valueDim)));
      for (const Range &range : kRanges)
        for (int64_t tokens : {1, 2, 16, 19}) {
          SCOPED_TRACE(testing::Message()
                       << keyDim << " x " << valueDim << ", tokens " << tokens
                       << ", a from " << range.aLow);
          expectReference(kernel,
                          Delta(keyDim, valueDim, heads, tokens, range));
        }
    }
}

// Three tokens at once have the bits of one and two, and 16 lanes those of 8.
TEST(DeltaRecurrent, SameBitsInPieces) {
  Delta delta(128, 128, 2, 19, kRanges[0]);
  std::vector<float> firstState, firstOut;
  for (const std::string &cpu : kernelCpus())
    for (std::vector<int64_t> cuts :
         {std::vector<int64_t>{0, 19}, {0, 1, 3, 19}, {0, 18, 19}}) {
      KernelRunner runner{llvm::StringRef(cpu)};
      auto *kernel = runner.get<RecurrentFunction>(
          runner.add(quartet::cpu::deltaRecurrentKernel(runner.k(), 128, 128)));
      std::vector<float> state = delta.state, out(19 * 2 * 128);
      for (size_t i = 0; i + 1 < cuts.size(); ++i)
        delta.run(kernel, cuts[i], cuts[i + 1], state, out);
      if (firstOut.empty()) {
        firstState = state;
        firstOut = out;
      }
      expectSame(state, firstState, "state");
      expectSame(out, firstOut, "out");
    }
}

TEST(DeltaChunked, MatchesReference) {
  for (const std::string &cpu : kernelCpus())
    for (auto [keyDim, valueDim, heads] : kShapes)
      for (int64_t chunk : {32, 64}) {
        if (chunk == 64 && keyDim != 128)
          continue;
        KernelRunner runner{llvm::StringRef(cpu)};
        auto *kernel = runner.get<ChunkedFunction>(
            runner.add(quartet::cpu::deltaChunkedKernel(runner.k(), keyDim,
                                                        valueDim, chunk)));
        // Memory that no kernel may take for values.
        Aligned<uint8_t> workspace(quartet::cpu::deltaChunkedWorkspace(
            keyDim, valueDim, heads, chunk));
        std::memset(workspace.data(), 0xff,
                    quartet::cpu::deltaChunkedWorkspace(keyDim, valueDim, heads,
                                                        chunk));
        bool large = keyDim == 128;
        for (const Range &range : kRanges)
          for (int64_t tokens : large ? std::vector<int64_t>{1, 64, 130}
                                      : std::vector<int64_t>{3, 17, 97}) {
            SCOPED_TRACE(testing::Message()
                         << keyDim << " x " << valueDim << ", tokens " << tokens
                         << ", a from " << range.aLow);
            expectReference(kernel,
                            Delta(keyDim, valueDim, heads, tokens, range),
                            static_cast<void *>(workspace.data()));
          }
      }
}

TEST(DeltaChunked, EveryLength) {
  KernelRunner runner;
  auto *kernel = runner.get<ChunkedFunction>(
      runner.add(quartet::cpu::deltaChunkedKernel(runner.k(), 24, 40)));
  Aligned<uint8_t> workspace(quartet::cpu::deltaChunkedWorkspace(24, 40, 2));
  for (int64_t tokens = 1; tokens <= 200; ++tokens) {
    SCOPED_TRACE(tokens);
    expectReference(kernel, Delta(24, 40, 2, tokens, kRanges[tokens % 7]),
                    static_cast<void *>(workspace.data()));
  }
}

// Neither the ISA nor what the workspace held before shows in the bits.
TEST(DeltaChunked, SameBits) {
  Delta delta(128, 128, 2, 150, kRanges[0]);
  std::vector<float> firstState, firstOut;
  for (const std::string &cpu : kernelCpus()) {
    KernelRunner runner{llvm::StringRef(cpu)};
    auto *kernel = runner.get<ChunkedFunction>(
        runner.add(quartet::cpu::deltaChunkedKernel(runner.k(), 128, 128)));
    Aligned<uint8_t> workspace(
        quartet::cpu::deltaChunkedWorkspace(128, 128, 2));
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::vector<float> state = delta.state, out(150 * 2 * 128);
      delta.run(kernel, 0, 150, state, out,
                static_cast<void *>(workspace.data()));
      if (firstOut.empty()) {
        firstState = state;
        firstOut = out;
      }
      expectSame(state, firstState, "state");
      expectSame(out, firstOut, "out");
    }
  }
}
