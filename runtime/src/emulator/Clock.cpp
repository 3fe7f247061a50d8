// Sets of accesses as vector clocks: one tick per block, and single threads
// that have told of themselves without a barrier of their block.
#include "runtime/src/emulator/Clock.h"
#include <algorithm>

using namespace quartet::emu;

void Clock::add(uint32_t block, uint32_t before) {
  if (block >= ticks.size())
    ticks.resize(block + 1, 0);
  ticks[block] = std::max(ticks[block], before);
}

void Clock::addOwn(Mark mark) {
  if (inTicks(mark))
    return;
  for (Mark &other : own)
    if (other.who == mark.who) {
      other.tick = std::max(other.tick, mark.tick);
      return;
    }
  own.push_back(mark);
}

void Clock::join(const Clock &other) {
  for (uint32_t block = 0; block < other.ticks.size(); ++block)
    add(block, other.ticks[block]);
  own.erase(std::remove_if(own.begin(), own.end(),
                           [&](Mark mark) { return inTicks(mark); }),
            own.end());
  for (Mark mark : other.own)
    addOwn(mark);
}

bool Clock::hasOwn(Mark mark) const {
  uint32_t thread = mark.who & ~who::kFlags;
  if ((mark.who & who::kKind) != who::kThread)
    return false;
  for (Mark other : own)
    if (other.who == thread && mark.tick <= other.tick)
      return true;
  return false;
}
