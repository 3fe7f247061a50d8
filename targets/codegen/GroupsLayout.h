// What routing leaves for the experts' kernels: tokens sorted by expert. One
// layout for all targets. Plain C++: no MLIR.
#ifndef QUARTET_TARGETS_CODEGEN_GROUPSLAYOUT_H
#define QUARTET_TARGETS_CODEGEN_GROUPSLAYOUT_H
#include <cstdint>

namespace quartet {

/// Pairs of one expert that one task takes at most: an expert with more, such
/// as a shared one, is several blocks.
constexpr int64_t kBlockPairs = 64;

/// The arrays that routing leaves in local memory, for up to `tokens` tokens,
/// as byte offsets from one address. Pairs are (token, expert) of which each
/// token has perToken; they are sorted by expert, then by token.
struct GroupsLayout {
  /// \p chosen: the choice lies in buffers of the step, and the scratch that
  /// making it takes is not there.
  GroupsLayout(int64_t tokens, int64_t experts, int64_t topK, int64_t shared,
               bool chosen = false);
  int64_t experts, shared;
  int64_t perToken;     ///< topK + shared
  int64_t allExperts;   ///< experts + shared
  int64_t blockCount;   ///< i64: blocks of pairs of one expert
  int64_t blockExperts; ///< i32 [most blocks]: their experts, ascending
  int64_t blockFirst;   ///< i32 [most blocks + 1]: first pair of each, then all
  int64_t first;        ///< i32 [allExperts + 1]: first pair of each expert
  int64_t pairTokens;   ///< i32 [tokens * perToken]: token of each pair
  int64_t pairWeights;  ///< f32 [tokens * perToken]: its weight
  int64_t tokenExperts; ///< i32 [tokens * perToken]: scratch
  int64_t tokenWeights; ///< f32 [tokens * perToken]: scratch
  /// i32 [tokens * perToken]: each token's pairs, experts ascending; GPUs only.
  int64_t tokenPairs;
  int64_t probabilities; ///< f32 [experts rounded up to 16]: scratch
  int64_t bytes;
};

} // namespace quartet
#endif
