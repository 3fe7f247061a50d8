// Bulk copies and the barriers that count their bytes (PTX ISA, "mbarrier" and
// "cp.async.bulk").
#include "runtime/src/emulator/Machine.h"

using namespace quartet::emu;

/// The offset of a barrier in shared memory.
static uint64_t offsetOf(Thread &t, const void *barrier, const char *site) {
  Space &shared = t.block->shared;
  auto address = reinterpret_cast<uintptr_t>(barrier);
  t.site = site;
  if (!shared.holds(address, 8))
    t.machine->outOfBounds(t, address, 8, true, site);
  if (address & 7)
    badInstruction(t, site, "transfer",
                   "has a barrier whose address isn't a multiple of 8");
  return address - shared.base;
}

/// The barrier at an address; another thread's begin must be before this.
static Transfer &transferAt(Thread &t, const void *barrier, const char *site) {
  uint64_t offset = offsetOf(t, barrier, site);
  auto found = t.block->transfers.find(reinterpret_cast<uintptr_t>(barrier));
  if (found == t.block->transfers.end())
    badInstruction(t, site, "transfer", "uses a barrier that has not begun");
  checkRead(t, t.block->shared, offset, 8, site);
  return found->second;
}

/// The copies of a phase for which all have arrived come now.
static void complete(Thread &t, Transfer &transfer, const char *site) {
  Machine &m = *t.machine;
  Space &shared = t.block->shared;
  int64_t came = 0;
  for (const BulkCopy &copy : transfer.copies)
    came += int64_t(copy.snapshot.size());
  if (came != transfer.expected)
    badInstruction(t, site, "transfer",
                   "waits for " + std::to_string(transfer.expected) +
                       " bytes, but " + std::to_string(came) + " are copied");
  transfer.tick = ++m.now;
  for (const BulkCopy &copy : transfer.copies) {
    if (std::memcmp(copy.from, copy.snapshot.data(), copy.snapshot.size()) != 0)
      m.report(ReportKind::SourceChanged, copy.site, nullptr,
               "source changed: what is copied asynchronously at " +
                   quoted(copy.site) + " was changed before it arrived");
    std::memcpy(copy.to, copy.snapshot.data(), copy.snapshot.size());
    markBulkCopy(t, shared, reinterpret_cast<uintptr_t>(copy.to) - shared.base,
                 copy.snapshot.size(), true, copy.site);
  }
  // What the block does from now on is behind it.
  t.block->tick = ++m.now;
  transfer.copies.clear();
  transfer.expected = 0;
  transfer.missing = transfer.arrivals;
  ++transfer.phase;
  m.idle = 0;
}

void quartet_emu_transfer_begin(void *barrier, int32_t arrivals,
                                const char *site) {
  Thread &t = *current;
  uint64_t offset = offsetOf(t, barrier, site);
  if (arrivals < 1 || arrivals >= 1 << 20)
    badInstruction(t, site, "transfer",
                   "has a barrier of " + std::to_string(arrivals) +
                       " arrivals");
  checkWrite(t, t.block->shared, offset, 8, site);
  Transfer fresh;
  fresh.arrivals = fresh.missing = uint32_t(arrivals);
  if (!t.block->transfers
           .emplace(reinterpret_cast<uintptr_t>(barrier), std::move(fresh))
           .second)
    badInstruction(t, site, "transfer",
                   "begins a barrier that has not been ended");
  t.unfencedBegin = true;
}

void quartet_emu_transfer_end(void *barrier, const char *site) {
  Thread &t = *current;
  Transfer &transfer = transferAt(t, barrier, site);
  if (!transfer.copies.empty() || transfer.missing != transfer.arrivals)
    badInstruction(t, site, "transfer", "ends a barrier that is in use");
  checkWrite(t, t.block->shared, offsetOf(t, barrier, site), 8, site);
  t.block->transfers.erase(reinterpret_cast<uintptr_t>(barrier));
}

void quartet_emu_transfer_expect(void *barrier, int32_t bytes,
                                 const char *site) {
  Thread &t = *current;
  Transfer &transfer = transferAt(t, barrier, site);
  if (transfer.missing == 0) // nobody has waited for the phase
    complete(t, transfer, site);
  transfer.expected += bytes;
  --transfer.missing;
  t.machine->idle = 0;
}

void quartet_emu_transfer_copy(void *to, const void *from, void *barrier,
                               int32_t bytes, const char *site) {
  Thread &t = *current;
  Transfer &transfer = transferAt(t, barrier, site);
  for (const Thread &other : t.block->threads)
    if (other.unfencedBegin) {
      t.machine->report(ReportKind::MissingWait, site, nullptr,
                        "missing wait: " + nameOf(other) +
                            " has begun a barrier without a fence for the bulk "
                            "copy at " +
                            quoted(site));
      t.machine->abandon();
    }
  auto target = reinterpret_cast<uintptr_t>(to);
  if (bytes < 16 || bytes % 16 != 0 ||
      (target | reinterpret_cast<uintptr_t>(from)) & 15)
    badInstruction(t, site, "transfer",
                   "copies " + std::to_string(bytes) +
                       " bytes, expected a multiple of 16, both addresses too");
  Space &shared = t.block->shared;
  if (!shared.holds(target, uint64_t(bytes)))
    t.machine->outOfBounds(t, target, bytes, true, site);
  quartet_emu_read(from, bytes, 16, site);
  BulkCopy copy;
  copy.to = static_cast<char *>(to);
  copy.from = static_cast<const char *>(from);
  copy.snapshot.assign(copy.from, copy.from + bytes);
  copy.site = site;
  markBulkCopy(t, shared, target - shared.base, uint64_t(bytes), false, site);
  std::memset(to, 0xff, size_t(bytes));
  transfer.copies.push_back(std::move(copy));
}

void quartet_emu_transfer_wait(void *barrier, int32_t parity,
                               const char *site) {
  Thread &t = *current;
  for (;;) {
    Transfer &transfer = transferAt(t, barrier, site);
    if (int32_t(transfer.phase & 1) == (parity & 1)) {
      if (transfer.missing) {
        t.machine->yield(t);
        continue;
      }
      complete(t, transfer, site);
    }
    t.acquired.add(bulkBlock(*t.machine, *t.block), transfer.tick + 1);
    return;
  }
}
