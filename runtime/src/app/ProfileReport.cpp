// Sums over repetitions and JSON. The ceiling of a phase is the time that a
// copy on the same device needs for as many bytes.
#include "runtime/src/app/ProfileReport.h"
#include "runtime/src/engine/Json.h"
#include <algorithm>

namespace quartet::rt {

namespace {
std::string withoutDots(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

bool endsIn(const std::string &text, const std::string &end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// All repetitions of a phase.
struct PhaseSum {
  std::string name;
  int64_t launches = 0;
  double seconds = 0, bytes = 0, flops = 0;
  double least = 0; ///< seconds that its launches take at least
  double lost() const { return seconds - least; }
};

/// What a launch takes at least, by what was measured of the device.
double leastSeconds(const ProfileReport &report, const StepCost &cost) {
  double moving = report.bandwidth > 0 ? cost.bytes / report.bandwidth : 0;
  return std::max(moving, report.peaks.seconds(cost.flops, cost.int8Flops));
}

std::vector<PhaseSum> sumsOf(const ProfileReport &report) {
  std::vector<PhaseSum> sums;
  for (const LaunchResult &launch : report.launches) {
    const std::string &name =
        launch.phase.empty() ? launch.kernel : launch.phase;
    auto sum = std::find_if(sums.begin(), sums.end(),
                            [&](const PhaseSum &s) { return s.name == name; });
    if (sum == sums.end())
      sum = sums.insert(sums.end(), {name, 0, 0, 0, 0, 0});
    ++sum->launches;
    sum->seconds += launch.seconds.median;
    sum->bytes += launch.cost.bytes;
    sum->flops += launch.cost.flops;
    sum->least += leastSeconds(report, launch.cost);
  }
  return sums;
}
} // namespace

void addCosts(const Manifest &manifest, ProfileReport &report) {
  const PlanBucket *plan = planBucket(manifest, report.tokens);
  if (!plan)
    return;
  for (LaunchResult &launch : report.launches) {
    const PlanPhase *best = nullptr;
    for (const PlanPhase &phase : plan->phases)
      if (!phase.name.empty() &&
          endsIn(launch.kernel, "_" + withoutDots(phase.name)) &&
          (!best || phase.name.size() > best->name.size()))
        best = &phase;
    if (!best)
      continue;
    launch.phase = best->name;
    launch.cost = phaseCost(*best, report.tokens, 1, 1,
                            double(report.context) + double(report.tokens) / 2);
  }
}

std::string profileText(const ProfileReport &report) {
  constexpr size_t shownPhases = 10;
  std::vector<PhaseSum> sums = sumsOf(report);
  double all = 0;
  for (const PhaseSum &sum : sums)
    all += sum.seconds;
  std::sort(sums.begin(), sums.end(),
            [&](const PhaseSum &a, const PhaseSum &b) {
              double x = a.lost(), y = b.lost();
              return x != y ? x > y : a.name < b.name;
            });
  std::string text = report.model + " on " + report.device.name + ", " +
                     std::to_string(report.tokens) +
                     (report.tokens == 1 ? " token" : " tokens") + " after " +
                     std::to_string(report.context) + "\n";
  text += print("a step takes %.1f us; %zu launches one by one take %.1f us\n"
                "copies on the device reach %.1f GB/s\n\n",
                report.stepSeconds * 1e6, report.launches.size(), all * 1e6,
                report.bandwidth / 1e9);
  if (report.peaks.int8 > 0)
    text.insert(text.size() - 1,
                print("matrix instructions reach %.1f TOP/s of int8, %.1f "
                      "TFLOP/s of bf16\n",
                      report.peaks.int8 / 1e12, report.peaks.bf16 / 1e12));
  text += print("%-20s %8s %10s %6s %9s %8s %8s %9s %9s\n", "phase", "launches",
                "us", "%", "MB", "GB/s", "GFLOP/s", "% of ceil", "lost us");
  for (size_t i = 0; i != std::min(sums.size(), shownPhases); ++i) {
    const PhaseSum &sum = sums[i];
    double rate = sum.seconds > 0 ? sum.bytes / sum.seconds : 0;
    text += print("%-20s %8lld %10.1f %6.1f %9.2f %8.1f %8.1f %9.1f %9.1f\n",
                  sum.name.c_str(), static_cast<long long>(sum.launches),
                  sum.seconds * 1e6, all > 0 ? 100 * sum.seconds / all : 0,
                  sum.bytes / 1e6, rate / 1e9,
                  sum.seconds > 0 ? sum.flops / sum.seconds / 1e9 : 0,
                  sum.seconds > 0 ? 100 * sum.least / sum.seconds : 0,
                  sum.lost() * 1e6);
  }
  if (sums.size() > shownPhases)
    text += print("and %zu more phases\n", sums.size() - shownPhases);
  return text;
}

std::string profileTrace(const ProfileReport &report) {
  using Ordered = nlohmann::ordered_json;
  Ordered events = Ordered::array();
  events.push_back({{"ph", "M"},
                    {"pid", 1},
                    {"tid", 1},
                    {"name", "process_name"},
                    {"args", {{"name", report.device.name}}}});
  double at = 0;
  for (const LaunchResult &launch : report.launches) {
    double seconds = launch.seconds.median;
    Ordered args = {{"layer", launch.layer},
                    {"phase", launch.phase},
                    {"bytes", launch.cost.bytes},
                    {"flops", launch.cost.flops},
                    {"min_us", launch.seconds.least * 1e6},
                    {"max_us", launch.seconds.most * 1e6}};
    if (seconds > 0 && report.bandwidth > 0)
      args["fraction_of_bandwidth"] =
          launch.cost.bytes / seconds / report.bandwidth;
    if (seconds > 0)
      args["fraction_of_ceiling"] = leastSeconds(report, launch.cost) / seconds;
    events.push_back({{"ph", "X"},
                      {"pid", 1},
                      {"tid", 1},
                      {"name", launch.kernel},
                      {"ts", at * 1e6},
                      {"dur", seconds * 1e6},
                      {"args", args}});
    at += seconds;
  }
  Ordered json = {{"traceEvents", events},
                  {"displayTimeUnit", "ns"},
                  {"otherData",
                   {{"model", report.model},
                    {"device", report.device.name},
                    {"tokens", report.tokens},
                    {"context", report.context},
                    {"step_seconds", report.stepSeconds},
                    {"copy_bytes_per_second", report.bandwidth}}}};
  return json.dump(1, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

} // namespace quartet::rt
