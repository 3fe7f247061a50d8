// Loads what a command needs, and no more: info and tokenize work without the
// weight file.
#include "runtime/src/app/Session.h"
#include "runtime/src/engine/Programs.h"
#include <cstdio>

namespace quartet::rt {

int Session::fail(const std::string &message, int code) const {
  fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  return code;
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
  start = weights ? weights->image() : synthetic->data();
  return weights ? weights->bytes() : synthetic->bytes();
}

bool LoadedModel::loadWeights(const Session &session, std::string *error) {
  const Manifest &manifest = session.manifest;
  const std::string &option = session.line.global.weights;
  if (syntheticSeed) {
    using Clock = std::chrono::steady_clock;
    Clock::time_point start = Clock::now();
    Team fillers(session.threads(), /*pin=*/false);
    synthetic =
        SyntheticWeights::create(manifest, *syntheticSeed, fillers, error);
    fillSeconds = std::chrono::duration<double>(Clock::now() - start).count();
    return synthetic != nullptr;
  }
  if (session.image.weights.data && option.empty())
    weights = WeightFile::fromMemory(session.image.weights.data,
                                     session.image.weights.size, manifest,
                                     session.executable, error);
  else
    weights = WeightFile::open(weightPath(manifest, option, session.executable),
                               manifest, session.executable, error);
  return weights != nullptr;
}

bool loadModel(const Session &session, EngineOptions options,
               LoadedModel &model, std::string *error) {
  const Manifest &manifest = session.manifest;
  const GlobalOptions &global = session.line.global;
  model.program =
      chooseProgram(session.image.programs, session.image.numPrograms,
                    CpuFeatures::detect(), error, global.program);
  if (!model.program)
    return false;
  if (!model.loadWeights(session, error))
    return false;
  // The pool first: threads may use the CPUs of the thread that starts them,
  // and a team binds this thread to one.
  unsigned threads = session.threads();
  if (hasBucket(*model.program, /*team=*/false)) {
    model.pool = std::make_unique<ThreadPool>(threads);
    model.pool->install();
  }
  if (hasBucket(*model.program, /*team=*/true))
    model.team = std::make_unique<Team>(threads, global.pin);
  if (options.context == 0)
    options.context = global.context;
  options.team = model.team.get();
  model.engine = Engine::create(manifest, *model.program,
                                model.weights ? model.weights->pointers()
                                              : model.synthetic->pointers(),
                                options, error);
  return model.engine != nullptr;
}

} // namespace quartet::rt
