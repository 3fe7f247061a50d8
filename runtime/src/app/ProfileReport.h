// What profile measured, how it reads as a table, and as a trace for Perfetto.
#ifndef QUARTET_RUNTIME_APP_PROFILEREPORT_H
#define QUARTET_RUNTIME_APP_PROFILEREPORT_H
#include "runtime/src/app/BenchReport.h"
#include "runtime/src/engine/StampedStep.h"

namespace quartet::rt {

/// One repetition of a phase.
struct PhaseTime {
  /// By how much later the last block is done than with the phases before: all
  /// of them together are the step.
  Spread seconds;
  Spread workSeconds; ///< that a block works on it, on average of all blocks
  bool known = false; ///< the manifest's plan has the phase
  StepCost cost;      ///< zero where it has not
};

struct ProfileReport {
  std::string model;
  DeviceInfo device;
  int64_t tokens = 0, context = 0;
  double stepSeconds = 0;        ///< of the whole step as it runs otherwise
  double bandwidth = 0;          ///< bytes per second of a copy on the device
  MatrixPeaks peaks;             ///< of the device
  std::vector<PhaseTime> phases; ///< as the spans of times
  StepTimes times;               ///< of the run in the middle
};

/// Sums up \p runs (at least one) of the same step: fills phases and times.
void addRuns(std::vector<StepTimes> runs, ProfileReport &report);

/// Finds what each phase costs in the manifest's plan.
void addCosts(const Manifest &manifest, ProfileReport &report);

/// What a phase takes at least, by what was measured of the device.
double leastSeconds(const ProfileReport &report, const StepCost &cost);

/// A table of the \p shown phases that lose most time against the ceiling of
/// the device (its bandwidth or its matrix units, whichever takes longer), all
/// repetitions together.
std::string profileText(const ProfileReport &report, size_t shown);

/// The Trace Event Format: a track of phases and one of each block.
std::string profileTrace(const ProfileReport &report);

} // namespace quartet::rt
#endif
