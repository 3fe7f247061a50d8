// The builder of the GPU's micro-kernels: CodeBuilder's values and loops for
// one thread of a block, and what the threads of a block do together. One
// builder for all vendors: what differs between them is in GpuFacts and in
// targets/gpu/MatrixUnit.h.
#ifndef QUARTET_TARGETS_GPU_DEVICEBUILDER_H
#define QUARTET_TARGETS_GPU_DEVICEBUILDER_H
#include "targets/codegen/CodeBuilder.h"
#include "targets/gpu/GpuFacts.h"
#include <string>

namespace quartet::gpu {

/// LLVM's numbers of the address spaces, on NVIDIA and AMD.
constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3;
/// On a func.func: it is a kernel, (!llvm.ptr<1> args, i64 layer, !llvm.ptr<1>
/// stamps).
constexpr llvm::StringLiteral kKernelAttr = "quartet.kernel";
/// On a func.func: kernels call it on all threads, with arguments like theirs.
constexpr llvm::StringLiteral kPhaseAttr = "quartet.phase";
/// On a kernel or a phase: the bytes of dynamic shared memory that a block
/// needs.
constexpr llvm::StringLiteral kSharedBytesAttr = "quartet.shared_bytes";
/// On a kernel or a phase: how many of its blocks shall share a unit, where
/// that is not GpuFacts::blocksPerUnit.
constexpr llvm::StringLiteral kBlocksPerUnitAttr = "quartet.blocks_per_unit";
/// On a gpu.barrier: what one thread tells other blocks behind it is told for
/// the whole block ("release"), or what one has learnt in front of it holds for
/// the whole block ("acquire").
constexpr llvm::StringLiteral kBarrierOrderAttr = "quartet.barrier_order";
/// On an atomic op of one thread for its block: what its ordering asks for, the
/// barriers around it do already, where they do more than the op's own thread
/// could.
constexpr llvm::StringLiteral kByBarriersAttr = "quartet.by_barriers";
/// The global (an array of no bytes in the shared space) where they begin.
constexpr llvm::StringLiteral kSharedSymbol = "quartet_shared";
/// Its alignment, which the patterns of warp-group operands need.
constexpr int64_t kSharedAlign = 1024;
/// Warps of a warp group.
constexpr int64_t kGroupWarps = 4;

/// What is written with it runs on every thread of every block. Functions that
/// "meet" have a barrier: all threads of the block must come to them, so they
/// may stand only where control flow is the same for the whole block (for the
/// whole warp, where it says warp).
class DeviceBuilder : public CodeBuilder {
public:
  DeviceBuilder(mlir::ModuleOp module, mlir::Location loc,
                const GpuFacts &machine);

  const GpuFacts &machine;

  /// Adds the kernel \p name, made by \p body from the address of the step's
  /// arguments (global) and the repetition of the layers (i64). \p alone: its
  /// blocks have a unit for themselves.
  mlir::func::FuncOp kernel(llvm::StringRef name,
                            llvm::function_ref<void(V args, V layer)> body,
                            bool alone = false);
  /// The same for a function of kernels, which stays one: what is in it gets
  /// registers for itself.
  mlir::func::FuncOp phase(llvm::StringRef name,
                           llvm::function_ref<void(V args, V layer)> body,
                           bool alone = false);
  /// All threads of the block run \p phase, in which stamps() is \p stamps.
  void callPhase(mlir::func::FuncOp phase, V args, V layer, V stamps);
  bool isAlone() const { return alone; }
  /// Registers that a thread of the kernel may have.
  int64_t registers() const {
    return alone ? machine.loneRegisters : machine.registers;
  }

  /// What follows belongs to the part of the schedule called \p name
  /// ("l0.in / matmul"): it stands in the emulator's reports.
  void setSite(llvm::StringRef name);

  // Where the thread is; i64.
  V thread() { return threadIndex; } ///< in its block
  V lane() { return laneIndex; }     ///< in its warp
  V warp() { return warpIndex; }     ///< in its block
  V worker() { return blockIndex; }  ///< the block
  V workers() { return blockCount; } ///< blocks of the launch

  /// Where the launch's stamps go; null when nobody wants any. The same for all
  /// threads.
  V stamps() { return stampBase; }
  V wantsStamps(); ///< i1
  /// What the device's clock shows, in ticks of GpuFacts::clockHertz.
  V clock();

  // The block.
  /// Meets; orders shared and device memory between the block's threads.
  void barrier();
  /// The warps of a warp group meet (NVIDIA; four each, from warp 0 on); orders
  /// memory between their threads.
  void groupBarrier();
  /// body(i) for i in [0, count), i = thread, thread + threads, ...
  void forThreads(V count, Body1 body);
  void forThreads(int64_t count, Body1 body);
  /// body(i) for i = warp, warp + warps, ...: control flow is that of a warp.
  void forWarps(V count, Body1 body);
  /// body(i) for i = lane, lane + lanes, ...
  void forLanes(V count, Body1 body);
  /// body on thread 0 alone.
  void onFirstThread(llvm::function_ref<void()> body);

  // What blocks tell each other: one thread reads and adds to words of device
  // memory that others do, too, between barriers of its block.
  /// barrier() in front of what one thread releases: all threads' writes.
  void releaseBarrier();
  /// barrier() behind what one thread has acquired, which all may read then.
  void acquireBarrier();
  /// Adds \p value (i32) to the word at \p pointer; gives what it was.
  V addCounter(V pointer, V value, mlir::LLVM::AtomicOrdering ordering);
  /// The word at \p pointer, with acquire.
  V readCounter(V pointer);
  /// Between two looks at a word that has not changed.
  void pause();

  // The warp. Values are f32 or i32.
  V shuffleXor(V value, int64_t mask);
  V shuffleIndex(V value, V lane); ///< lane: i64
  /// Of all lanes of the warp, in each of them; a butterfly: a fixed order.
  V warpSum(V value);
  V warpMax(V value);

  // Shared memory of the block: a stack of pieces, whose addresses are
  // constants.
  /// \p bytes more, aligned to \p align (up to kSharedAlign, at least 64).
  V shared(int64_t bytes, int64_t align = 64);
  /// Gives back, when it ends, what was taken since. Whoever reuses memory so
  /// must meet in between.
  class SharedScope {
  public:
    explicit SharedScope(DeviceBuilder &k) : k(k), used(k.sharedUsed) {}
    ~SharedScope() { k.sharedUsed = used; }

  private:
    DeviceBuilder &k;
    int64_t used;
  };
  int64_t sharedRoom() const {
    return (alone ? machine.loneSharedBytes : machine.sharedBytes) - sharedUsed;
  }
  /// The most that the kernel being made has used so far.
  int64_t sharedBytes() const { return sharedMost; }

  // Copies from global to shared memory that pass no registers (where
  // GpuFacts::copy says so). A thread waits for its own ones; a barrier behind
  // that lets the others see.
  /// Starts to copy \p bytes (4, 8 or 16), to which both addresses are aligned.
  /// Only the first \p valid bytes (i64) are read, zeros follow.
  void copyAsync(V to, V from, int64_t bytes, V valid = {});
  /// What was started since the last call is a group.
  void commitCopies();
  /// Waits until at most \p groups groups are in flight.
  void waitCopies(int64_t groups);

  // Launches that overlap (GpuFacts::dependentLaunch; nothing elsewhere).
  /// The launches before have ended, and what they wrote can be read.
  void dependencyWait();
  /// The next launch may start as soon as all blocks have said so.
  void dependencyLaunch();
  /// Loads in front of it are asked for before what stands behind it (AMD,
  /// whose code generator else moves them to where they are needed).
  void issueLoads();
  /// Arithmetic in front of it comes before what stands behind it (AMD): code
  /// generators then need no registers for both.
  void keepOrder();
  /// Reads the line at \p pointer (global) into the cache that blocks share.
  void prefetchShared(V pointer);

  // Words: how registers are seen by matrix instructions.
  /// \p count 32-bit words at \p pointer + \p offset in one load where the
  /// alignment allows (\p align bytes), as i32 values.
  llvm::SmallVector<V> loadWords(V pointer, V offset, int64_t count,
                                 unsigned align);

private:
  /// Adds a function (args, layer, stamps) with this body.
  mlir::func::FuncOp entry(llvm::StringRef name, bool lone,
                           llvm::function_ref<void(V args, V layer)> body);

  V sharedBase;
  V stampBase;
  V threadIndex, laneIndex, warpIndex, blockIndex, blockCount;
  int64_t sharedUsed = 0, sharedMost = 0;
  bool alone = false;
};

} // namespace quartet::gpu
#endif
