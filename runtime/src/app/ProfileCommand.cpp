// profile: when the blocks of a device run each phase of a step, next to what
// the phase has to move and to compute. The step runs as a whole; its kernels
// read the device's clock.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/Interrupt.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/ProfileReport.h"
#include "runtime/src/app/TokenSource.h"
#include "runtime/src/device/CopyBandwidth.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace quartet::rt {

namespace {
constexpr size_t mostPhases = 10; ///< in the table, unless all are wanted

/// Advances \p sequence by \p tokens; the last one's token is drawn.
bool step(Engine &engine, int32_t sequence, std::vector<int32_t> tokens,
          StepTimes *times, std::string *error) {
  StepPiece piece;
  piece.sequence = sequence;
  piece.tokens = std::move(tokens);
  piece.rows.push_back({int32_t(piece.tokens.size()) - 1, RowSampling()});
  StepWish wish;
  wish.logits = wish.hidden = false;
  wish.times = times;
  StepResult result;
  return engine.step({piece}, result, error, wish);
}

/// Runs a sequence up to the step and then the step, which leaves \p times if
/// they are wanted.
bool runOnce(const Session &session, Engine &engine, TokenSource &source,
             const InterruptGuard &interrupt, StepTimes *times,
             std::string *error) {
  const ProfileOptions &options = session.line.profile;
  int32_t sequence = engine.open(error);
  if (sequence < 0)
    return false;
  int64_t chunk = prefillTokens(engine, 0);
  while (engine.length(sequence) < options.context) {
    int64_t left = options.context - engine.length(sequence);
    if (interrupt.flag().load() ||
        !step(engine, sequence, source.next(std::min(left, chunk)), nullptr,
              error))
      return false;
  }
  if (!step(engine, sequence, source.next(options.tokens), times, error))
    return false;
  engine.close(sequence);
  return true;
}

bool measure(const Session &session, Engine &engine, ProfileReport &report,
             std::string *error) {
  InterruptGuard interrupt;
  TokenSource source(session.manifest);
  // As it runs otherwise; the first time is slower, as nothing is in caches.
  for (int i = 0; i != 2; ++i)
    if (!runOnce(session, engine, source, interrupt, nullptr, error) ||
        !engine.lastDeviceSeconds(report.stepSeconds, error))
      return false;
  std::vector<StepTimes> runs(size_t(session.line.profile.repeat));
  for (StepTimes &times : runs)
    if (!runOnce(session, engine, source, interrupt, &times, error))
      return false;
  addRuns(std::move(runs), report);
  return measureCopyBandwidth(*engine.device(), report.bandwidth, error);
}

/// Whether a file could be written there, before there is anything to write.
bool canWrite(const std::string &path, std::string *error) {
  size_t slash = path.rfind('/');
  std::string place = path; // a file that there is, e.g. /dev/stdout
  if (access(path.c_str(), F_OK) != 0)
    place = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (access(place.c_str(), W_OK) == 0)
    return true;
  *error = "cannot write '" + path + "': " + strerror(errno);
  return false;
}

/// Writes \p text to a file.
bool writeFile(const std::string &path, const std::string &text,
               std::string *error) {
  FILE *file = fopen(path.c_str(), "wb");
  bool good = file && fwrite(text.data(), 1, text.size(), file) == text.size();
  int problem = errno;
  if (file && fclose(file) != 0 && good) {
    good = false;
    problem = errno;
  }
  if (!good)
    *error = "cannot write '" + path + "': " + strerror(problem);
  return good;
}
} // namespace

int profileCommand(const Session &session) {
  const ProfileOptions &options = session.line.profile;
  int64_t longest = options.context + options.tokens;
  if (longest > session.manifest.maxPositions)
    return session.fail("--after and --tokens are " + std::to_string(longest) +
                            " tokens together, the model's max_positions is " +
                            std::to_string(session.manifest.maxPositions),
                        ExitUsage);
  EngineOptions engineOptions;
  engineOptions.context = longest;
  std::string error;
  if (!options.output.empty() && !canWrite(options.output, &error))
    return session.fail(error);
  LoadedModel model;
  model.syntheticSeed = options.syntheticSeed;
  if (!loadModel(session, engineOptions, model, &error))
    return session.fail(error);
  if (!model.device)
    return session.fail("the program '" + std::string(model.program->target) +
                        "' runs on the CPU, and profile measures kernels of a "
                        "GPU; bench measures this one");
  if (options.tokens > model.engine->limits().tokens)
    return session.fail("--tokens is " + std::to_string(options.tokens) +
                            ", expected 1 to " +
                            std::to_string(model.engine->limits().tokens) +
                            ", the tokens of a step",
                        ExitUsage);
  ProfileReport report;
  report.model = session.manifest.name;
  report.device = model.device->info();
  report.tokens = options.tokens;
  report.context = options.context;
  if (!measure(session, *model.engine, report, &error) ||
      !measureMatrixPeaks(*model.device, *model.program->device, report.peaks,
                          &error))
    return error.empty() ? ExitInterrupted : session.fail(error);
  addCosts(session.manifest, report);
  if (!options.output.empty() &&
      !writeFile(options.output, profileTrace(report), &error))
    return session.fail(error);
  Output output;
  output.write(profileText(report, options.all ? SIZE_MAX : mostPhases));
  return session.finish(output);
}

} // namespace quartet::rt
