// What commands share: the parsed manifest, the options, and how to get at the
// tokenizer and at a model that is ready to run.
#ifndef QUARTET_RUNTIME_APP_SESSION_H
#define QUARTET_RUNTIME_APP_SESSION_H
#include "runtime/src/app/App.h"
#include "runtime/src/app/CommandLine.h"
#include "runtime/src/device/Cpus.h"
#include "runtime/src/device/Device.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/device/ThreadPool.h"
#include "runtime/src/engine/DeviceWeights.h"
#include "runtime/src/engine/Engine.h"
#include "runtime/src/engine/SyntheticWeights.h"
#include "runtime/src/engine/WeightFile.h"
#include "runtime/src/text/Tokenizer.h"
#include <chrono>

namespace quartet::rt {

class Output;

struct Session {
  Image image;
  Manifest manifest;
  CommandLine line;
  std::string program;                         ///< name for messages
  std::string executable;                      ///< path
  std::chrono::steady_clock::time_point start; ///< of the program

  /// Prints \p message to standard error; \returns \p code.
  int fail(const std::string &message, int code = ExitFailure) const;
  /// The exit code of a command that is done when \p output is written.
  int finish(const Output &output) const;

  unsigned threads() const;
  /// The program that runs here, and for one of a device that device; null,
  /// with \p error set, when there is none.
  const quartet_program *chooseProgram(DeviceInfo &device,
                                       std::string *error) const;
  DeviceWish deviceWish() const;
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
  std::unique_ptr<Device> device;           ///< null: the CPU
  // On a CPU, at least one of them is there: whatever the buckets use.
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Team> team;
  // One of the three: the file, what is made up for a measurement, or what a
  // device has of either.
  std::unique_ptr<WeightFile> weights;
  std::unique_ptr<SyntheticWeights> synthetic;
  std::unique_ptr<DeviceWeights> deviceWeights;
  std::unique_ptr<Engine> engine;

  /// Where the weights are in this machine's memory; \returns how many bytes, 0
  /// when a device has them.
  uint64_t weightsRange(const void *&start) const;

private:
  friend bool loadModel(const Session &, EngineOptions, LoadedModel &,
                        std::string *);
  bool openWeights(const Session &session, std::string *error);
  bool loadWeights(const Session &session, std::string *error);
  bool loadDeviceWeights(const Session &session, std::string *error);
  std::vector<void *> weightPointers(const Manifest &manifest) const;
  std::vector<void *> pointers; ///< of the engine
};

/// Chooses the program, opens and checks the weights, starts the threads or
/// brings the weights to the device, reserves the states.
/// \p options.context, where it is 0, is taken from the command line.
bool loadModel(const Session &session, EngineOptions options,
               LoadedModel &model, std::string *error);

} // namespace quartet::rt
#endif
