// The affinity mask and the control group's quota, as Linux has them.
#include "runtime/src/device/Cpus.h"
#include <algorithm>
#include <cstdio>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace quartet::rt {

/// The CPU quota of the control group in whole cores, or 0 without one.
static unsigned cgroupCores() {
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (!file)
    return 0;
  long long quota = 0, period = 0;
  int fields = fscanf(file, "%lld %lld", &quota, &period);
  fclose(file);
  if (fields != 2 || quota <= 0 || period <= 0)
    return 0;
  return unsigned(
      std::clamp<long long>((quota + period - 1) / period, 1, 4096));
}

std::vector<int> allowedCpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails with more CPUs than a cpu_set_t holds.
  if (sched_getaffinity(0, sizeof(set), &set) != 0)
    return cpus;
  for (int cpu = 0; cpu != CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set))
      cpus.push_back(cpu);
  return cpus;
}

unsigned availableThreads() {
  long cores = long(allowedCpus().size());
  if (cores == 0)
    cores = sysconf(_SC_NPROCESSORS_ONLN);
  unsigned result = unsigned(std::max(cores, 1L));
  if (unsigned quota = cgroupCores())
    result = std::min(result, quota);
  return result;
}

bool pinToCpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

void allowCpus(const std::vector<int> &cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : cpus)
    CPU_SET(cpu, &set);
  (void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

} // namespace quartet::rt
