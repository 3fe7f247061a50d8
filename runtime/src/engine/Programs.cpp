// Walks the tables that the compiler put into the executable.
#include "runtime/src/engine/Programs.h"
#include <cerrno>
#include <cstring>

namespace quartet::rt {

static bool needsTiles(const quartet_program &program) {
  return strstr(program.features, "amx") != nullptr;
}

const quartet_program *chooseProgram(const quartet_program *programs,
                                     int64_t count, const CpuFeatures &cpu,
                                     std::string *error) {
  std::string reasons;
  for (int64_t i = 0; i != count; ++i) {
    const quartet_program &program = programs[i];
    std::string reason = cpu.missing(program.features);
    if (!reason.empty())
      reason = "needs " + reason + ", which this CPU or system lacks";
    else if (needsTiles(program) && !requestTileData())
      reason = std::string("needs AMX, which the system refuses: ") +
               strerror(errno);
    if (reason.empty())
      return &program;
    reasons += (i ? "; '" : "'") + std::string(program.target) + "' " + reason;
  }
  if (error)
    *error = "this executable has no program for this machine: " +
             (reasons.empty() ? "it has none at all" : reasons) +
             "; compile the model for it (quartetc build --target host)";
  return nullptr;
}

const quartet_bucket *chooseBucket(const quartet_program &program,
                                   int64_t tokens, int64_t sequences) {
  for (int64_t i = 0; i != program.num_buckets; ++i)
    if (tokens <= program.buckets[i].tokens &&
        sequences <= program.buckets[i].sequences)
      return &program.buckets[i];
  return nullptr;
}

bool hasBucket(const quartet_program &program, bool team) {
  for (int64_t i = 0; i != program.num_buckets; ++i)
    if ((program.buckets[i].team != 0) == team)
      return true;
  return false;
}

std::string whyNotProgram(const quartet_program &program) {
  std::string name = "program '" + std::string(program.target) + "'";
  if (program.num_buckets < 1 || !program.buckets)
    return name + " has no buckets";
  for (int64_t i = 0; i != program.num_buckets; ++i) {
    const quartet_bucket &bucket = program.buckets[i];
    std::string what = name + ", bucket " + std::to_string(i) + ": ";
    if (!bucket.run)
      return what + "has no code";
    if (bucket.tokens < 1 || bucket.sequences < 1)
      return what + "is for " + std::to_string(bucket.tokens) + " tokens of " +
             std::to_string(bucket.sequences) + " sequences";
    if (i > 0 && bucket.tokens < program.buckets[i - 1].tokens)
      return what + "is for " + std::to_string(bucket.tokens) +
             " tokens, fewer than the one before";
    if (bucket.scratch_bytes < 0 || bucket.scratch_page_bytes < 0 ||
        bucket.local_bytes < 0 || bucket.local_bytes % 64 != 0 ||
        bucket.sync_counters < 0)
      return what + "has sizes that are negative or not aligned";
  }
  return "";
}

} // namespace quartet::rt
