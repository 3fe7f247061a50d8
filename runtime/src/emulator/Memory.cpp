// What kernels may touch: regions, the program's constants, the block's shared
// memory and the thread's stack. Anything else ends the launch, since the
// access itself follows the check.
#include "runtime/src/emulator/Machine.h"
#include <link.h>

using namespace quartet::emu;

bool Machine::addRegion(uintptr_t base, uint64_t bytes, std::string name,
                        RegionKind kind) {
  uintptr_t end = base + bytes;
  if (!bytes || end < base)
    return false;
  auto above = regions.upper_bound(base);
  if (above != regions.end() && above->second.begin < end)
    return false;
  Space &space = regions[end];
  space.base = base & ~uintptr_t(3);
  space.begin = base;
  space.size = bytes;
  space.name = std::move(name);
  space.readOnly = kind == RegionKind::ReadOnly;
  if (kind == RegionKind::Scratch)
    space.definedSince = ++now;
  if (!space.readOnly)
    space.shadow.resize(end - space.base);
  return true;
}

/// Lets kernels read what nobody can write: the executable's constants, among
/// them those that only the loader writes.
void Machine::addProgram() {
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *context) {
        auto &machine = *static_cast<Machine *>(context);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto &header = info->dlpi_phdr[i];
          bool constant =
              (header.p_type == PT_LOAD && !(header.p_flags & PF_W)) ||
              header.p_type == PT_GNU_RELRO;
          if (constant)
            machine.addRegion(info->dlpi_addr + header.p_vaddr, header.p_memsz,
                              "the program", RegionKind::ReadOnly);
        }
        return 1; // the first one is the executable
      },
      this);
}

Space *Machine::findRegion(uintptr_t address, uint64_t bytes) {
  auto found = regions.upper_bound(address);
  if (found == regions.end() || !found->second.holds(address, bytes))
    return nullptr;
  return &found->second;
}

/// Where \p address is, in the words of the schedule: the region that it is in
/// or next to.
static std::string nearest(const Machine &machine, uintptr_t address,
                           uint64_t bytes) {
  for (const Block &block : machine.blocks)
    if (address - block.shared.begin < uint64_t(machine.options.sharedLimit))
      return placeOf(block.shared, address - block.shared.base) +
             ", which has " + std::to_string(block.shared.size) + " bytes";
  int64_t stack = machine.stacks.find(address);
  if (stack >= 0) {
    int64_t threads = machine.options.threads;
    return "on the stack of thread " + std::to_string(stack % threads) +
           " of block " + std::to_string(stack / threads);
  }
  const Space *best = nullptr;
  uint64_t distance = UINT64_MAX;
  for (const auto &[end, space] : machine.regions) {
    uint64_t apart = address < space.begin ? space.begin - address
                     : address >= end      ? address - end + 1
                                           : 0;
    if (apart < distance) {
      distance = apart;
      best = &space;
    }
  }
  if (!best || distance > (uint64_t(1) << 30))
    return "nowhere near a region";
  return placeOf(*best, address - best->base) + ", which has " +
         std::to_string(best->size) + " bytes";
}

void Machine::outOfBounds(Thread &thread, uintptr_t address, int64_t bytes,
                          bool write, const char *site) {
  Space *space = bytes > 0 ? findRegion(address, uint64_t(bytes)) : nullptr;
  bool readOnly = space && space->readOnly;
  report(ReportKind::OutOfBounds, site, nullptr,
         std::string(readOnly ? "write of read-only memory: "
                              : "out of bounds: ") +
             nameOf(thread) + (write ? " writes " : " reads ") +
             std::to_string(bytes) + " bytes at " + hexadecimal(address) +
             " at " + quoted(site) + ": " +
             nearest(*this, address, uint64_t(bytes)));
  abandon();
}

Space *Machine::locate(Thread &thread, const void *pointer, int64_t bytes,
                       bool write, const char *site) {
  auto address = reinterpret_cast<uintptr_t>(pointer);
  Space &shared = thread.block->shared;
  uint64_t size = uint64_t(bytes); // a negative one is in no region
  if (shared.holds(address, size))
    return &shared;
  Space *space = thread.recent[0];
  if (!space || !space->holds(address, size)) {
    space = thread.recent[1];
    if (!space || !space->holds(address, size)) {
      if (address >= thread.stackBegin && address < thread.stackEnd &&
          size <= thread.stackEnd - address)
        return nullptr;
      space = findRegion(address, size);
      if (!space)
        outOfBounds(thread, address, bytes, write, site);
    }
    thread.recent[1] = thread.recent[0];
    thread.recent[0] = space;
  }
  if (space->readOnly) {
    if (write)
      outOfBounds(thread, address, bytes, write, site);
    return nullptr;
  }
  return space;
}

/// Hardware traps, or takes another address.
static void checkAlignment(Thread &t, const void *pointer, int64_t bytes,
                           int64_t align, const char *does, const char *site) {
  auto address = reinterpret_cast<uintptr_t>(pointer);
  if (address % uint64_t(align) == 0)
    return;
  badInstruction(t, site, "alignment",
                 std::string(does) + " " + std::to_string(bytes) +
                     " bytes at " + hexadecimal(address) + ", " +
                     nearest(*t.machine, address, uint64_t(bytes)) +
                     "; expected a multiple of " + std::to_string(align));
}

void quartet_emu_read(const void *address, int64_t bytes, int64_t align,
                      const char *site) {
  Thread &t = *current;
  t.site = site;
  Space *space = t.machine->locate(t, address, bytes, false, site);
  checkAlignment(t, address, bytes, align, "reads", site);
  if (space)
    checkRead(t, *space, reinterpret_cast<uintptr_t>(address) - space->base,
              uint64_t(bytes), site);
}

void quartet_emu_write(void *address, int64_t bytes, int64_t align,
                       const char *site) {
  Thread &t = *current;
  t.site = site;
  Space *space = t.machine->locate(t, address, bytes, true, site);
  checkAlignment(t, address, bytes, align, "writes", site);
  if (!space)
    return;
  if (space->shared)
    changesShared(t);
  checkWrite(t, *space, reinterpret_cast<uintptr_t>(address) - space->base,
             uint64_t(bytes), site);
}
