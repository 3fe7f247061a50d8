// mmap with room for the alignment that large pages need.
#include "runtime/src/device/Memory.h"
#include <algorithm>
#include <cerrno>
#include <sys/mman.h>

namespace quartet::rt {

constexpr uint64_t largePage = uint64_t(2) << 20;

Memory::~Memory() { release(); }

void Memory::release() {
  if (mapping)
    munmap(mapping, mappedBytes);
  mapping = nullptr;
  start = nullptr;
  bytes = 0;
}

bool Memory::allocate(uint64_t wanted) {
  release();
  bool large = wanted >= largePage;
  if (wanted > uint64_t(INT64_MAX) - largePage) {
    errno = ENOMEM;
    return false;
  }
  mappedBytes = size_t(std::max<uint64_t>(wanted, 1) + (large ? largePage : 0));
  void *memory = mmap(nullptr, mappedBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return false;
  mapping = memory;
  auto address = reinterpret_cast<uintptr_t>(memory);
  if (large)
    address = (address + largePage - 1) / largePage * largePage;
  start = reinterpret_cast<uint8_t *>(address);
  bytes = wanted;
  if (large) // A wish: without large pages everything works as well.
    (void)madvise(start, size_t(wanted), MADV_HUGEPAGE);
  return true;
}

} // namespace quartet::rt
