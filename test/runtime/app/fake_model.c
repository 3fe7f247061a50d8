/* A model for the link test: the token after t is t + 1, modulo a vocabulary of
   16. Its two weights and two states have the places that a compiled model's
   have; the step counts in the state, so that a lost slot shows. */
#include "quartet/abi.h"

enum { VOCAB = 16 };

static const char manifest[] =
    "{\"abi\":1,\"quartet\":\"0.1.0\",\"name\":\"fake\","
    "\"target\":{\"triple\":\"x86_64-unknown-linux-gnu\",\"cpu\":\"x86-64\"},"
    "\"model\":{\"family\":\"fake\",\"layers\":1,\"blocks\":1,\"hidden\":4,"
    "\"vocab\":16,\"token_limit\":16,\"max_positions\":256},"
    "\"dtype\":\"f32\",\"kv_dtype\":\"f32\",\"quantization\":\"f32\","
    "\"buckets\":[\"any\"],\"page_tokens\":64,"
    "\"weights_id\":\"abc\",\"layout_id\":\"def\","
    "\"weights_file\":\"fake.safetensors\",\"weights_bytes\":8,"
    "\"weights\":[{\"name\":\"one\",\"dtype\":\"F32\",\"shape\":[2],"
    "\"offset\":0,\"bytes\":8}],"
    "\"states\":[{\"name\":\"count\",\"dtype\":\"F32\",\"shape\":[\"slots\"]},"
    "{\"name\":\"key\",\"dtype\":\"F32\",\"shape\":[\"pages\",64]}],"
    "\"generation\":{\"do_sample\":false,\"stop_ids\":[15]}}";

const quartet_blob quartet_manifest = {manifest, sizeof(manifest) - 1};
const quartet_blob quartet_tokenizer = {0, 0};
const quartet_blob quartet_chat_template = {0, 0};
const quartet_blob quartet_weights = {0, 0};

struct rows {
  const quartet_step_args *args;
};

static void write_rows(void *context, int64_t begin, int64_t end) {
  const quartet_step_args *args = ((struct rows *)context)->args;
  for (int64_t r = begin; r != end; ++r) {
    int32_t next = (args->tokens[args->rows[r]] + 1) % VOCAB;
    for (int32_t id = 0; id != VOCAB; ++id)
      args->logits[r * VOCAB + id] = id == next ? 1.0f : 0.0f;
    args->sampled[r] = next;
  }
}

quartet_status quartet_step(const quartet_step_args *args) {
  struct rows rows = {args};
  for (int64_t s = 0; s != args->num_sequences; ++s) {
    float *count = (float *)args->states[0] + args->seq_slot[s];
    if (*count != (float)args->seq_past[s])
      return QUARTET_BAD_ARGUMENT;
    *count += (float)(args->seq_start[s + 1] - args->seq_start[s]);
  }
  quartet_parallel_for(write_rows, &rows, args->num_rows, 1);
  return QUARTET_OK;
}
