// Speed of the mixers' micro-kernels on one core of this machine, at the sizes
// of a 35B-A3B model: the delta rule for one token with states in memory and
// for many, attention for one token over a long cache and for many. Times are
// the least of several runs.
#include "targets/cpu/kernels/Attend.h"
#include "targets/cpu/kernels/Conv.h"
#include "targets/cpu/kernels/DeltaChunked.h"
#include "targets/cpu/kernels/DeltaRecurrent.h"
#include "test/targets/cpu/KernelRunner.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sys/mman.h>
#include <vector>

using namespace quartet;
using namespace quartet::test;
using cpu::V;

using Delta = void(const float *, int64_t, const float *, int64_t,
                   const float *, int64_t, const float *, int64_t,
                   const float *, int64_t, const float *, const float *, float,
                   float *, int64_t, int64_t, float *, int64_t, void *);
using Attend = void(const float *, int64_t, int64_t, const void *, const void *,
                    int64_t, const int32_t *, int64_t, int64_t, int64_t,
                    int64_t, float, float *, int64_t, int64_t, void *);
using Peak = void(int64_t, float *);

/// Seconds of the fastest of \p runs runs.
static double fastest(int runs, const std::function<void()> &work) {
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    auto start = std::chrono::steady_clock::now();
    work();
    std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

/// The sum over \p parts parts of each one's fastest run, all parts one after
/// the other in each run, so that memory stays cold.
static double fastestParts(int runs, int64_t parts,
                           const std::function<void(int64_t)> &work) {
  std::vector<double> best(parts, 1e9);
  for (int run = 0; run < runs; ++run)
    for (int64_t i = 0; i < parts; ++i)
      best[i] = std::min(best[i], fastest(1, [&] { work(i); }));
  double sum = 0.0;
  for (double seconds : best)
    sum += seconds;
  return sum;
}

/// Independent fused multiply-adds: the most this core can do.
static mlir::func::FuncOp peakKernel(cpu::KernelBuilder &k) {
  return k.function("peak", "ip", [&](llvm::ArrayRef<V> a) {
    V x = k.load(k.vec(16, k.f32()), a[1]);
    llvm::SmallVector<V> sums(k.machine.lanes == 16 ? 16 : 4, x);
    sums = k.fold(k.i64(0), a[0], 1, sums, [&](V, llvm::ArrayRef<V> so) {
      llvm::SmallVector<V> next;
      for (V sum : so)
        next.push_back(k.fma(sum, x, x));
      return next;
    });
    for (size_t i = 1; i < sums.size(); ++i)
      sums[0] = sums[0] + sums[i];
    k.store(sums[0], a[1]);
  });
}

static std::vector<float> values(int64_t count, float scale) {
  std::vector<float> result(count);
  uint32_t seed = 1;
  for (float &value : result) {
    seed = seed * 1664525 + 1013904223;
    value = (static_cast<float>(seed >> 8) / 0x1p23f - 1.0f) * scale;
  }
  return result;
}

/// Memory in large pages where the system gives them, as the runtime's is.
template <typename T> class Large {
public:
  explicit Large(int64_t count) : bytes(roundUp(count * sizeof(T))) {
    memory = std::aligned_alloc(kPage, bytes);
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
  }
  ~Large() { std::free(memory); }
  T *data() { return static_cast<T *>(memory); }

private:
  static constexpr size_t kPage = 2 << 20;
  static size_t roundUp(size_t size) { return (size + kPage - 1) & -kPage; }
  size_t bytes;
  void *memory;
};

static void *aligned(std::vector<uint8_t> &memory, int64_t bytes) {
  memory.assign(bytes + 64, 0);
  void *at = memory.data();
  size_t space = memory.size();
  return std::align(64, bytes, at, space);
}

/// One key head with two value heads of 128 x 128.
static void benchDelta(double peak) {
  constexpr int64_t width = 128, heads = 2;
  KernelRunner runner;
  cpu::KernelBuilder &k = runner.k();
  std::string recurrentName =
      runner.add(cpu::deltaRecurrentKernel(k, width, width));
  std::string chunked64 =
      runner.add(cpu::deltaChunkedKernel(k, width, width, 64));
  std::string chunked32 =
      runner.add(cpu::deltaChunkedKernel(k, width, width, 32));
  auto *recurrent = runner.get<Delta>(recurrentName);

  int64_t most = 1024, row = 2 * width + heads * (width + 2);
  std::vector<float> rows = values(most * row, 1.0f);
  std::vector<float> aLog(heads, 0.1f), dtBias(heads, -3.0f);
  std::vector<float> out(most * heads * width);
  std::vector<uint8_t> memory;
  void *workspace =
      aligned(memory, cpu::deltaChunkedWorkspace(width, width, heads, 64));
  auto call = [&](Delta *kernel, float *state, int64_t tokens) {
    const float *q = rows.data(), *v = q + 2 * width, *a = v + heads * width;
    int64_t stride = row * 4;
    kernel(q, stride, q + width, stride, v, stride, a, stride, a + heads,
           stride, aLog.data(), dtBias.data(), 1e-6f, state, heads, tokens,
           out.data(), heads * width * 4, workspace);
  };
  // 16 key heads of 30 layers and 4 sequences: 252 MB of states.
  int64_t states = 16 * 30 * 4, stateFloats = heads * width * width;
  Large<float> state(states * stateFloats);
  std::fill_n(state.data(), states * stateFloats, 0.1f);
  double took = fastestParts(10, states, [&](int64_t i) {
    call(recurrent, state.data() + i * stateFloats, 1);
  });
  printf("delta, 1 token, states in memory: %.2f us per value head, "
         "%.1f GB/s read and written\n",
         took / (states * heads) * 1e6,
         8.0 * states * stateFloats / took * 1e-9);
  took = fastest(2000, [&] { call(recurrent, state.data(), 1); });
  printf("delta, 1 token, state in cache: %.2f us per value head\n",
         took / heads * 1e6);
  for (int64_t tokens : {2, 4, 8, 16, 64, 256, 1024}) {
    int runs = static_cast<int>(20000 / tokens);
    double slow = fastest(runs, [&] { call(recurrent, state.data(), tokens); });
    printf("delta, %4ld tokens: recurrent %.0f", long(tokens),
           slow / (tokens * heads) * 1e9);
    for (auto &[chunk, name] : {std::pair(64, chunked64), {32, chunked32}}) {
      auto *chunked = runner.get<Delta>(name);
      double fast = fastest(runs, [&] { call(chunked, state.data(), tokens); });
      // Three passes over the state, and the triangles.
      double work =
          2.0 * tokens * heads * (3 * width * width + 4 * width * chunk / 2.0);
      printf(", chunks of %d %.0f (%.1fx, %.0f %% of peak)", chunk,
             fast / (tokens * heads) * 1e9, slow / fast,
             100 * work / fast / peak);
    }
    printf(" ns per token and value head\n");
  }
}

static void benchAttend(double peak, bool int8) {
  constexpr int64_t width = 256, heads = 8, pages = 1024;
  KernelRunner runner;
  cpu::KernelBuilder &k = runner.k();
  auto *attend = runner.get<Attend>(
      runner.add(cpu::attendKernel(k, width, heads, int8 ? k.i8() : k.bf16())));
  int64_t pageBytes = pageRows(int8, width) * width * (int8 ? 1 : 2);
  printf("attention, cache of %s\n", int8 ? "int8" : "bf16");
  Large<uint16_t> keys(pages * pageBytes / 2), vals(pages * pageBytes / 2);
  for (int64_t i = 0; i < pages * pageBytes / 2; ++i) {
    keys.data()[i] = 0x3e00 + (i * 2654435761u >> 20) % 512;
    vals.data()[i] = 0x3f00 + (i * 2246822519u >> 20) % 512;
  }
  for (int64_t page = 0; int8 && page < pages; ++page)
    for (auto *memory : {&keys, &vals}) { // scales of 1 / 64
      auto *rows = reinterpret_cast<uint8_t *>(memory->data());
      auto *scales = rows + page * pageBytes + cpu::kPageTokens * width;
      std::fill_n(reinterpret_cast<float *>(scales), cpu::kPageTokens, 0x1p-6f);
    }
  std::vector<int32_t> table(pages);
  for (int64_t p = 0; p < pages; ++p)
    table[p] = static_cast<int32_t>((p * 37) % pages);
  int64_t most = 16, record = cpu::attendRecordBytes(width);
  std::vector<float> q = values(most * heads * width, 1.0f);
  std::vector<uint8_t> memory, recordMemory;
  void *workspace = aligned(memory, cpu::attendWorkspace(width, heads, most));
  auto *records =
      static_cast<float *>(aligned(recordMemory, most * heads * record));
  auto call = [&](int64_t page0, int64_t page1, int64_t tokens) {
    attend(q.data(), heads * width * 4, width * 4, keys.data(), vals.data(),
           pageBytes, table.data(), page0, page1, pages * 64 - tokens, tokens,
           0.0625f, records, heads * record, record, workspace);
  };
  double took = fastestParts(10, pages / 16,
                             [&](int64_t i) { call(i * 16, i * 16 + 16, 1); });
  printf("attend, 1 token, cache in memory: %.2f us per page, %.1f GB/s\n",
         took / pages * 1e6, 2.0 * pages * pageBytes / took * 1e-9);
  volatile uint64_t sink = 0;
  took = fastestParts(10, pages, [&](int64_t page) {
    auto *from = keys.data() + page * pageBytes / 2;
    uint64_t sum = 0;
    for (int64_t i = 0; i < pageBytes / 8; ++i)
      sum += reinterpret_cast<uint64_t *>(from)[i];
    sink = sum;
  });
  printf("plain read of the same memory: %.1f GB/s\n",
         1.0 * pages * pageBytes / took * 1e-9);
  took = fastest(500, [&] { call(0, 4, 1); });
  printf("attend, 1 token, pages in cache: %.2f us per page\n", took / 4 * 1e6);
  for (int64_t tokens : {2, 4, 8, 16}) {
    took = fastest(50, [&] { call(0, 16, tokens); });
    double flops = 4.0 * tokens * heads * width * 16 * 64;
    printf("attend, %2ld tokens, 16 pages: %.1f GFLOP/s (%.0f %% of peak)\n",
           long(tokens), flops / took * 1e-9, 100 * flops / took / peak);
  }
}

static void benchConv() {
  constexpr int64_t channels = 512, tokens = 256, stride = 12288;
  KernelRunner runner;
  auto *conv =
      runner.get<void(const float *, int64_t, void *, int64_t, const float *,
                      int64_t, int64_t, float *, int64_t)>(
          runner.add(cpu::convKernel(runner.k(), 4, runner.k().bf16())));
  std::vector<float> x = values(tokens * stride, 1.0f);
  std::vector<float> weight = values(channels * 4, 0.5f);
  std::vector<float> out(tokens * channels);
  std::vector<uint16_t> window(3 * channels);
  for (int64_t count : {int64_t(1), tokens}) {
    double took = fastest(200, [&] {
      conv(x.data(), stride * 4, window.data(), channels * 2, weight.data(),
           channels, count, out.data(), channels * 4);
    });
    printf("conv, %3ld tokens: %.2f ns per token and 16 channels\n",
           long(count), took / (count * channels / 16) * 1e9);
  }
}

int main() {
  KernelRunner runner;
  auto *peakFunction = runner.get<Peak>(runner.add(peakKernel(runner.k())));
  std::vector<float> x(16, 0.5f);
  int64_t sums = runner.isa().lanes == 16 ? 16 : 4, steps = 1000000;
  double took = fastest(20, [&] { peakFunction(steps, x.data()); });
  double peak = 2.0 * 16 * sums * steps / took;
  printf("peak of f32: %.0f GFLOP/s\n", peak * 1e-9);
  benchDelta(peak);
  for (bool int8 : {false, true})
    benchAttend(peak, int8);
  benchConv();
}
