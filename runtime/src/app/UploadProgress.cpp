// One line that is written over itself.
#include "runtime/src/app/UploadProgress.h"
#include "runtime/src/engine/DeviceMemory.h"
#include <cstdio>
#include <unistd.h>

namespace quartet::rt {

std::string uploadText(uint64_t done, uint64_t total, double seconds) {
  std::string text = "weights: " + gigabytes(done) + " of " + gigabytes(total);
  if (seconds <= 0 || done == 0)
    return text;
  double rate = double(done) / seconds;
  char left[32];
  snprintf(left, sizeof(left), ", %.0f s left", double(total - done) / rate);
  return text + ", " + gigabytes(uint64_t(rate)) + "/s" +
         (done < total ? left : "");
}

UploadProgress::UploadProgress(bool quiet)
    : visible(!quiet && isatty(STDERR_FILENO)) {}

UploadProgress::~UploadProgress() {
  if (shown)
    fputs("\r\033[K", stderr);
}

void UploadProgress::show(uint64_t done, uint64_t total) {
  Clock::time_point now = Clock::now();
  if (!visible || (done < total && now - last < std::chrono::milliseconds(100)))
    return;
  last = now;
  shown = true;
  double seconds = std::chrono::duration<double>(now - start).count();
  fprintf(stderr, "\r%s\033[K", uploadText(done, total, seconds).c_str());
}

} // namespace quartet::rt
