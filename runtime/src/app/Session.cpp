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

bool loadModel(const Session &session, EngineOptions options,
               LoadedModel &model, std::string *error) {
  const Manifest &manifest = session.manifest;
  const GlobalOptions &global = session.line.global;
  model.program =
      chooseProgram(session.image.programs, session.image.numPrograms,
                    CpuFeatures::detect(), error);
  if (!model.program)
    return false;
  if (session.image.weights.data && global.weights.empty())
    model.weights = WeightFile::fromMemory(session.image.weights.data,
                                           session.image.weights.size, manifest,
                                           session.executable, error);
  else
    model.weights = WeightFile::open(
        weightPath(manifest, global.weights, session.executable), manifest,
        session.executable, error);
  if (!model.weights)
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
  options.context = global.context;
  options.team = model.team.get();
  model.engine = Engine::create(manifest, *model.program,
                                model.weights->pointers(), options, error);
  return model.engine != nullptr;
}

} // namespace quartet::rt
