// A linked list of symbols and a heap of the possible merges, with the stale
// ones recognised when they come up. This is the `tokenizers` library's
// procedure step by step, so that the ids agree on odd vocabularies too.
#include "runtime/src/text/BytePairEncoder.h"
#include <algorithm>

namespace quartet::rt {

bool BytePairEncoder::later(const Candidate &a, const Candidate &b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

void BytePairEncoder::consider(int32_t left, int32_t right) {
  Merge merge;
  if (!blob.findMerge(symbols[left].id, symbols[right].id, merge))
    return;
  queue.push_back({merge.rank, left, merge.result});
  std::push_heap(queue.begin(), queue.end(), later);
}

void BytePairEncoder::encode(std::string_view piece,
                             std::vector<int32_t> &ids) {
  auto count = static_cast<int32_t>(piece.size());
  if (count == 0)
    return;
  symbols.resize(piece.size());
  queue.clear();
  for (int32_t i = 0; i < count; ++i) {
    uint32_t id = blob.byteId(static_cast<uint8_t>(piece[i]));
    symbols[i] = {id, i - 1, i + 1 < count ? i + 1 : -1, false};
  }
  for (int32_t i = 0; i + 1 < count; ++i)
    consider(i, i + 1);

  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), later);
    Candidate top = queue.back();
    queue.pop_back();
    Symbol &left = symbols[top.position];
    if (left.merged || left.next < 0)
      continue;
    Symbol &right = symbols[left.next];
    // Stale if the pair is not the one that was queued. Like the library, go by
    // the token that the pair makes now, not by its rank.
    Merge now;
    if (!blob.findMerge(left.id, right.id, now) || now.result != top.result)
      continue;
    left.id = top.result;
    left.next = right.next;
    right.merged = true;
    if (left.next >= 0)
      symbols[left.next].previous = top.position;
    if (left.previous >= 0)
      consider(left.previous, top.position);
    if (left.next >= 0)
      consider(top.position, left.next);
  }
  for (int32_t i = 0; i >= 0; i = symbols[i].next)
    ids.push_back(static_cast<int32_t>(symbols[i].id));
}

} // namespace quartet::rt
