// Which experts a token goes to, and the tokens sorted by expert.
#ifndef QUARTET_TARGETS_CPU_KERNELS_ROUTE_H
#define QUARTET_TARGETS_CPU_KERNELS_ROUTE_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// Pairs of one expert that one task takes at most: an expert with more, such
/// as a shared one, is several blocks.
constexpr int64_t kBlockPairs = 64;

/// The arrays that routing leaves in local memory, for up to `tokens` tokens,
/// as byte offsets from one address. Pairs are (token, expert) of which each
/// token has perToken; they are sorted by expert, then by token.
struct GroupsLayout {
  GroupsLayout(int64_t tokens, int64_t experts, int64_t topK, int64_t shared);
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
  int64_t probabilities; ///< f32 [experts rounded up to 16]: scratch
  int64_t bytes;
};

/// void(ptr logits f32, i64 logitsStride, i64 gateColumn, i64 tokens,
///      ptr groups)
/// quartet.route for all tokens, then a counting sort. Row t of logits has
/// `experts` logits and, when there are shared experts, their gate in column
/// gateColumn.
mlir::func::FuncOp routeKernel(KernelBuilder &k, const GroupsLayout &layout,
                               bool renormalize);

} // namespace quartet::cpu
#endif
