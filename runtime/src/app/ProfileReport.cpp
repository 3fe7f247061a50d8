// Sums over repetitions. The ceiling of a phase is the time that a copy on the
// same device needs for as many bytes, or its matrix units for as many
// operations.
#include "runtime/src/app/ProfileReport.h"
#include <algorithm>
#include <numeric>

namespace quartet::rt {

namespace {
/// All repetitions of a phase.
struct PhaseSum {
  std::string name;
  int64_t times = 0;
  double seconds = 0, work = 0, bytes = 0, flops = 0;
  double least = 0; ///< seconds that it takes at least
  double lost() const { return seconds - least; }
  /// The part of its time in which blocks do nothing of it.
  double idle() const {
    return seconds > 0 ? std::max(0.0, 1 - work / seconds) : 0;
  }
};

std::vector<PhaseSum> sumsOf(const ProfileReport &report) {
  std::vector<PhaseSum> sums;
  for (size_t i = 0; i != report.phases.size(); ++i) {
    const PhaseTime &phase = report.phases[i];
    const char *name = report.times.spans[i].phase;
    auto sum = std::find_if(sums.begin(), sums.end(),
                            [&](const PhaseSum &s) { return s.name == name; });
    if (sum == sums.end())
      sum = sums.insert(sums.end(), {name, 0, 0, 0, 0, 0, 0});
    ++sum->times;
    sum->seconds += phase.seconds.median;
    sum->work += phase.workSeconds.median;
    sum->bytes += phase.cost.bytes;
    sum->flops += phase.cost.flops;
    sum->least += leastSeconds(report, phase.cost);
  }
  return sums;
}
} // namespace

double leastSeconds(const ProfileReport &report, const StepCost &cost) {
  double moving = report.bandwidth > 0 ? cost.bytes / report.bandwidth : 0;
  return std::max(moving, report.peaks.seconds(cost.flops, cost.int8Flops));
}

void addRuns(std::vector<StepTimes> runs, ProfileReport &report) {
  size_t count = runs[0].spans.size();
  std::vector<std::vector<double>> seconds(count), work(count);
  for (const StepTimes &run : runs) {
    std::vector<double> ends = run.ends();
    for (size_t span = 0; span != count; ++span) {
      double worked = 0;
      for (int64_t worker = 0; worker != run.workers; ++worker)
        worked += run.at(span, worker).end - run.at(span, worker).ready;
      seconds[span].push_back(ends[span] - (span ? ends[span - 1] : 0));
      work[span].push_back(worked / double(run.workers));
    }
  }
  report.phases.resize(count);
  for (size_t span = 0; span != count; ++span) {
    report.phases[span].seconds = spreadOf(seconds[span]);
    report.phases[span].workSeconds = spreadOf(work[span]);
  }
  auto middle = runs.begin() + std::ptrdiff_t(runs.size() / 2);
  std::nth_element(runs.begin(), middle, runs.end(),
                   [](const StepTimes &a, const StepTimes &b) {
                     return a.ends().back() < b.ends().back();
                   });
  report.times = std::move(*middle);
}

void addCosts(const Manifest &manifest, ProfileReport &report) {
  const PlanBucket *plan = planBucket(manifest, report.tokens);
  if (!plan)
    return;
  for (size_t i = 0; i != report.phases.size(); ++i)
    for (const PlanPhase &phase : plan->phases)
      if (phase.name == report.times.spans[i].phase) {
        report.phases[i].known = true;
        report.phases[i].cost =
            phaseCost(phase, report.tokens, 1, 1,
                      double(report.context) + double(report.tokens) / 2);
      }
}

static std::string rowOf(const PhaseSum &sum, double all) {
  double rate = sum.seconds > 0 ? sum.bytes / sum.seconds : 0;
  return print("%-20s %5lld %10.1f %6.1f %9.2f %8.1f %8.1f %9.1f %9.1f %6.1f\n",
               sum.name.c_str(), static_cast<long long>(sum.times),
               sum.seconds * 1e6, all > 0 ? 100 * sum.seconds / all : 0,
               sum.bytes / 1e6, rate / 1e9,
               sum.seconds > 0 ? sum.flops / sum.seconds / 1e9 : 0,
               sum.seconds > 0 ? 100 * sum.least / sum.seconds : 0,
               sum.lost() * 1e6, 100 * sum.idle());
}

std::string profileText(const ProfileReport &report, size_t shown) {
  std::vector<PhaseSum> sums = sumsOf(report);
  double all = std::accumulate(
      sums.begin(), sums.end(), 0.0,
      [](double before, const PhaseSum &sum) { return before + sum.seconds; });
  std::sort(sums.begin(), sums.end(),
            [&](const PhaseSum &a, const PhaseSum &b) {
              double x = a.lost(), y = b.lost();
              return x != y ? x > y : a.name < b.name;
            });
  std::string text = report.model + " on " + report.device.name + ", " +
                     std::to_string(report.tokens) +
                     (report.tokens == 1 ? " token" : " tokens") + " after " +
                     std::to_string(report.context) + "\n";
  text += print("a step takes %.1f us; while blocks read the clock, %.1f us\n"
                "copies on the device reach %.1f GB/s\n",
                report.stepSeconds * 1e6, all * 1e6, report.bandwidth / 1e9);
  if (report.peaks.int8 > 0)
    text += print("matrix instructions reach %.1f TOP/s of int8, %.1f TFLOP/s "
                  "of bf16\n",
                  report.peaks.int8 / 1e12, report.peaks.bf16 / 1e12);
  text += print("\n%-20s %5s %10s %6s %9s %8s %8s %9s %9s %6s\n", "phase",
                "times", "us", "%", "MB", "GB/s", "GFLOP/s", "% of ceil",
                "lost us", "idle %");
  for (size_t i = 0; i != std::min(sums.size(), shown); ++i)
    text += rowOf(sums[i], all);
  if (sums.size() > shown)
    text += print("and %zu more phases (--all)\n", sums.size() - shown);
  return text + "idle: the part of its time in which blocks wait for others or "
                "have no task of it\n";
}

} // namespace quartet::rt
