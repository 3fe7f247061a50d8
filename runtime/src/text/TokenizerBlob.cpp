// Checks and look-ups of the embedded tokenizer. The blob counts as hostile: it
// comes out of a file on disk, which may be cut short or overwritten.
#include "runtime/src/text/TokenizerBlob.h"
#include <cstring>

namespace quartet::rt {
namespace {

constexpr uint32_t longLength = 255;

uint32_t read24(const uint8_t *at) {
  return at[0] | at[1] << 8 | static_cast<uint32_t>(at[2]) << 16;
}

uint32_t read32(const uint8_t *at) {
  return read24(at) | static_cast<uint32_t>(at[3]) << 24;
}

bool fail(std::string &error, const std::string &what) {
  error = "embedded tokenizer: " + what;
  return false;
}

std::string text(uint64_t number) { return std::to_string(number); }

} // namespace

bool TokenizerBlob::load(const void *data, size_t size, std::string &error) {
  TokenizerBlob blob;
  blob.base = static_cast<const uint8_t *>(data);
  auto &header = blob.header;
  if (!data || size < sizeof(header))
    return fail(error, text(size) + " bytes found, expected at least " +
                           text(sizeof(header)));
  // The header has no padding and u32 members only: read it as an array, so
  // that neither the alignment nor the byte order of the machine matters.
  uint32_t words[sizeof(header) / 4];
  for (size_t i = 0; i < sizeof(header) / 4; ++i)
    words[i] = read32(blob.base + 4 * i);
  std::memcpy(&header, words, sizeof(header));
  if (header.magic != quartet_tokenizer_magic)
    return fail(error, "no tokenizer found at the start of the data");
  if (header.version != quartet_tokenizer_version)
    return fail(error, "version " + text(header.version) + " found, expected " +
                           text(quartet_tokenizer_version) +
                           "; compile the model again");
  if (header.size != size)
    return fail(error, text(size) + " bytes found, expected " +
                           text(header.size) + " (truncated file?)");
  if (!blob.checkSections(error) || !blob.findStarts(error) ||
      !blob.checkMerges(error) || !blob.checkAdded(error))
    return false;
  *this = std::move(blob);
  return true;
}

bool TokenizerBlob::checkSections(std::string &error) const {
  if (header.flags & ~uint32_t(QUARTET_TOKENIZER_NFC))
    return fail(error, "unknown flags " + text(header.flags));
  if (header.idCount > quartet_tokenizer_max_ids)
    return fail(error, text(header.idCount) + " ids found, expected at most " +
                           text(quartet_tokenizer_max_ids));
  if (header.mergeCount >= quartet_tokenizer_max_ids)
    return fail(error, text(header.mergeCount) +
                           " merges found, expected fewer than " +
                           text(quartet_tokenizer_max_ids));
  if (header.bucketCount == 0 || (header.mergeCount && header.runCount == 0))
    return fail(error, "the table of merges has no buckets or no runs");
  struct Section {
    const char *name;
    uint32_t offset;
    uint64_t count, width;
  };
  const Section sections[] = {
      {"pattern", header.patternOffset, header.patternBytes, 1},
      {"lengths", header.lengthsOffset, header.idCount, 1},
      {"long", header.longOffset, header.longCount, 8},
      {"bytes", header.bytesOffset, header.tokenBytes, 1},
      {"buckets", header.bucketsOffset, uint64_t(header.bucketCount) + 1, 3},
      {"merges", header.mergesOffset, header.mergeCount, 9},
      {"runs", header.runsOffset, header.runCount, 8},
      {"added", header.addedOffset, header.addedCount, 16},
      {"addedText", header.addedTextOffset, header.addedTextBytes, 1},
  };
  // No product overflows: counts have 32 bits and widths at most 5.
  for (const Section &section : sections)
    if (section.offset + section.count * section.width > header.size)
      return fail(error, std::string("section '") + section.name +
                             "' ends after the data");
  return true;
}

bool TokenizerBlob::findStarts(std::string &error) {
  const uint8_t *lengths = base + header.lengthsOffset;
  const uint8_t *longs = base + header.longOffset;
  starts.resize(size_t(header.idCount) + 1);
  uint64_t end = 0;
  uint32_t nextLong = 0;
  for (uint32_t id = 0; id < header.idCount; ++id) {
    starts[id] = static_cast<uint32_t>(end);
    uint32_t length = lengths[id];
    if (length == longLength) {
      if (nextLong == header.longCount ||
          read32(longs + 8 * size_t(nextLong)) != id)
        return fail(error, "no length for token " + text(id));
      length = read32(longs + 8 * size_t(nextLong++) + 4);
    }
    end += length;
    if (end > header.tokenBytes)
      return fail(error, "the bytes of token " + text(id) +
                             " end after their section");
  }
  starts[header.idCount] = static_cast<uint32_t>(end);
  for (uint32_t id : header.byteIds)
    if (id >= header.idCount)
      return fail(error, "the token of a byte is " + text(id) + " of " +
                             text(header.idCount));
  return true;
}

bool TokenizerBlob::checkMerges(std::string &error) const {
  const uint8_t *buckets = base + header.bucketsOffset;
  uint32_t last = 0;
  for (size_t i = 0; i <= header.bucketCount; ++i) {
    uint32_t start = read24(buckets + 3 * i);
    if (start < last || start > header.mergeCount)
      return fail(error, "bucket " + text(i) + " starts at merge " +
                             text(start) + ", expected " + text(last) + " to " +
                             text(header.mergeCount));
    last = start;
  }
  const uint8_t *runs = base + header.runsOffset;
  for (size_t i = 0; i < header.runCount; ++i) {
    uint32_t first = read32(runs + 8 * i);
    if (i == 0 ? first != 0 : first <= read32(runs + 8 * (i - 1)))
      return fail(error, "run " + text(i) + " of merges is out of order");
  }
  const uint8_t *merges = base + header.mergesOffset;
  for (size_t i = 0; i < header.mergeCount; ++i) {
    uint32_t rank = read24(merges + 9 * i + 6);
    if (read24(merges + 9 * i) >= header.idCount ||
        read24(merges + 9 * i + 3) >= header.idCount ||
        rank >= header.mergeCount || resultOf(rank) >= header.idCount)
      return fail(error, "merge " + text(i) + " is out of range");
  }
  return true;
}

bool TokenizerBlob::checkAdded(std::string &error) const {
  for (uint32_t i = 0; i < header.addedCount; ++i) {
    const uint8_t *at = base + header.addedOffset + 16 * size_t(i);
    uint64_t end = uint64_t(read32(at + 4)) + read32(at + 8);
    if (read32(at) >= header.idCount || end > header.addedTextBytes ||
        read32(at + 8) == 0)
      return fail(error, "added token " + text(i) + " is out of range");
    if (i && added(i - 1).text >= added(i).text)
      return fail(error, "added token " + text(i) + " is out of order");
  }
  return true;
}

uint32_t TokenizerBlob::resultOf(uint32_t rank) const {
  const uint8_t *runs = base + header.runsOffset;
  size_t low = 0, high = header.runCount; // the run is in [low, high)
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    (read32(runs + 8 * middle) <= rank ? low : high) = middle;
  }
  return rank + read32(runs + 8 * low + 4); // delta is signed: wraps as wanted
}

bool TokenizerBlob::findMerge(uint32_t left, uint32_t right,
                              Merge &merge) const {
  uint32_t bucket = quartet_tokenizer_bucket(left, right, header.bucketCount);
  const uint8_t *start = base + header.bucketsOffset + 3 * size_t(bucket);
  const uint8_t *merges = base + header.mergesOffset;
  for (size_t i = read24(start), end = read24(start + 3); i < end; ++i) {
    const uint8_t *at = merges + 9 * i;
    if (read24(at) != left || read24(at + 3) != right)
      continue;
    merge.rank = read24(at + 6);
    merge.result = resultOf(merge.rank);
    return true;
  }
  return false;
}

AddedToken TokenizerBlob::added(uint32_t index) const {
  const uint8_t *at = base + header.addedOffset + 16 * size_t(index);
  return {view(header.addedTextOffset + read32(at + 4), read32(at + 8)),
          read32(at), (read32(at + 12) & QUARTET_ADDED_SPECIAL) != 0};
}

} // namespace quartet::rt
