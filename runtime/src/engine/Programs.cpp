// Walks the tables that the compiler put into the executable.
#include "runtime/src/engine/Programs.h"
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace quartet::rt {

static bool needsTiles(const quartet_program &program) {
  return strstr(program.features, "amx") != nullptr;
}

const quartet_program *chooseProgram(const quartet_program *programs,
                                     int64_t count, const CpuFeatures &cpu,
                                     std::string *error,
                                     const std::string &wanted,
                                     const WhyNotDevice &whyNotDevice,
                                     std::string *skipped) {
  std::string reasons, names;
  bool lacksDevice = false;
  for (int64_t i = 0; i != count; ++i) {
    const quartet_program &program = programs[i];
    names += (i ? ", '" : "'") + std::string(program.target) + "'";
    if (!wanted.empty() && wanted != program.target)
      continue;
    std::string reason = cpu.missing(program.features);
    if (!reason.empty())
      reason = "needs " + reason + ", which this CPU or system lacks";
    else if (needsTiles(program) && !requestTileData())
      reason = std::string("needs AMX, which the system refuses: ") +
               strerror(errno);
    else if (program.device && !whyNotDevice)
      reason = "it is for a device";
    else if (program.device)
      reason = whyNotDevice(*program.device);
    if (reason.empty()) {
      // Of CPUs the best that fits is what the user expects.
      if (skipped && lacksDevice)
        *skipped = reasons;
      return &program;
    }
    lacksDevice |= program.device != nullptr;
    reasons += (reasons.empty() ? "'" : "; '") + std::string(program.target) +
               (program.device ? "': " : "' ") + reason;
  }
  if (error && reasons.empty() && count > 0) {
    *error = "this executable has no program '" + wanted + "'; it has " + names;
    return nullptr;
  }
  if (error)
    *error = "this executable has no program for this machine: " +
             (reasons.empty() ? "it has none at all" : reasons) +
             // What a device needs is said with it, and may be a driver.
             (lacksDevice ? ""
                          : "; compile the model for it (quartetc build "
                            "--target host)");
  return nullptr;
}

const quartet_bucket *chooseBucket(const quartet_bucket *buckets, int64_t count,
                                   int64_t tokens, int64_t sequences) {
  for (int64_t i = 0; i != count; ++i)
    if (tokens <= buckets[i].tokens && sequences <= buckets[i].sequences)
      return &buckets[i];
  return nullptr;
}

const quartet_bucket *chooseBucket(const quartet_program &program,
                                   int64_t tokens, int64_t sequences) {
  return chooseBucket(program.buckets, program.num_buckets, tokens, sequences);
}

LargestSizes largestSizes(const quartet_program &program, int64_t tableWidth) {
  LargestSizes most;
  for (int64_t i = 0; i != program.num_buckets + program.num_mtp_buckets; ++i) {
    const quartet_bucket &bucket =
        i < program.num_buckets ? program.buckets[i]
                                : program.mtp_buckets[i - program.num_buckets];
    int64_t bytes = 0;
    if (__builtin_mul_overflow(bucket.scratch_page_bytes, tableWidth, &bytes) ||
        __builtin_add_overflow(bytes, bucket.scratch_bytes, &bytes))
      bytes = INT64_MAX;
    most.tokens = std::max(most.tokens, bucket.tokens);
    most.sequences = std::max(most.sequences, bucket.sequences);
    most.scratch = std::max(most.scratch, bytes);
    most.local = std::max(most.local, bucket.local_bytes);
    most.counters = std::max(most.counters, bucket.sync_counters);
  }
  most.sequences = std::min(most.sequences, most.tokens);
  return most;
}

bool hasBucket(const quartet_program &program, bool team) {
  for (int64_t i = 0; i != program.num_buckets; ++i)
    if ((program.buckets[i].team != 0) == team)
      return true;
  return false;
}

static bool hasKernel(const quartet_launch &launch,
                      const quartet_device &device) {
  return launch.kernel &&
         (device.kind != QUARTET_DEVICE_EMULATOR || launch.host);
}

static std::string whyNotLaunches(const quartet_bucket &bucket,
                                  const quartet_device &device) {
  if (!bucket.launches || bucket.num_launches < 1)
    return "has no launches";
  if (bucket.tokens > INT32_MAX || bucket.sequences < 1)
    return "is for " + std::to_string(bucket.tokens) +
           " tokens, expected a limit";
  for (int64_t i = 0; i != bucket.num_launches; ++i) {
    const quartet_launch &launch = bucket.launches[i];
    if (!hasKernel(launch, device))
      return "launch " + std::to_string(i) + " has no kernel";
    if (launch.shared_bytes < 0 || launch.shared_bytes > INT32_MAX)
      return "launch " + std::to_string(i) + " has " +
             std::to_string(launch.shared_bytes) + " bytes of shared memory";
    if (launch.num_spans < 0 || (launch.num_spans > 0 && !launch.spans))
      return "launch " + std::to_string(i) +
             " does not say which phases it runs";
  }
  return "";
}

static std::string whyNotDevice(const quartet_device &device) {
  bool emulated = device.kind == QUARTET_DEVICE_EMULATOR;
  if (!device.arch || device.threads < 1 || device.threads > 1024 ||
      device.lanes < 1 || device.threads % device.lanes != 0 ||
      device.blocks_per_unit < 1)
    return "is for a device without a name or with blocks of " +
           std::to_string(device.threads) + " threads";
  if (device.clock_hertz < 1)
    return "is for a device without a clock";
  if (!device.fill || !hasKernel(*device.fill, device))
    return "has no kernel that fills weights";
  for (int i = 0; device.peaks && i != 2; ++i)
    if (!hasKernel(device.peaks[i], device))
      return "has no kernel that measures matrix instructions";
  if (emulated)
    return "";
  if (device.num_images < 1 || !device.images)
    return "has no images for its device";
  for (int64_t i = 0; i != device.num_images; ++i)
    if (!device.images[i].data || device.images[i].size == 0)
      return "image " + std::to_string(i) + " is empty";
  return "";
}

static std::string whyNotBuckets(const std::string &name,
                                 const quartet_bucket *buckets, int64_t count,
                                 const quartet_device *device) {
  for (int64_t i = 0; i != count; ++i) {
    const quartet_bucket &bucket = buckets[i];
    std::string what = name + " " + std::to_string(i) + ": ";
    if (!device && !bucket.run)
      return what + "has no code";
    if (std::string why = device ? whyNotLaunches(bucket, *device) : "";
        !why.empty())
      return what + why;
    if (bucket.tokens < 1 || bucket.sequences < 1)
      return what + "is for " + std::to_string(bucket.tokens) + " tokens of " +
             std::to_string(bucket.sequences) + " sequences";
    if (i > 0 && bucket.tokens < buckets[i - 1].tokens)
      return what + "is for " + std::to_string(bucket.tokens) +
             " tokens, fewer than the one before";
    if (bucket.scratch_bytes < 0 || bucket.scratch_page_bytes < 0 ||
        bucket.local_bytes < 0 || bucket.local_bytes % 64 != 0 ||
        bucket.sync_counters < 0)
      return what + "has sizes that are negative or not aligned";
  }
  return "";
}

std::string whyNotProgram(const quartet_program &program) {
  std::string name = "program '" + std::string(program.target) + "'";
  if (program.num_buckets < 1 || !program.buckets)
    return name + " has no buckets";
  if (program.num_mtp_buckets < 0 ||
      (program.num_mtp_buckets > 0 && !program.mtp_buckets))
    return name + " has no buckets of multi-token prediction, but says " +
           std::to_string(program.num_mtp_buckets);
  if (std::string why = program.device ? whyNotDevice(*program.device) : "";
      !why.empty())
    return name + " " + why;
  std::string why = whyNotBuckets(name + ", bucket", program.buckets,
                                  program.num_buckets, program.device);
  if (!why.empty())
    return why;
  return whyNotBuckets(name + ", bucket of multi-token prediction",
                       program.mtp_buckets, program.num_mtp_buckets,
                       program.device);
}

} // namespace quartet::rt
