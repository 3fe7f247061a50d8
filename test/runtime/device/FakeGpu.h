// A GPU for tests: memory of this machine, kernels as functions of the test,
// and a queue whose work is done as late as the rules allow, so that memory
// that is used again too early shows. FakeCuda.cpp and FakeHip.cpp put the
// drivers' entry points in front of it.
//
// Environment, read at each call:
//   FAKE_GPU_FAIL=cuInit=100,cuLaunchKernelEx=700  results of entry points
//   FAKE_GPU_COUNT, FAKE_GPU_ARCH (9.0, gfx942), FAKE_GPU_VERSION
//   FAKE_GPU_BYTES   memory of the device
//   FAKE_GPU_ROOM    blocks of a kernel that a unit has room for
#ifndef QUARTET_TEST_RUNTIME_FAKEGPU_H
#define QUARTET_TEST_RUNTIME_FAKEGPU_H
#include "quartet/abi.h"
#include <cstdint>
#include <string>

namespace quartet::rt::test {

/// What the fake drivers take as an image.
struct FakeImage {
  static constexpr uint64_t expected = 0x45474d4945414b46;
  uint64_t magic = expected;
  struct Kernel {
    const char *name;
    /// Runs for the whole grid.
    void (*run)(const quartet_step_args *args, int64_t layer, int64_t *stamps);
  };
  const Kernel *kernels = nullptr;
  uint64_t count = 0;
};

/// What the drivers' libraries export beside the drivers' functions: a line for
/// each call that matters, and a way to forget them.
using FakeLog = const char *(*)();
using FakeReset = void (*)();
constexpr const char *fakeLogName = "fakeGpuLog";
constexpr const char *fakeResetName = "fakeGpuReset";

} // namespace quartet::rt::test
#endif
