// Reserves the states and hands out slots and pages. Fresh anonymous memory is
// zero already, so only a slot that was used before is cleared.
#include "runtime/src/engine/States.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <sys/mman.h>

namespace quartet::rt {

/// The list of 0..count-1 with the lowest last, where free units are taken.
static std::vector<int32_t> descending(int64_t count) {
  std::vector<int32_t> list(static_cast<size_t>(count));
  for (int64_t i = 0; i != count; ++i)
    list[size_t(i)] = int32_t(count - 1 - i);
  return list;
}

static int32_t takeLast(std::vector<int32_t> &list) {
  if (list.empty())
    return -1;
  int32_t unit = list.back();
  list.pop_back();
  return unit;
}

/// Keeps the list descending, so that memory in use stays compact.
static void giveBack(std::vector<int32_t> &list, int32_t unit) {
  list.insert(
      std::upper_bound(list.begin(), list.end(), unit, std::greater<>()), unit);
}

bool States::reserve(Region &region, const StateInfo &info, int64_t bytes,
                     int64_t units, std::string *error) {
  region.bytes = size_t(bytes);
  if (device) {
    std::string ignored;
    DeviceAddress address = 0;
    if (!device->allocate("state " + info.name, region.bytes,
                          DeviceAccess::ReadWrite, address,
                          error ? error : &ignored) ||
        !device->fillZero(address, region.bytes, error ? error : &ignored)) {
      device->release(address);
      return false;
    }
    region.base = reinterpret_cast<uint8_t *>(address);
    return true;
  }
  void *base = MAP_FAILED;
  if (bytes == INT64_MAX)
    errno = ENOMEM;
  else
    base = mmap(nullptr, region.bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    if (error)
      *error = "cannot reserve " + std::to_string(bytes) +
               " bytes for state '" + info.name + "' (" +
               std::to_string(units) + (info.paged ? " pages" : " slots") +
               "): " + strerror(errno) +
               "; a smaller context (--context N) needs less";
    return false;
  }
  region.base = static_cast<uint8_t *>(base);
  return true;
}

std::unique_ptr<States> States::create(const Manifest &manifest, int64_t slots,
                                       int64_t pages, std::string *error,
                                       Device *device) {
  std::unique_ptr<States> states(new States);
  states->device = device;
  states->slotCount = slots;
  states->pageCount = pages;
  for (const StateInfo &info : manifest.states) {
    Region region;
    region.paged = info.paged;
    region.inner = elementBytes(info.dtype);
    bool before = true;
    for (int64_t extent : info.shape) {
      if (extent < 0)
        before = false;
      else
        (before ? region.outer : region.inner) *= extent;
    }
    int64_t units = info.paged ? pages : slots;
    int64_t bytes = 0;
    if (__builtin_mul_overflow(info.bytesPerUnit(), units, &bytes))
      bytes = INT64_MAX;
    if (!states->reserve(region, info, bytes, units, error))
      return nullptr;
    states->regions.push_back(region);
    states->bases.push_back(region.base);
  }
  states->slotList = descending(slots);
  states->pageList = descending(pages);
  states->slotUsed.assign(size_t(slots), false);
  return states;
}

States::~States() {
  for (const Region &region : regions)
    if (device)
      device->release(reinterpret_cast<uintptr_t>(region.base));
    else
      munmap(region.base, region.bytes);
}

std::vector<DeviceAddress> States::addresses() const {
  std::vector<DeviceAddress> list;
  for (void *base : bases)
    list.push_back(reinterpret_cast<uintptr_t>(base));
  return list;
}

void States::zeroSlot(int32_t slot) {
  // What fails on a device stays an error there: the next step reports it.
  std::string reportedLater;
  for (const Region &region : regions) {
    if (region.paged)
      continue;
    for (int64_t i = 0; i != region.outer; ++i) {
      uint8_t *part = region.base + (i * slotCount + slot) * region.inner;
      if (device)
        (void)device->fillZero(reinterpret_cast<uintptr_t>(part),
                               uint64_t(region.inner), &reportedLater);
      else
        memset(part, 0, size_t(region.inner));
    }
  }
}

bool States::copySlot(size_t state, int32_t slot, uint8_t *out,
                      std::string *error) const {
  const Region &region = regions[state];
  for (int64_t i = 0; i != region.outer; ++i) {
    uint8_t *part = region.base + (i * slotCount + slot) * region.inner;
    uint8_t *to = out + i * region.inner;
    if (!device)
      memcpy(to, part, size_t(region.inner));
    else if (!device->download(to, reinterpret_cast<uintptr_t>(part),
                               uint64_t(region.inner), error))
      return false;
  }
  return !device || device->synchronize(error);
}

int32_t States::allocateSlot() {
  int32_t slot = takeLast(slotList);
  if (slot < 0)
    return -1;
  if (slotUsed[size_t(slot)])
    zeroSlot(slot);
  slotUsed[size_t(slot)] = true;
  return slot;
}

void States::freeSlot(int32_t slot) { giveBack(slotList, slot); }

int32_t States::allocatePage() { return takeLast(pageList); }

void States::freePage(int32_t page) { giveBack(pageList, page); }

} // namespace quartet::rt
