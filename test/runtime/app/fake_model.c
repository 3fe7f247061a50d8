/* A model for the link test: the token after t is t + 1, modulo a vocabulary of
   16. Its two weights and two states have the places that a compiled model's
   have; the step counts in the state, so that a lost slot shows. Steps of one
   token are run by all workers of the team, larger ones by one thread. */
#include "quartet/abi.h"

enum { VOCAB = 16 };

static const char manifest[] =
    "{\"abi\":6,\"quartet\":\"0.1.0\",\"name\":\"fake\","
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

static void advance(const quartet_step_args *args) {
  for (int64_t s = 0; s != args->num_sequences; ++s) {
    float *count = (float *)args->states[0] + args->seq_slot[s];
    if (*count != (float)args->seq_past[s])
      args->sampled[0] = 0;
    *count += (float)(args->seq_start[s + 1] - args->seq_start[s]);
  }
}

static void run_any(const quartet_step_args *args, int64_t worker,
                    int64_t workers) {
  struct rows rows = {args};
  (void)worker, (void)workers;
  quartet_parallel_for(write_rows, &rows, args->num_rows, 1);
  advance(args);
}

static void run_one(const quartet_step_args *args, int64_t worker,
                    int64_t workers) {
  struct rows rows = {args};
  __atomic_fetch_add(args->sync, 1, __ATOMIC_RELEASE);
  quartet_wait(args->sync, (uint32_t)workers);
  if (worker != 0)
    return;
  write_rows(&rows, 0, args->num_rows);
  advance(args);
}

static const quartet_bucket buckets[] = {
    {1, 1, 64, 0, 64, 1, 1, run_one, 0, 0},
    {INT64_MAX, INT64_MAX, 0, 0, 0, 0, 0, run_any, 0, 0}};
const quartet_program quartet_programs[] = {
    {"impossible", "quantum", buckets, 2, 0, 0, 0},
    {"any", "", buckets, 2, 0, 0, 0}};
const int64_t quartet_num_programs = 2;
