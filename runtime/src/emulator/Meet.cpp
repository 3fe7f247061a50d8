// Barriers of blocks, meetings of warps, and why they can't be completed.
#include "runtime/src/emulator/Meet.h"
#include <algorithm>

using namespace quartet::emu;

static const char *meetingName(uint32_t kind) {
  switch (Together(kind & 0xff)) {
  case Together::WarpBarrier:
    return "warp barrier";
  case Together::ShuffleXor:
  case Together::ShuffleIndex:
    return "shuffle";
  case Together::Ballot:
    return "ballot";
  case Together::Matrix:
    return "matrix instruction";
  case Together::LoadMatrix:
    return "ldmatrix";
  case Together::GroupMatrix:
    return "matrix instruction of a warp group";
  }
  return "meeting";
}

static const Meeting *meetingOf(const Thread &thread) {
  for (const Meeting &meeting : thread.warp->meetings)
    if (meeting.arrived >> thread.lane & 1)
      return &meeting;
  return nullptr;
}

static std::string stateOf(const Thread &thread) {
  switch (thread.wait) {
  case Wait::Nothing:
    return thread.site ? "can run, last seen at " + quoted(thread.site)
                       : "can run";
  case Wait::Barrier:
    return "at the barrier at " + quoted(thread.site);
  case Wait::GroupBarrier:
    return "at the barrier of its warp group at " + quoted(thread.site);
  case Wait::Ended:
    return "ended";
  case Wait::Warp:
    break;
  }
  const Meeting *meeting = meetingOf(thread);
  return std::string("in a ") + meetingName(meeting ? meeting->kind : 0) +
         " at " + quoted(thread.site);
}

std::string Machine::waits(const Block &block) const {
  std::string text;
  size_t count = block.threads.size(), shown = 0;
  for (size_t first = 0, last; first < count; first = last) {
    std::string state = stateOf(block.threads[first]);
    for (last = first + 1; last < count; ++last)
      if (stateOf(block.threads[last]) != state)
        break;
    if (++shown > 6)
      return text + ", and so on";
    text += text.empty() ? "" : ", ";
    text += last - first == 1 ? "thread " + std::to_string(first)
                              : "threads " + std::to_string(first) + "-" +
                                    std::to_string(last - 1);
    text += " " + state;
  }
  return text;
}

void Machine::diverge(Thread &thread, const std::string &what) {
  report(ReportKind::Divergence, thread.site, thread.block->barrierSite,
         "divergence: " + what + "; block " +
             std::to_string(thread.block->index) + ": " + waits(*thread.block));
  abandon();
}

/// That other lanes of its warp wait for \p t in a meeting; empty: they don't.
static std::string awaited(const Thread &t) {
  for (const Meeting &meeting : t.warp->meetings)
    if (meeting.mask >> t.lane & 1)
      return std::string("other lanes of its warp wait for it in a ") +
             meetingName(meeting.kind) + " at " + quoted(meeting.site);
  return "";
}

/// Warps of a group must have had the same instructions.
static void checkGroups(Machine &m, const Block &block, Thread &last) {
  for (size_t i = 0; i < block.warps.size(); ++i)
    if (block.warps[i].groupProducts !=
        block.warps[i - i % kGroupWarps].groupProducts)
      m.diverge(last, "warp " + std::to_string(i) +
                          " has had other matrix instructions than warp " +
                          std::to_string(i - i % kGroupWarps) +
                          " of its group");
}

/// What an acquire of one thread before a barrier means for all behind it.
static void completeBarrier(Machine &m, Block &block) {
  block.arrived = 0;
  block.tick = block.barrierTick = ++m.now;
  m.idle = 0;
  bool waited = false;
  for (Thread &thread : block.threads) {
    waited |= thread.waited;
    if (!thread.acquired.empty()) {
      block.known.join(thread.acquired);
      thread.acquired.clear();
    }
  }
  for (Warp &warp : block.warps)
    warp.atBarrier = 0;
  for (Group &group : block.groups)
    group.barrier = 0;
  if (m.options.seed)
    block.turn = m.nextRandom() % block.warps.size();
  m.inSomeOrder(block.threads.size(), [&](uint64_t i) {
    block.threads[i].waited = waited;
    m.makeReady(block.threads[i]);
  });
}

void quartet_emu_barrier(const char *site) {
  Thread &t = *current;
  Machine &m = *t.machine;
  Block &block = *t.block;
  t.site = site;
  t.wait = Wait::Barrier;
  t.warp->atBarrier |= uint64_t(1) << t.lane;
  if (!block.arrived)
    block.barrierSite = site;
  if (block.ended)
    m.diverge(t, "a barrier at " + quoted(site) +
                     " that threads which have ended can't reach");
  if (!sameSite(block.barrierSite, site))
    m.diverge(t, nameOf(t) + " comes to the barrier at " + quoted(site) +
                     ", others wait at the one at " +
                     quoted(block.barrierSite));
  if (std::string others = awaited(t); !others.empty())
    m.diverge(t, nameOf(t) + " comes to the barrier at " + quoted(site) + ", " +
                     others);
  if (++block.arrived == block.threads.size()) {
    checkGroups(m, block, t);
    completeBarrier(m, block);
  }
  m.suspend(t);
}

/// The group of \p thread: it waits together with its warps.
static Group &groupOf(const Thread &t) {
  return t.block->groups[(t.warp - t.block->warps.data()) / kGroupWarps];
}

/// What one of some threads has waited for and acquired is so for all of them;
/// overThreads(body) calls body with each.
template <typename OverThreads>
static void shareKnowledge(OverThreads overThreads) {
  bool waited = false;
  Clock acquired;
  overThreads([&](Thread &thread) {
    waited |= thread.waited;
    if (!thread.acquired.empty())
      acquired.join(thread.acquired);
  });
  overThreads([&](Thread &thread) {
    thread.waited |= waited;
    if (!acquired.empty())
      thread.acquired = acquired;
  });
}

/// What four warps have done is before what they do now.
static void completeGroup(Machine &m, Block &block, Group &group) {
  size_t first = size_t(&group - block.groups.data()) * kGroupWarps;
  size_t count = size_t(m.options.lanes) * kGroupWarps;
  Thread *threads = &block.threads[block.warps[first].first];
  group.arrived = 0;
  block.tick = ++m.now;
  m.idle = 0;
  for (size_t i = first; i < first + kGroupWarps; ++i) {
    block.warps[i].atBarrier = 0;
    block.warps[i].groupTick = block.tick;
  }
  shareKnowledge([&](auto body) { std::for_each_n(threads, count, body); });
  m.inSomeOrder(count, [&](uint64_t i) { m.makeReady(threads[i]); });
}

void quartet_emu_group_barrier(int32_t barrier, int32_t threads,
                               const char *site) {
  Thread &t = *current;
  Machine &m = *t.machine;
  Block &block = *t.block;
  if (block.groups.empty() ||
      threads != m.options.lanes * int32_t(kGroupWarps) || barrier < 1 ||
      barrier > 15)
    badInstruction(t, site, "barrier",
                   "has barrier " + std::to_string(barrier) + " of " +
                       std::to_string(threads) +
                       " threads, expected number 1 to 15 of four warps of 32");
  Group &group = groupOf(t);
  t.site = site;
  t.wait = Wait::GroupBarrier;
  t.warp->atBarrier |= uint64_t(1) << t.lane;
  auto diverge = [&](const std::string &why) {
    m.diverge(t, nameOf(t) + " comes to the barrier of its warp group at " +
                     quoted(site) + why);
  };
  if (group.arrived &&
      (group.barrier != barrier || !sameSite(group.site, site)))
    diverge(", others wait at another one at " + quoted(group.site));
  for (const Group &other : block.groups)
    if (&other != &group && other.barrier == barrier)
      diverge(", whose number another group uses at " + quoted(other.site));
  if (std::string others = awaited(t); !others.empty())
    diverge(", " + others);
  group.barrier = barrier;
  group.site = site;
  if (++group.arrived == uint32_t(threads))
    completeGroup(m, block, group);
  m.suspend(t);
}

void Machine::threadEnds(Thread &t) {
  Block &block = *t.block;
  t.wait = Wait::Ended;
  t.warp->ended |= uint64_t(1) << t.lane;
  ++block.ended;
  if (!t.copies.empty())
    report(ReportKind::MissingWait, t.copies[0].site, nullptr,
           "missing wait: " + nameOf(t) +
               " ends before its asynchronous copy at " +
               quoted(t.copies[0].site) + " has arrived");
  if (!block.groups.empty() && groupOf(t).arrived)
    diverge(t, nameOf(t) +
                   " ends, others of its warp group wait for it at the "
                   "barrier at " +
                   quoted(groupOf(t).site));
  if (block.arrived)
    diverge(t, nameOf(t) + " ends, others wait for it at the barrier at " +
                   quoted(block.barrierSite));
  if (std::string others = awaited(t); !others.empty())
    diverge(t, nameOf(t) + " ends, " + others);
}

bool quartet::emu::meet(Thread &t, uint64_t mask, uint32_t kind,
                        const char *site) {
  Machine &m = *t.machine;
  Warp &warp = *t.warp;
  t.site = site;
  t.wait = Wait::Warp;
  auto diverge = [&](const std::string &why) {
    m.diverge(t, nameOf(t) + " comes to a " + meetingName(kind) + " at " +
                     quoted(site) + why);
  };
  uint64_t self = uint64_t(1) << t.lane;
  if (!(mask & self))
    diverge(" of lanes that don't include it");
  Meeting *mine = nullptr;
  for (Meeting &meeting : warp.meetings) {
    if (!(meeting.mask & mask))
      continue;
    if (meeting.mask != mask || meeting.kind != kind ||
        !sameSite(meeting.site, site))
      diverge(std::string(", other lanes of its warp are in a ") +
              meetingName(meeting.kind) + " at " + quoted(meeting.site) +
              (meeting.kind != kind ? "" : " or of other lanes"));
    mine = &meeting;
    break;
  }
  if (!mine) {
    if (mask & (warp.ended | warp.atBarrier))
      diverge(", which other lanes of its warp can't reach");
    warp.meetings.push_back({mask, 0, kind, site});
    mine = &warp.meetings.back();
  }
  mine->arrived |= self;
  if (mine->arrived != mask) {
    m.suspend(t);
    return false;
  }
  warp.meetings.erase(warp.meetings.begin() + (mine - warp.meetings.data()));
  m.idle = 0;
  return true;
}

static void orderLanes(Thread &t, uint64_t mask) {
  t.warp->tick = t.block->tick = ++t.machine->now;
  shareKnowledge([&](auto body) {
    for (uint32_t lane = 0; lane < 64; ++lane)
      if (mask >> lane & 1)
        body(laneOf(t, lane));
  });
}

void quartet::emu::release(Thread &t, uint64_t mask) {
  // No order of memory, for shuffles, ballots and matrix instructions have none
  // on NVIDIA; AMD's waves run in step, but LLVM moves accesses over theirs.
  Machine &m = *t.machine;
  uint32_t first = t.warp->first;
  m.inSomeOrder(uint64_t(m.options.lanes), [&](uint64_t lane) {
    if (mask >> lane & 1)
      m.makeReady(t.block->threads[first + lane]);
  });
  if (m.options.seed && m.nextRandom() % 4 == 0)
    Machine::nextWarp(*t.block);
  m.suspend(t);
}

void quartet_emu_warp_barrier(uint64_t mask, const char *site) {
  Thread &t = *current;
  mask &= wholeWarp(t); // as a full mask of a warp that has fewer lanes
  if (!meet(t, mask, meetingKind(Together::WarpBarrier), site))
    return;
  orderLanes(t, mask);
  release(t, mask);
}

/// The warp meets; returns the value that lane \p from brings, or \p value when
/// there is no such lane.
static uint32_t shuffle(Thread &t, uint32_t value, uint32_t from, uint32_t kind,
                        const char *site) {
  t.operands.value = value;
  t.operands.from = from;
  if (meet(t, wholeWarp(t), kind, site)) {
    uint64_t results[64];
    uint32_t lanes = laneCount(t);
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      uint32_t other = laneOf(t, lane).operands.from;
      results[lane] = laneOf(t, other < lanes ? other : lane).operands.value;
    }
    for (uint32_t lane = 0; lane < lanes; ++lane)
      laneOf(t, lane).operands.value = results[lane];
    release(t, wholeWarp(t));
  }
  return uint32_t(t.operands.value);
}

uint32_t quartet_emu_shuffle_xor(uint32_t value, int32_t mask,
                                 const char *site) {
  Thread &t = *current;
  return shuffle(t, value, t.lane ^ uint32_t(mask),
                 meetingKind(Together::ShuffleXor, uint32_t(mask)), site);
}

uint32_t quartet_emu_shuffle_index(uint32_t value, int32_t index,
                                   const char *site) {
  Thread &t = *current;
  // The hardware looks at the low bits of the index only.
  uint32_t from = uint32_t(index) & uint32_t(t.machine->options.lanes - 1);
  return shuffle(t, value, from, meetingKind(Together::ShuffleIndex), site);
}

uint64_t quartet_emu_ballot(int32_t predicate, const char *site) {
  Thread &t = *current;
  t.operands.value = predicate != 0;
  if (meet(t, wholeWarp(t), meetingKind(Together::Ballot), site)) {
    uint64_t result = 0;
    uint32_t lanes = laneCount(t);
    for (uint32_t lane = 0; lane < lanes; ++lane)
      result |= laneOf(t, lane).operands.value << lane;
    for (uint32_t lane = 0; lane < lanes; ++lane)
      laneOf(t, lane).operands.value = result;
    release(t, wholeWarp(t));
  }
  return t.operands.value;
}
