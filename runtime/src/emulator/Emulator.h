// A GPU on one thread of the CPU: runs kernels that were lowered to calls of
// quartet/emulator.h, each thread of each block as a fibre, and reports what
// hardware would let pass: accesses out of bounds, races, reads of memory that
// nobody wrote, missing waits, barriers that not all threads reach.
#ifndef QUARTET_RUNTIME_EMULATOR_EMULATOR_H
#define QUARTET_RUNTIME_EMULATOR_EMULATOR_H
#include "quartet/abi.h"
#include "quartet/emulator.h"
#include <memory>
#include <string>
#include <vector>

namespace quartet::emu {

struct Options {
  int64_t lanes = 32;    ///< of a warp: 32 or 64
  int64_t threads = 256; ///< of a block: 1 to 1024
  /// Of a launch: 1 to 65535. All are resident at once, so they may wait for
  /// each other.
  int64_t blocks = 2;
  int64_t stackBytes = 64 << 10;   ///< of each thread
  int64_t sharedLimit = 227 << 10; ///< most dynamic shared memory of a block
  int64_t maxReports = 20;         ///< different ones that are kept
  /// Another seed, another order in which threads and blocks run: 0 is that of
  /// their numbers. The same seed gives the same run.
  uint64_t seed = 0;
};

enum class RegionKind {
  ReadOnly,  ///< written by the host only: weights, arguments
  ReadWrite, ///< defined from the start: states, results, counters
  Scratch    ///< undefined when a step begins
};

enum class ReportKind {
  OutOfBounds,    ///< or a write to what may only be read
  Race,           ///< conflicting accesses that nothing orders
  Unwritten,      ///< a read of memory that nobody wrote
  MissingWait,    ///< of an asynchronous copy or of the launch in front
  SourceChanged,  ///< of an asynchronous copy, while it was in flight
  Divergence,     ///< a barrier or a warp's meeting that can't be completed
  Deadlock,       ///< all threads wait
  StackOverflow,  ///< of a thread
  Fault,          ///< the CPU refused an access that no call announced
  BadInstruction, ///< operands that the hardware has not
  BadLaunch       ///< launched with what the device has not
};
const char *toString(ReportKind kind);

struct Report {
  ReportKind kind;
  std::string message; ///< one line: what, where, who, and at which sites
  uint64_t times = 1;  ///< how often it was seen at the same sites
};

using Kernel = decltype(quartet_launch::host);

/// See quartet_launch.
struct Launch {
  Kernel kernel = nullptr;
  const char *name = ""; ///< stands in reports
  const quartet_step_args *args = nullptr;
  int64_t layer = 0;
  int64_t *stamps = nullptr;
  int64_t sharedBytes = 0;
  /// It may start before the launch in front has ended: until a thread has
  /// called quartet_emu_dependency_wait, it must not read what that one writes
  /// and must not write device memory.
  bool overlap = false;
};

struct Machine;

/// Not for use by several threads at once. Kernels may touch the regions, the
/// shared memory of their block, their own stack, and read the constants of
/// the program that runs.
class Emulator {
public:
  explicit Emulator(const Options &options);
  ~Emulator();
  Emulator(const Emulator &) = delete;
  Emulator &operator=(const Emulator &) = delete;

  /// Lets kernels access [base, base + bytes). False when it is empty or
  /// overlaps another region.
  bool addRegion(const void *base, uint64_t bytes, std::string name,
                 RegionKind kind);
  /// Forgets the region that begins at \p base, if there is one.
  void removeRegion(const void *base);

  /// As Options::seed, for the launches from now on.
  void setSeed(uint64_t seed);

  /// From now on nobody has written the scratch regions, and the launches
  /// before have ended, also for one that overlaps.
  void beginStep();

  /// Runs all blocks to their end, behind the launches before. False when it
  /// had to be abandoned, after a report that says why; what it wrote until
  /// then stays.
  bool launch(const Launch &launch);

  /// What was found since the last clearReports, in the order of its finding.
  const std::vector<Report> &reports() const;
  /// How many more, beyond Options::maxReports, were not kept.
  uint64_t dropped() const;
  void clearReports();

private:
  std::unique_ptr<Machine> machine;
};

} // namespace quartet::emu
#endif
