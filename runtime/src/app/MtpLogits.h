// The logits of multi-token prediction, for comparisons with its formula.
#ifndef QUARTET_RUNTIME_APP_MTPLOGITS_H
#define QUARTET_RUNTIME_APP_MTPLOGITS_H
#include "runtime/src/app/NpyFile.h"
#include "runtime/src/app/TokenList.h"
#include "runtime/src/engine/Engine.h"

namespace quartet::rt {

/// Rows in the file for a sequence of \p length tokens: the pairs of each token
/// but the first with the hidden state of the token before it, then \p drafts
/// further ones, each of the likeliest token of the row before and the hidden
/// state that multi-token prediction itself gave with it.
inline int64_t mtpRows(int64_t length, int64_t drafts) {
  return length - 1 + drafts;
}

/// Runs the model on each sequence without its last token (at least two in
/// each), in steps of \p pieces tokens, and multi-token prediction on the pairs
/// of each step. Writes mtpRows() rows for each sequence, in their order.
bool writeMtpLogits(Engine &engine, const NumberLists &sequences,
                    const NumberLists &pieces, int64_t drafts, NpyFile &file,
                    std::string *error);

} // namespace quartet::rt
#endif
