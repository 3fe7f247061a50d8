// The steps of encoding: repair UTF-8, cut out added tokens, normalize, split
// by the pattern, byte-pair encode. The order matters and is the library's.
#include "runtime/src/text/Tokenizer.h"
#include "runtime/src/text/BytePairEncoder.h"
#include "runtime/src/text/Normalizer.h"
#include "runtime/src/text/Utf8.h"
#include <algorithm>

namespace quartet::rt {
namespace {

// Symbols are counted in int32; NFC may make the text up to 3 times longer.
constexpr size_t maxTextBytes = size_t(1) << 28;

bool isAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

} // namespace

std::unique_ptr<Tokenizer> Tokenizer::load(const void *data, size_t size,
                                           std::string &error) {
  TokenizerBlob blob;
  if (!blob.load(data, size, error))
    return nullptr;
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(blob)));
  if (!tokenizer->pretokenizer.compile(tokenizer->blob.pattern(), error))
    return nullptr;
  return tokenizer;
}

bool Tokenizer::encode(std::string_view text, std::vector<int32_t> &ids,
                       std::string &error, bool allowSpecial) const {
  if (text.size() > maxTextBytes) {
    error = "text of " + std::to_string(text.size()) +
            " bytes found, expected at most " + std::to_string(maxTextBytes);
    return false;
  }
  std::string repaired;
  if (!isUtf8(text)) {
    appendUtf8(text, /*last=*/true, repaired);
    text = repaired;
  }

  std::vector<int32_t> found;
  BytePairEncoder encoder(blob);
  std::vector<std::string_view> pieces;
  std::string normalized;
  auto encodePlain = [&](std::string_view plain) {
    if (blob.nfc() && !isAscii(plain)) {
      normalized = normalizeNfc(plain);
      plain = normalized;
    }
    pieces.clear();
    if (!pretokenizer.split(plain, pieces, error))
      return false;
    for (std::string_view piece : pieces)
      encoder.encode(piece, found);
    return true;
  };

  size_t at = 0;
  while (at < text.size()) {
    AddedTokens::Found next = {text.size(), 0, 0};
    if (allowSpecial)
      next = added.find(text, at);
    if (!encodePlain(text.substr(at, next.offset - at)))
      return false;
    if (next.length)
      found.push_back(static_cast<int32_t>(next.id));
    at = next.offset + next.length;
  }
  ids.insert(ids.end(), found.begin(), found.end());
  return true;
}

bool Tokenizer::decode(const std::vector<int32_t> &ids, std::string &text,
                       std::string &error, bool skipSpecial) const {
  std::string bytes;
  for (int32_t id : ids) {
    if (!isValid(id)) {
      error = "token id " + std::to_string(id) +
              " found, expected an id of the tokenizer (below " +
              std::to_string(idCount()) + ")";
      return false;
    }
    if (!skipSpecial || !isSpecial(id))
      bytes += tokenBytes(id);
  }
  std::string decoded;
  appendUtf8(bytes, /*last=*/true, decoded);
  text = std::move(decoded);
  return true;
}

int32_t Tokenizer::addedId(std::string_view text) const {
  uint32_t low = 0, high = blob.addedCount();
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (blob.added(middle).text < text)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == blob.addedCount() || blob.added(low).text != text)
    return -1;
  return static_cast<int32_t>(blob.added(low).id);
}

} // namespace quartet::rt
