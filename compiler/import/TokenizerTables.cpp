// Lays out the tokenizer's tables. Merges are grouped by bucket, so that a
// look-up at run time reads one or two cache lines, and nothing is built at
// start.
#include "compiler/import/TokenizerTables.h"
#include "quartet/tokenizer_format.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"
#include <algorithm>
#include <cstring>
#include <tuple>

using namespace llvm;

namespace quartet {
namespace {

constexpr uint64_t maxBlobBytes = 1u << 30;

class BlobWriter {
public:
  explicit BlobWriter(const TokenizerTables &tables) : tables(tables) {}

  Expected<std::vector<uint8_t>> run() {
    uint64_t total = 0;
    for (const std::string &token : tables.tokens)
      total += token.size();
    for (const TokenizerTables::Added &added : tables.added)
      total += added.text.size();
    // Everything else is bounded by the number of ids.
    if (total > maxBlobBytes)
      return createStringError("tokens of " + Twine(total) +
                               " bytes in all found, expected at most " +
                               Twine(maxBlobBytes));
    header.magic = quartet_tokenizer_magic;
    header.version = quartet_tokenizer_version;
    header.flags = tables.nfc ? QUARTET_TOKENIZER_NFC : 0;
    std::copy(tables.byteIds.begin(), tables.byteIds.end(), header.byteIds);
    blob.resize(sizeof(header));

    header.patternOffset = position();
    header.patternBytes = static_cast<uint32_t>(tables.pattern.size());
    append(tables.pattern);
    writeTokens();
    writeMerges();
    writeAdded();
    header.size = position();
    writeHeader();
    return std::move(blob);
  }

private:
  uint32_t position() const { return static_cast<uint32_t>(blob.size()); }
  void append(const std::string &bytes) {
    blob.insert(blob.end(), bytes.begin(), bytes.end());
  }
  void append(uint32_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i)
      blob.push_back(static_cast<uint8_t>(value >> 8 * i));
  }

  void writeTokens() {
    header.idCount = static_cast<uint32_t>(tables.tokens.size());
    header.lengthsOffset = position();
    for (const std::string &token : tables.tokens)
      append(static_cast<uint32_t>(std::min<size_t>(token.size(), 255)), 1);
    header.longOffset = position();
    for (uint32_t id = 0; id < header.idCount; ++id) {
      size_t length = tables.tokens[id].size();
      if (length < 255)
        continue;
      append(id, 4);
      append(static_cast<uint32_t>(length), 4);
      ++header.longCount;
    }
    header.bytesOffset = position();
    for (const std::string &token : tables.tokens)
      append(token);
    header.tokenBytes = position() - header.bytesOffset;
  }

  void writeMerges() {
    struct Entry {
      uint32_t bucket, left, right, rank;
    };
    header.mergeCount = static_cast<uint32_t>(tables.merges.size());
    header.bucketCount = header.mergeCount / 2 + 1;
    std::vector<Entry> entries;
    entries.reserve(tables.merges.size());
    for (uint32_t rank = 0; rank < header.mergeCount; ++rank) {
      const TokenizerTables::Merge &merge = tables.merges[rank];
      entries.push_back({quartet_tokenizer_bucket(merge.left, merge.right,
                                                  header.bucketCount),
                         merge.left, merge.right, rank});
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry &a, const Entry &b) {
                return std::tie(a.bucket, a.left, a.right) <
                       std::tie(b.bucket, b.left, b.right);
              });
    header.bucketsOffset = position();
    uint32_t next = 0;
    for (uint32_t bucket = 0; bucket <= header.bucketCount; ++bucket) {
      while (next < entries.size() && entries[next].bucket < bucket)
        ++next;
      append(next, 3);
    }
    header.mergesOffset = position();
    for (const Entry &entry : entries) {
      append(entry.left, 3);
      append(entry.right, 3);
      append(entry.rank, 3);
    }
    header.runsOffset = position();
    uint32_t delta = 0;
    for (uint32_t rank = 0; rank < header.mergeCount; ++rank) {
      uint32_t now = tables.merges[rank].result - rank;
      if (rank && now == delta)
        continue;
      delta = now;
      append(rank, 4);
      append(delta, 4);
      ++header.runCount;
    }
  }

  void writeAdded() {
    std::vector<const TokenizerTables::Added *> sorted;
    for (const TokenizerTables::Added &added : tables.added)
      sorted.push_back(&added);
    // std::string compares bytes as unsigned, as the format asks.
    std::sort(sorted.begin(), sorted.end(),
              [](const auto *a, const auto *b) { return a->text < b->text; });
    header.addedCount = static_cast<uint32_t>(sorted.size());
    header.addedOffset = position();
    uint32_t offset = 0;
    for (const TokenizerTables::Added *added : sorted) {
      append(added->id, 4);
      append(offset, 4);
      append(static_cast<uint32_t>(added->text.size()), 4);
      append(added->special ? QUARTET_ADDED_SPECIAL : 0, 4);
      offset += static_cast<uint32_t>(added->text.size());
    }
    header.addedTextOffset = position();
    for (const TokenizerTables::Added *added : sorted)
      append(added->text);
    header.addedTextBytes = offset;
  }

  void writeHeader() {
    static_assert(sizeof(header) % 4 == 0, "the header is u32 members only");
    uint32_t words[sizeof(header) / 4];
    std::memcpy(words, &header, sizeof(header));
    for (size_t i = 0; i < sizeof(header) / 4; ++i)
      support::endian::write32le(blob.data() + 4 * i, words[i]);
  }

  const TokenizerTables &tables;
  quartet_tokenizer_header header = {};
  std::vector<uint8_t> blob;
};

} // namespace

Expected<std::vector<uint8_t>>
encodeTokenizerTables(const TokenizerTables &tables) {
  return BlobWriter(tables).run();
}

} // namespace quartet
