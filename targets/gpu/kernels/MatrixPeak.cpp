// Several sums at a time, so that no instruction waits for the one before; with
// warp groups a long row of instructions, while the other groups have theirs.
#include "targets/gpu/kernels/MatrixPeak.h"
#include "runtime/include/quartet/abi.h"
#include "targets/gpu/WarpGroup.h"
#include <cstddef>

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Sums that a warp works on at a time.
static constexpr int64_t kChains = 8;
/// Rows of B and instructions of a warp group.
static constexpr int64_t kGroupTokens = 128, kGroupSteps = 16;

/// Words that differ from thread to thread: zeros would need less power than
/// what a model multiplies. bf16 are of size 1 to 2. Lanes 16 apart have the
/// same, as some families want.
static V words(DeviceBuilder &k, MatrixElement element, int64_t number) {
  V hash = k.truncate(((k.thread() & int64_t(-17)) + 1) * int64_t(0x9e3779b9) +
                          number * 77,
                      k.i32());
  return element == MatrixElement::Int8
             ? hash
             : (hash & int64_t(0x007f007f)) | k.i32(0x3f803f80);
}

/// Multiplies and adds, each an operation, of one round of a block.
static int64_t operationsOf(const DeviceBuilder &k, const MatrixUnit &unit) {
  bool int8 = unit.element == MatrixElement::Int8;
  if (k.machine.wgmma)
    return 2 * 64 * kGroupTokens * (int8 ? 32 : 16) * kGroupSteps *
           (k.machine.warps() / kGroupWarps);
  int64_t columns = int8 ? k.machine.int8K : k.machine.bf16K;
  return 2 * 16 * unit.tokens * columns * kChains * k.machine.warps();
}

/// Rounds with matrix instructions of a warp; gives a word of all sums.
static V byWarps(DeviceBuilder &k, const MatrixUnit &unit, V rounds) {
  SmallVector<V> a, b, sums;
  for (int64_t i = 0; i < unit.kWords * unit.rowsPerLane; ++i)
    a.push_back(words(k, unit.element, i));
  for (int64_t i = 0; i < unit.kWords; ++i)
    b.push_back(words(k, unit.element, 100 + i));
  MatrixUnit::Sum zero = unit.zero();
  for (int64_t chain = 0; chain < kChains; ++chain)
    sums.append(zero);
  sums = k.fold(k.i64(0), rounds, 1, sums, [&](V, ArrayRef<V> before) {
    SmallVector<V> after;
    for (int64_t chain = 0; chain < kChains; ++chain)
      after.append(unit.multiply(
          a, b,
          MatrixUnit::Sum(before.slice(chain * zero.size(), zero.size()))));
    return after;
  });
  V all;
  for (V sum : sums) {
    bool vector = llvm::isa<mlir::VectorType>(sum.type());
    V word = vector ? k.extract(sum, 0) : sum;
    word = word.type() == k.i32() ? word : k.bitcast(word, k.i32());
    all = all ? all ^ word : word;
  }
  return all;
}

static V byGroups(DeviceBuilder &k, MatrixElement element, V rounds) {
  V rows = k.shared(kGroupTokens * kGroupRowBytes, kSharedAlign);
  k.forThreads(kGroupTokens * kGroupRowBytes / 4,
               [&](V i) { k.store(words(k, element, 200), rows, i * 4); });
  groupFence(k);
  k.barrier();
  SmallVector<V> a;
  SmallVector<int64_t> offsets;
  V descriptor = groupDescriptor(k, rows);
  for (int64_t step = 0; step < kGroupSteps; ++step) {
    for (int64_t i = 0; i < 4; ++i)
      a.push_back(words(k, element, i));
    offsets.push_back(step % 4 * 2);
  }
  return k.fold(k.i64(0), rounds, 1, {k.i32(0)}, [&](V, ArrayRef<V> before) {
    V sum = groupMultiply(k, element, kGroupTokens, a, descriptor, offsets)[0];
    return SmallVector<V>{
        before[0] ^ (sum.type() == k.i32() ? sum : k.bitcast(sum, k.i32()))};
  })[0];
}

static ProgramLaunch addPeak(DeviceBuilder &k, MatrixElement element,
                             const char *name) {
  ProgramLaunch launch;
  launch.kernel = name;
  k.setSite("matrix_peak");
  auto body = [&](V peak, V) {
    V rounds = k.load(k.i64(), peak, int64_t(offsetof(quartet_peak, rounds)));
    V done = k.load(k.ptr(kGlobalSpace), peak,
                    int64_t(offsetof(quartet_peak, done)));
    MatrixUnit unit(k, element);
    V sums = k.machine.wgmma ? byGroups(k, element, rounds)
                             : byWarps(k, unit, rounds);
    V mine = done + k.worker() * 16;
    // Sums that nobody could want would not be made.
    k.ifThen(sums == int64_t(0x5eed5eed),
             [&] { k.store(k.thread(), mine, int64_t(8)); });
    k.onFirstThread(
        [&] { k.store(rounds * operationsOf(k, unit), mine, int64_t(0)); });
  };
  // Without room for all operands of a warp group's row of instructions they
  // would run one after the other.
  k.kernel(name, body, /*alone=*/k.machine.wgmma);
  launch.sharedBytes = k.sharedBytes();
  return launch;
}

std::vector<ProgramLaunch> quartet::gpu::addMatrixPeaks(DeviceBuilder &k) {
  return {addPeak(k, MatrixElement::Int8, "quartet_peak_int8"),
          addPeak(k, MatrixElement::BF16, "quartet_peak_bf16")};
}
