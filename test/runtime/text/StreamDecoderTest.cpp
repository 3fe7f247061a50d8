// Streaming gives the text of decode(), in whole characters.
#include "runtime/src/text/StreamDecoder.h"
#include "runtime/src/text/Utf8.h"
#include "test/runtime/text/TokenizerTesting.h"
#include <random>

using namespace quartet::rt;

namespace {

int32_t byteToken(const Tokenizer &tokenizer, uint8_t byte) {
  for (int32_t id = 0; id < tokenizer.idCount(); ++id)
    if (tokenizer.tokenBytes(id) ==
        std::string_view(reinterpret_cast<char *>(&byte), 1))
      return id;
  ADD_FAILURE() << "no token for byte " << int(byte);
  return 0;
}

TEST(StreamDecoder, HoldsBackIncompleteCharacters) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  StreamDecoder decoder(*tokenizer);
  std::string text;
  for (uint8_t byte : {0xf0, 0x9f, 0x98}) {
    ASSERT_TRUE(decoder.push(byteToken(*tokenizer, byte), text));
    EXPECT_EQ(text, "");
  }
  ASSERT_TRUE(decoder.push(byteToken(*tokenizer, 0x80), text));
  EXPECT_EQ(text, "\xf0\x9f\x98\x80");
  ASSERT_TRUE(decoder.push(byteToken(*tokenizer, 0xf0), text));
  ASSERT_TRUE(decoder.push(byteToken(*tokenizer, 'a'), text));
  EXPECT_EQ(text, "\xf0\x9f\x98\x80\xef\xbf\xbd"
                  "a");
}

TEST(StreamDecoder, FlushesAtTheEnd) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  StreamDecoder decoder(*tokenizer);
  std::string text;
  ASSERT_TRUE(decoder.push(byteToken(*tokenizer, 0xe2), text));
  decoder.finish(text);
  EXPECT_EQ(text, "\xef\xbf\xbd");
  decoder.finish(text);
  EXPECT_EQ(text, "\xef\xbf\xbd");
}

TEST(StreamDecoder, SkipsSpecialTokensWithoutLosingTheHeldBytes) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  StreamDecoder decoder(*tokenizer, /*skipSpecial=*/true);
  std::string text;
  ASSERT_TRUE(decoder.push(byteToken(*tokenizer, 0xc3), text));
  ASSERT_TRUE(decoder.push(tokenizer->addedId("<|im_end|>"), text));
  ASSERT_TRUE(decoder.push(byteToken(*tokenizer, 0xa9), text));
  ASSERT_TRUE(decoder.push(tokenizer->addedId("<think>"), text));
  EXPECT_EQ(text, "\xc3\xa9<think>");
  EXPECT_FALSE(decoder.push(-1, text));
  EXPECT_FALSE(decoder.push(tokenizer->idCount(), text));
  EXPECT_EQ(text, "\xc3\xa9<think>");
}

TEST(StreamDecoder, AgreesWithDecodeOnRandomIds) {
  auto tokenizer = testTokenizer();
  ASSERT_TRUE(tokenizer);
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    bool skipSpecial = round % 2 != 0;
    StreamDecoder decoder(*tokenizer, skipSpecial);
    std::vector<int32_t> ids;
    std::string streamed, whole, error;
    for (int i = 0; i < 12; ++i) {
      // Mostly single bytes, the lowest ids, which rarely make up characters.
      uint32_t range = random() % 4 ? 256u : uint32_t(tokenizer->idCount());
      ids.push_back(static_cast<int32_t>(random() % range));
      std::string part;
      ASSERT_TRUE(decoder.push(ids.back(), part));
      EXPECT_TRUE(isUtf8(part));
      streamed += part;
    }
    decoder.finish(streamed);
    ASSERT_TRUE(tokenizer->decode(ids, whole, error, skipSpecial));
    EXPECT_EQ(streamed, whole);
  }
}

} // namespace
