// Shows on standard error how far a long copy is; short copies show nothing.
#include "compiler/import/Progress.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>

using namespace llvm;

namespace quartet {

std::string formatBytes(uint64_t bytes) {
  const char *units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000)
    return std::to_string(bytes) + " bytes";
  double value = double(bytes) / 1000;
  unsigned unit = 0;
  for (; value >= 999.5 && unit < 5; ++unit)
    value /= 1000;
  const char *format = value < 9.995   ? "{0:F2} {1}"
                       : value < 99.95 ? "{0:F1} {1}"
                                       : "{0:F0} {1}";
  return formatv(format, value, units[unit]).str();
}

std::string formatSeconds(double seconds) {
  auto whole = uint64_t(std::clamp(seconds, 0.0, 1e9) + 0.5);
  if (whole < 60)
    return formatv("{0} s", whole).str();
  if (whole < 3600)
    return formatv("{0} min {1:2} s", whole / 60, whole % 60).str();
  return formatv("{0} h {1} min", whole / 3600, whole % 3600 / 60).str();
}

Progress::Progress(StringRef what, uint64_t total, bool enabled, StringRef unit)
    : what(what), unit(unit), total(total), enabled(enabled),
      terminal(sys::Process::StandardErrIsDisplayed()), start(Clock::now()),
      last(start) {}

Progress::~Progress() {
  if (shown && terminal)
    errs() << '\n';
}

void Progress::update(uint64_t done) {
  if (!enabled)
    return;
  auto seconds = [](Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  };
  Clock::time_point now = Clock::now();
  bool finished = done >= total;
  // A copy that never showed anything has nothing to finish.
  if (finished ? !shown : seconds(now - last) < (terminal ? 0.2 : 5.0))
    return;
  last = now;
  shown = true;
  double rate = double(done) / std::max(seconds(now - start), 1e-3);
  std::string speed = unit.empty() ? formatBytes(uint64_t(rate))
                                   : formatv("{0:F1} {1}", rate, unit).str();
  std::string text = formatv(
      "{0} {1} of {2}, {3}/s, ", what,
      unit.empty() ? formatBytes(done) : std::to_string(done),
      unit.empty() ? formatBytes(total) : std::to_string(total) + " " + unit,
      speed);
  text += finished
              ? formatSeconds(seconds(now - start))
              : formatSeconds(double(total - done) / std::max(rate, 1e-6)) +
                    " left";
  if (!terminal) {
    errs() << text << '\n';
    return;
  }
  constexpr size_t width = 24;
  size_t full = total ? size_t(double(done) / double(total) * width) : 0;
  full = std::min(full, width);
  // Back to the line's start; then clear what a longer text left.
  errs() << "\r[" << std::string(full, '#') << std::string(width - full, ' ')
         << "] " << text << "\x1b[K";
}

} // namespace quartet
