// Kernels as C++ functions that announce what they touch, as gpu-to-emulator
// would make them.
#ifndef QUARTET_TEST_RUNTIME_EMULATOR_HARNESS_H
#define QUARTET_TEST_RUNTIME_EMULATOR_HARNESS_H
#include "runtime/src/emulator/Emulator.h"
#include <cstring>
#include <functional>
#include <gtest/gtest.h>

namespace quartet::emu {

template <typename T> T load(const T *from, const char *site = "load") {
  quartet_emu_read(from, sizeof(T), alignof(T), site);
  return *from;
}
template <typename T> void store(T *to, T value, const char *site = "store") {
  quartet_emu_write(to, sizeof(T), alignof(T), site);
  *to = value;
}
template <typename T = uint32_t> T *shared(int64_t offset = 0) {
  return reinterpret_cast<T *>(static_cast<char *>(quartet_emu_shared()) +
                               offset);
}
inline int64_t thread() { return quartet_emu_thread(); }
inline int64_t block() { return quartet_emu_block(); }

/// An emulator that runs functions.
struct Device : Emulator {
  using Emulator::Emulator;

  static std::function<void()> &body() {
    static std::function<void()> function;
    return function;
  }
  static void kernel(const quartet_step_args *, int64_t, int64_t *) {
    body()();
  }

  bool run(std::function<void()> function, int64_t sharedBytes = 4096,
           bool overlap = false) {
    body() = std::move(function);
    Launch what;
    what.kernel = kernel;
    what.name = "test";
    what.sharedBytes = sharedBytes;
    what.overlap = overlap;
    return launch(what);
  }
  /// All messages, one a line.
  std::string text() const {
    std::string all;
    for (const Report &report : reports())
      all += report.message + "\n";
    return all;
  }
  bool has(ReportKind kind) const {
    for (const Report &report : reports())
      if (report.kind == kind)
        return true;
    return false;
  }
};

/// Small blocks, so that tests are quick.
inline Options small(uint64_t seed = 0, int64_t threads = 64,
                     int64_t blocks = 1) {
  Options options;
  options.threads = threads;
  options.blocks = blocks;
  options.seed = seed;
  return options;
}

#define EXPECT_CLEAN(device) EXPECT_EQ((device).text(), "")
/// The only report is of \p kind and has \p part in its message.
#define EXPECT_REPORT(device, reportKind, part)                                \
  do {                                                                         \
    ASSERT_EQ((device).reports().size(), 1u) << (device).text();               \
    EXPECT_EQ((device).reports()[0].kind, reportKind) << (device).text();      \
    EXPECT_NE((device).text().find(part), std::string::npos)                   \
        << (device).text();                                                    \
  } while (false)

} // namespace quartet::emu
#endif
