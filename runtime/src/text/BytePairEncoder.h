// Byte-pair encoding of one piece: the adjacent pair of lowest rank is merged,
// the leftmost among equals, until no pair has a merge.
#ifndef QUARTET_RUNTIME_TEXT_BYTEPAIRENCODER_H
#define QUARTET_RUNTIME_TEXT_BYTEPAIRENCODER_H
#include "runtime/src/text/TokenizerBlob.h"

namespace quartet::rt {

/// Keeps its buffers from piece to piece. For one thread.
class BytePairEncoder {
public:
  explicit BytePairEncoder(const TokenizerBlob &blob) : blob(blob) {}

  /// Appends the ids of \p piece, at most 2^30 bytes, to \p ids. Takes
  /// O(n log n).
  void encode(std::string_view piece, std::vector<int32_t> &ids);

private:
  struct Symbol {
    uint32_t id;
    int32_t previous, next; // positions, -1 at the ends
    bool merged;            // into the symbol before it
  };
  struct Candidate {
    uint32_t rank;
    int32_t position; // of the left symbol
    uint32_t result;
  };
  static bool later(const Candidate &a, const Candidate &b);
  void consider(int32_t left, int32_t right);

  const TokenizerBlob &blob;
  std::vector<Symbol> symbols;
  std::vector<Candidate> queue; // a heap, the next merge first
};

} // namespace quartet::rt
#endif
