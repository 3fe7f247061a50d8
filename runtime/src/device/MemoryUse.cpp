// Reads /proc, and what sysconf knows.
#include "runtime/src/device/MemoryUse.h"
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace quartet::rt {

/// The number after \p field in lines of "Field:  123 kB", in bytes.
static uint64_t readField(const char *path, const char *field) {
  FILE *file = fopen(path, "re");
  if (!file)
    return 0;
  char line[256];
  uint64_t kilobytes = 0;
  while (fgets(line, sizeof(line), file))
    if (strncmp(line, field, strlen(field)) == 0) {
      (void)sscanf(line + strlen(field), "%" SCNu64, &kilobytes);
      break;
    }
  fclose(file);
  return kilobytes * 1024;
}

uint64_t peakResidentBytes() {
  return readField("/proc/self/status", "VmHWM:");
}

uint64_t physicalBytes() {
  return uint64_t(sysconf(_SC_PHYS_PAGES)) * uint64_t(sysconf(_SC_PAGESIZE));
}

uint64_t availableBytes() {
  return readField("/proc/meminfo", "MemAvailable:");
}

uint64_t residentBytes(const void *data, uint64_t bytes) {
  FILE *file = fopen("/proc/self/smaps", "re");
  if (!file)
    return 0;
  uint64_t begin = reinterpret_cast<uintptr_t>(data), end = begin + bytes;
  uint64_t sum = 0, from = 0, to = 0, kilobytes = 0;
  bool inside = false;
  char line[4096];
  while (fgets(line, sizeof(line), file))
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2)
      inside = from < end && to > begin;
    else if (inside && sscanf(line, "Rss: %" SCNu64, &kilobytes) == 1)
      sum += kilobytes * 1024;
  fclose(file);
  return sum;
}

} // namespace quartet::rt
