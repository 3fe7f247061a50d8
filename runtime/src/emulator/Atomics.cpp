// Atomic operations and fences, and the order that they make between blocks: a
// release publishes what is before it, which is what its thread did and what
// the block did before its last barrier; who acquires that knows it, and the
// whole block does behind its next barrier.
#include "runtime/src/emulator/Machine.h"

using namespace quartet::emu;

/// All accesses that are before what \p t does now.
static Clock pastOf(const Thread &t) {
  const Block &block = *t.block;
  Clock past = block.known;
  past.join(t.acquired);
  past.add(block.index, block.barrierTick);
  // Other lanes, up to the last warp barrier.
  if (t.warp->tick > block.barrierTick)
    for (uint32_t lane = 0; lane < 64; ++lane)
      if (t.warp->lanes >> lane & 1)
        past.addOwn(
            {t.warp->tick - 1, who::make(block.index, t.warp->first + lane)});
  past.addOwn({block.tick, t.me});
  return past;
}

static constexpr int32_t kAcquire = 1, kRelease = 2;

/// What order \p order makes of an access to \p address.
static void synchronize(Thread &t, const uint32_t *address, bool reads,
                        bool writes, int32_t order) {
  Machine &m = *t.machine;
  if (reads) {
    auto found = m.released.find(address);
    if (found != m.released.end()) {
      if (order & kAcquire)
        t.acquired.join(found->second);
      else
        t.relaxed.join(found->second);
    }
  }
  if (!writes)
    return;
  m.idle = 0;
  Clock &published = m.released[address];
  if (!reads)
    published.clear(); // a store ends what releases before it have begun
  if (order & kRelease) {
    published.join(pastOf(t));
    t.block->tick = ++m.now; // what follows is not in it
  } else if (!t.fenced.empty()) {
    published.join(t.fenced);
  }
}

/// Checks an atomic access and returns when it is the thread's turn to do it.
static void enter(Thread &t, const uint32_t *address, bool write,
                  const char *site) {
  Machine &m = *t.machine;
  t.site = site;
  auto at = reinterpret_cast<uintptr_t>(address);
  if (at & 3) {
    m.report(ReportKind::BadInstruction, site, nullptr,
             "bad address: " + nameOf(t) + " has an atomic access at " +
                 quoted(site) + " whose address isn't a multiple of 4");
    m.abandon();
  }
  if (Space *space = m.locate(t, address, 4, write, site))
    checkAtomic(t, *space, at - space->base, write, site);
}

uint32_t quartet_emu_atomic_add(uint32_t *address, uint32_t value,
                                int32_t order, const char *site) {
  Thread &t = *current;
  enter(t, address, true, site);
  uint32_t before = *address;
  *address = before + value;
  t.spinAddress = nullptr;
  synchronize(t, address, true, true, order);
  return before;
}

uint32_t quartet_emu_atomic_load(const uint32_t *address, int32_t order,
                                 const char *site) {
  Thread &t = *current;
  // Who loads the same value again waits for another one: others' turn.
  if (t.spinAddress == address && t.spinValue == *address)
    t.machine->yield(t);
  enter(t, address, false, site);
  uint32_t value = *address;
  t.spinAddress = address;
  t.spinValue = value;
  synchronize(t, address, true, false, order);
  return value;
}

void quartet_emu_atomic_store(uint32_t *address, uint32_t value, int32_t order,
                              const char *site) {
  Thread &t = *current;
  enter(t, address, true, site);
  *address = value;
  t.spinAddress = nullptr;
  synchronize(t, address, false, true, order);
}

void quartet_emu_fence(const char *site) {
  Thread &t = *current;
  t.site = site;
  t.acquired.join(t.relaxed);
  t.relaxed.clear();
  t.fenced = pastOf(t);
  t.block->tick = ++t.machine->now;
}
