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
