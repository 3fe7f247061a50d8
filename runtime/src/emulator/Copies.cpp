// Asynchronous copies into shared memory. They arrive when their thread waits
// for their group and not before, so who looks too early is found out.
#include "runtime/src/emulator/Machine.h"

using namespace quartet::emu;

void quartet_emu_copy_async(void *shared, const void *global, int32_t bytes,
                            int32_t sourceBytes, const char *site) {
  Thread &t = *current;
  Machine &m = *t.machine;
  t.site = site;
  auto to = reinterpret_cast<uintptr_t>(shared);
  auto from = reinterpret_cast<uintptr_t>(global);
  bool known = bytes == 4 || bytes == 8 || bytes == 16;
  if (!known || sourceBytes < 0 || sourceBytes > bytes ||
      (to | from) % uintptr_t(known ? bytes : 1)) {
    m.report(ReportKind::BadInstruction, site, nullptr,
             "bad asynchronous copy: " + nameOf(t) + " copies " +
                 std::to_string(sourceBytes) + " of " + std::to_string(bytes) +
                 " bytes at " + quoted(site) +
                 ", expected 4, 8 or 16, both addresses multiples of that");
    m.abandon();
  }
  if (!t.block->shared.holds(to, uint64_t(bytes)))
    m.outOfBounds(t, to, bytes, true, site);
  Copy copy = {static_cast<char *>(shared),
               static_cast<const char *>(global),
               uint32_t(bytes),
               uint32_t(sourceBytes),
               t.committed,
               site,
               {}};
  if (sourceBytes) {
    quartet_emu_read(global, sourceBytes, 1, site);
    std::memcpy(copy.snapshot, global, uint32_t(sourceBytes));
  }
  markCopy(t, t.block->shared, to - t.block->shared.base, uint32_t(bytes),
           false, site);
  std::memset(shared, 0xff, uint32_t(bytes));
  t.copies.push_back(copy);
}

void quartet_emu_commit_group(void) { ++current->committed; }

void quartet_emu_wait_group(int32_t pending) {
  Thread &t = *current;
  Space &shared = t.block->shared;
  size_t arrived = 0;
  for (const Copy &copy : t.copies) {
    if (copy.group + uint64_t(pending < 0 ? 0 : pending) >= t.committed)
      break;
    ++arrived;
    changesShared(t);
    if (std::memcmp(copy.from, copy.snapshot, copy.sourceBytes) != 0)
      t.machine->report(ReportKind::SourceChanged, copy.site, nullptr,
                        "source changed: what " + nameOf(t) +
                            " copies asynchronously at " + quoted(copy.site) +
                            " was changed before it arrived");
    std::memcpy(copy.to, copy.snapshot, copy.bytes);
    markCopy(t, shared, reinterpret_cast<uintptr_t>(copy.to) - shared.base,
             copy.bytes, true, copy.site);
  }
  t.copies.erase(t.copies.begin(), t.copies.begin() + long(arrived));
}
