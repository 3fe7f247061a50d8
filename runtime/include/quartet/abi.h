// The contract between compiled code and the runtime. Everything that crosses
// that border is here: the step's arguments, the blobs that the compiler puts
// in the executable, the table of compiled programs, and the functions that
// compiled code calls back. The compiler (passes/Lower/ProgramTable.cpp,
// compiler/Link) and the runtime both include it: a change here is a change
// there and a bump of QUARTET_ABI_VERSION. Needs <stdint.h> only; C99 and
// C++17.
#ifndef QUARTET_ABI_H
#define QUARTET_ABI_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { QUARTET_ABI_VERSION = 6 };

/// Tokens of KV cache per page.
enum { QUARTET_PAGE_TOKENS = 64 };

/// How many of the likeliest tokens quartet.sample looks at. A row whose top_k
/// is 0 or larger than this is sampled by the runtime from its logits instead.
enum { QUARTET_SAMPLE_CANDIDATES = 64 };

/// Distance of two counters of quartet_step_args.sync, in uint32_t: each is
/// alone in its cache line.
enum { QUARTET_SYNC_STRIDE = 16 };

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
  /// The bucket's scratch_bytes + scratch_page_bytes * table_width bytes,
  /// 64-byte aligned; contents undefined when a step begins.
  char *scratch;
  /// Worker w owns [w * local_bytes, (w + 1) * local_bytes); 64-byte aligned.
  char *local;
  /// The bucket's sync_counters counters, QUARTET_SYNC_STRIDE apart; all zero
  /// when a step begins.
  uint32_t *sync;
  /// [N, hidden] Read by the buckets of multi-token prediction only: for each
  /// token x what hidden_out said of the token before x.
  const float *hidden_in;
  /// [N, hidden] Written if the program has such buckets, by all of its
  /// buckets: what the last norm gives for each token. Without them it may be
  /// null. Must not overlap hidden_in.
  float *hidden_out;
} quartet_step_args;

/// One run of a phase of a step by all blocks: what stamps are of.
typedef struct quartet_span {
  const char *phase; ///< its name in the plan, "l0.in"
  int64_t layer;     ///< the repetition of the layers
} quartet_span;

/// Stamps of a block in a span, in ticks of quartet_device.clock_hertz, are
/// [QUARTET_STAMP_ENDS + warps of the block].
enum {
  QUARTET_STAMP_BEGIN = 0, ///< the block began
  QUARTET_STAMP_READY = 1, ///< what it waited for was there
  QUARTET_STAMP_ENDS = 2   ///< each of its warps was done
};

/// One launch of a kernel of a device, see quartet_bucket.launches.
typedef struct quartet_launch {
  const char *kernel; ///< its symbol in the images
  /// Emulated devices only, else null: the kernel as a function that every
  /// thread of every block runs (quartet/emulator.h).
  void (*host)(const quartet_step_args *args, int64_t layer, int64_t *stamps);
  /// The kernel's second argument: in its lower 32 bits the repetition of the
  /// layers, in the upper ones which of the phases that share the kernel is
  /// meant. The first one is the address of the quartet_step_args in device
  /// memory; all pointers there are the device's. The third one is null, or
  /// where stamps go: [num_spans, workers, stamps of a block] i64 in device
  /// memory.
  int64_t layer;
  int64_t shared_bytes; ///< dynamic shared memory of a block
  /// 1: may start before the launch in front of it has ended, for it waits
  /// itself before it reads what that one writes (programmatic dependent
  /// launch). A device without that ends one before it starts the next.
  int64_t overlap;
  /// 1: its blocks wait for each other, so all must be resident at once.
  int64_t cooperative;
  /// What it runs, in the order in which a block does; null and 0 when it is
  /// no part of a step.
  const quartet_span *spans;
  int64_t num_spans;
} quartet_launch;

/// One compiled specialisation of the step. Advances the states of the
/// sequences by their tokens. Same arguments and states give the same bits,
/// whatever the bucket and the number of workers.
typedef struct quartet_bucket {
  int64_t tokens;    ///< most tokens of a step; INT64_MAX: any number
  int64_t sequences; ///< most sequences of a step
  int64_t scratch_bytes, scratch_page_bytes; ///< see scratch above
  int64_t local_bytes;                       ///< per worker, a multiple of 64
  int64_t sync_counters;
  /// 1: every worker of the team calls run at once; 0: one thread does, as
  /// worker 0 of 1, and run uses quartet_parallel_for.
  int64_t team;
  /// Null when the program is a device's.
  void (*run)(const quartet_step_args *args, int64_t worker, int64_t workers);
  /// What a device launches for a step, one after the other, each with as many
  /// blocks as there are workers; null and 0 when the program is a CPU's.
  const quartet_launch *launches;
  int64_t num_launches;
} quartet_bucket;

/// Kinds of devices.
enum {
  QUARTET_DEVICE_CUDA = 1,    ///< NVIDIA, by libcuda.so.1
  QUARTET_DEVICE_HIP = 2,     ///< AMD, by libamdhip64.so
  QUARTET_DEVICE_EMULATOR = 3 ///< threads of a GPU as fibres on this CPU
};

/// Kinds of device code.
enum {
  QUARTET_IMAGE_CUBIN = 1, ///< runs on its arch only
  QUARTET_IMAGE_PTX = 2,   ///< the driver compiles it
  QUARTET_IMAGE_HSACO = 3
};

/// Device code as an object file or a text that ends with a zero byte.
typedef struct quartet_image {
  int64_t kind;
  const void *data;
  uint64_t size; ///< bytes, without the zero
} quartet_image;

/// How a weight is made up, for measurements without a file: what the kernel
/// quartet_device.fill reads instead of a quartet_step_args. The weight
/// consists of panels, the last of which may be shorter; their sizes and
/// offsets are multiples of 16. Where there are values, word i of 8 bytes is
///   (mix(key + i) & random) | fixed
/// with a step of splitmix64 as mix.
typedef struct quartet_fill {
  char *out;     ///< where the weight is, 16-byte aligned
  int64_t bytes; ///< of the weight, any number
  int64_t panel_bytes;
  int64_t scale_bytes;   ///< of a panel: `scales`, repeated,
  int64_t zeros_offset;  ///< then null bytes up to here,
  int64_t values_offset; ///< then `zeros`, repeated, up to here, then values
  uint64_t scales, zeros;
  uint64_t random, fixed;
  uint64_t key;
} quartet_fill;

/// What the kernels of quartet_device.peaks read instead of a
/// quartet_step_args.
typedef struct quartet_peak {
  int64_t rounds; ///< how often each block does what it does
  /// [workers, 2] written: operations of each block (a multiply-add is two),
  /// and a word that means nothing.
  int64_t *done;
} quartet_peak;

/// The device that a program is for.
typedef struct quartet_device {
  int64_t kind;     ///< QUARTET_DEVICE_*
  const char *arch; ///< "sm_90a", "gfx942"
  int64_t threads;  ///< of a block, which is a worker
  int64_t lanes;    ///< threads that run in step: 32 or 64
  /// Blocks that share a multiprocessor (compute unit): there are as many
  /// workers as multiprocessors times this.
  int64_t blocks_per_unit;
  int64_t clock_hertz;         ///< of the clock that stamps are read from
  const quartet_image *images; ///< the preferred one first; emulator: none
  int64_t num_images;
  /// Fills a weight. Its first argument is the address of a quartet_fill in
  /// device memory; it runs with any number of blocks and is no part of a step.
  const quartet_launch *fill;
  /// Two that measure matrix instructions, of int8 and of bf16, with a
  /// quartet_peak in device memory. NULL: none.
  const quartet_launch *peaks;
} quartet_device;

/// The code for one kind of machine.
typedef struct quartet_program {
  const char *target; ///< "x86-64-v4", as in `quartetc targets`
  /// CPU features it needs, separated by commas, "" = none: the names of
  /// /proc/cpuinfo on x86 ("avx512f,avx512_vnni"; LLVM's spelling "avx512vnni"
  /// is understood too) and HWCAP names on Arm ("asimddp,i8mm").
  const char *features;
  const quartet_bucket *buckets; ///< ascending tokens
  int64_t num_buckets;
  /// The step of multi-token prediction, which drafts from pairs of a token and
  /// the hidden state of the token before it; null and 0 when it was not
  /// compiled. `seq_past` counts the pairs that it has seen, and `positions`
  /// are those of the hidden states.
  const quartet_bucket *mtp_buckets; ///< ascending tokens
  int64_t num_mtp_buckets;
  /// What runs it; null: the CPU.
  const quartet_device *device;
} quartet_program;

/// The compiled model, best program first: the runtime takes the first one
/// whose features the machine has. Defined by the compiler.
extern const quartet_program quartet_programs[];
extern const int64_t quartet_num_programs;

/// The part [begin, end) of a parallel loop; `context` holds what it captured.
typedef void (*quartet_range_fn)(void *context, int64_t begin, int64_t end);

/// Runs body over [0, count), cut into ranges of at least `grain` iterations,
/// on the runtime's workers and the caller, and returns when all are done. Runs
/// inline when count <= grain. Never nested. Defined by the runtime, called by
/// compiled code.
void quartet_parallel_for(quartet_range_fn body, void *context, int64_t count,
                          int64_t grain);

/// Returns when *counter >= value (acquire): called by workers of a team to
/// wait for each other. Spins, then yields. Defined by the runtime, called by
/// compiled code.
void quartet_wait(const uint32_t *counter, uint32_t value);

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
