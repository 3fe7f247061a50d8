// A line on the terminal that says how far the weights are.
#ifndef QUARTET_RUNTIME_APP_UPLOADPROGRESS_H
#define QUARTET_RUNTIME_APP_UPLOADPROGRESS_H
#include <chrono>
#include <cstdint>
#include <string>

namespace quartet::rt {

/// "weights: 12.3 GB of 18.0 GB, 5.2 GB/s, 1 s left"; \p seconds since the
/// start.
std::string uploadText(uint64_t done, uint64_t total, double seconds);

class UploadProgress {
public:
  /// Silent when \p quiet or when standard error is no terminal.
  explicit UploadProgress(bool quiet);
  /// Ends the line.
  ~UploadProgress();
  UploadProgress(const UploadProgress &) = delete;
  UploadProgress &operator=(const UploadProgress &) = delete;

  /// Replaces the line, at most ten times a second.
  void show(uint64_t done, uint64_t total);

private:
  using Clock = std::chrono::steady_clock;
  bool visible, shown = false;
  Clock::time_point start = Clock::now(), last = start;
};

} // namespace quartet::rt
#endif
