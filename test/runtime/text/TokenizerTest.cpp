// Ids, text and limits of the tokenizer. cases.jsonl holds what the Python
// package says; there are no exceptions to it.
#include "runtime/src/text/Normalizer.h"
#include "runtime/src/text/Utf8.h"
#include "test/runtime/text/TokenizerTesting.h"
#include "llvm/ADT/StringExtras.h"
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace quartet::rt;

namespace {

struct Case {
  std::string input;
  bool plain = false, isText = false;
  std::vector<int32_t> ids;
  std::vector<size_t> pieces; // empty when not known
};

std::vector<Case> readCases() {
  std::ifstream file(QUARTET_TOKENIZER_TEST_DIR "/cases.jsonl");
  std::vector<Case> cases;
  std::string line;
  while (std::getline(file, line)) {
    auto json =
        nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    Case parsed;
    parsed.isText = json.contains("text");
    parsed.input = parsed.isText
                       ? json["text"].get<std::string>()
                       : llvm::fromHex(json["hex"].get<std::string>());
    parsed.plain = json.contains("plain");
    parsed.ids = json["ids"].get<std::vector<int32_t>>();
    if (json.contains("pieces"))
      parsed.pieces = json["pieces"].get<std::vector<size_t>>();
    cases.push_back(std::move(parsed));
  }
  return cases;
}

std::string repair(std::string_view bytes) {
  std::string text;
  appendUtf8(bytes, /*last=*/true, text);
  return text;
}

TEST(Tokenizer, GivesTheIdsOfThePythonPackage) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  std::vector<Case> cases = readCases();
  ASSERT_GE(cases.size(), 3000u);
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(encode(*tokenizer, cases[i].input, !cases[i].plain), cases[i].ids)
        << "line " << i + 1 << " of cases.jsonl";
}

TEST(Tokenizer, SplitsLikeThePythonPackage) {
  TokenizerBlob blob;
  Pretokenizer compiled, interpreted;
  std::string error;
  ASSERT_TRUE(blob.load(testBlob().data(), testBlob().size(), error)) << error;
  std::string pattern(blob.pattern());
  ASSERT_TRUE(compiled.compile(pattern, error)) << error;
  // What happens where memory may not be made executable.
  ASSERT_TRUE(interpreted.compile("(*NO_JIT)" + pattern, error)) << error;
  size_t compared = 0;
  for (const Case &c : readCases()) {
    if (c.pieces.empty())
      continue;
    std::string text = normalizeNfc(repair(c.input));
    std::vector<std::string_view> pieces, again;
    ASSERT_TRUE(compiled.split(text, pieces, error)) << error;
    ASSERT_TRUE(interpreted.split(text, again, error)) << error;
    EXPECT_EQ(pieces, again) << llvm::toHex(text);
    std::vector<size_t> lengths;
    for (std::string_view piece : pieces)
      lengths.push_back(piece.size());
    EXPECT_EQ(lengths, c.pieces) << llvm::toHex(text);
    ++compared;
  }
  EXPECT_GE(compared, 3000u);
}

TEST(Tokenizer, DecodesWhatItEncoded) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  for (const Case &c : readCases()) {
    std::string text, error;
    ASSERT_TRUE(tokenizer->decode(c.ids, text, error)) << error;
    if (c.input.find('<') == std::string::npos) {
      EXPECT_EQ(text, normalizeNfc(repair(c.input))) << llvm::toHex(c.input);
    } else if (!c.plain && c.isText) {
      EXPECT_EQ(normalizeNfc(text), normalizeNfc(c.input));
    }
  }
}

TEST(Tokenizer, SpecialTokensAreDroppedOnRequestOnly) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  std::string input = "<|im_start|>a<think>b</think><|im_end|><tts_pad>";
  std::vector<int32_t> ids = encode(*tokenizer, input);
  std::string text, error;
  ASSERT_TRUE(tokenizer->decode(ids, text, error, /*skipSpecial=*/true));
  EXPECT_EQ(text, "a<think>b</think>");
  ASSERT_TRUE(tokenizer->decode(ids, text, error, /*skipSpecial=*/false));
  EXPECT_EQ(text, input);
  EXPECT_TRUE(tokenizer->isSpecial(tokenizer->addedId("<|im_end|>")));
  EXPECT_FALSE(tokenizer->isSpecial(tokenizer->addedId("<think>")));
  EXPECT_EQ(tokenizer->addedId("<|im_en"), -1);
  EXPECT_EQ(tokenizer->addedId(""), -1);
}

TEST(Tokenizer, PlainTextOpensNothing) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  int32_t first = tokenizer->addedId("<|endoftext|>");
  ASSERT_GE(first, 0);
  for (int32_t id : encode(*tokenizer, "<|im_end|><think><tool_call><tts_pad>",
                           /*allowSpecial=*/false))
    EXPECT_LT(id, first);
}

TEST(Tokenizer, KnowsWhichIdsHaveTokens) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  int32_t count = tokenizer->idCount();
  EXPECT_EQ(tokenizer->addedId("<|audio_pad|>"), count - 1);
  EXPECT_TRUE(tokenizer->isValid(0));
  EXPECT_TRUE(tokenizer->isValid(count - 1));
  for (int64_t id : {int64_t(-1), int64_t(count), int64_t(INT64_MAX),
                     int64_t(INT64_MIN), int64_t(1) << 32}) {
    EXPECT_FALSE(tokenizer->isValid(id)) << id;
    EXPECT_FALSE(tokenizer->isSpecial(id)) << id;
    EXPECT_EQ(tokenizer->tokenBytes(id), "") << id;
  }
  std::string text = "kept", error;
  EXPECT_FALSE(tokenizer->decode({0, count}, text, error));
  EXPECT_EQ(text, "kept");
  EXPECT_NE(error.find("token id " + std::to_string(count)), std::string::npos)
      << error;
}

TEST(Tokenizer, AppendsIds) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  std::vector<int32_t> ids = {7};
  std::string error;
  ASSERT_TRUE(tokenizer->encode("a", ids, error));
  EXPECT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0], 7);
}

TEST(Tokenizer, RefusesTextThatIsTooLong) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  // Never read: the length alone is looked at.
  std::string_view text("a", (size_t(1) << 28) + 1);
  std::vector<int32_t> ids = {7};
  std::string error;
  EXPECT_FALSE(tokenizer->encode(text, ids, error));
  EXPECT_EQ(ids, std::vector<int32_t>{7});
  EXPECT_EQ(error, "text of 268435457 bytes found, expected at most 268435456");
}

TEST(Tokenizer, LongRunsStayWithinTheStepsOfTheInterpreter) {
  TokenizerBlob blob;
  Pretokenizer interpreted;
  std::string error;
  ASSERT_TRUE(blob.load(testBlob().data(), testBlob().size(), error)) << error;
  ASSERT_TRUE(
      interpreted.compile("(*NO_JIT)" + std::string(blob.pattern()), error))
      << error;
  // Each of three alternatives goes through the spaces and back.
  std::string text = std::string(size_t(8) << 20, ' ') + "a";
  std::vector<std::string_view> pieces;
  EXPECT_TRUE(interpreted.split(text, pieces, error)) << error;
  EXPECT_EQ(pieces.size(), 2u);
}

// Quadratic steps would take minutes on these.
TEST(Tokenizer, LongPiecesTakeSeconds) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  size_t size = size_t(1) << 19;
  std::vector<std::string> texts;
  for (char c : {'a', ' ', '\n', '!', '<', '\xe2'})
    texts.emplace_back(size, c);
  texts.push_back(std::string(size, ' ') + "a");
  // Combining marks in the order that costs most to put right.
  std::string marks = "a";
  for (size_t i = 0; i < size / 4; ++i)
    marks += "\xcd\x85";
  for (size_t i = 0; i < size / 4; ++i)
    marks += "\xcc\xb4";
  texts.push_back(marks);
  std::string almost;
  for (size_t i = 0; i < size / 11; ++i)
    almost += "<|im_start|";
  texts.push_back(almost);
  for (const std::string &text : texts) {
    auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(encode(*tokenizer, text).empty());
    std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 20.0) << llvm::toHex(text.substr(0, 8));
  }
}

} // namespace
