// What each access is checked against: the last write of every word it touches
// and the reads since. Only conflicts that nothing orders are reported, so a
// program that is free of them in one order of its threads is so in all that
// meet in the same way.
#include "runtime/src/emulator/Machine.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace quartet::emu;

#define QUARTET_LIKELY(x) __builtin_expect(!!(x), 1)

namespace {
struct Check {
  Thread &t;
  const Block &b;
  Space &s;
  const char *site;
  uint64_t offset, bytes; ///< of the whole access

  Check(Thread &t, Space &s, uint64_t offset, uint64_t bytes, const char *site)
      : t(t), b(*t.block), s(s), site(site), offset(offset), bytes(bytes) {}

  /// What most reads are: of words whose write is before them, and whose
  /// reader they become. False: it is still to be done, from the start.
  bool readQuickly();
  void read(Cell &cell, uint64_t at, bool atomic);
  void write(Cell &cell, uint64_t at, bool atomic);
  /// Makes the thread the reader of \p cell. False when another one has to
  /// stay, too, which markReader does.
  bool becomesReader(Cell &cell);
  void markReader(Cell &cell);
  /// The reads of \p cell since its write are before this access.
  bool readsBefore(const Cell &cell, Mark &offender, const char *&itsSite);
  template <typename Body> void forCells(Body body);
  Cell *split(Cell &word, uint64_t at);
  void unsplit(Cell &word, const Cell *cells);

  void unwritten(uint64_t at);
  void inFlight(const Cell &cell, uint64_t at, const char *does);
  void notWaited(const Cell *cell, uint64_t at);
  /// That a bulk copy goes over what a thread has written without a fence.
  void unfenced(const Cell &cell, uint64_t at);
  void race(uint64_t at, const char *does, Mark other, const char *did,
            const char *itsSite);
  std::string access(uint64_t at, const char *does) const;
};
} // namespace

std::string Check::access(uint64_t at, const char *does) const {
  return nameOf(t) + " " + does + " " + placeOf(s, at) + " at " + quoted(site) +
         " (in an access of " + std::to_string(bytes) + " bytes)";
}

void Check::unwritten(uint64_t at) {
  t.machine->report(ReportKind::Unwritten, site, nullptr,
                    "read of unwritten memory: " + access(at, "reads") +
                        ", which nobody has written since the " +
                        (s.shared ? "block" : "step") + " began");
}

void Check::inFlight(const Cell &cell, uint64_t at, const char *does) {
  t.machine->report(
      ReportKind::MissingWait, site, cell.writeSite,
      "missing wait: " + access(at, does) + ", where an asynchronous copy of " +
          nameOf(*t.machine, cell.write.who) + " at " + quoted(cell.writeSite) +
          " has not arrived: that thread must wait for its group first");
}

void Check::notWaited(const Cell *cell, uint64_t at) {
  std::string what = cell ? access(at, "reads") + ", which " +
                                nameOf(*t.machine, cell->write.who) +
                                " of the launch in front wrote at " +
                                quoted(cell->writeSite)
                          : access(at, "writes");
  t.machine->report(
      ReportKind::MissingWait, site, cell ? cell->writeSite : nullptr,
      "missing wait: " + what + ", before it waited for the launch in front");
}

void Check::unfenced(const Cell &cell, uint64_t at) {
  Mark w = cell.write;
  if (w.tick < b.launchTick || w.who & (who::kKind | who::kInFlight) ||
      who::block(w.who) != b.index)
    return;
  // As for warp groups: who has written it is who has to fence it.
  const Thread &writer = b.threads[who::thread(w.who)];
  if (writer.unfenced && w.tick >= writer.unfencedTick)
    t.machine->report(ReportKind::MissingWait, site, cell.writeSite,
                      "missing wait: " + access(at, "copies over") +
                          ", which " + nameOf(writer) + " wrote at " +
                          quoted(cell.writeSite) +
                          " without a fence for bulk copies");
}

void Check::race(uint64_t at, const char *does, Mark other, const char *did,
                 const char *itsSite) {
  bool sameBlock = (other.who & who::kKind) != who::kBlocks &&
                   who::block(other.who) == b.index;
  t.machine->report(
      ReportKind::Race, site, itsSite,
      "race: " + access(at, does) + ", which " + nameOf(*t.machine, other.who) +
          " " + did + " at " + quoted(itsSite) + "; " +
          (sameBlock ? "no barrier is between them"
                     : "no release and acquire order the blocks"));
}

inline bool Check::becomesReader(Cell &cell) {
  Mark &r = cell.read;
  if (r.tick < b.launchTick || r.who == t.me) {
    r = {b.tick, t.me};
    cell.readSite = site;
    return true;
  }
  return r.tick == b.tick && r.who == (who::make(b.index, 0) | who::kBlock);
}

bool Check::readQuickly() {
  if ((offset | bytes) & 3 || !t.waited || !s.shadow.inOnePage(offset, bytes))
    return false;
  Cell *cell = &s.shadow.word(offset), *end = cell + bytes / 4;
  for (; cell != end; ++cell) {
    Mark w = cell->write;
    bool before = w.who == t.me || w.tick < b.launchTick ||
                  (w.tick < b.barrierTick && who::block(w.who) == b.index);
    if (!QUARTET_LIKELY(before && w.tick >= s.definedSince &&
                        !(w.who & (who::kSplit | who::kInFlight)) &&
                        becomesReader(*cell)))
      return false;
  }
  return true;
}

void Check::read(Cell &cell, uint64_t at, bool atomic) {
  Mark w = cell.write;
  if (!QUARTET_LIKELY(w.tick >= s.definedSince)) {
    unwritten(at);
  } else if (w.tick >= b.launchTick) {
    if (w.who != t.me) {
      if (w.who & who::kInFlight)
        inFlight(cell, at, "reads");
      else if (!(atomic && (w.who & who::kAtomic)) && !isBefore(t, w))
        race(at, "reads", w, "wrote", cell.writeSite);
    }
  } else if (!t.waited && !s.shared && w.tick >= t.machine->unfinishedSince) {
    notWaited(&cell, at);
  }
  if (atomic) // a later plain write is not seen as a conflict: spinning is
    return;   // too frequent to be remembered
  if (!becomesReader(cell))
    markReader(cell);
}

/// Joins the reader to those in \p one, which are of its block.
static void joinReader(Mark &one, const char *&itsSite, const Thread &t,
                       const char *site) {
  const Block &b = *t.block;
  if (one.tick < b.launchTick || isBefore(t, one)) {
    one = {b.tick, t.me};
  } else {
    uint32_t lanes = uint32_t(t.machine->options.lanes);
    uint32_t group = lanes * uint32_t(kGroupWarps),
             other = who::thread(one.who);
    bool single = (one.who & who::kKind) != who::kBlock;
    bool sameWarp = single && other / lanes == t.index / lanes;
    bool sameGroup = (single || one.who & who::kGroup) &&
                     other / group == t.index / group && !b.groups.empty();
    one.tick = b.tick;
    if (sameWarp)
      one.who = who::make(b.index, t.warp->first) | who::kWarp;
    else if (sameGroup)
      one.who = who::make(b.index, t.index / group * group) | who::kBlock |
                who::kGroup;
    else
      one.who = who::make(b.index, 0) | who::kBlock;
  }
  itsSite = site;
}

uint32_t Machine::newReaders() {
  if (!freeReaders.empty()) {
    uint32_t free = freeReaders.back();
    freeReaders.pop_back();
    std::fill_n(readers.begin() + long(who::slot(free) * blocks.size()),
                blocks.size(), Reader{});
    return free;
  }
  size_t slot = readers.size() / blocks.size();
  if (slot >> 26) {
    std::fputs("error: kernels share too much memory for the emulator: split "
               "the launch\n",
               stderr);
    std::abort();
  }
  readers.resize(readers.size() + blocks.size(), {});
  return uint32_t(slot) << 6 | who::kBlocks;
}

void Check::markReader(Cell &cell) {
  Machine &m = *t.machine;
  Mark &r = cell.read;
  bool several = (r.who & who::kKind) == who::kBlocks;
  if (!several && (who::block(r.who) == b.index || isBefore(t, r)))
    return joinReader(r, cell.readSite, t, site);
  size_t blocks = m.blocks.size();
  if (!several) {
    uint32_t readers = m.newReaders();
    m.readers[who::slot(readers) * blocks + who::block(r.who)] = {
        r, cell.readSite};
    r = {b.tick, readers};
  }
  r.tick = b.tick;
  Machine::Reader &mine = m.readers[who::slot(r.who) * blocks + b.index];
  joinReader(mine.mark, mine.site, t, site);
}

bool Check::readsBefore(const Cell &cell, Mark &offender,
                        const char *&itsSite) {
  if ((cell.read.who & who::kKind) != who::kBlocks) {
    offender = cell.read;
    itsSite = cell.readSite;
    return isBefore(t, cell.read);
  }
  Machine &m = *t.machine;
  size_t blocks = m.blocks.size();
  for (size_t i = 0; i < blocks; ++i) {
    const Machine::Reader &reader =
        m.readers[who::slot(cell.read.who) * blocks + i];
    if (isBefore(t, reader.mark))
      continue;
    offender = reader.mark;
    itsSite = reader.site;
    return false;
  }
  return true;
}

void Check::write(Cell &cell, uint64_t at, bool atomic) {
  Mark w = cell.write;
  if (w.tick >= b.launchTick && w.who != t.me) {
    if (w.who & who::kInFlight)
      inFlight(cell, at, "writes");
    else if (!(atomic && (w.who & who::kAtomic)) && !isBefore(t, w))
      race(at, "writes", w, "wrote", cell.writeSite);
  }
  Mark r = cell.read;
  if (r.tick >= b.launchTick && r.who != t.me) {
    Mark offender;
    const char *itsSite = nullptr;
    if (!readsBefore(cell, offender, itsSite))
      race(at, "writes", offender, "read", itsSite);
    if ((r.who & who::kKind) == who::kBlocks)
      t.machine->freeReaders.push_back(r.who);
  }
  cell.write = {b.tick, t.me | (atomic ? who::kAtomic : 0)};
  cell.read = {};
  cell.writeSite = site;
}

Cell *Check::split(Cell &word, uint64_t at) {
  Cell *cells = s.shadow.bytes(at);
  if (word.write.who & who::kSplit)
    return cells;
  for (int i = 0; i < 4; ++i)
    cells[i] = word;
  word.write.who |= who::kSplit;
  if (word.read.tick < b.launchTick ||
      (word.read.who & who::kKind) != who::kBlocks)
    return cells;
  Machine &m = *t.machine;
  size_t blocks = m.blocks.size();
  for (int i = 1; i < 4; ++i) { // readers of its own for each byte
    size_t from = who::slot(word.read.who) * blocks;
    cells[i].read.who = m.newReaders();
    for (size_t block = 0; block < blocks; ++block)
      m.readers[who::slot(cells[i].read.who) * blocks + block] =
          m.readers[from + block];
  }
  return cells;
}

/// Makes one cell of \p cells again after an access of the whole word, when
/// what they have in common is all that later checks need.
void Check::unsplit(Cell &word, const Cell *cells) {
  Cell all = cells[0];
  bool equal = true;
  for (int i = 1; i < 4; ++i)
    equal &= cells[i].write.tick == all.write.tick &&
             cells[i].write.who == all.write.who;
  // Else written by several threads: before the block's last barrier or the
  // launch it does not matter by which ones.
  bool block = true, launch = true;
  for (int i = 0; i < 4; ++i) {
    Mark w = cells[i].write, r = cells[i].read;
    launch &= w.tick < b.launchTick;
    block &= w.tick >= b.launchTick && w.tick < b.barrierTick &&
             who::block(w.who) == b.index && !(w.who & who::kAtomic);
    all.write.tick = std::max(all.write.tick, w.tick);
    if (w.tick < s.definedSince)
      return;
    if (r.tick != all.read.tick || r.who != all.read.who)
      return;
  }
  if (!equal && !block && !launch)
    return;
  if (!equal && block)
    all.write.who = who::make(b.index, 0) | who::kBlock;
  word = all;
}

template <typename Body> void Check::forCells(Body body) {
  uint64_t at = offset, left = bytes;
  while (left) {
    Cell &word = s.shadow.word(at & ~uint64_t(3));
    bool whole = !(at & 3) && left >= 4;
    if (QUARTET_LIKELY(whole && !(word.write.who & who::kSplit))) {
      body(word, at);
      at += 4;
      left -= 4;
      continue;
    }
    Cell *cells = split(word, at);
    do
      body(cells[at & 3], at);
    while (++at, --left && (at & 3));
    if (whole)
      unsplit(word, cells);
  }
}

void quartet::emu::checkRead(Thread &t, Space &s, uint64_t offset,
                             uint64_t bytes, const char *site) {
  Check check(t, s, offset, bytes, site);
  if (!check.readQuickly())
    check.forCells(
        [&](Cell &cell, uint64_t at) { check.read(cell, at, false); });
}

void quartet::emu::checkWrite(Thread &t, Space &s, uint64_t offset,
                              uint64_t bytes, const char *site) {
  Check check(t, s, offset, bytes, site);
  if (!t.waited && !s.shared)
    check.notWaited(nullptr, offset);
  check.forCells(
      [&](Cell &cell, uint64_t at) { check.write(cell, at, false); });
}

void quartet::emu::checkAtomic(Thread &t, Space &s, uint64_t offset, bool write,
                               const char *site) {
  Check check(t, s, offset, 4, site);
  if (write && !t.waited && !s.shared)
    check.notWaited(nullptr, offset);
  check.forCells([&](Cell &cell, uint64_t at) {
    check.read(cell, at, true);
    if (write)
      check.write(cell, at, true);
  });
}

void quartet::emu::markCopy(Thread &t, Space &s, uint64_t offset,
                            uint64_t bytes, bool arrives, const char *site) {
  Check check(t, s, offset, bytes, site);
  check.forCells([&](Cell &cell, uint64_t at) {
    if (!arrives)
      check.write(cell, at, false);
    cell.write = {t.block->tick, t.me | (arrives ? 0 : who::kInFlight)};
    cell.writeSite = site;
  });
}

void quartet::emu::markBulkCopy(Thread &t, Space &s, uint64_t offset,
                                uint64_t bytes, bool arrives,
                                const char *site) {
  Check check(t, s, offset, bytes, site);
  uint32_t writer = who::make(bulkBlock(*t.machine, *t.block), 0);
  check.forCells([&](Cell &cell, uint64_t at) {
    if (!arrives) {
      check.unfenced(cell, at);
      check.write(cell, at, false);
    }
    cell.write = {arrives ? t.machine->now : t.block->tick,
                  arrives ? writer : t.me | who::kInFlight};
    cell.writeSite = site;
  });
}
