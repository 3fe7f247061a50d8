// Who has done what when. A tick is a moment of the whole machine: a block
// takes the next one at each barrier, at each release and at each barrier of a
// warp, so an access is before a meeting when its tick is less than the
// meeting's.
#ifndef QUARTET_RUNTIME_EMULATOR_CLOCK_H
#define QUARTET_RUNTIME_EMULATOR_CLOCK_H
#include <cstdint>
#include <vector>

namespace quartet::emu {

/// Who accessed, as a number: block << 16 | thread << 6 | flags.
namespace who {
constexpr uint32_t kKind = 3; ///< which of the next four
constexpr uint32_t kThread = 0;
constexpr uint32_t kWarp = 1;     ///< several threads of the thread's warp
constexpr uint32_t kBlock = 2;    ///< several threads of the block
constexpr uint32_t kBlocks = 3;   ///< several blocks; slot << 6 instead
constexpr uint32_t kAtomic = 4;   ///< by atomic operations
constexpr uint32_t kInFlight = 8; ///< an asynchronous copy will write
constexpr uint32_t kSplit = 16;   ///< its bytes differ: see their cells
constexpr uint32_t kGroup = 32;   ///< of kBlock: all of the thread's warp group
constexpr uint32_t kFlags = 63;

inline uint32_t make(uint32_t block, uint32_t thread) {
  return block << 16 | thread << 6;
}
inline uint32_t block(uint32_t who) { return who >> 16; }
inline uint32_t thread(uint32_t who) { return who >> 6 & 1023; }
inline uint32_t slot(uint32_t who) { return who >> 6; }
} // namespace who

/// The last access of a kind.
struct Mark {
  uint32_t tick = 0; ///< 0: never
  uint32_t who = 0;
};

/// A set of accesses: of block b, all before ticks[b]; and of each thread in
/// `own`, all up to its tick.
struct Clock {
  std::vector<uint32_t> ticks;
  std::vector<Mark> own;

  bool empty() const { return ticks.empty() && own.empty(); }
  void clear() {
    ticks.clear();
    own.clear();
  }
  void add(uint32_t block, uint32_t before);
  void addOwn(Mark mark);
  void join(const Clock &other);
  /// Whether the access \p mark (of a thread, warp or block) is in the set.
  bool has(Mark mark) const {
    return inTicks(mark) || (!own.empty() && hasOwn(mark));
  }

private:
  bool inTicks(Mark mark) const {
    uint32_t block = who::block(mark.who);
    return block < ticks.size() && mark.tick < ticks[block];
  }
  bool hasOwn(Mark mark) const;
};

} // namespace quartet::emu
#endif
