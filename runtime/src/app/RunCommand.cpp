// run: continues a text and streams it. What is printed is valid UTF-8 at every
// moment, and nothing that belongs to a stop string is ever printed.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/Interrupt.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/StopStrings.h"
#include "runtime/src/app/TokenList.h"
#include "runtime/src/engine/Generate.h"
#include "runtime/src/text/StreamDecoder.h"
#include <chrono>
#include <cstdio>
#include <sys/random.h>
#include <unistd.h>

namespace quartet::rt {

namespace {
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Prints tokens as text, or as ids without a tokenizer.
class Printer {
public:
  Printer(const Tokenizer *tokenizer, const std::vector<std::string> &stops)
      : stops(stops) {
    if (tokenizer)
      decoder.emplace(*tokenizer);
  }

  /// The prompt goes through the decoder in any case: a character may start in
  /// it and end in the output.
  void prompt(const std::vector<int32_t> &tokens, bool echo) {
    std::string text;
    for (int32_t token : tokens)
      decode(token, text);
    if (echo)
      output.write(text);
  }

  /// \returns false when nothing more should come.
  bool token(int32_t id) {
    if (!decoder) {
      std::string text = first ? "" : " ";
      first = false;
      return output.write(text + std::to_string(id));
    }
    std::string text;
    decode(id, text);
    output.write(stops.push(text));
    return output.ok() && !stops.stopped();
  }

  void finish() {
    std::string text;
    if (decoder)
      decoder->finish(text);
    output.write(stops.push(text));
    output.write(stops.flush());
    output.finishLine();
  }

  Output output;

private:
  void decode(int32_t id, std::string &text) {
    // An id without a token has no text.
    if (decoder)
      (void)decoder->push(id, text);
  }

  std::optional<StreamDecoder> decoder;
  StopStrings stops;
  bool first = true;
};

/// A number that nobody knows before. std::random_device would take a function
/// of glibc 2.36, and the rest of an executable needs less.
uint64_t randomSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
    seed =
        uint64_t(std::chrono::steady_clock::now().time_since_epoch().count());
  return seed;
}

/// The tokens of the prompt; a code other than 0 ends the program.
int readPrompt(const Session &session, const Tokenizer *tokenizer,
               std::vector<int32_t> &tokens) {
  const RunOptions &options = session.line.run;
  std::string error, text;
  if (options.tokens) {
    std::optional<std::vector<int32_t>> list =
        parseList(*options.tokens, "--tokens", &error);
    if (!list)
      return session.fail(error, ExitUsage);
    tokens = std::move(*list);
  } else {
    if (options.prompt) {
      text = *options.prompt;
    } else {
      std::string path = options.promptFile.value_or("-");
      if (path == "-" && isatty(STDIN_FILENO))
        fputs("Type the text and end it with Ctrl-D on a new line.\n", stderr);
      if (!readAll(path, text, &error))
        return session.fail(error);
    }
    if (!tokenizer->encode(text, tokens, error))
      return session.fail("the prompt: " + error, ExitUsage);
  }
  if (tokens.empty())
    return session.fail("the prompt is empty, expected at least one token",
                        ExitUsage);
  if (std::string why = session.whyNotTokens(tokens); !why.empty())
    return session.fail("the prompt: " + why, ExitUsage);
  int64_t context = session.line.global.context ? session.line.global.context
                                                : session.manifest.maxPositions;
  if (int64_t(tokens.size()) > context)
    return session.fail("the prompt has " + std::to_string(tokens.size()) +
                            " tokens, the context holds " +
                            std::to_string(context),
                        ExitUsage);
  return 0;
}

std::string rate(int64_t count, double seconds) {
  char text[64];
  if (count <= 0 || seconds <= 0)
    return "";
  snprintf(text, sizeof(text), " (%.1f tokens/s)", double(count) / seconds);
  return text;
}

std::string tokens(int64_t count) {
  return std::to_string(count) + (count == 1 ? " token" : " tokens");
}

void printStats(const GenerateStats &stats, double firstToken) {
  // The first token of the output comes out of the prompt's last step.
  std::string line = "prompt: " + tokens(stats.promptTokens) +
                     rate(stats.promptTokens, stats.promptSeconds) +
                     ", generated: " + tokens(stats.outputTokens) +
                     rate(stats.decodeSteps, stats.decodeSeconds);
  if (firstToken > 0) {
    char text[64];
    snprintf(text, sizeof(text), ", first token after %.3f s", firstToken);
    line += text;
  }
  fprintf(stderr, "%s\n", line.c_str());
}
} // namespace

int runCommand(const Session &session) {
  const RunOptions &options = session.line.run;
  std::string error;
  std::unique_ptr<Tokenizer> tokenizer;
  if (!options.tokens || !options.printTokens) {
    tokenizer = session.loadTokenizer(&error);
    if (!tokenizer)
      return session.fail(error);
  }
  GenerateRequest request;
  if (int code = readPrompt(session, tokenizer.get(), request.prompt))
    return code;
  LoadedModel model;
  if (!loadModel(session, EngineOptions(), model, &error))
    return session.fail(error);

  request.sampling = options.sampling;
  if (!options.seedGiven) {
    request.sampling.seed = randomSeed();
  }
  request.maxTokens = options.maxTokens;
  request.prefillChunk = options.prefillChunk;
  request.ignoreStop = options.ignoreEos;
  InterruptGuard interrupt;
  request.cancelled = &interrupt.flag();

  Printer printer(options.printTokens ? nullptr : tokenizer.get(),
                  options.stops);
  printer.prompt(request.prompt, options.echo);
  double firstToken = 0.0;
  GenerateStats stats;
  FinishReason reason = generate(
      *model.engine, request,
      [&](int32_t token) {
        bool more = printer.token(token);
        if (firstToken == 0.0)
          firstToken = secondsSince(session.start);
        return more;
      },
      stats, &error);
  printer.finish();

  if (printer.output.closed())
    return 0;
  if (!printer.output.ok())
    return session.fail(printer.output.problem());
  if (!session.line.global.quiet)
    printStats(stats, firstToken);
  switch (reason) {
  case FinishReason::Error:
    return session.fail(error);
  case FinishReason::Cancelled:
    return ExitInterrupted;
  case FinishReason::ContextFull:
    return session.fail("the context of " +
                            std::to_string(model.engine->context()) +
                            " tokens is full",
                        0);
  case FinishReason::Stop:
  case FinishReason::Length:
  case FinishReason::Receiver:
    return 0;
  }
  return 0;
}

} // namespace quartet::rt
