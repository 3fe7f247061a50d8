// The blob as hostile input: a damaged one is refused, or harmless.
#include "test/runtime/text/TokenizerTesting.h"
#include <cstring>
#include <random>

using namespace quartet::rt;

namespace {

/// Loads \p bytes from memory of just that size, so that a sanitizer sees
/// accesses beyond them; uses the tokenizer if it loads.
bool tryBlob(const std::vector<uint8_t> &bytes, std::string &error) {
  auto tokenizer = Tokenizer::load(bytes.data(), bytes.size(), error);
  if (!tokenizer)
    return false;
  std::vector<int32_t> ids;
  std::string text;
  if (tokenizer->encode("Hello, it's <|im_end|>\n\xe4\xbd\xa0 12", ids, error))
    (void)tokenizer->decode(ids, text, error);
  return true;
}

size_t wordAt(const uint32_t quartet_tokenizer_header::*member) {
  quartet_tokenizer_header header = {};
  return reinterpret_cast<uint8_t *>(
             const_cast<uint32_t *>(&(header.*member))) -
         reinterpret_cast<uint8_t *>(&header);
}

void setWord(std::vector<uint8_t> &blob, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i)
    blob[at + i] = static_cast<uint8_t>(value >> 8 * i);
}

uint32_t word(const std::vector<uint8_t> &blob, size_t at) {
  return blob[at] | blob[at + 1] << 8 | blob[at + 2] << 16 |
         uint32_t(blob[at + 3]) << 24;
}

TEST(TokenizerBlob, LoadsFromAnyAlignment) {
  std::vector<uint8_t> shifted(testBlob().size() + 1);
  std::memcpy(shifted.data() + 1, testBlob().data(), testBlob().size());
  std::string error;
  auto tokenizer =
      Tokenizer::load(shifted.data() + 1, testBlob().size(), error);
  ASSERT_TRUE(tokenizer) << error;
  EXPECT_EQ(encode(*tokenizer, "it's"), encode(*testTokenizer(), "it's"));
}

TEST(TokenizerBlob, RefusesOtherDataWithAReason) {
  std::string error;
  EXPECT_FALSE(Tokenizer::load(nullptr, 0, error));
  EXPECT_NE(error.find("0 bytes found, expected at least"), std::string::npos);
  EXPECT_FALSE(tryBlob(std::vector<uint8_t>(4096), error));
  EXPECT_NE(error.find("no tokenizer found"), std::string::npos) << error;
  std::vector<uint8_t> blob = testBlob();
  setWord(blob, wordAt(&quartet_tokenizer_header::version), 2);
  EXPECT_FALSE(tryBlob(blob, error));
  EXPECT_NE(error.find("version 2 found, expected 1"), std::string::npos)
      << error;
}

TEST(TokenizerBlob, RefusesEveryTruncation) {
  std::string error;
  for (size_t size = 0; size < testBlob().size();
       size += size < 2048 ? 1 : 997) {
    std::vector<uint8_t> cut(testBlob().begin(), testBlob().begin() + size);
    EXPECT_FALSE(tryBlob(cut, error)) << size;
    // Not even with a size that fits.
    if (size < sizeof(quartet_tokenizer_header))
      continue;
    setWord(cut, wordAt(&quartet_tokenizer_header::size), uint32_t(size));
    EXPECT_FALSE(tryBlob(cut, error)) << size;
  }
}

TEST(TokenizerBlob, RefusesCountsAndOffsetsThatDoNotFit) {
  using H = quartet_tokenizer_header;
  const uint32_t H::*words[] = {
      &H::patternOffset, &H::patternBytes,    &H::lengthsOffset,
      &H::idCount,       &H::longOffset,      &H::longCount,
      &H::bytesOffset,   &H::tokenBytes,      &H::bucketsOffset,
      &H::bucketCount,   &H::mergesOffset,    &H::mergeCount,
      &H::runsOffset,    &H::runCount,        &H::addedOffset,
      &H::addedCount,    &H::addedTextOffset, &H::addedTextBytes,
      &H::flags};
  for (auto member : words) {
    for (uint32_t value : {0xffffffffu, 0x80000000u, 0x7fffffffu,
                           uint32_t(testBlob().size()) + 1}) {
      std::vector<uint8_t> blob = testBlob();
      setWord(blob, wordAt(member), value);
      std::string error;
      EXPECT_FALSE(tryBlob(blob, error)) << wordAt(member) << " " << value;
      EXPECT_NE(error, "");
    }
  }
}

TEST(TokenizerBlob, RefusesIdsOutOfRange) {
  using H = quartet_tokenizer_header;
  std::string error;
  auto at = [](const uint32_t H::*m) { return word(testBlob(), wordAt(m)); };

  std::vector<uint8_t> blob = testBlob();
  setWord(blob, sizeof(H) - 4, at(&H::idCount)); // the last byte's token
  EXPECT_FALSE(tryBlob(blob, error));
  EXPECT_NE(error.find("the token of a byte"), std::string::npos) << error;

  for (int member : {0, 3, 6}) {
    blob = testBlob();
    std::memset(blob.data() + at(&H::mergesOffset) + member, 0xff, 3);
    EXPECT_FALSE(tryBlob(blob, error));
    EXPECT_NE(error.find("merge 0 is out of range"), std::string::npos);
  }

  blob = testBlob();
  setWord(blob, at(&H::runsOffset) + 4, 0x7fffffff);
  EXPECT_FALSE(tryBlob(blob, error));
  EXPECT_NE(error.find("is out of range"), std::string::npos) << error;

  blob = testBlob();
  setWord(blob, at(&H::addedOffset), at(&H::idCount));
  EXPECT_FALSE(tryBlob(blob, error));
  EXPECT_NE(error.find("added token 0 is out of range"), std::string::npos);

  blob = testBlob();
  blob[at(&H::bucketsOffset)] = 1; // the first two merges swap their order
  blob[at(&H::bucketsOffset) + 3] = 0;
  blob[at(&H::bucketsOffset) + 4] = 0;
  EXPECT_FALSE(tryBlob(blob, error));
  EXPECT_NE(error.find("bucket 1 starts at merge 0"), std::string::npos)
      << error;
}

TEST(TokenizerBlob, SurvivesRandomDamage) {
  std::mt19937 random(8);
  std::string error;
  int loaded = 0;
  for (int round = 0; round < 1000; ++round) {
    std::vector<uint8_t> blob = testBlob();
    for (int i = 0; i <= round % 4; ++i)
      blob[random() % blob.size()] ^= uint8_t(1u << random() % 8);
    loaded += tryBlob(blob, error);
  }
  EXPECT_GT(loaded, 50); // otherwise the test looks at the first check only
}

} // namespace
