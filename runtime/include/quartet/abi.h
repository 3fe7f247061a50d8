// The contract between compiled code and the runtime. Everything that crosses
// that border is here: the step's arguments, the blobs that the compiler puts
// in the executable, and the functions that compiled code calls back. The
// compiler (passes/Lower/LowerEntry.cpp, compiler/Link) and the runtime both
// include it: a change here is a change there and a bump of
// QUARTET_ABI_VERSION. Needs <stdint.h> only; C99 and C++17.
#ifndef QUARTET_ABI_H
#define QUARTET_ABI_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { QUARTET_ABI_VERSION = 1 };

/// Tokens of KV cache per page.
enum { QUARTET_PAGE_TOKENS = 64 };

/// How many of the likeliest tokens quartet.sample looks at. A row whose top_k
/// is 0 or larger than this is sampled by the runtime from its logits instead.
enum { QUARTET_SAMPLE_CANDIDATES = 64 };

typedef enum {
  QUARTET_OK = 0,
  QUARTET_BAD_ARGUMENT = 1, ///< A count is negative or a pointer is null.
} quartet_status;

/// Arguments of one step: N tokens of S sequences, logits for R of the tokens.
/// Arrays are row-major and dense; the runtime owns all memory. N, S >= 1 and
/// R >= 0. Tokens of one sequence are adjacent and in order.
typedef struct quartet_step_args {
  int64_t num_tokens;        ///< N
  int64_t num_sequences;     ///< S
  int64_t num_rows;          ///< R
  int64_t num_slots;         ///< extent of the `slots` dimension of the states
  int64_t num_pages;         ///< extent of the `pages` dimension of the states
  int64_t table_width;       ///< columns of page_table
  const int32_t *tokens;     ///< [N]     ids in [0, vocab)
  const int32_t *positions;  ///< [3, N]  rotary positions: time, height, width
  const int32_t *token_seq;  ///< [N]     which sequence (0..S-1) a token is of
  const int32_t *seq_start;  ///< [S + 1] first token of each sequence; last = N
  const int32_t *seq_past;   ///< [S]     tokens already in the sequence's state
  const int32_t *seq_slot;   ///< [S]     slot of each sequence; all different
  const int32_t *page_table; ///< [slots, table_width] page of 64-token piece j
  const int32_t *rows;      ///< [R]     tokens (0..N-1) whose logits are wanted
  const float *temperature; ///< [R]     0 = greedy
  const int32_t *top_k;     ///< [R]     1..QUARTET_SAMPLE_CANDIDATES
  const float *top_p;       ///< [R]     in (0, 1]
  const float *min_p;       ///< [R]     in [0, 1]
  const float *uniform;     ///< [R]     the random draw, in [0, 1)
  void *const *weights;     ///< base pointers, in the manifest's order
  void *const *states;      ///< base pointers, in the manifest's order
  float *logits;            ///< [R, vocab], written
  int32_t *sampled; ///< [R]         written: ids drawn by quartet.sample
} quartet_step_args;

/// The compiled model. Advances the states of the sequences by their tokens.
/// Defined by the compiler. Same arguments and states give the same bits,
/// whatever the number of threads.
quartet_status quartet_step(const quartet_step_args *args);

/// The part [begin, end) of a parallel loop; `context` holds what it captured.
typedef void (*quartet_range_fn)(void *context, int64_t begin, int64_t end);

/// Runs body over [0, count), cut into ranges of at least `grain` iterations,
/// on the runtime's workers and the caller, and returns when all are done. Runs
/// inline when count <= grain. Never nested. Defined by the runtime, called by
/// compiled code.
void quartet_parallel_for(quartet_range_fn body, void *context, int64_t count,
                          int64_t grain);

/// A constant embedded in the executable by the compiler.
typedef struct quartet_blob {
  const void *data; ///< 64-byte aligned; null when absent
  uint64_t size;    ///< bytes
} quartet_blob;

extern const quartet_blob quartet_manifest;  ///< JSON, see docs/manifest.md
extern const quartet_blob quartet_tokenizer; ///< see quartet/tokenizer_format.h
extern const quartet_blob quartet_chat_template; ///< Jinja source, UTF-8
extern const quartet_blob
    quartet_weights; ///< a safetensors file (--embed-weights)

#ifdef __cplusplus
}
#endif
#endif
