// Which of the executable's programs runs on this machine, and which of a
// program's buckets runs a step.
#ifndef QUARTET_RUNTIME_ENGINE_PROGRAMS_H
#define QUARTET_RUNTIME_ENGINE_PROGRAMS_H
#include "quartet/abi.h"
#include "runtime/src/device/CpuFeatures.h"
#include <functional>
#include <string>

namespace quartet::rt {

/// Says why no device of this machine runs a program for \p device, or returns
/// an empty string.
using WhyNotDevice = std::function<std::string(const quartet_device &device)>;

/// The first of \p programs whose features \p cpu has, and whose device
/// \p whyNotDevice takes, or null; \p error then says what each lacks. A
/// program that needs AMX gets the system's permission here, so this comes
/// before any thread is started. \p wanted, when not empty, is the target of
/// the only one to take. Without \p whyNotDevice programs for devices are left
/// out. \p skipped says why those in front of the chosen one don't run, where a
/// program for a device is among them.
const quartet_program *chooseProgram(const quartet_program *programs,
                                     int64_t count, const CpuFeatures &cpu,
                                     std::string *error,
                                     const std::string &wanted = "",
                                     const WhyNotDevice &whyNotDevice = nullptr,
                                     std::string *skipped = nullptr);

/// The first, that is smallest, bucket for a step of \p tokens of \p sequences;
/// null when there is none.
const quartet_bucket *chooseBucket(const quartet_bucket *buckets, int64_t count,
                                   int64_t tokens, int64_t sequences);
/// The same among the model's own steps.
const quartet_bucket *chooseBucket(const quartet_program &program,
                                   int64_t tokens, int64_t sequences);

/// The largest of each size that any bucket of a program has.
struct LargestSizes {
  int64_t tokens = 0, sequences = 0; ///< no more sequences than tokens
  int64_t scratch = 0;               ///< with the page tables' part
  int64_t local = 0, counters = 0;
};
/// Of the steps of \p program with \p tableWidth columns of the page table;
/// scratch is INT64_MAX where it can't be counted.
LargestSizes largestSizes(const quartet_program &program, int64_t tableWidth);

/// Some (or no) bucket of \p program has quartet_bucket::team \p team.
bool hasBucket(const quartet_program &program, bool team);

/// Says what is wrong with the table of \p program, or returns an empty string:
/// a damaged executable must not end in a wild pointer.
std::string whyNotProgram(const quartet_program &program);

} // namespace quartet::rt
#endif
