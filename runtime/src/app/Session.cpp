// Loads what a command needs, and no more: info and tokenize work without the
// weight file.
#include "runtime/src/app/Session.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/UploadProgress.h"
#include "runtime/src/engine/DeviceMemory.h"
#include "runtime/src/engine/Programs.h"
#include <algorithm>
#include <cstdio>

namespace quartet::rt {

int Session::fail(const std::string &message, int code) const {
  fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  return code;
}

int Session::finish(const Output &output) const {
  return output.ok() || output.closed() ? 0 : fail(output.problem());
}

unsigned Session::threads() const {
  return line.global.threads ? line.global.threads : availableThreads();
}

std::unique_ptr<Tokenizer> Session::loadTokenizer(std::string *error) const {
  if (!image.tokenizer.data || image.tokenizer.size == 0) {
    *error = "this executable has no tokenizer, because its checkpoint had "
             "none; give token ids instead: run --tokens 1,2,3 --print-tokens";
    return nullptr;
  }
  std::string why;
  std::unique_ptr<Tokenizer> tokenizer =
      Tokenizer::load(image.tokenizer.data, image.tokenizer.size, why);
  if (!tokenizer)
    *error = "the tokenizer in this executable is damaged: " + why;
  return tokenizer;
}

std::string Session::whyNotTokens(const std::vector<int32_t> &tokens) const {
  for (int32_t token : tokens)
    if (token < 0 || token >= manifest.vocab)
      return "token id " + std::to_string(token) + ", expected 0 to " +
             std::to_string(manifest.vocab - 1);
  return "";
}

uint64_t LoadedModel::weightsRange(const void *&start) const {
  start = nullptr;
  if (deviceWeights)
    return 0;
  start = weights ? weights->image() : synthetic->data();
  return weights ? weights->bytes() : synthetic->bytes();
}

bool LoadedModel::openWeights(const Session &session, std::string *error) {
  const Manifest &manifest = session.manifest;
  const std::string &option = session.line.global.weights;
  if (session.image.weights.data && option.empty())
    weights = WeightFile::fromMemory(session.image.weights.data,
                                     session.image.weights.size, manifest,
                                     session.executable, error);
  else
    weights = WeightFile::open(weightPath(manifest, option, session.executable),
                               manifest, session.executable, error);
  return weights != nullptr;
}

bool LoadedModel::loadWeights(const Session &session, std::string *error) {
  if (!syntheticSeed)
    return openWeights(session, error);
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now();
  Team fillers(session.threads(), /*pin=*/false);
  synthetic = SyntheticWeights::create(session.manifest, *syntheticSeed,
                                       fillers, error);
  fillSeconds = std::chrono::duration<double>(Clock::now() - start).count();
  return synthetic != nullptr;
}

bool LoadedModel::loadDeviceWeights(const Session &session,
                                    std::string *error) {
  UploadProgress progress(session.line.global.quiet);
  auto show = [&](uint64_t done, uint64_t total) {
    progress.show(done, total);
  };
  if (syntheticSeed) {
    using Clock = std::chrono::steady_clock;
    Clock::time_point start = Clock::now();
    deviceWeights =
        DeviceWeights::makeUp(*device, *program->device->fill, session.manifest,
                              *syntheticSeed, show, error);
    fillSeconds = std::chrono::duration<double>(Clock::now() - start).count();
    return deviceWeights != nullptr;
  }
  // More threads than this do not read a file faster.
  constexpr unsigned mostReaders = 8;
  Team team(std::min(session.threads(), mostReaders), /*pin=*/false);
  if (!openWeights(session, error))
    return false;
  deviceWeights = DeviceWeights::upload(
      *device, session.manifest, MappedWeights(weights->pointers(), team), show,
      error);
  weights.reset();
  return deviceWeights != nullptr;
}

std::vector<void *>
LoadedModel::weightPointers(const Manifest &manifest) const {
  std::vector<void *> list;
  if (deviceWeights) {
    for (DeviceAddress address : deviceWeights->addresses())
      list.push_back(asPointer(address));
    return list;
  }
  void *const *bases = weights ? weights->pointers() : synthetic->pointers();
  return std::vector<void *>(bases, bases + manifest.weights.size());
}

const quartet_program *Session::chooseProgram(DeviceInfo &device,
                                              std::string *error) const {
  DeviceWish wish = deviceWish();
  auto whyNotDevice = [&](const quartet_device &wanted) {
    std::string why;
    return findDevice(wanted, wish, device, &why) ? std::string() : why;
  };
  std::string skipped;
  const quartet_program *chosen = rt::chooseProgram(
      image.programs, image.numPrograms, CpuFeatures::detect(), error,
      line.global.program, whyNotDevice, &skipped);
  if (chosen && !skipped.empty() && !line.global.quiet)
    fprintf(stderr, "%s: runs program '%s', because %s\n", program.c_str(),
            chosen->target, skipped.c_str());
  return chosen;
}

DeviceWish Session::deviceWish() const {
  DeviceWish wish;
  wish.index = line.global.device;
  wish.blocks = line.global.blocks;
  wish.seed = line.global.emulatorSeed;
  wish.graph = line.global.graph;
  wish.overlap = line.global.overlap;
  return wish;
}

/// Threads for a program of the CPU.
static void startThreads(const Session &session, LoadedModel &model) {
  // The pool first: threads may use the CPUs of the thread that starts them,
  // and a team binds this thread to one.
  unsigned threads = session.threads();
  if (hasBucket(*model.program, /*team=*/false)) {
    model.pool = std::make_unique<ThreadPool>(threads);
    model.pool->install();
  }
  if (hasBucket(*model.program, /*team=*/true))
    model.team = std::make_unique<Team>(threads, session.line.global.pin);
}

bool loadModel(const Session &session, EngineOptions options,
               LoadedModel &model, std::string *error) {
  const Manifest &manifest = session.manifest;
  DeviceInfo info;
  model.program = session.chooseProgram(info, error);
  if (!model.program)
    return false;
  if (options.context == 0)
    options.context = session.line.global.context;
  if (std::string why = whyNotProgram(*model.program); !why.empty()) {
    *error = "this executable is damaged: " + why;
    return false;
  }
  if (const quartet_device *wanted = model.program->device) {
    model.device = openDevice(*wanted, info, session.deviceWish(), error);
    if (!model.device)
      return false;
    *error =
        whyNotMemory(model.device->info(), model.device->freeBytes(), manifest,
                     *model.program, options, model.device->workers());
    if (!error->empty() || !model.loadDeviceWeights(session, error))
      return false;
    options.device = model.device.get();
  } else {
    if (!model.loadWeights(session, error))
      return false;
    startThreads(session, model);
    options.team = model.team.get();
  }
  model.pointers = model.weightPointers(manifest);
  model.engine = Engine::create(manifest, *model.program, model.pointers.data(),
                                options, error);
  return model.engine != nullptr;
}

} // namespace quartet::rt
