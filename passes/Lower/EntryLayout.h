// How the lowered step function's arguments relate to quartet_step_args: the
// attributes that quartet-lower-model leaves and quartet-lower-entry reads.
#ifndef QUARTET_PASSES_LOWER_ENTRYLAYOUT_H
#define QUARTET_PASSES_LOWER_ENTRYLAYOUT_H
#include "llvm/ADT/StringRef.h"

namespace quartet {

/// On the function: it is the step.
constexpr llvm::StringLiteral kEntryAttr = "quartet.entry";
/// On such a function: it is the step of multi-token prediction.
constexpr llvm::StringLiteral kMtpAttr = "quartet.mtp";
/// On an argument: the field of quartet_step_args with its address.
constexpr llvm::StringLiteral kFieldAttr = "quartet.field";
/// On an argument of the fields `weights` and `states`: its place there.
constexpr llvm::StringLiteral kPlaceAttr = "quartet.place";
/// On an argument: for each dynamic dimension, the field with its extent.
constexpr llvm::StringLiteral kExtentsAttr = "quartet.extents";
/// Extent of seq_start: one more than the field num_sequences.
constexpr llvm::StringLiteral kSequencesPlusOne = "num_sequences + 1";

/// Fields of quartet_step_args in order; the first kNumCounts are int64_t, the
/// others are addresses.
constexpr llvm::StringLiteral kStepFields[] = {
    "num_tokens",  "num_sequences", "num_rows",   "num_slots", "num_pages",
    "table_width", "tokens",        "positions",  "token_seq", "seq_start",
    "seq_past",    "seq_slot",      "page_table", "rows",      "temperature",
    "top_k",       "top_p",         "min_p",      "uniform",   "weights",
    "states",      "logits",        "sampled",    "scratch",   "local",
    "sync",        "hidden_in",     "hidden_out"};
constexpr unsigned kNumCounts = 6;

} // namespace quartet
#endif
