// That a kernel goes all the way: loops, vectors, calls and conversions, on the
// machine itself and as code for older CPUs.
#include "test/targets/cpu/KernelRunner.h"
#include <gtest/gtest.h>
#include <vector>

using namespace quartet;
using namespace quartet::test;
using cpu::V;

/// out[i] = 2 * f16(x[i]) over n = 16 m values, by a helper per vector.
static std::string addScale(KernelRunner &runner) {
  cpu::KernelBuilder &k = runner.k();
  auto twice = k.function("twice", "pp", [&](llvm::ArrayRef<V> a) {
    V x = k.load(k.vec(16, k.f16()), a[0]);
    k.store(k.convert(x, k.vec(16, k.f32())) * 2.0, a[1]);
  });
  return runner.add(k.function("scale", "ppi", [&](llvm::ArrayRef<V> a) {
    k.loop(k.i64(0), a[2], 16, [&](V i) {
      k.call(twice, {a[0] + i * 2, a[1] + i * 4});
    });
  }));
}

static void expectScaled(KernelRunner &runner) {
  auto *scale =
      runner.get<void(const uint16_t *, float *, int64_t)>(addScale(runner));
  std::vector<uint16_t> x(48, 0x3e00); // 1.5
  x[47] = 0xbc00;                      // -1
  std::vector<float> y(49, 7.0f);
  scale(x.data(), y.data(), 48);
  EXPECT_EQ(y[0], 3.0f);
  EXPECT_EQ(y[46], 3.0f);
  EXPECT_EQ(y[47], -2.0f);
  EXPECT_EQ(y[48], 7.0f);
}

TEST(KernelRunner, Host) {
  KernelRunner runner;
  expectScaled(runner);
}

TEST(KernelRunner, OlderCpus) {
  for (const char *cpu : {"x86-64", "x86-64-v3", "generic"}) {
    if (!KernelRunner::canRun(cpu))
      continue;
    KernelRunner runner{llvm::StringRef(cpu)};
    expectScaled(runner);
  }
}

// A frame of its own for every turn would need a hundred megabytes.
TEST(KernelBuilder, StackInsideALoop) {
  KernelRunner runner;
  cpu::KernelBuilder &k = runner.k();
  std::string name = runner.add(
      k.function("sum_through_stack", "pi", [&](llvm::ArrayRef<V> a) {
        k.loop(a[1], [&](V i) {
          V memory = k.stack(1024);
          // A function that is made meanwhile has a frame of its own.
          auto twice = k.function("twice_to", "pi", [&](llvm::ArrayRef<V> b) {
            V own = k.stack(64);
            k.store(b[1] + b[1], own);
            k.store(k.load(k.i64(), own), b[0], int64_t(512));
          });
          k.ifThen(i >= 0, [&] { k.call(twice, {memory, i}); });
          V sum = k.load(k.i64(), a[0]);
          k.store(sum + k.load(k.i64(), memory, int64_t(512)), a[0]);
        });
      }));
  int64_t sum = 5;
  runner.get<void(int64_t *, int64_t)>(name)(&sum, 100000);
  EXPECT_EQ(sum, 5 + 100000ll * 99999);
}
