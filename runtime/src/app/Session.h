// What commands share: the parsed manifest, the options, and how to get at the
// tokenizer and at a model that is ready to run.
#ifndef QUARTET_RUNTIME_APP_SESSION_H
#define QUARTET_RUNTIME_APP_SESSION_H
#include "runtime/src/app/App.h"
#include "runtime/src/app/CommandLine.h"
#include "runtime/src/device/Cpus.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/device/ThreadPool.h"
#include "runtime/src/engine/Engine.h"
#include "runtime/src/engine/SyntheticWeights.h"
#include "runtime/src/engine/WeightFile.h"
#include "runtime/src/text/Tokenizer.h"
#include <chrono>

namespace quartet::rt {

struct Session {
  Image image;
  Manifest manifest;
  CommandLine line;
  std::string program;                         ///< name for messages
  std::string executable;                      ///< path
  std::chrono::steady_clock::time_point start; ///< of the program

  /// Prints \p message to standard error; \returns \p code.
  int fail(const std::string &message, int code = ExitFailure) const;

  unsigned threads() const;
  /// Null, with \p error set, when the executable has none.
  std::unique_ptr<Tokenizer> loadTokenizer(std::string *error) const;
  /// Says which token id the model does not have; empty when all are fine.
  std::string whyNotTokens(const std::vector<int32_t> &tokens) const;
};

/// A model ready to run. Members are destroyed in the order that is needed.
struct LoadedModel {
  /// Set before loading: make the weights up, don't open the file.
  std::optional<uint64_t> syntheticSeed;
  double fillSeconds = 0; ///< that making them up took

  const quartet_program *program = nullptr; ///< the one that was chosen
  // At least one of them is there: whatever the program's buckets use.
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Team> team;
  // One of the two: the file, or what is made up for a measurement.
  std::unique_ptr<WeightFile> weights;
  std::unique_ptr<SyntheticWeights> synthetic;
  std::unique_ptr<Engine> engine;

  /// Where the weights are in memory; \returns how many bytes.
  uint64_t weightsRange(const void *&start) const;

private:
  friend bool loadModel(const Session &, EngineOptions, LoadedModel &,
                        std::string *);
  bool loadWeights(const Session &session, std::string *error);
};

/// Chooses the program, opens and checks the weights, starts the threads,
/// reserves the states.
/// \p options.context, where it is 0, is taken from the command line.
bool loadModel(const Session &session, EngineOptions options,
               LoadedModel &model, std::string *error);

} // namespace quartet::rt
#endif
