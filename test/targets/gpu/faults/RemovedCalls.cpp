// Stands between the kernels of one executable and the emulator, whose own
// functions are renamed to real_emu_*: lists the places in the code that order
// what threads do (barriers, waits, orders of atomics), and leaves one of them
// out. A place is an address within the program, so that one build serves for
// all of them.
//
//   QUARTET_TEST_LIST=FILE    write "KIND PLACE SITE" for each that ran
//   QUARTET_TEST_REMOVE=PLACE leave this one out
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

namespace {
struct Places {
  const char *list = getenv("QUARTET_TEST_LIST");
  const char *remove = getenv("QUARTET_TEST_REMOVE");
  std::string removed = remove ? remove : "";
  std::map<std::string, std::pair<const char *, std::string>> seen;

  ~Places() {
    FILE *file = list ? fopen(list, "w") : nullptr;
    if (!file)
      return;
    for (const auto &[place, what] : seen)
      fprintf(file, "%s %s %s\n", what.first, place.c_str(),
              what.second.c_str());
    fclose(file);
  }
};
Places places;

/// Whether the call at \p address is to be left out.
bool isRemoved(const char *kind, const void *address, const char *site) {
  if (!places.list && !places.remove)
    return false;
  char place[32];
  snprintf(
      place, sizeof(place), "%llx",
      static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(address) -
                                      reinterpret_cast<uintptr_t>(&isRemoved)));
  if (places.list)
    places.seen.try_emplace(place, kind, site);
  return places.remove && places.removed == place;
}
} // namespace

#define REMOVED(kind, site) isRemoved(kind, __builtin_return_address(0), site)

extern "C" {
void real_emu_barrier(const char *site);
void quartet_emu_barrier(const char *site) {
  if (!REMOVED("barrier", site))
    real_emu_barrier(site);
}

void real_emu_warp_barrier(uint64_t mask, const char *site);
void quartet_emu_warp_barrier(uint64_t mask, const char *site) {
  if (!REMOVED("warp-barrier", site))
    real_emu_warp_barrier(mask, site);
}

void real_emu_wait_group(int32_t pending);
void quartet_emu_wait_group(int32_t pending) {
  if (!REMOVED("wait-group", ""))
    real_emu_wait_group(pending);
}

void real_emu_group_barrier(int32_t barrier, int32_t threads, const char *site);
void quartet_emu_group_barrier(int32_t barrier, int32_t threads,
                               const char *site) {
  if (!REMOVED("group-barrier", site))
    real_emu_group_barrier(barrier, threads, site);
}

void real_emu_group_fence();
void quartet_emu_group_fence() {
  if (!REMOVED("group-fence", ""))
    real_emu_group_fence();
}

void real_emu_transfer_wait(void *barrier, int32_t parity, const char *site);
void quartet_emu_transfer_wait(void *barrier, int32_t parity,
                               const char *site) {
  if (!REMOVED("transfer-wait", site))
    real_emu_transfer_wait(barrier, parity, site);
}

void real_emu_dependency_wait();
void quartet_emu_dependency_wait() {
  if (!REMOVED("dependency-wait", ""))
    real_emu_dependency_wait();
}

uint32_t real_emu_atomic_load(const uint32_t *address, int32_t order,
                              const char *site);
uint32_t quartet_emu_atomic_load(const uint32_t *address, int32_t order,
                                 const char *site) {
  bool plain = order != 0 && REMOVED("acquire", site);
  return real_emu_atomic_load(address, plain ? 0 : order, site);
}

uint32_t real_emu_atomic_add(uint32_t *address, uint32_t value, int32_t order,
                             const char *site);
uint32_t quartet_emu_atomic_add(uint32_t *address, uint32_t value,
                                int32_t order, const char *site) {
  bool plain = order != 0 && REMOVED("release", site);
  return real_emu_atomic_add(address, value, plain ? 0 : order, site);
}

void real_emu_fence(const char *site);
void quartet_emu_fence(const char *site) {
  if (!REMOVED("fence", site))
    real_emu_fence(site);
}
}
