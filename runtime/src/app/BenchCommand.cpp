// bench: how fast this model is on this machine, next to how fast the machine
// reads memory, or a device copies its own. Token ids are random, so that every
// token takes experts of its own; what the model says is not looked at.
#include "runtime/src/app/BenchReport.h"
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/Interrupt.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/TokenSource.h"
#include "runtime/src/device/Bandwidth.h"
#include "runtime/src/device/CopyBandwidth.h"
#include "runtime/src/device/MemoryUse.h"
#include "runtime/src/engine/Generate.h"
#include <algorithm>
#include <cstdio>

namespace quartet::rt {

namespace {
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr int64_t shortPrompt = 16;
/// What bandwidth is measured with, where the machine has that much: far more
/// than any cache.
constexpr uint64_t bandwidthBytes = uint64_t(1) << 30;

class Bench {
public:
  Bench(const Session &session, LoadedModel &model, BenchReport &report)
      : session(session), options(session.line.bench), model(model),
        engine(*model.engine), report(report), source(session.manifest) {
    wish.logits = wish.hidden = false;
  }

  /// \returns false when interrupted (with \p error empty) or on an error.
  bool run(std::string *error) {
    return firstToken(error) && prefill(error) && decode(error) &&
           memory(error);
  }

private:
  bool firstToken(std::string *error);
  bool prefill(std::string *error);
  bool decode(std::string *error);
  bool memory(std::string *error);
  bool deviceMemory(std::string *error);
  bool promptSeconds(int64_t tokens, double &seconds, std::string *error);
  bool openSequences(int64_t batch, int64_t context, std::string *error);
  bool extend(int32_t sequence, int64_t length, std::string *error);
  bool decodeSteps(int64_t batch, double &seconds, std::string *error);
  bool step(std::string *error);
  void note(const std::string &what) const {
    if (!session.line.global.quiet)
      fprintf(stderr, "%s: %s\n", session.program.c_str(), what.c_str());
  }

  const Session &session;
  const BenchOptions &options;
  LoadedModel &model;
  Engine &engine;
  BenchReport &report;
  InterruptGuard interrupt;
  std::vector<StepPiece> pieces;  ///< of the next step
  std::vector<int32_t> sequences; ///< open ones, for decoding
  TokenSource source;
  StepWish wish;            ///< nobody looks at logits
  double deviceSeconds = 0; ///< of the steps since it was set to 0
};

bool Bench::step(std::string *error) {
  StepResult result;
  error->clear();
  if (interrupt.flag().load() || !engine.step(pieces, result, error, wish))
    return false;
  double seconds = 0;
  if (engine.device() && !engine.lastDeviceSeconds(seconds, error))
    return false;
  deviceSeconds += seconds;
  return true;
}

/// Sequences of \p context tokens for decoding. Those that are too long
/// already, from a smaller context, start again; the others go on.
bool Bench::openSequences(int64_t batch, int64_t context, std::string *error) {
  for (size_t s = 0; s != size_t(batch); ++s) {
    if (s == sequences.size()) {
      sequences.push_back(engine.open(error));
    } else if (engine.length(sequences[s]) > context) {
      engine.close(sequences[s]);
      sequences[s] = engine.open(error);
    }
    if (sequences[s] < 0)
      return false;
    // 16 sequences of 131,072 tokens would be minutes of computing. On a CPU
    // pages that nobody wrote would be one page of zeros in its caches.
    if (engine.device() ? !engine.skip(sequences[s], context, error)
                        : !extend(sequences[s], context, error))
      return false;
  }
  return true;
}

/// Prefills \p sequence up to \p length tokens; asks for the logits of the
/// last.
bool Bench::extend(int32_t sequence, int64_t length, std::string *error) {
  int64_t chunk = prefillTokens(engine, options.prefillChunk);
  while (engine.length(sequence) < length) {
    int64_t left = length - engine.length(sequence);
    int64_t size = std::min(left, chunk);
    pieces.assign(1, StepPiece());
    pieces[0].sequence = sequence;
    pieces[0].tokens = source.next(size);
    if (size == left)
      pieces[0].rows.push_back({int32_t(size - 1), RowSampling()});
    if (!step(error))
      return false;
  }
  return true;
}

bool Bench::promptSeconds(int64_t tokens, double &seconds, std::string *error) {
  int32_t sequence = engine.open(error);
  if (sequence < 0)
    return false;
  Clock::time_point start = Clock::now();
  bool done = extend(sequence, tokens, error);
  seconds = secondsSince(start);
  engine.close(sequence);
  return done;
}

bool Bench::firstToken(std::string *error) {
  double seconds = 0;
  if (!promptSeconds(shortPrompt, seconds, error))
    return false;
  report.firstTokenSeconds = report.loadSeconds + seconds;
  std::vector<double> all;
  for (int64_t i = 0; i != options.repeat; ++i) {
    if (!promptSeconds(shortPrompt, seconds, error))
      return false;
    all.push_back(seconds);
  }
  report.shortPromptSeconds = spreadOf(all);
  return true;
}

bool Bench::prefill(std::string *error) {
  for (int64_t tokens : options.prompts) {
    note("prefill of " + std::to_string(tokens) + " tokens");
    std::vector<double> all, device;
    for (int64_t i = 0; i != options.repeat; ++i) {
      double seconds = 0;
      deviceSeconds = 0;
      if (!promptSeconds(tokens, seconds, error))
        return false;
      all.push_back(seconds);
      device.push_back(deviceSeconds);
    }
    PrefillResult result;
    result.tokens = tokens;
    result.seconds = spreadOf(all);
    result.deviceSeconds = spreadOf(device);
    int64_t chunk = prefillTokens(engine, options.prefillChunk);
    for (int64_t past = 0; past < tokens; past += chunk) {
      int64_t size = std::min(chunk, tokens - past);
      std::optional<StepCost> cost =
          stepCost(session.manifest, size, 1, past + size == tokens ? 1 : 0,
                   double(past) + double(size) / 2);
      if (!cost)
        break;
      if (!result.cost)
        result.cost = StepCost();
      result.cost->bytes += cost->bytes;
      result.cost->flops += cost->flops;
      result.cost->int8Flops += cost->int8Flops;
    }
    report.prefill.push_back(result);
  }
  return true;
}

/// Advances the first \p batch sequences by options.tokens tokens.
bool Bench::decodeSteps(int64_t batch, double &seconds, std::string *error) {
  Clock::time_point start = Clock::now();
  for (int64_t i = 0; i != options.tokens; ++i) {
    pieces.assign(size_t(batch), StepPiece());
    for (int64_t s = 0; s != batch; ++s) {
      pieces[size_t(s)].sequence = sequences[size_t(s)];
      pieces[size_t(s)].tokens = source.next(1);
      pieces[size_t(s)].rows.push_back({0, RowSampling()});
    }
    if (!step(error))
      return false;
  }
  seconds = secondsSince(start) / double(options.tokens);
  return true;
}

bool Bench::decode(std::string *error) {
  for (int64_t context : options.contexts)
    for (int64_t batch : options.batches) {
      note("decode " + std::to_string(batch) + " x 1 token after " +
           std::to_string(context));
      if (!openSequences(batch, context, error))
        return false;
      std::vector<double> all, device;
      for (int64_t i = 0; i != options.repeat; ++i) {
        double seconds = 0;
        deviceSeconds = 0;
        if (!decodeSteps(batch, seconds, error))
          return false;
        all.push_back(seconds);
        device.push_back(deviceSeconds / double(options.tokens));
      }
      DecodeResult result;
      result.deviceSecondsPerStep = spreadOf(device);
      result.batch = batch;
      result.context = context;
      result.secondsPerStep = spreadOf(all);
      result.cost = stepCost(session.manifest, batch, batch, batch,
                             double(context) +
                                 double(options.tokens * options.repeat) / 2);
      report.decode.push_back(result);
    }
  for (int32_t sequence : sequences)
    engine.close(sequence);
  return true;
}

bool Bench::deviceMemory(std::string *error) {
  Device &device = *engine.device();
  uint64_t free = device.freeBytes();
  report.deviceBytes =
      device.info().bytes > free ? device.info().bytes - free : 0;
  note("copy bandwidth and matrix peaks of " + device.info().name);
  return measureCopyBandwidth(device, report.readBandwidth, error) &&
         measureMatrixPeaks(device, *model.program->device, report.peaks,
                            error) &&
         !interrupt.flag().load();
}

/// Last, because its buffer would count as memory of the model.
bool Bench::memory(std::string *error) {
  error->clear();
  report.weightsBytes = session.manifest.weightsBytes;
  if (engine.device())
    return deviceMemory(error);
  report.peakBytes = peakResidentBytes();
  const void *weights = nullptr;
  uint64_t size = model.weightsRange(weights);
  report.residentWeightsBytes = residentBytes(weights, size);
  note("read bandwidth");
  std::unique_ptr<Team> own;
  Team *team = model.team.get();
  if (!team) {
    own = std::make_unique<Team>(session.threads(), session.line.global.pin);
    team = own.get();
  }
  constexpr int rounds = 7;
  Memory buffer;
  if (availableBytes() > 2 * bandwidthBytes &&
      buffer.allocate(bandwidthBytes)) {
    // Touched by the worker that reads it: that is where its memory comes from.
    team->run(
        [](void *context, int64_t worker, int64_t workers) {
          auto *buffer = static_cast<Memory *>(context);
          uint64_t begin =
              buffer->size() / 64 * uint64_t(worker) / uint64_t(workers) * 64;
          uint64_t end = buffer->size() / 64 * uint64_t(worker + 1) /
                         uint64_t(workers) * 64;
          std::fill(buffer->data() + begin, buffer->data() + end, uint8_t(1));
        },
        &buffer);
    report.readBandwidth =
        measureReadBandwidth(*team, buffer.data(), buffer.size(), rounds);
    report.bandwidthBytes = buffer.size();
  } else {
    report.readBandwidth = measureReadBandwidth(*team, weights, size, rounds);
    report.bandwidthBytes = size;
  }
  return !interrupt.flag().load();
}
} // namespace

int benchCommand(const Session &session) {
  const BenchOptions &options = session.line.bench;
  int64_t longest = shortPrompt;
  for (int64_t tokens : options.prompts)
    longest = std::max(longest, tokens);
  for (int64_t context : options.contexts)
    longest = std::max(longest, context + options.tokens * options.repeat);
  if (longest > session.manifest.maxPositions)
    return session.fail(
        "the sequences would have " + std::to_string(longest) +
            " tokens (context and --tokens times --repeat), the model's "
            "max_positions is " +
            std::to_string(session.manifest.maxPositions),
        ExitUsage);
  EngineOptions engineOptions;
  engineOptions.context = longest;
  engineOptions.sequences = 1;
  for (int64_t batch : options.batches)
    engineOptions.sequences = std::max(engineOptions.sequences, batch);
  LoadedModel model;
  model.syntheticSeed = options.syntheticSeed;
  std::string error;
  if (!loadModel(session, engineOptions, model, &error))
    return session.fail(error);

  BenchReport report;
  report.model = session.manifest.name;
  report.quantization = session.manifest.quantization;
  report.cpu = session.manifest.cpu;
  report.program = model.program->target;
  report.features = model.program->features;
  report.threads = model.device ? model.device->workers()
                   : model.team ? model.team->workers()
                                : int64_t(model.pool->threads());
  if (model.device)
    report.device = model.device->info();
  report.pinned = model.team && model.team->pinned();
  report.synthetic = options.syntheticSeed.has_value();
  report.seed = options.syntheticSeed.value_or(0);
  report.fillSeconds = model.fillSeconds;
  report.loadSeconds = secondsSince(session.start) - model.fillSeconds;
  if (!Bench(session, model, report).run(&error))
    return error.empty() ? ExitInterrupted : session.fail(error);
  Output output;
  output.write(options.json ? benchJson(report) : benchText(report));
  return session.finish(output);
}

} // namespace quartet::rt
