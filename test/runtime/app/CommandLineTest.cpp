// What the command line means: defaults from the model, ranges, and texts that
// look like something else.
#include "runtime/src/app/CommandLine.h"
#include "../engine/TestManifest.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
struct Parsed {
  CommandLine line;
  std::optional<int> code;
  std::string out, err;
};

Parsed parseArgs(std::vector<const char *> args,
                 const Manifest &manifest = parse(manifestJson())) {
  args.insert(args.begin(), "/opt/bin/model");
  Parsed parsed;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  parsed.code =
      parseCommandLine(int(args.size()), args.data(), manifest, parsed.line);
  fflush(stdout);
  parsed.out = testing::internal::GetCapturedStdout();
  parsed.err = testing::internal::GetCapturedStderr();
  return parsed;
}

/// Usage errors: exit code 2, one message with this text, nothing on stdout.
void expectError(std::vector<const char *> args, const std::string &message) {
  Parsed parsed = parseArgs(args);
  EXPECT_EQ(parsed.code, 2) << message;
  EXPECT_NE(parsed.err.find(message), std::string::npos) << parsed.err;
  EXPECT_NE(parsed.err.find("--help"), std::string::npos) << parsed.err;
  EXPECT_EQ(parsed.out, "");
}

TEST(CommandLine, SamplingDefaultsAreTheModels) {
  Parsed parsed = parseArgs({"run", "-p", "x"});
  ASSERT_FALSE(parsed.code) << parsed.err;
  EXPECT_EQ(parsed.line.command, Command::Run);
  EXPECT_EQ(parsed.line.run.sampling.temperature, 0.5f);
  EXPECT_EQ(parsed.line.run.sampling.topK, 20);
  EXPECT_EQ(parsed.line.run.sampling.topP, 0.95f);
  EXPECT_FALSE(parsed.line.run.seedGiven);
  EXPECT_TRUE(parsed.line.run.echo);

  Manifest greedy = parse(manifestJson());
  greedy.generation.doSample = false;
  EXPECT_EQ(parseArgs({"run"}, greedy).line.run.sampling.temperature, 0.0f);
}

TEST(CommandLine, OptionsReplaceDefaults) {
  Parsed parsed = parseArgs({"run",
                             "-p",
                             "x",
                             "-n",
                             "-1",
                             "--temperature",
                             "0.25",
                             "--top-k",
                             "0",
                             "--top-p",
                             "0.5",
                             "--min-p",
                             "0.1",
                             "--presence-penalty",
                             "-1.5",
                             "--frequency-penalty",
                             "0.5",
                             "--repetition-penalty",
                             "1.1",
                             "--seed",
                             "18446744073709551615",
                             "--no-echo",
                             "--ignore-eos",
                             "--prefill-chunk",
                             "32"});
  ASSERT_FALSE(parsed.code) << parsed.err;
  const RunOptions &run = parsed.line.run;
  EXPECT_EQ(run.maxTokens, -1);
  EXPECT_EQ(run.sampling.temperature, 0.25f);
  EXPECT_EQ(run.sampling.topK, 0);
  EXPECT_EQ(run.sampling.topP, 0.5f);
  EXPECT_EQ(run.sampling.minP, 0.1f);
  EXPECT_EQ(run.sampling.presencePenalty, -1.5f);
  EXPECT_EQ(run.sampling.frequencyPenalty, 0.5f);
  EXPECT_EQ(run.sampling.repetitionPenalty, 1.1f);
  EXPECT_EQ(run.sampling.seed, UINT64_MAX);
  EXPECT_TRUE(run.seedGiven && run.ignoreEos && !run.echo);
  EXPECT_EQ(run.prefillChunk, 32);
}

TEST(CommandLine, TakesTextAsItIs) {
  for (const char *text :
       {"--help", "-n", "[a,b]", "%%", "a,b", " ", "", "\"quoted\"", "x=y"}) {
    Parsed parsed = parseArgs({"run", "-p", text});
    ASSERT_FALSE(parsed.code) << text << ": " << parsed.err;
    EXPECT_EQ(parsed.line.run.prompt, text);
  }
  Parsed parsed = parseArgs(
      {"run", "-p", "x", "--stop", "[a,b]", "--stop", "--", "--stop", "\n"});
  ASSERT_FALSE(parsed.code) << parsed.err;
  EXPECT_EQ(parsed.line.run.stops,
            (std::vector<std::string>{"[a,b]", "--", "\n"}));
}

TEST(CommandLine, GlobalOptionsStandAnywhere) {
  for (auto args :
       {std::vector<const char *>{"--threads", "3", "--context", "200",
                                  "--weights", "w", "--program", "p", "info"},
        {"info", "--threads", "3", "--context", "200", "--weights", "w",
         "--program", "p"}}) {
    Parsed parsed = parseArgs(args);
    ASSERT_FALSE(parsed.code) << parsed.err;
    EXPECT_EQ(parsed.line.command, Command::Info);
    EXPECT_EQ(parsed.line.global.threads, 3u);
    EXPECT_EQ(parsed.line.global.context, 200);
    EXPECT_EQ(parsed.line.global.weights, "w");
    EXPECT_EQ(parsed.line.global.program, "p");
  }
}

TEST(CommandLine, OtherCommands) {
  Parsed parsed = parseArgs(
      {"logits", "--tokens", "1,2;3", "--split", "1,1;1", "-o", "f.npy"});
  ASSERT_FALSE(parsed.code) << parsed.err;
  EXPECT_EQ(parsed.line.command, Command::Logits);
  EXPECT_EQ(parsed.line.logits.tokens, "1,2;3");
  EXPECT_EQ(parsed.line.logits.split, "1,1;1");
  EXPECT_EQ(parsed.line.logits.output, "f.npy");
  EXPECT_EQ(parseArgs({"tokenize"}).line.tokenize.text, "-");
  EXPECT_EQ(parseArgs({"tokenize", "--ids", "-"}).line.tokenize.text, "-");
  EXPECT_EQ(parseArgs({"tokenize", "a b"}).line.tokenize.text, "a b");
  EXPECT_EQ(parseArgs({"detokenize", "1,2"}).line.detokenizeIds, "1,2");
  EXPECT_TRUE(parseArgs({"info", "--json"}).line.infoJson);
}

TEST(CommandLine, RefusesBadInput) {
  expectError({"sing"}, "unknown command 'sing'");
  expectError({"--threads", "2"}, "no command");
  expectError({"run", "--tempo", "1"}, "--tempo");
  expectError({"run", "-p"}, "-p");
  expectError({"run", "-p", "a", "--tokens", "1"}, "--tokens");
  expectError({"run", "-n", "many"},
              "--max-tokens: found 'many', expected a whole number");
  expectError({"run", "-n", "1e3"}, "found '1e3', expected a whole number");
  expectError({"run", "-n", "99999999999999999999"}, "out of range");
  expectError({"run", "-n", "-2"}, "--max-tokens is -2");
  expectError({"run", "--seed", "18446744073709551616"}, "out of range");
  expectError({"run", "--temperature", "hot"}, "'hot', expected a number");
  expectError({"run", "--threads", "-1"}, "--threads is -1");
  expectError({"run", "extra"}, "unexpected argument 'extra'");
  expectError({"run", "--temperature", "-1"}, "temperature is -1");
  expectError({"run", "--temperature", "nan"}, "temperature");
  expectError({"run", "--top-p", "0"}, "top-p is 0");
  expectError({"run", "--top-k", "-2"}, "top-k is -2");
  expectError({"run", "--min-p", "2"}, "min-p is 2");
  expectError({"run", "--seed", "-1"}, "seed");
  expectError({"run", "--stop", ""}, "--stop is empty");
  expectError({"run", "--stop", "a", "--print-tokens"}, "--print-tokens");
  expectError({"run", "--prefill-chunk", "0"}, "--prefill-chunk is 0");
  expectError({"info", "--threads", "0"}, "--threads is 0");
  expectError({"info", "--context", "301"},
              "--context is 301, expected 1 to 300");
  expectError({"logits", "-o", "x"}, "--tokens or --tokens-file is required");
  expectError({"logits", "--tokens", "1", "--tokens-file", "f", "-o", "x"},
              "--tokens");
  expectError({"logits", "--tokens", "1"}, "--output");
  expectError({"logits", "--tokens", "1", "-o", "x", "--drafts", "1"}, "--mtp");
  expectError({"logits", "--tokens", "1", "-o", "x", "--mtp", "--drafts", "-1"},
              "--drafts is -1, expected 0 to 1048576");
  expectError({"states", "-o", "x"}, "--tokens or --tokens-file is required");
  expectError({"states", "--tokens", "1"}, "--output");
  expectError({"detokenize"}, "IDS");
  expectError({"info", "run", "x"}, "x");
}

TEST(CommandLine, HelpsWithExamples) {
  for (auto args : {std::vector<const char *>{}, {"--help"}}) {
    Parsed parsed = parseArgs(args);
    EXPECT_EQ(parsed.code, 0);
    EXPECT_NE(parsed.out.find("model run -p"), std::string::npos) << parsed.out;
  }
  for (const char *command :
       {"run", "logits", "tokenize", "detokenize", "info", "bench"}) {
    Parsed parsed = parseArgs({command, "--help"});
    EXPECT_EQ(parsed.code, 0);
    EXPECT_NE(parsed.out.find(std::string("Usage: model ") + command + " ["),
              std::string::npos)
        << parsed.out;
    EXPECT_NE(parsed.out.find("Examples:"), std::string::npos) << parsed.out;
    EXPECT_NE(parsed.out.find(std::string("model ") + command),
              std::string::npos)
        << parsed.out;
  }
  EXPECT_NE(parseArgs({"--help"}).out.find("\nCommands:\n"), std::string::npos);
  Parsed parsed = parseArgs({"--version"});
  EXPECT_EQ(parsed.code, 0);
  EXPECT_NE(parsed.out.find("0.1.0"), std::string::npos) << parsed.out;
}

using Numbers = std::vector<int64_t>;

TEST(CommandLine, BenchHasLists) {
  Parsed parsed = parseArgs({"bench", "--context", "8,100", "--batch", "2",
                             "--prompt", "3, 5", "--tokens", "4", "--repeat",
                             "2", "--json", "--synthetic-weights", "7", "-q"});
  ASSERT_FALSE(parsed.code) << parsed.err;
  const BenchOptions &bench = parsed.line.bench;
  EXPECT_EQ(bench.contexts, (Numbers{8, 100}));
  EXPECT_EQ(bench.batches, Numbers{2});
  EXPECT_EQ(bench.prompts, (Numbers{3, 5}));
  EXPECT_EQ(bench.tokens, 4);
  EXPECT_EQ(bench.repeat, 2);
  EXPECT_TRUE(bench.json);
  EXPECT_EQ(bench.syntheticSeed, 7u);
  EXPECT_EQ(parsed.line.global.context, 0) << "--context of all commands";
  EXPECT_TRUE(parsed.line.global.quiet);
}

// Defaults that the model (300 positions) has no room for are left out.
TEST(CommandLine, BenchDefaultsFitTheModel) {
  Parsed parsed = parseArgs({"bench"});
  ASSERT_FALSE(parsed.code) << parsed.err;
  EXPECT_EQ(parsed.line.bench.contexts, Numbers{64}); // and 5 times 32
  EXPECT_EQ(parsed.line.bench.batches, (Numbers{1, 4}));
  EXPECT_EQ(parsed.line.bench.prompts, Numbers{});
  EXPECT_FALSE(parsed.line.bench.syntheticSeed);
}

TEST(CommandLine, BenchRefusesBadNumbers) {
  expectError({"bench", "--context", "0"}, "--context has 0");
  expectError({"bench", "--batch", "1,x"}, "found 'x'");
  expectError({"bench", "--tokens", "0"}, "--tokens is 0");
  expectError({"bench", "--repeat", "1001"}, "--repeat is 1001");
  expectError({"bench", "--prefill-chunk", "0"}, "--prefill-chunk is 0");
  expectError({"bench", "--synthetic-weights", "-1"}, "found '-1'");
}

TEST(CommandLine, PinsUnlessToldOtherwise) {
  EXPECT_TRUE(parseArgs({"run"}).line.global.pin);
  EXPECT_FALSE(parseArgs({"run", "--no-pin"}).line.global.pin);
  EXPECT_FALSE(parseArgs({"--no-pin", "run"}).line.global.pin);
}

TEST(CommandLine, HelpThatCannotBePrintedIsAnError) {
  int full = open("/dev/full", O_WRONLY), saved = dup(STDOUT_FILENO);
  ASSERT_GE(full, 0);
  dup2(full, STDOUT_FILENO);
  const char *args[] = {"model", "--help"};
  CommandLine line;
  testing::internal::CaptureStderr();
  std::optional<int> code =
      parseCommandLine(2, args, parse(manifestJson()), line);
  std::string message = testing::internal::GetCapturedStderr();
  dup2(saved, STDOUT_FILENO);
  close(saved);
  close(full);
  EXPECT_EQ(code, 1);
  EXPECT_NE(message.find("cannot write"), std::string::npos) << message;
}
} // namespace
