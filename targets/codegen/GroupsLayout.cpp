// The arrays one after the other, each on a line of its own.
#include "targets/codegen/GroupsLayout.h"
#include "dialects/Tile/StagedRow.h"

using namespace quartet;
using quartet::tile::alignTo64;

GroupsLayout::GroupsLayout(int64_t tokens, int64_t experts, int64_t topK,
                           int64_t shared, bool chosen)
    : experts(experts), shared(shared), perToken(topK + shared),
      allExperts(experts + shared) {
  int64_t pairs = alignTo64(tokens * perToken * 4);
  int64_t blocks = allExperts + tokens * perToken / kBlockPairs;
  blockCount = 0;
  blockExperts = 64;
  blockFirst = blockExperts + alignTo64(blocks * 4);
  first = blockFirst + alignTo64((blocks + 1) * 4);
  pairTokens = first + alignTo64((allExperts + 1) * 4);
  pairWeights = pairTokens + pairs;
  tokenExperts = pairWeights + pairs;
  tokenWeights = tokenExperts + (chosen ? 0 : pairs);
  tokenPairs = tokenWeights + (chosen ? 0 : pairs);
  probabilities = tokenPairs + pairs;
  bytes = probabilities + (chosen ? 0 : alignTo64((experts + shared + 16) * 4));
}
