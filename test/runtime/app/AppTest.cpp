// Whole commands on a fake model: what is printed where, exit codes, files. The
// model has one token per byte and thinks that byte b is followed by b + 1.
#include "runtime/src/app/App.h"
#include "../engine/TestManifest.h"
#include "quartet/tokenizer_format.h"
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
int stepsUntilInterrupt = -1;
std::vector<int64_t> stepSizes;

/// The logits of byte b are 1 at b + 1, and 0.01 * position everywhere else.
/// The state "conv", [2, slots, 3], sums the bytes in [0, slot, 1], and their
/// doubles in [1, slot, 1].
void nextByteStep(const quartet_step_args *args, int64_t, int64_t) {
  stepSizes.push_back(args->num_tokens);
  for (int64_t t = 0; t != args->num_tokens; ++t) {
    int64_t slot = args->seq_slot[args->token_seq[t]];
    auto *conv = static_cast<float *>(args->states[0]);
    conv[slot * 3 + 1] += float(args->tokens[t]);
    conv[(args->num_slots + slot) * 3 + 1] += 2.0f * float(args->tokens[t]);
  }
  for (int64_t r = 0; r != args->num_rows; ++r) {
    int32_t token = args->rows[r];
    int32_t next = (args->tokens[token] + 1) % 256;
    for (int32_t id = 0; id != 256; ++id)
      args->logits[r * 256 + id] = 0.01f * float(args->positions[token]);
    args->logits[r * 256 + next] = 1;
    args->sampled[r] = next;
  }
  if (stepsUntilInterrupt >= 0 && stepsUntilInterrupt-- == 0)
    raise(SIGINT);
}

/// A tokenizer whose 256 tokens are the bytes.
std::string byteTokenizer() {
  quartet_tokenizer_header header = {};
  header.magic = quartet_tokenizer_magic;
  header.version = quartet_tokenizer_version;
  uint32_t at = sizeof(header);
  header.patternOffset = at;
  header.lengthsOffset = at;
  header.idCount = 256;
  header.longOffset = at += 256;
  header.bytesOffset = at;
  header.tokenBytes = 256;
  header.bucketsOffset = at += 256;
  header.bucketCount = 1;
  header.mergesOffset = header.runsOffset = header.addedOffset =
      header.addedTextOffset = at += 6;
  header.size = at;
  for (uint32_t byte = 0; byte != 256; ++byte)
    header.byteIds[byte] = byte;
  std::string blob(reinterpret_cast<const char *>(&header), sizeof(header));
  blob.append(256, '\1');
  for (int byte = 0; byte != 256; ++byte)
    blob += char(byte);
  return blob.append(6, '\0');
}

struct Ran {
  int code;
  std::string out, err;
};

class AppTest : public testing::Test {
protected:
  void SetUp() override {
    stepsUntilInterrupt = -1;
    stepSizes.clear();
    json["model"]["vocab"] = 256;
    json["model"]["token_limit"] = 256;
    json["generation"] = {{"do_sample", false}, {"stop_ids", {'~'}}};
    weights = dir.write("w.safetensors", weightImage(weightHeader()));
  }
  Ran run(std::vector<std::string> args) {
    manifest = json.dump();
    args.insert(args.begin(), "model");
    std::vector<char *> argv;
    for (std::string &arg : args)
      argv.push_back(arg.data());
    Image image = {{manifest.data(), manifest.size()},
                   {tokenizer.data(), tokenizer.size()},
                   {nullptr, 0},
                   embedded,
                   &program.program,
                   1};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.code = runApp(int(argv.size()), argv.data(), image);
    fflush(stdout);
    ran.out = testing::internal::GetCapturedStdout();
    ran.err = testing::internal::GetCapturedStderr();
    return ran;
  }
  /// run with the weights.
  Ran model(std::vector<std::string> args) {
    args.insert(args.end(), {"--weights", weights});
    return run(std::move(args));
  }
  TempDir dir;
  nlohmann::ordered_json json = manifestJson();
  std::string manifest, tokenizer = byteTokenizer(), weights;
  quartet_blob embedded = {nullptr, 0};
  TestProgram program{nextByteStep};
};

TEST_F(AppTest, RunContinuesAText) {
  Ran ran = model({"run", "-p", "abc", "-n", "4"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "abcdefg\n");
  EXPECT_NE(ran.err.find("prompt: 3 tokens"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("generated: 4 tokens"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("first token after"), std::string::npos) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
}

TEST_F(AppTest, RunHasOtherPrompts) {
  EXPECT_EQ(model({"run", "-p", "abc", "-n", "2", "--no-echo"}).out, "de\n");
  EXPECT_EQ(model({"run", "--tokens", "65,66", "-n", "2"}).out, "ABCD\n");
  std::string err = model({"run", "--tokens", "65", "-n", "1"}).err;
  EXPECT_NE(err.find("prompt: 1 token ("), std::string::npos) << err;
  std::string file = dir.write("prompt.txt", "xy");
  EXPECT_EQ(model({"run", "--prompt-file", file, "-n", "1"}).out, "xyz\n");
  int saved = dup(STDIN_FILENO), fd = open(file.c_str(), O_RDONLY);
  dup2(fd, STDIN_FILENO);
  EXPECT_EQ(model({"run", "-n", "1"}).out, "xyz\n");
  dup2(saved, STDIN_FILENO);
  close(fd);
  close(saved);
}

TEST_F(AppTest, RunPrintsTokens) {
  EXPECT_EQ(model({"run", "--tokens", "1,2", "-n", "3", "--print-tokens"}).out,
            "3 4 5\n");
  tokenizer.clear(); // and works without a tokenizer
  EXPECT_EQ(model({"run", "--tokens", "1,2", "-n", "3", "--print-tokens"}).out,
            "3 4 5\n");
}

TEST_F(AppTest, RunEndsAtStopTokensAndStrings) {
  EXPECT_EQ(model({"run", "-p", "z"}).out, "z{|}\n"); // ~ is a stop token
  EXPECT_EQ(model({"run", "-p", "z", "--ignore-eos", "-n", "4"}).out,
            "z{|}~\n");
  Ran ran = model({"run", "-p", "abc", "--stop", "gh", "--stop", "xx"});
  EXPECT_EQ(ran.out, "abcdef\n");
  EXPECT_EQ(ran.code, 0);
  // The prompt is no place to stop.
  EXPECT_EQ(model({"run", "-p", "abc", "--stop", "b", "-n", "2"}).out,
            "abcde\n");
  // A stop string that stays incomplete is text.
  EXPECT_EQ(model({"run", "-p", "a", "--stop", "cde", "-n", "3"}).out,
            "abcd\n");
}

// 0xc3 is followed by 0xc4 and so on, none of which is UTF-8 with what follows.
TEST_F(AppTest, RunPrintsValidUtf8) {
  Ran ran = model({"run", "--tokens", "194", "-n", "1"});
  EXPECT_EQ(ran.out, "\xef\xbf\xbd\xef\xbf\xbd\n");
  // A character that the prompt begins and the output ends.
  EXPECT_EQ(model({"run", "--tokens", "226,130,171", "-n", "1"}).out,
            "\xe2\x82\xab\xef\xbf\xbd\n");
}

TEST_F(AppTest, InterruptEndsTheRunCleanly) {
  stepsUntilInterrupt = 2;
  Ran ran = model({"run", "-p", "abc", "-n", "100"});
  EXPECT_EQ(ran.code, 130);
  EXPECT_EQ(ran.out, "abcdef\n");
  EXPECT_NE(ran.err.find("generated: 3 tokens"), std::string::npos) << ran.err;
}

TEST_F(AppTest, AClosedReaderEndsQuietly) {
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  close(pipes[0]);
  testing::internal::CaptureStderr();
  int saved = dup(STDOUT_FILENO);
  dup2(pipes[1], STDOUT_FILENO);
  close(pipes[1]);
  manifest = json.dump();
  Image image = {{manifest.data(), manifest.size()},
                 {tokenizer.data(), tokenizer.size()},
                 {nullptr, 0},
                 embedded,
                 &program.program,
                 1};
  std::vector<std::string> args = {"model", "run", "-p",           "a",
                                   "-n",    "250", "--ignore-eos", "--weights",
                                   weights};
  std::vector<char *> argv;
  for (std::string &arg : args)
    argv.push_back(arg.data());
  int code = runApp(int(argv.size()), argv.data(), image);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  EXPECT_EQ(code, 0);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_LE(stepSizes.size(), 1u) << "went on without a reader";
}

TEST_F(AppTest, RunRefusesBadPrompts) {
  for (auto [args, message] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"run", "-p", ""}, "the prompt is empty"},
           {{"run", "--tokens", "1,x"}, "found 'x'"},
           {{"run", "--tokens", "256"}, "token id 256, expected 0 to 255"},
           {{"run", "-p", std::string(301, 'a')}, "301 tokens"},
           {{"run", "-p", "abc", "--context", "2"}, "the context holds 2"}}) {
    Ran ran = model(args);
    EXPECT_EQ(ran.code, 2) << message;
    EXPECT_NE(ran.err.find(message), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
  Ran ran = model({"run", "--prompt-file", dir.path + "/none"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("/none"), std::string::npos) << ran.err;
}

TEST_F(AppTest, RunSaysWhenTheContextIsFull) {
  Ran ran = model({"run", "-p", "ab", "--context", "4"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "abcde\n");
  EXPECT_NE(ran.err.find("context of 4 tokens is full"), std::string::npos)
      << ran.err;
}

TEST_F(AppTest, TextNeedsATokenizer) {
  tokenizer.clear();
  for (std::vector<std::string> args :
       {std::vector<std::string>{"run", "-p", "x"},
        {"run", "--tokens", "1"},
        {"tokenize", "x"},
        {"detokenize", "1"}}) {
    Ran ran = model(args);
    EXPECT_EQ(ran.code, 1);
    EXPECT_NE(ran.err.find("no tokenizer"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("--tokens"), std::string::npos) << ran.err;
  }
}

TEST_F(AppTest, ForeignWeightsAreRefused) {
  json["weights_id"] = "dddd";
  Ran ran = model({"run", "-p", "x"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("expected dddd"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(stepSizes.empty()) << "computed with foreign weights";
}

TEST_F(AppTest, EmbeddedWeightsAreUsed) {
  alignas(64) static char image[1024];
  std::string content = weightImage(weightHeader());
  memcpy(image, content.data(), content.size());
  embedded = {image, content.size()};
  EXPECT_EQ(run({"run", "-p", "abc", "-n", "2"}).out, "abcde\n");
}

TEST_F(AppTest, LogitsOfOneSequence) {
  std::string path = dir.path + "/l.npy";
  Ran ran =
      model({"logits", "--tokens", "5,6,7", "--split", "2,1", "-o", path});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{2, 1}));
  std::string content = TempDir::read(path);
  ASSERT_EQ(content.size(), 128 + 3 * 256 * 4u);
  auto value = [&](int row, int id) {
    float result;
    memcpy(&result, content.data() + 128 + (row * 256 + id) * 4, 4);
    return result;
  };
  EXPECT_EQ(value(0, 6), 1.0f);
  EXPECT_EQ(value(2, 8), 1.0f);
  EXPECT_EQ(value(2, 0), 0.02f); // position 2, also after a split
}

// Rows are in the order of the sequences, however the steps mixed them.
TEST_F(AppTest, LogitsOfSeveralSequences) {
  std::string together = dir.path + "/a.npy", split = dir.path + "/b.npy";
  EXPECT_EQ(
      model({"logits", "--tokens", "5,6,7;9,10;200", "-o", together}).code, 0);
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{6}));
  stepSizes.clear();
  EXPECT_EQ(model({"logits", "--tokens", "5,6,7;9,10;200", "--split",
                   "1,2;1,1;1", "-o", split})
                .code,
            0);
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{3, 3}));
  EXPECT_EQ(TempDir::read(together), TempDir::read(split));
  stepSizes.clear();
  EXPECT_EQ(model({"logits", "--tokens", "1,2,3,4,5", "--prefill-chunk", "2",
                   "-o", split})
                .code,
            0);
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{2, 2, 1}));
}

// The same rows as in the file, without a header, one sequence after the other.
TEST_F(AppTest, LogitsAsAStream) {
  std::string path = dir.path + "/l.npy";
  EXPECT_EQ(model({"logits", "--tokens", "5,6,7;9,10;200", "-o", path}).code,
            0);
  stepSizes.clear();
  std::string ids = dir.write("ids", "5,6,7;9,10;200\n");
  Ran ran = model(
      {"logits", "--tokens-file", ids, "-o", "-", "--prefill-chunk", "2"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{2, 1, 2, 1}));
  EXPECT_EQ(ran.out.size(), 6 * 256 * 4u);
  EXPECT_EQ(ran.out, TempDir::read(path).substr(128));
  EXPECT_NE(model({"logits", "--tokens-file", dir.path + "/none", "-o", "-"})
                .err.find("none"),
            std::string::npos);
  dir.write("ids", "5,six");
  EXPECT_NE(model({"logits", "--tokens-file", ids, "-o", "-"})
                .err.find("--tokens-file: found 'six'"),
            std::string::npos);
}

// States without their slots, after all tokens, in steps; a line for each step.
TEST_F(AppTest, WritesStates) {
  std::string path = dir.path + "/s.safetensors";
  Ran ran = model({"states", "--tokens", "5,6,7", "--prefill-chunk", "2", "-o",
                   path, "--suffix", "nv"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "2 of 3 tokens\n3 of 3 tokens\n");
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{2, 1}));
  std::string content = TempDir::read(path);
  ASSERT_GT(content.size(), 8u);
  uint64_t length = 0;
  memcpy(&length, content.data(), 8);
  ASSERT_EQ(content.size(), 8 + length + 24);
  auto header = nlohmann::json::parse(content.substr(8, length), nullptr,
                                      /*allow_exceptions=*/false);
  EXPECT_EQ(header, nlohmann::json({{"conv",
                                     {{"dtype", "F32"},
                                      {"shape", {2, 3}},
                                      {"data_offsets", {0, 24}}}}}));
  float values[6];
  memcpy(values, content.data() + 8 + length, sizeof(values));
  EXPECT_EQ(std::vector<float>(values, values + 6),
            (std::vector<float>{0, 18, 0, 0, 36, 0}));
  EXPECT_EQ(model({"states", "--tokens", "5", "-o", path, "-q"}).out, "");
}

TEST_F(AppTest, StatesRefusesBadInput) {
  std::string path = dir.path + "/s.safetensors";
  for (std::vector<std::string> args :
       {std::vector<std::string>{"--tokens", "1,300"},
        {"--tokens", "1;2"},
        {"--tokens", "1", "--suffix", "nothing"}}) {
    args.insert(args.begin(), "states");
    args.insert(args.end(), {"-o", path});
    EXPECT_EQ(model(args).code, 2);
  }
  Ran ran = model({"states", "--tokens", "1", "-o", dir.path + "/none/s"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("cannot write"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(AppTest, LogitsRefusesBadInput) {
  std::string path = dir.path + "/l.npy";
  for (std::vector<std::string> args :
       {std::vector<std::string>{"--tokens", "1,2;"},
        {"--tokens", "1,300"},
        {"--tokens", "1,2", "--split", "1"},
        {"--tokens", "1,2", "--split", "1,x"}}) {
    args.insert(args.begin(), "logits");
    args.insert(args.end(), {"-o", path});
    EXPECT_EQ(model(args).code, 2);
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  Ran ran = model({"logits", "--tokens", "1", "-o", dir.path + "/none/l.npy"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("none"), std::string::npos) << ran.err;
}

TEST_F(AppTest, TokenizeAndBack) {
  EXPECT_EQ(run({"tokenize", "a\n\""}).out,
            "97\t\"a\"\n10\t\"\\n\"\n34\t\"\\\"\"\n");
  EXPECT_EQ(run({"tokenize", "--ids", "ab\xc3\xa9"}).out, "97,98,195,169\n");
  EXPECT_EQ(run({"tokenize", "\xc3\xa9"}).out,
            "195\t\"\\xc3\"\n169\t\"\\xa9\"\n");
  EXPECT_EQ(run({"detokenize", "97,98,195,169"}).out, "ab\xc3\xa9\n");
  EXPECT_EQ(run({"detokenize", "97,256"}).code, 2);
}

TEST_F(AppTest, InfoNeedsNoWeights) {
  json["model"]["token_limit"] = 200;
  json["model"]["parameters"] = 1234567;
  json["model"]["parameters_active"] = 34567;
  json["model"]["pattern"] = {"linear_attention", "full_attention"};
  json["model"]["experts"] = {{"count", 4},
                              {"per_token", 2},
                              {"intermediate", 1408},
                              {"shared_intermediate", 8}};
  json["model"]["rope"] = {{"type", "yarn"},
                           {"theta", 1e7},
                           {"factor", 4.0},
                           {"original_max_positions", 75}};
  Ran ran = run({"info", "--threads", "3"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char *part :
       {"qwen3_5_moe", "x86-64-v3", "aaaa", "not there",
        "44 bytes per sequence", "8 bytes per token",
        // 44 + 5 pages of 64 tokens of 8 bytes.
        "2,604 bytes for a full context",
        "8: 2 x [D A], D = gated DeltaNet, A = attention",
        "4 of width 1,408, 2 per token", "256, of which 200 have a token",
        "1,234,567, of which a token uses 34,567",
        "10,000,000, yarn: 75 positions times 4", "300 tokens of at most 300"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;

  ran = run({"info", "--json", "--threads", "3", "--weights", weights});
  auto info = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(info.is_object()) << ran.out;
  EXPECT_EQ(info["weights_id"], "aaaa");
  EXPECT_EQ(info["computed"]["threads"], 3);
  EXPECT_EQ(info["computed"]["state_bytes_per_sequence"], 44);
  EXPECT_EQ(info["computed"]["state_bytes_per_token"], 8);
  EXPECT_EQ(info["computed"]["weights"], weights);
  EXPECT_EQ(info["computed"]["weights_present"], true);
}

TEST_F(AppTest, InfoListsThePrograms) {
  Ran ran = run({"info"});
  for (const char *part : {"test (the one used here)", "any number of tokens"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  program.program.features = "quantum";
  program.buckets[0].tokens = 16;
  program.buckets[0].sequences = 4;
  ran = run({"info"});
  EXPECT_EQ(ran.code, 0);
  for (const char *part :
       {"test, needs quantum\n", "up to 16 tokens of 4 sequences",
        "no program for this machine: 'test' needs quantum"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
  auto info =
      nlohmann::json::parse(run({"info", "--json"}).out, nullptr, false);
  auto programs = info["computed"]["programs"];
  EXPECT_EQ(programs[0]["chosen"], false);
  EXPECT_EQ(programs[0]["buckets"][0]["tokens"], 16);
  EXPECT_EQ(programs[0]["buckets"][0]["team"], false);
}

TEST_F(AppTest, AnotherMachinesProgramIsAnError) {
  program.program.features = "quantum";
  Ran ran = model({"run", "-p", "abc"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("'test' needs quantum"), std::string::npos) << ran.err;
  EXPECT_TRUE(stepSizes.empty());
}

TEST_F(AppTest, QuietPrintsNoStatistics) {
  Ran ran = model({"run", "-p", "abc", "-n", "4", "--quiet"});
  EXPECT_EQ(ran.out, "abcdefg\n");
  EXPECT_EQ(ran.err, "");
}

// Steps are as large as the largest bucket, also where pieces are larger.
TEST_F(AppTest, LogitsFitTheBuckets) {
  std::string path = dir.path + "/l.npy";
  program.buckets[0].tokens = 4;
  program.buckets[0].sequences = 2;
  EXPECT_EQ(model({"logits", "--tokens", "1,2,3,4,5,6;7,8;9", "-o", path}).code,
            0);
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{4, 4, 1}));
  stepSizes.clear();
  EXPECT_EQ(model({"logits", "--tokens", "1,2,3,4,5,6;7,8;9", "--split",
                   "5,1;1,1;1", "-o", path})
                .code,
            0);
  EXPECT_EQ(stepSizes, (std::vector<int64_t>{4, 2, 2, 1}));
}

TEST_F(AppTest, BenchMeasuresEverything) {
  json["model"]["max_positions"] = 4096;
  json["plan"] = nlohmann::json::parse(
      R"({"buckets": [{"tokens": 512, "phases": [{"weight_bytes": 1000,
          "kv_bytes_per_position": 2, "macs": 50}]}]})");
  std::vector<std::string> args = {"bench",
                                   "--json",
                                   "--context",
                                   "8,40",
                                   "--batch",
                                   "1,2",
                                   "--prompt",
                                   "20,30",
                                   "--tokens",
                                   "2",
                                   "--repeat",
                                   "3",
                                   "--synthetic-weights",
                                   "5",
                                   "--threads",
                                   "2"};
  Ran ran = run(args); // no weight file is there
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("prefill of 20 tokens"), std::string::npos) << ran.err;
  auto bench = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(bench.is_object()) << ran.out;
  EXPECT_EQ(bench["threads"], 2);
  EXPECT_EQ(bench["synthetic_weights"], true);
  EXPECT_GT(bench["first_token_seconds"], bench["load_seconds"]);
  ASSERT_EQ(bench["prefill"].size(), 2u);
  EXPECT_EQ(bench["prefill"][1]["tokens"], 30);
  EXPECT_EQ(bench["prefill"][1]["flops_per_token"], 100);
  ASSERT_EQ(bench["decode"].size(), 4u);
  for (const auto &decode : bench["decode"]) {
    const auto &rate = decode["tokens_per_second"];
    EXPECT_GT(rate["min"], 0);
    EXPECT_GE(rate["median"], rate["min"]);
    EXPECT_GE(rate["max"], rate["median"]);
    double batch = decode["batch"], context = decode["context"];
    EXPECT_DOUBLE_EQ(decode["bytes_per_token"],
                     1000 / batch + 2 * (context + 3));
    EXPECT_GT(decode["fraction_of_bandwidth"], 0);
  }
  EXPECT_GT(bench["memory"]["peak_bytes"], 0);
  EXPECT_GT(bench["memory"]["weights_resident_bytes"], 0);
  EXPECT_EQ(bench["memory"]["weights_bytes"], 28);
  EXPECT_GT(bench["read_bandwidth"]["bytes_per_second"], 0);
  // What was run: the short prompt once for the first token and three times
  // for its median, prompts three times each, then fills and steps of tokens.
  EXPECT_EQ(std::vector<int64_t>(stepSizes.begin(), stepSizes.begin() + 10),
            (std::vector<int64_t>{16, 16, 16, 16, 20, 20, 20, 30, 30, 30}));
  EXPECT_EQ(stepSizes[10], 8);

  stepSizes.clear();
  ran = model({"bench", "--context", "8", "--batch", "1", "--prompt", "20",
               "--tokens", "2", "--repeat", "1", "--quiet"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
  for (const char *part : {"prefill 20", "decode 1 x 8", "read bandwidth"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
}

TEST_F(AppTest, BenchEndsAtAnInterrupt) {
  stepsUntilInterrupt = 3;
  Ran ran = model({"bench", "--context", "8", "--prompt", "20"});
  EXPECT_EQ(ran.code, 130);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(stepSizes.size(), 4u);
}

TEST_F(AppTest, BenchRefusesWhatDoesNotFit) {
  Ran ran = model({"bench", "--context", "290"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("450 tokens"), std::string::npos) << ran.err;
}

TEST_F(AppTest, ADamagedManifestIsAnError) {
  json.erase("states");
  Ran ran = run({"info"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("'states'"), std::string::npos) << ran.err;
}
} // namespace
