// Ticks become seconds by the rate that the compiler knows of the chip's clock.
#include "runtime/src/engine/StampedStep.h"
#include <algorithm>

namespace quartet::rt {

StampedStep::StampedStep(Device &device, const quartet_device &program,
                         const quartet_bucket &bucket)
    : device(device), program(program), bucket(bucket), memory(device) {
  for (int64_t i = 0; i != bucket.num_launches; ++i) {
    const quartet_launch &launch = bucket.launches[i];
    spans.insert(spans.end(), launch.spans, launch.spans + launch.num_spans);
  }
  stampsOfBlock = QUARTET_STAMP_ENDS + size_t(program.threads / program.lanes);
  words.resize(spans.size() * size_t(device.workers()) * stampsOfBlock);
}

std::vector<double> StepTimes::ends() const {
  std::vector<double> ends;
  double end = 0;
  for (size_t span = 0; span != spans.size(); ++span) {
    for (int64_t worker = 0; worker != workers; ++worker)
      end = std::max(end, at(span, worker).end);
    ends.push_back(end);
  }
  return ends;
}

bool StampedStep::prepare(DeviceAddress args, std::string *error) {
  if (!device.allocate("the times of blocks", words.size() * sizeof(int64_t),
                       DeviceAccess::ReadWrite, memory.address, error))
    return false;
  DeviceStep what;
  what.launches = bucket.launches;
  what.count = bucket.num_launches;
  what.workers = device.workers();
  what.args = args;
  what.stamps = memory.address;
  what.spanBytes = uint64_t(device.workers()) * stampsOfBlock * sizeof(int64_t);
  step = device.prepare(what, error);
  return step >= 0;
}

bool StampedStep::read(StepTimes &times, std::string *error) const {
  auto workers = size_t(device.workers());
  times.spans = spans;
  times.workers = device.workers();
  times.work.resize(spans.size() * workers);
  int64_t first = INT64_MAX;
  for (size_t place = 0; place != times.work.size(); ++place) {
    const int64_t *stamps = &words[place * stampsOfBlock];
    if (std::count(stamps, stamps + stampsOfBlock, 0)) {
      *error = "block " + std::to_string(place % workers) +
               " does not say when it ran phase '" +
               spans[place / workers].phase + "'";
      return false;
    }
    first = std::min(first, stamps[QUARTET_STAMP_BEGIN]);
  }
  auto seconds = [&](int64_t stamp) {
    return double(stamp - first) / double(program.clock_hertz);
  };
  for (size_t place = 0; place != times.work.size(); ++place) {
    const int64_t *stamps = &words[place * stampsOfBlock];
    StepTimes::Work &work = times.work[place];
    work.begin = seconds(stamps[QUARTET_STAMP_BEGIN]);
    work.ready = seconds(stamps[QUARTET_STAMP_READY]);
    work.end = seconds(
        *std::max_element(stamps + QUARTET_STAMP_ENDS, stamps + stampsOfBlock));
  }
  return true;
}

} // namespace quartet::rt
