// The blob keeps the added tokens sorted, so the ones that agree with the text
// on its next bytes are a range that each further byte narrows.
#include "runtime/src/text/AddedTokens.h"
#include <algorithm>

namespace quartet::rt {

AddedTokens::AddedTokens(const TokenizerBlob &blob) : blob(&blob) {
  for (uint32_t i = 0; i < blob.addedCount(); ++i) {
    AddedToken token = blob.added(i);
    first.set(static_cast<uint8_t>(token.text[0]));
    if (token.special)
      specialIds.push_back(token.id);
  }
  std::sort(specialIds.begin(), specialIds.end());
}

bool AddedTokens::isSpecial(uint32_t id) const {
  return std::binary_search(specialIds.begin(), specialIds.end(), id);
}

AddedTokens::Found AddedTokens::longestAt(std::string_view text,
                                          size_t offset) const {
  Found found = {offset, 0, 0};
  uint32_t low = 0, high = blob->addedCount();
  for (size_t depth = 0; offset + depth < text.size(); ++depth) {
    // All of [low, high) start with the `depth` bytes before this one.
    auto byte = static_cast<uint8_t>(text[offset + depth]);
    auto firstNotBelow = [&](uint32_t from, int bound) {
      uint32_t to = high;
      while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        std::string_view candidate = blob->added(middle).text;
        int value = depth < candidate.size()
                        ? static_cast<uint8_t>(candidate[depth])
                        : -1;
        if (value < bound)
          from = middle + 1;
        else
          to = middle;
      }
      return from;
    };
    low = firstNotBelow(low, byte);
    high = firstNotBelow(low, byte + 1);
    if (low == high)
      break;
    AddedToken shortest = blob->added(low);
    if (shortest.text.size() == depth + 1)
      found = {offset, depth + 1, shortest.id};
  }
  return found;
}

AddedTokens::Found AddedTokens::find(std::string_view text, size_t from) const {
  for (size_t i = from; i < text.size(); ++i) {
    if (!first.test(static_cast<uint8_t>(text[i])))
      continue;
    Found found = longestAt(text, i);
    if (found.length)
      return found;
  }
  return {text.size(), 0, 0};
}

} // namespace quartet::rt
