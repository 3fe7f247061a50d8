// One track of the phases, as the step is made of them, and one of each block:
// what it waited for, and what it worked on.
#include "runtime/src/app/ProfileReport.h"
#include "runtime/src/engine/Json.h"
#include <algorithm>

namespace quartet::rt {

namespace {
using Ordered = nlohmann::ordered_json;

/// Events one to a line, as there can be a hundred thousand.
class Events {
public:
  void name(const char *what, int64_t track, const std::string &name) {
    add({{"ph", "M"},
         {"pid", 1},
         {"tid", track},
         {"name", what},
         {"args", {{"name", name}}}});
  }
  /// Of [begin, end) in seconds.
  void span(int64_t track, const std::string &name, double begin, double end,
            Ordered args = {}) {
    Ordered event = {{"ph", "X"},         {"pid", 1},
                     {"tid", track},      {"name", name},
                     {"ts", begin * 1e6}, {"dur", (end - begin) * 1e6}};
    if (!args.is_null())
      event["args"] = std::move(args);
    add(event);
  }
  const std::string &text() const { return lines; }
  static std::string dump(const Ordered &json) {
    return json.dump(-1, ' ', false, Ordered::error_handler_t::replace);
  }

private:
  void add(const Ordered &event) {
    lines += (lines.empty() ? "" : ",\n") + dump(event);
  }

  std::string lines;
};

Ordered argsOf(const ProfileReport &report, size_t i) {
  const PhaseTime &phase = report.phases[i];
  Ordered args = {{"layer", report.times.spans[i].layer},
                  {"median_us", phase.seconds.median * 1e6},
                  {"min_us", phase.seconds.least * 1e6},
                  {"max_us", phase.seconds.most * 1e6},
                  {"work_us", phase.workSeconds.median * 1e6}};
  if (!phase.known)
    return args;
  args["bytes"] = phase.cost.bytes;
  args["flops"] = phase.cost.flops;
  double seconds = phase.seconds.median;
  if (seconds > 0 && report.bandwidth > 0)
    args["fraction_of_bandwidth"] =
        phase.cost.bytes / seconds / report.bandwidth;
  if (seconds > 0)
    args["fraction_of_ceiling"] = leastSeconds(report, phase.cost) / seconds;
  return args;
}
} // namespace

std::string profileTrace(const ProfileReport &report) {
  const StepTimes &times = report.times;
  Events events;
  events.name("process_name", 0, report.device.name);
  events.name("thread_name", 0, "phases");
  for (int64_t worker = 0; worker != times.workers; ++worker)
    events.name("thread_name", worker + 1, "block " + std::to_string(worker));
  std::vector<double> ends = times.ends();
  // A block of the next launch may be there while this one's still works.
  std::vector<double> free(size_t(times.workers), 0);
  for (size_t span = 0; span != times.spans.size(); ++span) {
    std::string name = times.spans[span].phase;
    events.span(0, name, span ? ends[span - 1] : 0, ends[span],
                argsOf(report, span));
    for (int64_t worker = 0; worker != times.workers; ++worker) {
      const StepTimes::Work &work = times.at(span, worker);
      double &since = free[size_t(worker)];
      double begin = std::max(work.begin, since);
      double ready = std::max(work.ready, begin);
      if (ready > begin)
        events.span(worker + 1, "wait", begin, ready, {{"for", name}});
      if (work.end > ready)
        events.span(worker + 1, name, ready, work.end,
                    {{"layer", times.spans[span].layer}});
      since = std::max(since, work.end);
    }
  }
  Ordered other = {{"model", report.model},
                   {"device", report.device.name},
                   {"tokens", report.tokens},
                   {"context", report.context},
                   {"step_seconds", report.stepSeconds},
                   {"copy_bytes_per_second", report.bandwidth}};
  return "{\"displayTimeUnit\": \"ns\",\n\"otherData\": " +
         Events::dump(other) + ",\n\"traceEvents\": [\n" + events.text() +
         "\n]}\n";
}

} // namespace quartet::rt
