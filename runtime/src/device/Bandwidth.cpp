// A loop of vector loads with several independent sums.
#include "runtime/src/device/Bandwidth.h"
#include <algorithm>
#include <chrono>
#include <cstring>

namespace quartet::rt {

namespace {
using Vector = uint64_t __attribute__((vector_size(64)));
constexpr int streams =
    4; ///< sums, so that additions don't wait for each other

struct Read {
  const uint8_t *data;
  uint64_t bytes;
  std::atomic<uint64_t> sum{0};
};

void readPart(void *context, int64_t worker, int64_t workers) {
  auto *read = static_cast<Read *>(context);
  constexpr uint64_t block = streams * sizeof(Vector);
  uint64_t blocks = read->bytes / block;
  uint64_t begin = blocks * uint64_t(worker) / uint64_t(workers);
  uint64_t end = blocks * uint64_t(worker + 1) / uint64_t(workers);
  Vector sums[streams] = {};
  for (uint64_t i = begin; i != end; ++i) {
    Vector values[streams];
    memcpy(values, read->data + i * block, block);
    for (int s = 0; s != streams; ++s)
      sums[s] += values[s];
  }
  Vector total = sums[0] + sums[1] + sums[2] + sums[3];
  // So that the compiler can't know that nobody looks at the sum.
  read->sum.fetch_add(total[0] ^ total[7], std::memory_order_relaxed);
}
} // namespace

double measureReadBandwidth(Team &team, const void *data, uint64_t bytes,
                            int rounds) {
  using Clock = std::chrono::steady_clock;
  Read read;
  read.data = static_cast<const uint8_t *>(data);
  read.bytes = bytes;
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    Clock::time_point start = Clock::now();
    team.run(readPart, &read);
    double seconds =
        std::chrono::duration<double>(Clock::now() - start).count();
    if (seconds > 0)
      best = std::max(best, double(bytes) / seconds);
  }
  return best;
}

} // namespace quartet::rt
