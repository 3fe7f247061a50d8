// What profile measured, how it reads as a table, and as a trace for Perfetto.
#ifndef QUARTET_RUNTIME_APP_PROFILEREPORT_H
#define QUARTET_RUNTIME_APP_PROFILEREPORT_H
#include "runtime/src/app/BenchReport.h"
#include "runtime/src/device/Device.h"

namespace quartet::rt {

struct LaunchResult {
  std::string kernel;
  int64_t layer = 0;
  Spread seconds;
  std::string phase; ///< of the plan; empty when there is none
  StepCost cost;     ///< of one repetition of the phase
};

struct ProfileReport {
  std::string model;
  DeviceInfo device;
  int64_t tokens = 0, context = 0;
  double stepSeconds = 0; ///< of the whole step as it runs otherwise
  double bandwidth = 0;   ///< bytes per second of a copy on the device
  MatrixPeaks peaks;      ///< of the device
  std::vector<LaunchResult> launches;
};

/// Finds the phase of each launch in the manifest's plan: the one whose name,
/// with '_' for '.', ends the kernel's.
void addCosts(const Manifest &manifest, ProfileReport &report);

/// A table of the ten phases that lose most time against the ceiling of the
/// device (its bandwidth or its matrix units, whichever takes longer), all
/// repetitions together.
std::string profileText(const ProfileReport &report);

/// The Trace Event Format: an event for each launch, one behind the other.
std::string profileTrace(const ProfileReport &report);

} // namespace quartet::rt
#endif
