// The state of the emulated device, for the files of this folder. Everything
// runs on the thread that called Emulator::launch; `current` is whose turn it
// is.
#ifndef QUARTET_RUNTIME_EMULATOR_MACHINE_H
#define QUARTET_RUNTIME_EMULATOR_MACHINE_H
#include "runtime/src/emulator/Emulator.h"
#include "runtime/src/emulator/Fibre.h"
#include "runtime/src/emulator/Matrix.h"
#include "runtime/src/emulator/Shadow.h"
#include <cstring>
#include <map>
#include <unordered_map>

namespace quartet::emu {

struct Block;
struct Machine;

/// What a thread waits for.
enum class Wait : uint8_t { Nothing, Barrier, GroupBarrier, Warp, Ended };

/// Warps of a warp group.
constexpr size_t kGroupWarps = 4;

/// An asynchronous copy that has not arrived.
struct Copy {
  char *to;
  const char *from;
  uint32_t bytes, sourceBytes;
  uint64_t group;
  const char *site;
  char snapshot[16]; ///< the source at the issue
};

/// A bulk copy that has not arrived.
struct BulkCopy {
  char *to;
  const char *from;
  std::vector<char> snapshot; ///< the source at the issue
  const char *site;
};

/// A barrier for bulk copies in shared memory.
struct Transfer {
  uint32_t arrivals, missing; ///< of a phase; that have not arrived
  uint64_t phase = 0;         ///< the one that is not complete
  int64_t expected = 0;       ///< bytes of it
  uint32_t tick = 0;          ///< when the phase before was completed
  std::vector<BulkCopy> copies;
};

/// Lanes that meet: those of `mask`, of which `arrived` wait.
struct Meeting {
  uint64_t mask, arrived;
  uint32_t kind; ///< what they do together
  const char *site;
};

struct Warp {
  uint32_t first = 0;         ///< its lane 0 in the block
  uint64_t lanes = 0;         ///< that it has
  uint64_t ended = 0;         ///< lanes whose thread has ended
  uint64_t atBarrier = 0;     ///< lanes that wait at the block's barrier
  uint32_t tick = 0;          ///< when its lanes last met at a warp barrier
  uint32_t groupTick = 0;     ///< when its group last met at a barrier
  uint64_t groupProducts = 0; ///< instructions with its warp group
  std::vector<Meeting> meetings;
  // Lanes that can run, as a ring.
  uint8_t ready[64] = {};
  uint32_t readyFirst = 0, readyCount = 0;
};

/// What a lane brings to a meeting and takes from it.
struct Operands {
  uint64_t value; ///< a value, a predicate; then the result
  uint32_t from;  ///< the lane whose value it takes
  LaneWords words;
  const void *row;
};

/// Four warps, where a block has such: those that wait at their own barrier.
struct Group {
  uint32_t arrived = 0; ///< threads
  int32_t barrier = 0;  ///< its number; since the block's last barrier, or 0
  const char *site = nullptr;
};

struct Thread {
  void *sp = nullptr; ///< while others run
  Machine *machine = nullptr;
  Block *block = nullptr;
  Warp *warp = nullptr;
  uint32_t me = 0;    ///< see who
  uint32_t index = 0; ///< in its block
  uint32_t lane = 0;
  bool waited = true; ///< for the launch in front
  Wait wait = Wait::Nothing;
  const char *site = nullptr; ///< of what it waits for, or the last access
  uintptr_t stackBegin = 0, stackEnd = 0;
  Space *recent[2] = {}; ///< regions accessed last
  Operands operands = {};
  // The last atomic load, to tell who spins.
  const uint32_t *spinAddress = nullptr;
  uint32_t spinValue = 0;
  std::vector<Copy> copies; ///< ascending group
  /// Since its last group fence it has written shared memory, or copies have
  /// arrived there; the first of it at a tick. Barriers of bulk copies have
  /// begun.
  bool unfenced = false, unfencedBegin = false;
  uint32_t unfencedTick = 0;
  uint32_t fencedTick = 0; ///< of its last group fence
  uint64_t committed = 0;  ///< groups
  Clock acquired;          ///< since the block's last barrier
  Clock relaxed;           ///< seen by relaxed atomics: a fence acquires it
  Clock fenced;            ///< published by relaxed atomics after a fence
};

struct Block {
  uint32_t index = 0;
  uint32_t tick = 0;        ///< what accesses are marked with
  uint32_t barrierTick = 0; ///< of the last barrier
  uint32_t launchTick = 0;  ///< when the launch began
  Space shared;
  char *memory = nullptr; ///< sharedLimit bytes
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<Group> groups;
  Clock known; ///< accesses of other blocks that are before the last barrier
  uint32_t arrived = 0, ended = 0;
  const char *barrierSite = nullptr;
  std::map<uintptr_t, Transfer> transfers; ///< by address
  uint32_t readyCount = 0;                 ///< threads that can run
  size_t turn = 0;                         ///< warp whose lanes run
};

struct Machine {
  explicit Machine(const Options &options) : options(options) {}
  ~Machine();

  Options options;
  std::vector<Block> blocks;
  Stacks stacks;
  void *host = nullptr; ///< stack pointer of who called launch
  Launch what;          ///< being launched
  uint64_t live = 0;    ///< threads that have not ended
  uint64_t idle = 0;    ///< turns of spinning threads since something changed
  size_t turn = 0;      ///< block whose threads run
  uint64_t random = 0;

  uint32_t now = 1; ///< the last tick given
  /// The accesses since this tick and before the launch may still go on, as
  /// long as a thread of an overlapping launch has not waited.
  uint32_t unfinishedSince = 0;
  uint32_t previousTick = 1;  ///< when the launch in front began
  bool previousEarly = false; ///< it let this one start before it had waited
  bool early = false, anyWaited = false; ///< the same of this launch

  std::map<uintptr_t, Space> regions;                   ///< by end
  std::unordered_map<const uint32_t *, Clock> released; ///< by atomics
  /// Reads of cells that several blocks read: one per block and slot.
  struct Reader {
    Mark mark;
    const char *site;
  };
  std::vector<Reader> readers;
  std::vector<uint32_t> freeReaders; ///< as who; were given back
  /// Room for one more cell's, as a who (Check.cpp).
  uint32_t newReaders();

  std::vector<Report> reports;
  std::vector<std::pair<std::string, std::string>> reportSites;
  uint64_t dropped = 0;

  // Schedule.cpp
  bool prepare();
  bool launch(const Launch &launch);
  void makeReady(Thread &thread);
  /// Runs others until \p thread has been made ready and it is its turn.
  void suspend(Thread &thread);
  /// Lets others run, other blocks first.
  void yield(Thread &thread);
  /// Goes back to the host for good: nobody runs any more in this launch.
  [[noreturn]] void abandon();
  [[noreturn]] void deadlock();
  [[noreturn]] void overflow(Thread &thread);
  void runThread(Thread &thread);
  /// Calls \p body with 0 .. count - 1 in an order that depends on the seed.
  template <typename Body> void inSomeOrder(uint64_t count, Body body);
  uint64_t nextRandom();
  /// Which of the stacks \p thread has.
  static size_t stackOf(const Thread &thread) {
    return size_t(thread.block->index) * thread.block->threads.size() +
           thread.index;
  }

  // Memory.cpp
  bool addRegion(uintptr_t base, uint64_t bytes, std::string name,
                 RegionKind kind);
  void addProgram();
  Space *findRegion(uintptr_t address, uint64_t bytes);
  /// The space of an access that is allowed, null when it needs no more checks;
  /// else reports and abandons.
  Space *locate(Thread &thread, const void *address, int64_t bytes, bool write,
                const char *site);
  [[noreturn]] void outOfBounds(Thread &thread, uintptr_t address,
                                int64_t bytes, bool write, const char *site);

  // Meet.cpp
  void threadEnds(Thread &thread);
  /// What the threads of \p block wait for: "threads 0-31 wait at ...".
  std::string waits(const Block &block) const;
  [[noreturn]] void diverge(Thread &thread, const std::string &what);

  // Report.cpp
  void report(ReportKind kind, const char *site, const char *otherSite,
              const std::string &message);

  /// Another block gets its turn.
  void nextBlock() {
    if (++turn == blocks.size())
      turn = 0;
  }
  /// Another warp of \p block gets its turn.
  static void nextWarp(Block &block) {
    if (++block.turn == block.warps.size())
      block.turn = 0;
  }

private:
  Thread *next();
};

/// Whose turn it is; null: the host's.
extern thread_local Thread *current;

// Checks of accesses that are in bounds, and their marks (Check.cpp).
void checkRead(Thread &thread, Space &space, uint64_t offset, uint64_t bytes,
               const char *site);
void checkWrite(Thread &thread, Space &space, uint64_t offset, uint64_t bytes,
                const char *site);
/// Of a word; \p write: it also changes it.
void checkAtomic(Thread &thread, Space &space, uint64_t offset, bool write,
                 const char *site);
/// Marks words that an asynchronous copy of \p thread will write, or (\p
/// arrives) has written now.
void markCopy(Thread &thread, Space &space, uint64_t offset, uint64_t bytes,
              bool arrives, const char *site);

/// Marks words that a bulk copy will write, or has written: as of a block of
/// its own, so that a thread that has not waited for it has not seen it.
void markBulkCopy(Thread &thread, Space &space, uint64_t offset, uint64_t bytes,
                  bool arrives, const char *site);
/// The block as which bulk copies of \p block write.
inline uint32_t bulkBlock(const Machine &machine, const Block &block) {
  return uint32_t(machine.blocks.size()) + block.index;
}

/// Whether an access of this launch, by a thread, a warp or a block, is in
/// front of what \p thread does now.
inline bool isBefore(const Thread &thread, Mark mark) {
  const Block &block = *thread.block;
  if (mark.tick < block.launchTick)
    return true;
  if (who::block(mark.who) != block.index)
    return block.known.has(mark) || thread.acquired.has(mark);
  if (mark.tick < block.barrierTick)
    return true;
  uint32_t kind = mark.who & who::kKind;
  uint32_t lanes = unsigned(thread.machine->options.lanes);
  if (mark.tick < thread.warp->groupTick &&
      (kind != who::kBlock || mark.who & who::kGroup) &&
      who::thread(mark.who) / (lanes * kGroupWarps) ==
          thread.index / (lanes * kGroupWarps))
    return true;
  if (kind == who::kBlock)
    return false;
  if (kind == who::kThread && (mark.who & ~who::kFlags) == thread.me)
    return true;
  return mark.tick < thread.warp->tick &&
         who::thread(mark.who) - thread.warp->first < lanes;
}

/// \p thread changes shared memory now, which warp groups and bulk copies don't
/// see before its next group fence. To be called before the change is marked.
void changesShared(Thread &thread);

/// Reports that \p thread has a bad \p kind ("instruction"), which \p what
/// says, and abandons the launch (Report.cpp).
[[noreturn]] void badInstruction(Thread &thread, const char *site,
                                 const char *kind, const std::string &what);

// Texts of reports (Report.cpp).
std::string nameOf(const Thread &thread); ///< "thread 3 of block 0"
std::string nameOf(const Machine &machine, uint32_t who);
std::string placeOf(const Space &space, uint64_t offset); ///< "byte 8 of x"
std::string quoted(const char *site);
std::string hexadecimal(uintptr_t address);
inline bool sameSite(const char *a, const char *b) {
  return a == b || (a && b && std::strcmp(a, b) == 0);
}

inline uint64_t Machine::nextRandom() {
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  return random;
}

template <typename Body> void Machine::inSomeOrder(uint64_t count, Body body) {
  uint64_t first = 0, step = 1;
  if (options.seed && count > 1) {
    first = nextRandom() % count;
    auto common = [](uint64_t a, uint64_t b) {
      while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
      }
      return a;
    };
    do
      step = 1 + nextRandom() % (count - 1);
    while (common(step, count) != 1);
  }
  for (uint64_t i = 0, at = first; i < count; ++i, at = (at + step) % count)
    body(at);
}

} // namespace quartet::emu
#endif
