// The tokenizer as the compiler writes it into an executable: tables that the
// runtime reads in place, whatever the alignment. TokenizerTables.cpp in
// compiler/import writes it, TokenizerBlob.cpp in runtime/src/text reads and
// checks it; a change of anything here is a new quartet_tokenizer_version.
//
// All integers are little-endian. "u24" is three bytes. Layout: the header,
// then the sections at the offsets that the header gives, in any order:
//
//   pattern    patternBytes bytes, UTF-8: what to split text by, in PCRE2
//              syntax (options UTF and UCP). Empty: text is one piece.
//   lengths    idCount bytes: bytes of each token, 0 when the id is unused,
//              255 when the length is listed in `long`.
//   long       longCount x { u32 id, u32 bytes }, ascending ids, each with
//              255 bytes or more.
//   bytes      tokenBytes bytes: the tokens' bytes in the order of ids.
//   buckets    bucketCount + 1 x u24: the first merge of each bucket,
//              ascending from 0 to mergeCount.
//   merges     mergeCount x { u24 left, u24 right, u24 rank }, by bucket: a
//              pair is in quartet_tokenizer_bucket(left, right, bucketCount).
//   runs       runCount x { u32 firstRank, i32 delta }, ascending, the first
//              0: the merge of rank r makes token r + delta of the last run
//              with firstRank <= r. Vocabularies number merged tokens by
//              rank, so there are few runs.
//   added      addedCount x { u32 id, u32 textOffset, u32 textBytes,
//              u32 flags } in the byte order of their texts, all different.
//   addedText  addedTextBytes bytes: what is matched in text (UTF-8).
//
// A vocabulary of 248,077 ids and 247,587 merges takes about 4.5 MB.
#ifndef QUARTET_TOKENIZER_FORMAT_H
#define QUARTET_TOKENIZER_FORMAT_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/// "QTOK" read as a little-endian u32.
static const uint32_t quartet_tokenizer_magic = 0x4b4f5451u;
static const uint32_t quartet_tokenizer_version = 1;

/// Ids are below this; also the largest number of merges plus one.
static const uint32_t quartet_tokenizer_max_ids = 1u << 22;

/// Bits of quartet_tokenizer_header.flags.
enum { QUARTET_TOKENIZER_NFC = 1 }; ///< Text is brought to form NFC first.

/// Bits of an added token's flags.
enum { QUARTET_ADDED_SPECIAL = 1 }; ///< Dropped when decoding without specials.

/// The start of the blob. Offsets are in bytes from the start of the blob.
typedef struct quartet_tokenizer_header {
  uint32_t magic;   ///< quartet_tokenizer_magic
  uint32_t version; ///< quartet_tokenizer_version
  uint32_t size;    ///< bytes of the whole blob
  uint32_t flags;
  uint32_t patternOffset, patternBytes;
  uint32_t lengthsOffset, idCount;
  uint32_t longOffset, longCount;
  uint32_t bytesOffset, tokenBytes;
  uint32_t bucketsOffset, bucketCount; ///< bucketCount >= 1
  uint32_t mergesOffset, mergeCount;
  uint32_t runsOffset, runCount; ///< runCount >= 1 when there are merges
  uint32_t addedOffset, addedCount;
  uint32_t addedTextOffset, addedTextBytes;
  uint32_t byteIds[256]; ///< the token of each single byte
} quartet_tokenizer_header;

/// The bucket of a merge: the high part of a 64-bit multiplicative hash, scaled
/// to [0, bucketCount).
static inline uint32_t quartet_tokenizer_bucket(uint32_t left, uint32_t right,
                                                uint32_t bucketCount) {
  uint64_t pair = ((uint64_t)left << 32) | right;
  uint64_t hash = (pair ^ (pair >> 29)) * UINT64_C(0x9e3779b97f4a7c15);
  hash = (hash ^ (hash >> 32)) * UINT64_C(0xbf58476d1ce4e5b9);
  return (uint32_t)(((hash >> 32) * bucketCount) >> 32);
}

#ifdef __cplusplus
}
#endif
#endif
