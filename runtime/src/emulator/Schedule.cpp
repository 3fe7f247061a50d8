// Whose turn it is. A thread runs until it has to wait, then the other lanes of
// its warp do, whose stacks are in the cache; another warp comes when none of
// them can run, and another block when no warp can or when a thread spins. So
// runs are the same every time.
#include "runtime/src/emulator/Faults.h"
#include "runtime/src/emulator/Machine.h"
#include <chrono>
#include <cstdlib>

using namespace quartet::emu;

thread_local Thread *quartet::emu::current = nullptr;

Machine::~Machine() {
  for (Block &block : blocks)
    std::free(block.memory);
}

/// What a fibre runs: its thread of the launch, to the end.
static void fibre() {
  Thread &thread = *current;
  thread.machine->runThread(thread);
}

void Machine::runThread(Thread &thread) {
  what.kernel(what.args, what.layer, what.stamps);
  threadEnds(thread);
  --live;
  idle = 0;
  if (!live)
    abandon(); // all have ended
  suspend(thread);
  std::abort(); // nobody makes an ended thread ready
}

/// Allocates blocks and threads, once. False after a report.
bool Machine::prepare() {
  if (!blocks.empty())
    return true;
  auto refuse = [&](const std::string &why) {
    report(ReportKind::BadLaunch, nullptr, nullptr, why);
    return false;
  };
  const Options &o = options;
  if (o.lanes != 32 && o.lanes != 64)
    return refuse("warps of " + std::to_string(o.lanes) +
                  " threads, expected 32 or 64");
  if (o.threads < 1 || o.threads > 1024 || o.blocks < 1 || o.blocks > 65535)
    return refuse(std::to_string(o.blocks) + " blocks of " +
                  std::to_string(o.threads) +
                  " threads, expected 1 to 65535 of 1 to 1024");
  if (o.sharedLimit < 0 || o.stackBytes < 4096)
    return refuse("stacks of " + std::to_string(o.stackBytes) +
                  " bytes and shared memory of " +
                  std::to_string(o.sharedLimit) +
                  ", expected at least 4096 and 0");
  if (!stacks.allocate(size_t(o.blocks * o.threads), size_t(o.stackBytes)))
    return refuse("no memory for the stacks of " +
                  std::to_string(o.blocks * o.threads) + " threads");
  blocks.resize(size_t(o.blocks));
  for (uint32_t i = 0; i < o.blocks; ++i) {
    Block &block = blocks[i];
    block.index = i;
    // As aligned as the patterns of warp groups need.
    size_t bytes = (size_t(o.sharedLimit) / 1024 + 1) * 1024;
    block.memory = static_cast<char *>(std::aligned_alloc(1024, bytes));
    if (!block.memory) {
      blocks.clear();
      return refuse("no memory for the shared memory of the blocks");
    }
    block.shared.base = block.shared.begin =
        reinterpret_cast<uintptr_t>(block.memory);
    block.shared.shared = true;
    block.shared.name = "shared memory of block " + std::to_string(i);
    block.shared.shadow.resize(bytes);
    block.threads.resize(size_t(o.threads));
    block.warps.resize(size_t((o.threads + o.lanes - 1) / o.lanes));
    // Warp groups are an instruction set's of warps of 32.
    if (o.lanes == 32 && o.threads % int32_t(32 * kGroupWarps) == 0)
      block.groups.resize(block.warps.size() / kGroupWarps);
    for (uint32_t w = 0; w < block.warps.size(); ++w) {
      block.warps[w].first = w * uint32_t(o.lanes);
      int64_t lanes = std::min(o.lanes, o.threads - int64_t(w) * o.lanes);
      block.warps[w].lanes = ~uint64_t(0) >> (64 - lanes);
    }
    for (uint32_t n = 0; n < o.threads; ++n) {
      Thread &thread = block.threads[n];
      thread.machine = this;
      thread.block = &block;
      thread.warp = &block.warps[n / uint32_t(o.lanes)];
      thread.me = who::make(i, n);
      thread.index = n;
      thread.lane = n % uint32_t(o.lanes);
      size_t stack = stackOf(thread);
      thread.stackBegin = reinterpret_cast<uintptr_t>(stacks.begin(stack));
      thread.stackEnd = reinterpret_cast<uintptr_t>(stacks.end(stack));
    }
  }
  return true;
}

/// All threads of \p block at the begin of a launch.
static void startBlock(Machine &m, Block &block, int64_t sharedBytes) {
  block.tick = block.barrierTick = block.launchTick = m.now;
  block.known.clear();
  block.arrived = block.ended = 0;
  block.readyCount = 0;
  block.turn = 0;
  block.transfers.clear();
  block.shared.size = uint64_t(sharedBytes);
  block.shared.definedSince = m.now;
  // As numbers of every type what is left there is conspicuous.
  std::memset(block.memory, 0xff, size_t(sharedBytes));
  for (Warp &warp : block.warps) {
    warp.ended = warp.atBarrier = 0;
    warp.tick = warp.groupTick = 0;
    warp.groupProducts = 0;
    warp.meetings.clear();
    warp.readyFirst = warp.readyCount = 0;
  }
  for (Group &group : block.groups)
    group = {};
  for (Thread &t : block.threads) {
    t.sp = m.stacks.prepare(Machine::stackOf(t), fibre);
    t.waited = !m.what.overlap;
    t.wait = Wait::Nothing;
    t.site = nullptr;
    t.recent[0] = t.recent[1] = nullptr;
    t.spinAddress = nullptr;
    t.copies.clear();
    t.unfenced = t.unfencedBegin = false;
    t.committed = 0;
    t.acquired.clear();
    t.relaxed.clear();
    t.fenced.clear();
  }
  m.inSomeOrder(block.threads.size(),
                [&](uint64_t i) { m.makeReady(block.threads[i]); });
}

bool Machine::launch(const Launch &launch) {
  what = launch;
  if (!prepare())
    return false;
  if (!launch.kernel || launch.sharedBytes < 0 ||
      launch.sharedBytes > options.sharedLimit) {
    report(ReportKind::BadLaunch, nullptr, nullptr,
           launch.kernel ? "bad launch: " + std::to_string(launch.sharedBytes) +
                               " bytes of shared memory, the device has " +
                               std::to_string(options.sharedLimit)
                         : "bad launch: the kernel has no host function");
    return false;
  }
  if (!random)
    random = options.seed * 0x9e3779b97f4a7c15 + 1;
  ++now;
  // Without early starts the launch in front alone may still run.
  unfinishedSince = previousEarly ? unfinishedSince : previousTick;
  previousTick = now;
  early = anyWaited = false;
  released.clear();
  readers.clear();
  freeReaders.clear();
  idle = 0;
  live = blocks.size() * size_t(options.threads);
  for (Block &block : blocks)
    startBlock(*this, block, launch.sharedBytes);
  turn = options.seed ? nextRandom() % blocks.size() : 0;
  {
    FaultHandler faults;
    current = next();
    quartet_emu_switch(&host, current->sp);
    current = nullptr;
  }
  bool ended = live == 0;
  if (ended && launch.overlap && !anyWaited)
    report(
        ReportKind::MissingWait, nullptr, nullptr,
        "missing wait: no thread waited for the launch in front, so the next "
        "one isn't ordered behind that");
  previousEarly = launch.overlap && (early || !anyWaited);
  return ended;
}

void Machine::makeReady(Thread &thread) {
  thread.wait = Wait::Nothing;
  Warp &warp = *thread.warp;
  warp.ready[(warp.readyFirst + warp.readyCount++) % 64] = uint8_t(thread.lane);
  ++thread.block->readyCount;
}

Thread *Machine::next() {
  for (size_t i = 0; i < blocks.size(); ++i) {
    Block &block = blocks[turn];
    for (; block.readyCount; nextWarp(block)) {
      Warp &warp = block.warps[block.turn];
      if (!warp.readyCount)
        continue;
      Thread &thread = block.threads[warp.first + warp.ready[warp.readyFirst]];
      warp.readyFirst = (warp.readyFirst + 1) % 64;
      --warp.readyCount;
      --block.readyCount;
      return &thread;
    }
    nextBlock();
  }
  return nullptr;
}

void Machine::suspend(Thread &thread) {
  // A frame that reaches over the guard is found out here at the latest.
  auto frame = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (frame < thread.stackBegin || frame >= thread.stackEnd)
    overflow(thread);
  Thread *other = next();
  if (!other)
    deadlock();
  if (other == &thread)
    return;
  current = other;
  quartet_emu_switch(&thread.sp, other->sp);
}

void Machine::yield(Thread &thread) {
  // All that can run have spun twice since anything changed.
  if (++idle > 2 * live + 2 * blocks.size() * size_t(options.threads) + 16)
    deadlock();
  makeReady(thread);
  nextWarp(*thread.block);
  nextBlock();
  suspend(thread);
}

void Machine::overflow(Thread &thread) {
  report(ReportKind::StackOverflow, thread.site, nullptr,
         "stack overflow: " + nameOf(thread) + " needs more than " +
             std::to_string(options.stackBytes) + " bytes; last seen at " +
             quoted(thread.site));
  abandon();
}

void Machine::abandon() {
  void *nobody;
  quartet_emu_switch(&nobody, host);
  std::abort(); // an abandoned thread doesn't run again
}

void Machine::deadlock() {
  std::string all;
  size_t shown = 0;
  for (const Block &block : blocks) {
    if (block.ended == block.threads.size())
      continue;
    if (++shown > 4) {
      all += "; and so on";
      break;
    }
    all += (all.empty() ? "block " : "; block ") + std::to_string(block.index) +
           ": " + waits(block);
  }
  report(ReportKind::Deadlock, nullptr, nullptr,
         "deadlock: no thread can go on; " + all);
  abandon();
}

int64_t quartet_emu_thread(void) { return current->index; }
int64_t quartet_emu_block(void) { return current->block->index; }
int64_t quartet_emu_clock(void) {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch())
      .count();
}

int64_t quartet_emu_blocks(void) {
  return int64_t(current->machine->blocks.size());
}
void *quartet_emu_shared(void) { return current->block->memory; }

void quartet_emu_dependency_wait(void) {
  current->waited = true;
  current->machine->anyWaited = true;
}
void quartet_emu_dependency_launch(void) {
  if (!current->waited)
    current->machine->early = true;
}
