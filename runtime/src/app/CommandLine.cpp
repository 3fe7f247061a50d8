// Declares the options with CLI11. The only file that includes it: the library
// is large, and it reports errors by exceptions, which end here.
#include "runtime/src/app/CommandLine.h"
#include "runtime/src/app/App.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/TokenList.h"
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <type_traits>

namespace quartet::rt {

namespace {
std::string number(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%g", value);
  return text;
}

constexpr const char *commandNames =
    "run, logits, states, tokenize, detokenize, info, bench, profile or "
    "selftest";

/// What was given for sampling; the model's defaults fill the rest.
struct SamplingArguments {
  std::optional<float> temperature, topP, minP, presence, repetition, frequency;
  std::optional<int32_t> topK;
  std::optional<uint64_t> seed;
};

template <typename T> struct Unwrapped { using Type = T; };
template <typename T> struct Unwrapped<std::optional<T>> { using Type = T; };

/// Says why \p text is no number of type T, or returns an empty string. The
/// library would take what is too large as the largest, and -1 as 2^64 - 1.
template <typename T> std::string whyNotNumber(const std::string &text) {
  T value{};
  const char *end = text.data() + text.size();
  auto [stop, status] = std::from_chars(text.data(), end, value);
  if (status == std::errc::result_out_of_range && stop == end)
    return "'" + text + "' is out of range";
  if (status == std::errc() && stop == end)
    return "";
  return "found '" + text + "', expected a " +
         (std::is_floating_point_v<T> ? "number"
          : std::is_unsigned_v<T>     ? "whole number >= 0"
                                      : "whole number");
}

/// Adds an option whose argument is taken as it is, whatever it looks like.
template <typename T>
CLI::Option *addOption(CLI::App *app, const char *name, T &value,
                       const std::string &help) {
  CLI::Option *option =
      app->add_option(name, value, help)->allow_extra_args(false);
  using Type = typename Unwrapped<T>::Type;
  if constexpr (std::is_arithmetic_v<Type>)
    option->check(whyNotNumber<Type>);
  return option;
}

/// Prints to standard output; \returns the exit code.
int print(const std::string &name, const std::string &text) {
  Output output;
  output.write(text);
  if (output.ok() || output.closed())
    return 0;
  fprintf(stderr, "%s: %s\n", name.c_str(), output.problem().c_str());
  return ExitFailure;
}

class Parser {
public:
  Parser(const char *argv0, const Manifest &manifest, CommandLine &result)
      : manifest(manifest), result(result) {
    std::string path = argv0 ? argv0 : "";
    name = path.substr(path.rfind('/') + 1);
    if (name.empty())
      name = manifest.name;
    declareGlobal();
    declareRun();
    declareLogits();
    declareStates();
    declareText();
    declareInfo();
    declareBench();
    declareDeviceCommands();
  }

  std::optional<int> parse(int argc, const char *const *argv);

private:
  void declareGlobal();
  void declareRun();
  void declareLogits();
  void declareStates();
  void declareText();
  void declareInfo();
  void declareBench();
  void declareDeviceCommands();
  std::string finishBench();
  CLI::App *command(const char *word, const char *help,
                    const std::string &examples, Command value);
  void prefillOption(CLI::App *app, std::optional<int64_t> &value);
  void tokensOptions(CLI::App *app, std::optional<std::string> &tokens,
                     std::optional<std::string> &file, const char *about);
  std::string finish();
  int usageError(const std::string &message, const std::string &word);

  const Manifest &manifest;
  CommandLine &result;
  std::string name;
  CLI::App app;
  SamplingArguments sampling;
  std::optional<int64_t> threads, context, device, blocks;
  std::optional<int64_t> runChunk, logitsChunk, statesChunk, benchChunk;
  std::optional<std::string> contexts, batches, prompts; // of bench
  bool noEcho = false, noPin = false, noGraph = false, noOverlap = false;
};

void Parser::declareGlobal() {
  app.name(name);
  app.description(manifest.name + " (" + manifest.family + ", " +
                  manifest.quantization + "), compiled by quartet " +
                  manifest.version + " for " + manifest.cpu + ".");
  app.footer("Examples:\n  " + name + " run -p \"Once upon a time\" -n 64\n  " +
             name + " info\n\n" + name +
             " COMMAND --help says more about a command.");
  app.set_help_flag("-h,--help", "Print this help");
  app.set_version_flag("--version",
                       name + " " + manifest.version + " (quartet), model " +
                           manifest.name + ", target " + manifest.triple + " " +
                           manifest.cpu,
                       "Print the version, the model and the target");
  app.require_subcommand(0, 1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("UINT", "N");
  app.get_formatter()->label("INT", "N");
  app.get_formatter()->label("FLOAT", "X");
  app.get_formatter()->label("Excludes", "not with");
  app.fallthrough();
  addOption(
      &app, "--threads", threads,
      "Threads to compute with (default: the cores this process may use)");
  addOption(&app, "--weights", result.global.weights,
            "Weight file (default: " + manifest.weightsFile +
                " beside this executable)")
      ->type_name("FILE");
  addOption(&app, "--program", result.global.program,
            "Run the code compiled for this target; " + name +
                " info lists them (default: the first that fits this CPU)")
      ->type_name("TARGET");
  addOption(&app, "--context", context,
            "Longest sequence in tokens (default and maximum: " +
                std::to_string(manifest.maxPositions) + ")");
  addOption(&app, "--device", device,
            "Run on the GPU with this number; " + name +
                " info --devices lists them (default: the first that fits)");
  addOption(&app, "--blocks", blocks,
            "Blocks of threads that run at once on a device (default: as many "
            "as it has room for)");
  addOption(&app, "--emulator-seed", result.global.emulatorSeed,
            "An emulated device runs its threads in an order made from this "
            "(default: 0)");
  app.add_flag("--no-overlap", noOverlap,
               "No kernel of a GPU starts before the one in front of it has "
               "ended");
  app.add_flag("--no-graph", noGraph,
               "Start the kernels of a step one by one, not as a graph");
  app.add_flag("--no-pin", noPin,
               "Let the system move threads between cores, also when there is "
               "one for each core");
  app.add_flag("-q,--quiet", result.global.quiet,
               "Print no statistics and no progress");
}

CLI::App *Parser::command(const char *word, const char *help,
                          const std::string &examples, Command value) {
  CLI::App *sub = app.add_subcommand(word, help)->group("Commands");
  sub->footer("Examples:\n" + examples +
              "\nThe options of all commands (--threads, --weights, --program, "
              "--context, --device, --blocks, --no-graph, --no-overlap, "
              "--no-pin, --quiet) may stand here too.");
  sub->callback([this, value] { result.command = value; });
  return sub;
}

void Parser::prefillOption(CLI::App *sub, std::optional<int64_t> &value) {
  addOption(sub, "--prefill-chunk", value,
            "Most tokens of a prompt per step (default: as many as a step is "
            "compiled for, otherwise 256)");
}

void Parser::declareRun() {
  RunOptions &run = result.run;
  const GenerationInfo &defaults = manifest.generation;
  CLI::App *sub = command(
      "run", "Continue a text",
      "  " + name + " run -p \"The capital of France is\" -n 16\n  " + name +
          " run --prompt-file story.txt --temperature 0 --no-echo\n  echo 1 2 "
          "3 | " +
          name + " run --stop 10 --seed 7\n  " + name +
          " run --tokens 1,2,3 --print-tokens -n 8\n",
      Command::Run);
  CLI::Option *prompt = addOption(sub, "-p,--prompt", run.prompt,
                                  "The text (default: from standard input)");
  CLI::Option *file = addOption(sub, "--prompt-file", run.promptFile,
                                "Read the text from this file")
                          ->type_name("FILE");
  CLI::Option *tokens =
      addOption(sub, "--tokens", run.tokens, "The prompt as token ids: 1,2,3");
  prompt->excludes(file)->excludes(tokens);
  file->excludes(tokens);
  addOption(sub, "-n,--max-tokens", run.maxTokens,
            "Most tokens to generate (default: 256; -1: until the context is "
            "full)");
  std::string temperature =
      defaults.doSample ? number(defaults.temperature) : "0";
  addOption(sub, "--temperature", sampling.temperature,
            "0 takes the likeliest token; larger is more random (default: " +
                temperature + ")");
  addOption(sub, "--top-k", sampling.topK,
            "Choose among the K likeliest tokens; 0: all (default: " +
                std::to_string(defaults.topK) + ")");
  addOption(sub, "--top-p", sampling.topP,
            "Choose among the likeliest tokens that together have this "
            "probability (default: " +
                number(defaults.topP) + ")");
  addOption(sub, "--min-p", sampling.minP,
            "Drop tokens less likely than this times the likeliest (default: " +
                number(defaults.minP) + ")");
  addOption(sub, "--presence-penalty", sampling.presence,
            "Subtract from the logits of tokens that were generated before "
            "(default: " +
                number(defaults.presencePenalty) + ")");
  addOption(sub, "--frequency-penalty", sampling.frequency,
            "The same, for each time that they were (default: 0)");
  addOption(sub, "--repetition-penalty", sampling.repetition,
            "Divide the logits of tokens of prompt and output (default: " +
                number(defaults.repetitionPenalty) + ")");
  addOption(sub, "--seed", sampling.seed,
            "The same seed gives the same text (default: a random one)");
  addOption(sub, "--stop", run.stops,
            "End before this text; may be given several times")
      ->take_all();
  sub->add_flag("--ignore-eos", run.ignoreEos,
                "Go on after the model's end tokens");
  sub->add_flag("--no-echo", noEcho,
                "Print only the generated text, not the prompt before it");
  sub->add_flag("--print-tokens", run.printTokens,
                "Print the generated token ids instead of text");
  prefillOption(sub, runChunk);
}

void Parser::tokensOptions(CLI::App *sub, std::optional<std::string> &tokens,
                           std::optional<std::string> &file,
                           const char *about) {
  CLI::Option *given = addOption(sub, "--tokens", tokens, about);
  addOption(sub, "--tokens-file", file,
            "Read the token ids from this file; -: standard input")
      ->type_name("FILE")
      ->excludes(given);
}

void Parser::declareLogits() {
  LogitsOptions &logits = result.logits;
  CLI::App *sub = command(
      "logits", "Write the logits of all tokens of given sequences",
      "  " + name + " logits --tokens 1,2,3 -o logits.npy\n  " + name +
          " logits --tokens \"1,2,3;4,5\" --split \"2,1;2\" -o logits.npy\n  " +
          name + " logits --tokens-file ids.txt -o - | my-statistics\n",
      Command::Logits);
  tokensOptions(sub, logits.tokens, logits.tokensFile,
                "Token ids: 1,2,3. Several sequences, 1,2,3;4,5, go through "
                "the model together");
  addOption(sub, "--split", logits.split,
            "Tokens per step: 2,1 runs two tokens, then one. One list is for "
            "all sequences, each takes of it what it needs; 2,1;3 gives each "
            "its own (default: steps of --prefill-chunk tokens)");
  addOption(sub, "-o,--output", logits.output,
            "NumPy file to write: float32 [tokens, vocabulary], sequence after "
            "sequence. -: the rows alone, as bytes to standard output while "
            "they are computed, one sequence after the other")
      ->required();
  CLI::Option *mtp = sub->add_flag(
      "--mtp", logits.mtp,
      "Write those of multi-token prediction instead: a row for each token but "
      "the first, from it and the model's state before it, which drafts the "
      "token after it (needs quartetc build --mtp)");
  addOption(sub, "--drafts", logits.drafts,
            "With --mtp: this many rows more for each sequence, each from the "
            "draft of the row before (default: 0)")
      ->needs(mtp);
  prefillOption(sub, logitsChunk);
}

void Parser::declareStates() {
  StatesOptions &states = result.states;
  CLI::App *sub = command(
      "states", "Write what a sequence keeps after given tokens",
      "  " + name + " states --tokens 1,2,3 -o states.safetensors\n  " + name +
          " states --tokens-file ids.txt --suffix .delta_state -o "
          "delta.safetensors\n",
      Command::States);
  tokensOptions(sub, states.tokens, states.tokensFile,
                "The sequence as token ids: 1,2,3");
  addOption(sub, "-o,--output", states.output,
            "safetensors file to write: every state that has a slot for each "
            "sequence, which are all but the KV cache")
      ->required();
  addOption(sub, "--suffix", states.suffix,
            "Only states whose name ends in this text");
  prefillOption(sub, statesChunk);
}

void Parser::declareText() {
  CLI::App *sub = command("tokenize", "Show the tokens of a text",
                          "  " + name + " tokenize \"Hello, world\"\n  " +
                              name + " tokenize --ids - < story.txt\n",
                          Command::Tokenize);
  result.tokenize.text = "-";
  addOption(sub, "TEXT", result.tokenize.text,
            "The text; - or nothing: standard input");
  sub->add_flag("--ids", result.tokenize.idsOnly,
                "Print only the ids, separated by commas");
  sub = command("detokenize", "Show the text of token ids",
                "  " + name + " detokenize 1,2,3\n", Command::Detokenize);
  addOption(sub, "IDS", result.detokenizeIds, "Token ids: 1,2,3")->required();
}

void Parser::declareInfo() {
  CLI::App *sub = command("info", "Say what this executable is",
                          "  " + name + " info\n  " + name +
                              " info --json\n  " + name + " info --devices\n",
                          Command::Info);
  sub->add_flag("--json", result.infoJson,
                "Print the manifest and the computed numbers as JSON");
  sub->add_flag("--devices", result.infoDevices,
                "List the GPUs of this machine and what runs on each");
}

void Parser::declareBench() {
  BenchOptions &bench = result.bench;
  CLI::App *sub = command("bench", "Measure how fast this model runs here",
                          "  " + name + " bench\n  " + name +
                              " bench --synthetic-weights 1 --context 64,4096 "
                              "--batch 1,4 --json > bench.json\n",
                          Command::Bench);
  sub->add_flag("--json", bench.json, "Print every figure as JSON");
  addOption(
      sub, "--synthetic-weights", bench.syntheticSeed,
      "Measure without the weight file, with random weights of this seed");
  addOption(sub, "--context", contexts,
            "Generate after this many tokens: a list (default: 64,4096). On a "
            "GPU the tokens before are not computed, the cache is as large and "
            "holds zeros");
  addOption(sub, "--batch", batches,
            "Generate for this many sequences at once: a list (default: 1,4)");
  addOption(sub, "--prompt", prompts,
            "Read prompts of this many tokens: a list (default: 512)");
  addOption(sub, "--tokens", bench.tokens,
            "Tokens to generate per repetition (default: 32)");
  addOption(sub, "--repeat", bench.repeat,
            "Repetitions; the median is reported (default: 5)");
  prefillOption(sub, benchChunk);
}

void Parser::declareDeviceCommands() {
  constexpr const char *synthetic =
      "Run without the weight file, with random weights of this seed";
  ProfileOptions &profile = result.profile;
  CLI::App *sub = command(
      "profile", "Show when the blocks of a GPU run each phase of a step",
      "  " + name + " profile\n  " + name +
          " profile --synthetic-weights 1 --after 4096 -o trace.json\n",
      Command::Profile);
  addOption(sub, "-o,--output", profile.output,
            "Write a trace that https://ui.perfetto.dev shows")
      ->type_name("FILE");
  sub->add_flag("--all", profile.all,
                "Show every phase, not only the ten that lose most");
  addOption(sub, "--after", profile.context,
            "Tokens of the sequence before the step (default: 64)");
  addOption(sub, "--tokens", profile.tokens, "Tokens of the step (default: 1)");
  addOption(sub, "--repeat", profile.repeat,
            "Steps; the median of each phase is reported (default: 5)");
  addOption(sub, "--synthetic-weights", profile.syntheticSeed, synthetic);
  sub = command("selftest",
                "Check that all steps of a device agree, and each phase with "
                "the emulator's where the executable is for that, too "
                "(quartetc build --target CHIP,emulator:CHIP --fat)",
                "  " + name + " selftest\n  " + name +
                    " selftest --synthetic-weights 1\n",
                Command::SelfTest);
  addOption(sub, "--synthetic-weights", result.selfTest.syntheticSeed,
            synthetic);
}

/// Reads the lists of bench; a default that the model has no room for is left
/// out.
std::string Parser::finishBench() {
  BenchOptions &bench = result.bench;
  if (bench.tokens < 1 || bench.tokens > (1 << 20))
    return "--tokens is " + std::to_string(bench.tokens) +
           ", expected 1 to 1048576";
  if (bench.repeat < 1 || bench.repeat > 1000)
    return "--repeat is " + std::to_string(bench.repeat) +
           ", expected 1 to 1000";
  struct {
    const char *option;
    const std::optional<std::string> &given;
    std::vector<int32_t> fallback;
    int64_t room; ///< largest default
    std::vector<int64_t> &out;
  } lists[] = {
      {"--context",
       contexts,
       {64, 4096},
       manifest.maxPositions - bench.tokens * bench.repeat,
       bench.contexts},
      {"--batch", batches, {1, 4}, INT64_MAX, bench.batches},
      {"--prompt", prompts, {512}, manifest.maxPositions, bench.prompts}};
  for (auto &list : lists) {
    std::string error;
    std::optional<std::vector<int32_t>> numbers = list.fallback;
    if (list.given)
      numbers = parseList(*list.given, list.option, &error);
    if (!numbers)
      return error;
    for (int32_t number : *numbers) {
      if (number < 1)
        return std::string(list.option) + " has " + std::to_string(number) +
               ", expected numbers from 1";
      if (list.given || number <= list.room)
        list.out.push_back(number);
    }
  }
  return "";
}

/// Fills in defaults and checks ranges; \returns what is wrong, if anything.
std::string Parser::finish() {
  auto outside = [](const char *option, int64_t found, int64_t least,
                    int64_t most) {
    return std::string(option) + " is " + std::to_string(found) +
           ", expected " + std::to_string(least) + " to " +
           std::to_string(most);
  };
  if (threads && (*threads < 1 || *threads > 4096))
    return outside("--threads", *threads, 1, 4096);
  if (context && (*context < 1 || *context > manifest.maxPositions))
    return outside("--context", *context, 1, manifest.maxPositions);
  if (device && (*device < 0 || *device > 1023))
    return outside("--device", *device, 0, 1023);
  if (blocks && (*blocks < 1 || *blocks > (1 << 16)))
    return outside("--blocks", *blocks, 1, 1 << 16);
  result.global.device = device.value_or(-1);
  result.global.blocks = blocks.value_or(0);
  result.global.threads = unsigned(threads.value_or(0));
  result.global.context = context.value_or(0);
  result.global.pin = !noPin;
  result.global.graph = !noGraph;
  result.global.overlap = !noOverlap;

  RunOptions &run = result.run;
  if (run.maxTokens < -1)
    return "--max-tokens is " + std::to_string(run.maxTokens) +
           ", expected a whole number >= 0, or -1 for no limit";
  const GenerationInfo &defaults = manifest.generation;
  SamplingParams &params = run.sampling;
  params.temperature = sampling.temperature.value_or(
      defaults.doSample ? float(defaults.temperature) : 0.0f);
  params.topK = sampling.topK.value_or(int32_t(defaults.topK));
  params.topP = sampling.topP.value_or(float(defaults.topP));
  params.minP = sampling.minP.value_or(float(defaults.minP));
  params.presencePenalty =
      sampling.presence.value_or(float(defaults.presencePenalty));
  params.frequencyPenalty = sampling.frequency.value_or(0.0f);
  params.repetitionPenalty =
      sampling.repetition.value_or(float(defaults.repetitionPenalty));
  run.seedGiven = sampling.seed.has_value();
  params.seed = sampling.seed.value_or(0);
  run.echo = !noEcho;
  if (std::string problem = whyNotValid(params); !problem.empty())
    return problem;
  for (const std::optional<int64_t> &chunk :
       {runChunk, logitsChunk, statesChunk, benchChunk})
    if (chunk && (*chunk < 1 || *chunk > (1 << 20)))
      return outside("--prefill-chunk", *chunk, 1, 1 << 20);
  run.prefillChunk = runChunk.value_or(0);
  result.logits.prefillChunk = logitsChunk.value_or(0);
  result.states.prefillChunk = statesChunk.value_or(0);
  result.bench.prefillChunk = benchChunk.value_or(0);
  if (result.logits.drafts < 0 || result.logits.drafts > (1 << 20))
    return outside("--drafts", result.logits.drafts, 0, 1 << 20);
  const ProfileOptions &profile = result.profile;
  if (profile.tokens < 1 || profile.tokens > (1 << 20))
    return outside("--tokens", profile.tokens, 1, 1 << 20);
  if (profile.context < 0 || profile.context > (1 << 30))
    return outside("--after", profile.context, 0, 1 << 30);
  if (profile.repeat < 1 || profile.repeat > 1000)
    return outside("--repeat", profile.repeat, 1, 1000);
  if (result.command == Command::Bench)
    return finishBench();
  if ((result.command == Command::Logits && !result.logits.tokens &&
       !result.logits.tokensFile) ||
      (result.command == Command::States && !result.states.tokens &&
       !result.states.tokensFile))
    return "--tokens or --tokens-file is required";
  for (const std::string &stop : run.stops)
    if (stop.empty())
      return "--stop is empty, expected some text";
  if (run.printTokens && !run.stops.empty())
    return "--stop looks at text and --print-tokens prints none; leave out one "
           "of them";
  return "";
}

int Parser::usageError(const std::string &message, const std::string &word) {
  fprintf(stderr, "%s: %s\nTry '%s%s --help'.\n", name.c_str(), message.c_str(),
          name.c_str(), word.empty() ? "" : (" " + word).c_str());
  return ExitUsage;
}

std::optional<int> Parser::parse(int argc, const char *const *argv) {
  if (argc <= 1)
    return print(name, app.help());
  auto chosen = [&]() -> std::string {
    std::vector<CLI::App *> subs = app.get_subcommands();
    return subs.empty() ? "" : subs.front()->get_name();
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    std::string word = chosen();
    return print(name, word.empty() ? app.help()
                                    : app.get_subcommand(word)->help(name));
  } catch (const CLI::CallForVersion &) {
    return print(name, app.version() + "\n");
  } catch (const CLI::ExtrasError &) {
    std::vector<std::string> extra = app.remaining(/*recurse=*/true);
    std::string first = extra.empty() ? "" : extra[0];
    if (!chosen().empty() || first.empty() || first[0] == '-')
      return usageError("unexpected argument '" + first + "'", chosen());
    return usageError(
        "unknown command '" + first + "', expected " + commandNames, "");
  } catch (const CLI::Error &error) {
    return usageError(error.what(), chosen());
  }
  if (result.command == Command::None)
    return usageError(std::string("no command, expected ") + commandNames, "");
  std::string problem = finish();
  if (!problem.empty())
    return usageError(problem, chosen());
  return std::nullopt;
}
} // namespace

std::optional<int> parseCommandLine(int argc, const char *const *argv,
                                    const Manifest &manifest,
                                    CommandLine &result) {
  return Parser(argc > 0 ? argv[0] : nullptr, manifest, result)
      .parse(argc, argv);
}

} // namespace quartet::rt
