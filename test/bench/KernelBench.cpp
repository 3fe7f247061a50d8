// Speed of the matrix micro-kernels on one core of this machine: one token
// against memory-resident panels beside a plain read of the same bytes, and
// multiplications per second for many tokens. Times are the least of several
// runs, since whoever shares the machine only makes them longer.
//   kernel-bench [cpu=NAME] [format...]     NAME as in LLVM, x86-64-v3 say
#include "targets/cpu/kernels/Dot.h"
#include "test/targets/cpu/DotData.h"
#include "test/targets/cpu/KernelRunner.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sys/mman.h>

using namespace quartet;
using namespace quartet::test;
using cpu::V;

using Matmul = void(const uint8_t *, int64_t, const uint8_t *, int64_t, int64_t,
                    int64_t, float *, int64_t);
using Read = void(const uint8_t *, int64_t, uint8_t *);
using Count = void(int64_t, uint8_t *);

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

/// Ors all lines together, so many at once that memory is what limits it.
static mlir::func::FuncOp readKernel(cpu::KernelBuilder &k) {
  return k.function("read", "pip", [&](llvm::ArrayRef<V> a) {
    mlir::Type line = k.vec(16, k.i32());
    llvm::SmallVector<V> sums(8, k.zero(line));
    sums = k.fold(k.i64(0), a[1], 512, sums, [&](V i, llvm::ArrayRef<V> sums) {
      llvm::SmallVector<V> next;
      for (int64_t j = 0; j < 8; ++j) {
        V place = a[0] + i + 64 * j;
        k.prefetch(place + 4096);
        next.push_back(sums[j] | k.load(line, place, int64_t(0), 64));
      }
      return next;
    });
    for (int64_t j = 1; j < 8; ++j)
      sums[0] = sums[0] | sums[j];
    k.store(sums[0], a[2]);
  });
}

/// A chain of dependent additions, one per cycle, to learn the clock.
static mlir::func::FuncOp countKernel(cpu::KernelBuilder &k) {
  return k.function("count", "ip", [&](llvm::ArrayRef<V> a) {
    V x = k.load(k.i64(), a[1]);
    x = k.fold(k.i64(0), a[0], 1, {x}, [&](V i, llvm::ArrayRef<V> x) {
      V y = x[0];
      for (int j = 0; j < 16; ++j)
        y = (y ^ i) + i;
      return llvm::SmallVector<V>{y};
    })[0];
    k.store(x, a[1]);
  });
}

int main(int argc, char **argv) {
  std::vector<std::string> formats(argv + 1, argv + argc);
  std::string cpu;
  if (!formats.empty() && formats[0].compare(0, 4, "cpu=") == 0) {
    cpu = formats[0].substr(4);
    formats.erase(formats.begin());
  }
  if (formats.empty())
    formats = {"int4:64",     "int4:128:point",
               "int4:32:min", "int4:32:iq4_nl",
               "int8:64",     "int8:128",
               "fp8:128:f32", "bf16",
               "f16",         "f32"};
  KernelRunner runner{llvm::StringRef(cpu)};
  std::string read = runner.add(readKernel(runner.k()));
  std::string count = runner.add(countKernel(runner.k()));
  std::vector<std::string> kernels;
  for (const std::string &text : formats) {
    std::optional<PackedFormat> format = PackedFormat::parse(text);
    if (!format) {
      std::fprintf(stderr, "kernel-bench: '%s' is not a format\n",
                   text.c_str());
      return 1;
    }
    kernels.push_back(runner.add(cpu::matmulKernel(runner.k(), *format)));
  }

  AlignedBytes result(64);
  constexpr int64_t kCount = 32 << 10;
  double clock = 32.0 * kCount / fastest(40, [&] {
                   runner.get<Count>(count)(kCount, result.data());
                 });
  // Windows of a memory far larger than the caches, short enough that some run
  // goes undisturbed.
  constexpr int64_t kWindow = 16 << 20, kWindows = 32;
  constexpr int64_t kHuge = 2 << 20, kAll = kWindow * kWindows + kHuge;
  auto *memory = static_cast<uint8_t *>(std::aligned_alloc(kHuge, kAll));
  if (!memory) {
    std::fprintf(stderr, "kernel-bench: no memory for %ld bytes\n", long(kAll));
    return 1;
  }
  (void)madvise(memory, kAll, MADV_HUGEPAGE); // as the runtime does
  std::memset(memory, 0x34, kAll);
  int64_t turn = 0;
  auto window = [&] { return memory + turn++ % kWindows * kWindow; };
  double bandwidth = kWindow / fastest(4 * kWindows, [&] {
                       runner.get<Read>(read)(window(), kWindow, result.data());
                     });
  std::printf("clock %.2f GHz, plain read %.1f GB/s\n", clock * 1e-9,
              bandwidth * 1e-9);
  std::printf("%-15s %s\n", "format",
              "from memory, GB/s: 1, 4, 8, 16 tokens         from the cache, "
              "tokens: GMAC/s (MAC per cycle)");

  constexpr int64_t kColumns = 2048, kMany = 192;
  std::mt19937 random(1);
  for (size_t i = 0; i < formats.size(); ++i) {
    PackedFormat format = *PackedFormat::parse(formats[i]);
    PanelLayout layout(format, kColumns);
    StagedRows rows(format, kMany, kColumns, random);
    auto *matmul = runner.get<Matmul>(kernels[i]);
    int64_t panels = kWindow / layout.bytes;
    std::vector<float> out(std::max(panels * 16, kMany * 128) +
                           panels * 16 * 16);
    std::printf("%-15s", formats[i].c_str());
    for (int64_t tokens : {1, 4, 8, 16}) {
      double speed = panels * layout.bytes / fastest(4 * kWindows, [&] {
                       matmul(window(), panels, rows.bytes.data(), rows.stride,
                              kColumns, tokens, out.data(), panels * 64);
                     });
      std::printf(" %6.1f %3.0f%%", speed * 1e-9, 100 * speed / bandwidth);
    }
    std::printf(" ");
    for (int64_t tokens : {1, 2, 4, 8, 192}) {
      // Eight panels, as a task would have.
      double macs = 8.0 * 16 * kColumns * tokens / fastest(60, [&] {
                      matmul(memory, 8, rows.bytes.data(), rows.stride,
                             kColumns, tokens, out.data(), 512);
                    });
      std::printf(" %ld: %.0f (%.0f)", tokens, macs * 1e-9, macs / clock);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  std::free(memory);
  return 0;
}
