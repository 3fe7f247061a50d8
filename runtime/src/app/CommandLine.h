// The command line as plain data. Knows the options, their help and their
// ranges; does nothing.
#ifndef QUARTET_RUNTIME_APP_COMMANDLINE_H
#define QUARTET_RUNTIME_APP_COMMANDLINE_H
#include "runtime/src/engine/Manifest.h"
#include "runtime/src/engine/Sampler.h"
#include <optional>
#include <string>
#include <vector>

namespace quartet::rt {

enum class Command {
  None,
  Run,
  Logits,
  States,
  Tokenize,
  Detokenize,
  Info,
  Bench,
  Profile,
  SelfTest
};

/// Options of every command.
struct GlobalOptions {
  unsigned threads = 0; ///< 0 = availableThreads()
  std::string weights;  ///< empty = the file beside the executable
  std::string program;  ///< target of the program; empty = the best that fits
  int64_t context = 0;  ///< 0 = max_positions
  int64_t device = -1;  ///< number of the GPU; -1 = the first that fits
  int64_t blocks = 0;   ///< workers on a device; 0 = as many as run at once
  uint64_t emulatorSeed = 0; ///< of the order in which the emulator runs them
  bool graph = true;         ///< see DeviceWish
  bool overlap = true;       ///< see DeviceWish
  bool pin = true;    ///< bind each thread to a core where they are as many
  bool quiet = false; ///< no statistics and no progress on standard error
};

struct RunOptions {
  /// At most one of the three is given; none: standard input.
  std::optional<std::string> prompt, promptFile, tokens;
  int64_t maxTokens = 256; ///< < 0 = until the context is full
  SamplingParams sampling; ///< the model's defaults where nothing was given
  bool seedGiven = false;  ///< otherwise sampling.seed is to be chosen
  std::vector<std::string> stops; ///< none is empty
  bool printTokens = false, ignoreEos = false, echo = true;
  int64_t prefillChunk = 0; ///< 0 = as GenerateRequest says
};

struct LogitsOptions {
  std::optional<std::string> tokens, tokensFile; ///< one of the two
  std::string output;                            ///< "-" = a stream of rows
  std::optional<std::string> split;
  bool mtp = false;         ///< of multi-token prediction instead
  int64_t drafts = 0;       ///< that it makes from its own output
  int64_t prefillChunk = 0; ///< 0 = as GenerateRequest says
};

struct StatesOptions {
  std::optional<std::string> tokens, tokensFile; ///< one of the two
  std::string output, suffix;
  int64_t prefillChunk = 0; ///< 0 = as GenerateRequest says
};

struct TokenizeOptions {
  std::string text; ///< "-" = standard input
  bool idsOnly = false;
};

struct BenchOptions {
  bool json = false;
  std::optional<uint64_t> syntheticSeed;           ///< make the weights up
  std::vector<int64_t> contexts, batches, prompts; ///< none is empty
  int64_t tokens = 32;                             ///< decoded per repetition
  int64_t repeat = 5;
  int64_t prefillChunk = 0; ///< 0 = as GenerateRequest says
};

struct ProfileOptions {
  std::string output; ///< empty: only the table
  std::optional<uint64_t> syntheticSeed;
  int64_t context = 64; ///< tokens before the step
  int64_t tokens = 1;   ///< of one sequence in the step
  bool all = false;     ///< phases in the table
  int64_t repeat = 5;
};

struct SelfTestOptions {
  std::optional<uint64_t> syntheticSeed;
};

struct CommandLine {
  Command command = Command::None;
  GlobalOptions global;
  RunOptions run;
  LogitsOptions logits;
  StatesOptions states;
  TokenizeOptions tokenize;
  std::string detokenizeIds;
  bool infoJson = false, infoDevices = false;
  BenchOptions bench;
  ProfileOptions profile;
  SelfTestOptions selfTest;
};

/// Reads the arguments into \p result. \returns nothing when there is a command
/// to run; otherwise the exit code, after help or version went to standard
/// output or the error to standard error. Defaults shown in the help and used
/// for sampling come from \p manifest.
std::optional<int> parseCommandLine(int argc, const char *const *argv,
                                    const Manifest &manifest,
                                    CommandLine &result);

} // namespace quartet::rt
#endif
