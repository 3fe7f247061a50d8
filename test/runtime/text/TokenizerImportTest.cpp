// tokenizer.json as hostile input: each part changed on its own, and what the
// importer says of it.
#include "compiler/import/ByteLevel.h"
#include "compiler/import/Tokenizer.h"
#include "test/runtime/text/TokenizerTesting.h"
#include "llvm/Support/FileSystem.h"
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

using namespace quartet;
using nlohmann::json;

namespace {

json addedToken(const std::string &content, unsigned id) {
  return {{"id", id},        {"content", content}, {"single_word", false},
          {"lstrip", false}, {"rstrip", false},    {"normalized", false},
          {"special", true}};
}

/// 256 bytes, "ab" (256), "abc" (257), the added token "<x>" (258).
json smallTokenizer() {
  json vocabulary = json::object();
  for (unsigned byte = 0; byte < 256; ++byte)
    vocabulary[standIn(uint8_t(byte))] = byte;
  vocabulary["ab"] = 256;
  vocabulary["abc"] = 257;
  json byteLevel = {{"type", "ByteLevel"},
                    {"add_prefix_space", false},
                    {"trim_offsets", false},
                    {"use_regex", false}};
  json split = {{"type", "Split"},
                {"pattern", {{"Regex", "\\s+|\\S+"}}},
                {"behavior", "Isolated"},
                {"invert", false}};
  json sequence = {{"type", "Sequence"},
                   {"pretokenizers", json::array({split, byteLevel})}};
  json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"byte_fallback", false},
                {"ignore_merges", false},
                {"vocab", vocabulary},
                {"merges", json::array({"a b", "ab c"})}};
  return {{"added_tokens", json::array({addedToken("<x>", 258)})},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", sequence},
          {"post_processor", {{"type", "ByteLevel"}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", model}};
}

std::string importError(const std::string &text,
                        const std::string &config = "") {
  auto blob = importTokenizerFromText(text, config, "tokenizer.json");
  return blob ? "" : llvm::toString(blob.takeError());
}

std::vector<int32_t> idsOf(const json &tokenizer, std::string_view text,
                           const std::string &config = "") {
  auto blob =
      importTokenizerFromText(tokenizer.dump(), config, "tokenizer.json");
  if (!blob) {
    ADD_FAILURE() << llvm::toString(blob.takeError());
    return {};
  }
  std::string error;
  auto loaded = rt::Tokenizer::load(blob->data(), blob->size(), error);
  EXPECT_TRUE(loaded) << error;
  return loaded ? rt::encode(*loaded, text) : std::vector<int32_t>();
}

using Ids = std::vector<int32_t>;

TEST(TokenizerImport, TakesTheSmallTokenizer) {
  EXPECT_EQ(idsOf(smallTokenizer(), "abcab <x>"), (Ids{257, 256, 32, 258}));
}

TEST(TokenizerImport, TakesTheOtherSpellings) {
  json pairs = smallTokenizer();
  pairs["model"]["merges"] =
      json::array({json::array({"a", "b"}), json::array({"ab", "c"})});
  auto ofPairs = importTokenizerFromText(pairs.dump(), "", "t");
  auto ofStrings = importTokenizerFromText(smallTokenizer().dump(), "", "t");
  ASSERT_TRUE(bool(ofPairs)) << llvm::toString(ofPairs.takeError());
  ASSERT_TRUE(bool(ofStrings)) << llvm::toString(ofStrings.takeError());
  EXPECT_EQ(*ofPairs, *ofStrings);

  json other = smallTokenizer();
  other["normalizer"] = {{"type", "Sequence"},
                         {"normalizers", json::array({{{"type", "NFC"}}})}};
  EXPECT_EQ(idsOf(other, "e\u0301"), (Ids{0xc3, 0xa9}));
  other["normalizer"] = nullptr;
  EXPECT_EQ(idsOf(other, "e\u0301"), (Ids{'e', 0xcc, 0x81}));
  other["post_processor"] = nullptr;
  other["decoder"] = nullptr;
  other["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  EXPECT_EQ(idsOf(other, "abc"), (Ids{257}));
  EXPECT_EQ(idsOf(other, "ab1c"), (Ids{256, '1', 'c'}));
  other["pre_tokenizer"]["use_regex"] = false;
  EXPECT_EQ(idsOf(other, "ab c"), (Ids{256, ' ', 'c'}));
  other["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", json::array({{{"Sequence", {{"id", "A"}}}}})}};
  EXPECT_EQ(idsOf(other, "abc"), (Ids{257}));
}

TEST(TokenizerImport, TokensOfTheConfigCountToo) {
  json token = addedToken("<y>", 0), again = addedToken("<x>", 0);
  again["special"] = false;
  std::string config =
      json{{"added_tokens_decoder", {{"300", token}, {"258", again}}}}.dump();
  EXPECT_EQ(idsOf(smallTokenizer(), "<y><x>", config), (Ids{300, 258}));
  auto blob = importTokenizerFromText(smallTokenizer().dump(), config,
                                      "tokenizer.json");
  ASSERT_TRUE(bool(blob)) << llvm::toString(blob.takeError());
  std::string error;
  auto loaded = rt::Tokenizer::load(blob->data(), blob->size(), error);
  ASSERT_TRUE(loaded) << error;
  EXPECT_TRUE(loaded->isSpecial(300));
  EXPECT_FALSE(loaded->isSpecial(258)); // the config decides
  EXPECT_FALSE(loaded->isValid(299));   // a hole
  EXPECT_EQ(loaded->idCount(), 301);
}

TEST(TokenizerImport, LeftmostLongestAddedTokenWins) {
  json tokenizer = smallTokenizer();
  tokenizer["added_tokens"] = {addedToken("<x", 258), addedToken("<x>>", 259),
                               addedToken("x>", 260), addedToken("éé", 261)};
  EXPECT_EQ(idsOf(tokenizer, "<x>"), (Ids{258, '>'}));
  EXPECT_EQ(idsOf(tokenizer, "<x>>"), (Ids{259}));
  EXPECT_EQ(idsOf(tokenizer, "x>éé"), (Ids{260, 261}));
}

TEST(TokenizerImport, LongTokensKeepTheirBytes) {
  json tokenizer = smallTokenizer();
  std::string text(300, 'z');
  tokenizer["added_tokens"] = {addedToken(text, 258), addedToken("<y>", 259)};
  auto blob = importTokenizerFromText(tokenizer.dump(), "", "tokenizer.json");
  ASSERT_TRUE(bool(blob)) << llvm::toString(blob.takeError());
  std::string error;
  auto loaded = rt::Tokenizer::load(blob->data(), blob->size(), error);
  ASSERT_TRUE(loaded) << error;
  EXPECT_EQ(loaded->tokenBytes(258), text);
  EXPECT_EQ(loaded->tokenBytes(259), "<y>");
}

TEST(TokenizerImport, NamesWhatItRefuses) {
  using Change = std::function<void(json &)>;
  auto at = [](const char *pointer, json value) -> Change {
    return [=](json &t) { t[json::json_pointer(pointer)] = value; };
  };
  const std::pair<Change, const char *> cases[] = {
      {at("/model", 1), "'model' is missing"},
      {at("/model/type", "Unigram"), "model.type is \"Unigram\""},
      {at("/model/byte_fallback", true), "model.byte_fallback is true"},
      {at("/model/ignore_merges", true), "model.ignore_merges is true"},
      {at("/model/ignore_merges", "no"), "model.ignore_merges is \"no\""},
      {at("/model/dropout", 0.1), "model.dropout is 0.1"},
      {at("/model/unk_token", "<unk>"), "model.unk_token is \"<unk>\""},
      {at("/model/end_of_word_suffix", "</w>"), "model.end_of_word_suffix"},
      {at("/model/vocab", json::array()), "model.vocab is missing"},
      {at("/model/vocab/ab", "x"), "model.vocab['ab'] is \"x\""},
      {at("/model/vocab/ab", -1), "model.vocab['ab'] is -1"},
      {at("/model/vocab/ab", 1.5), "model.vocab['ab'] is 1.5"},
      {at("/model/vocab/ab", 257), "id 257 is also that of 'ab'"},
      {at("/model/vocab/ab", 258), "id 258 is also that of '<x>'"},
      {at("/model/vocab/ab", 1u << 22), "id 4194304 found, expected less"},
      {at("/model/vocab/ab", UINT64_MAX), "id 18446744073709551615 found"},
      {at("/model/vocab/<x>", 300), "the added token of that name has id 258"},
      {at("/model/vocab/b\u20ac", 300), "stands for no byte"},
      {at("/model/vocab/b c", 300), "stands for no byte"},
      {[](json &t) { t["model"]["vocab"][""] = 300; }, "it is empty"},
      {[](json &t) { t["model"]["vocab"].erase("!"); },
       "no token for byte 33, '!'"},
      {at("/model/merges", json::object()), "model.merges is missing"},
      {at("/model/merges/0", "ab"), "model.merges[0] is \"ab\""},
      {at("/model/merges/1", 5), "model.merges[1] is 5"},
      {at("/model/merges/1", json::array({"a", "b", "c"})),
       "model.merges[1] is ["},
      {at("/model/merges/1", "a q q"), "needs the token 'q q'"},
      {at("/model/merges/1", "qq a"), "needs the token 'qq'"},
      {at("/model/merges/1", "b c"), "needs the token 'bc'"},
      {at("/model/merges/1", "a b"), "model.merges[1] is the same as [0]"},
      {at("/normalizer", {{"type", "NFKC"}}), "normalizer 'NFKC'"},
      {at("/normalizer", "NFC"), "normalizer ''"},
      {at("/pre_tokenizer", nullptr), "pre_tokenizer is missing"},
      {at("/pre_tokenizer/type", "Metaspace"), "pre_tokenizer 'Metaspace'"},
      {at("/pre_tokenizer/pretokenizers", json::array()), "this Sequence"},
      {at("/pre_tokenizer/pretokenizers/0/behavior", "Removed"),
       "behavior is \"Removed\""},
      {at("/pre_tokenizer/pretokenizers/0/invert", true), "invert is true"},
      {at("/pre_tokenizer/pretokenizers/0/pattern", {{"String", " "}}),
       "pattern is {\"String\":\" \"}"},
      {at("/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+"),
       "pattern '\\w+' at byte 1: this escape"},
      {at("/pre_tokenizer/pretokenizers/1/use_regex", true), "use_regex"},
      {at("/pre_tokenizer/pretokenizers/1/add_prefix_space", true),
       "add_prefix_space"},
      {at("/post_processor",
          {{"type", "TemplateProcessing"},
           {"single", json::array({{{"SpecialToken", "<s>"}}})}}),
       "TemplateProcessing adds {\"SpecialToken\""},
      {at("/post_processor/type", "Bert"), "post_processor 'Bert'"},
      {at("/decoder/type", "Metaspace"), "decoder 'Metaspace'"},
      {at("/added_tokens", json::object()), "added_tokens is {}"},
      {at("/added_tokens/0", 5), "added_tokens[0]: an object"},
      {at("/added_tokens/0/id", -5), "added_tokens[0]: an object"},
      {at("/added_tokens/0/id", 7), "id 7 is also that of '<x>'"},
      {at("/added_tokens/0/content", ""), "added_tokens[0]: 'content'"},
      {at("/added_tokens/0/lstrip", true), "token '<x>' has lstrip true"},
      {at("/added_tokens/0/rstrip", true), "token '<x>' has rstrip true"},
      {at("/added_tokens/0/single_word", true), "has single_word true"},
      {at("/added_tokens/0/normalized", true), "has normalized true"},
      {at("/added_tokens/0/special", 1), "special is 1"},
      {at("/added_tokens/1", addedToken("<x>", 259)), "already has id 258"},
      {at("/added_tokens/1", addedToken("<y>", 258)), "id 258 is also that of"},
  };
  for (const auto &[change, message] : cases) {
    json changed = smallTokenizer();
    change(changed);
    std::string error = importError(changed.dump());
    EXPECT_NE(error.find(message), std::string::npos)
        << "expected: " << message << "\nfound: " << error;
    EXPECT_EQ(error.rfind("tokenizer.json: ", 0), 0u) << error;
  }
}

TEST(TokenizerImport, NamesWhatItRefusesInTheConfig) {
  const std::pair<json, const char *> cases[] = {
      {json::array(), "tokenizer_config.json: an object expected"},
      {{{"added_tokens_decoder", 5}}, "added_tokens_decoder is 5"},
      {{{"added_tokens_decoder", {{"x", addedToken("<y>", 0)}}}},
       "tokenizer_config.json: added_tokens_decoder['x']: an id"},
      {{{"added_tokens_decoder", {{"5", 5}}}}, "added_tokens_decoder['5']"},
      {{{"added_tokens_decoder", {{"300", addedToken("<x>", 0)}}}},
       "token '<x>' already has id 258"},
      {{{"added_tokens_decoder",
         {{"99999999999999999999", addedToken("<y>", 0)}}}},
       "an id with an object expected"},
  };
  for (const auto &[config, message] : cases) {
    std::string error = importError(smallTokenizer().dump(), config.dump());
    EXPECT_NE(error.find(message), std::string::npos) << error;
  }
}

TEST(TokenizerImport, RefusesBrokenJson) {
  std::string text = smallTokenizer().dump();
  EXPECT_NE(importError(text.substr(0, text.size() / 2)).find("invalid JSON"),
            std::string::npos);
  EXPECT_NE(importError("[]").find("an object expected"), std::string::npos);
  EXPECT_NE(importError("").find("invalid JSON"), std::string::npos);
  EXPECT_NE(importError(std::string(100000, '[')).find("nested deeper than 32"),
            std::string::npos);
  EXPECT_NE(importError("{\"model\":{},\"model\":{}}")
                .find("member 'model' is given twice"),
            std::string::npos);
  std::string error = importError("{\"model\":{\"type\":\"\\u001b[31m\"}}");
  EXPECT_EQ(error.find('\x1b'), std::string::npos) << error;
}

TEST(TokenizerImport, SaysWhenThereIsNoTokenizer) {
  llvm::SmallString<128> directory;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("quartet", directory));
  auto missing = importTokenizer(directory);
  ASSERT_FALSE(bool(missing));
  llvm::Error error = missing.takeError();
  std::string message;
  error = llvm::handleErrors(std::move(error),
                             [&](std::unique_ptr<llvm::StringError> failure) {
                               message = failure->getMessage();
                               return llvm::Error(std::move(failure));
                             });
  EXPECT_EQ(llvm::errorToErrorCode(std::move(error)),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(message.rfind((directory + "/tokenizer.json: ").str(), 0), 0u)
      << message;

  // tokenizer_config.json may be missing.
  std::ofstream((directory + "/tokenizer.json").str())
      << smallTokenizer().dump();
  auto found = importTokenizer(directory);
  EXPECT_TRUE(bool(found)) << llvm::toString(found.takeError());
  llvm::sys::fs::remove_directories(directory);
}

TEST(TokenizerImport, IsDeterministic) {
  auto again = importTokenizer(QUARTET_TOKENIZER_TEST_DIR);
  ASSERT_TRUE(bool(again)) << llvm::toString(again.takeError());
  EXPECT_EQ(*again, rt::testBlob());
}

TEST(ByteLevel, StandInsAreThoseOfGpt2) {
  EXPECT_EQ(standIn(' '), "\u0120");
  EXPECT_EQ(standIn('\n'), "\u010a");
  EXPECT_EQ(standIn('a'), "a");
  EXPECT_EQ(standIn(0xff), "\u00ff");
  EXPECT_EQ(standIn(0xad), "\u0143");
  for (unsigned byte = 0; byte < 256; ++byte)
    EXPECT_EQ(bytesOfStandIns(standIn(uint8_t(byte))),
              std::string(1, char(byte)));
  EXPECT_EQ(bytesOfStandIns(" "), std::nullopt);
  EXPECT_EQ(bytesOfStandIns("\u0144"), std::nullopt);
}

} // namespace
