// Plain loops for each op of the quartet dialect, written from the formulas in
// dialects/Quartet/*.td: what compiled code is compared with. Tests only. Slow
// on purpose: floats in and out, every sum and function in double inside.
#ifndef QUARTET_REFERENCE_REFERENCE_H
#define QUARTET_REFERENCE_REFERENCE_H
#include <cstdint>

namespace quartet {
namespace reference {

/// Element type of a buffer. References take floats that hold values of the
/// type.
enum class Type { kF32, kF16, kBF16 };

/// \p value rounded to \p type, to nearest, ties to even.
float roundTo(Type type, float value);
/// The bits of \p value in \p type, which is 16 bits wide, and back.
uint16_t toBits(Type type, float value);
float fromBits(Type type, uint16_t bits);

/// A row of int8 KV cache: the scale of \p x, its largest size / 127 (NaN if
/// there is one), and into \p q its values / scale, to nearest, ties to even.
float quantizeRow(const float *x, int64_t width, int8_t *q);

/// The sequence operands of a step (QuartetDialect.td).
struct Ragged {
  int64_t tokens;          ///< N
  int64_t sequences;       ///< S
  const int32_t *seqStart; ///< [S + 1]
  const int32_t *seqPast;  ///< [S]; of attention only
  const int32_t *seqSlot;  ///< [S]
};

/// y[r,d] for \p rows rows of \p width; w has \p width elements.
void rmsNorm(const float *x, const float *w, float *y, int64_t rows,
             int64_t width, float eps);
/// The same, with a plain weight and times silu(z), or sigmoid(z).
void gatedRmsNorm(const float *x, const float *z, const float *w, float *y,
                  int64_t rows, int64_t width, float eps, bool silu);

/// y[n,o] = x[n,:] . w[o,:]
void linear(const float *x, const float *w, float *y, int64_t n, int64_t out,
            int64_t in);
/// y[n,:] = table[tokens[n],:]
void embed(const int32_t *tokens, const float *table, float *y, int64_t n,
           int64_t hidden);
/// logits[r,v] = x[rows[r],:] . w[v,:]
void lmHead(const float *x, const int32_t *rows, const float *w, float *logits,
            int64_t r, int64_t vocab, int64_t hidden);
/// SwiGLU: gateUp [2I, H], down [H, I].
void mlp(const float *x, const float *gateUp, const float *down, float *y,
         int64_t n, int64_t hidden, int64_t intermediate);
/// mlp times the sigmoid of x . gate [1, H].
void sharedExpert(const float *x, const float *gateUp, const float *down,
                  const float *gate, float *y, int64_t n, int64_t hidden,
                  int64_t intermediate);

/// weights and ids [N, topK] of softmax(x . w^T), w [E, H].
void route(const float *x, const float *w, float *weights, int32_t *ids,
           int64_t n, int64_t experts, int64_t hidden, int64_t topK,
           bool renormalize);
/// gateUp [E, 2I, H], down [E, H, I], weights and ids [N, K].
void experts(const float *x, const float *weights, const int32_t *ids,
             const float *gateUp, const float *down, float *y, int64_t n,
             int64_t k, int64_t hidden, int64_t intermediate);

/// x and y [N, C], w [C, K], state [slots, K-1, C], updated in place.
void causalConv(const float *x, const float *w, float *state, float *y,
                const Ragged &ragged, int64_t channels, int64_t taps,
                Type stateType);

struct GatedDelta {
  int64_t keyHeads, valueHeads, keyDim, valueDim;
  float qkEps;
  const float *q, *k;         ///< [N, keyHeads, keyDim]
  const float *v;             ///< [N, valueHeads, valueDim]
  const float *a, *b;         ///< [N, valueHeads]
  const float *aLog, *dtBias; ///< [valueHeads]
  float *state; ///< [slots, valueHeads, valueDim, keyDim], updated in place
  float *out;   ///< [N, valueHeads, valueDim]
};
void gatedDelta(const GatedDelta &op, const Ragged &ragged);

/// x and y [N, heads, width], positions [3, N], invFreq and axes [pairs].
void rope(const float *x, const int32_t *positions, const float *invFreq,
          const int32_t *axes, float scale, float *y, int64_t n, int64_t heads,
          int64_t width, int64_t pairs);

struct GatedAttention {
  int64_t heads, keyHeads, width;
  int64_t tableWidth; ///< columns of pageTable
  float scale;
  const float *q;           ///< [N, heads, width]
  const float *k, *v;       ///< [N, keyHeads, width]
  const float *gate;        ///< [N, heads, width] or null
  float *key, *value;       ///< [pages, keyHeads, 64, width], updated in place
  const int32_t *pageTable; ///< [slots, tableWidth]
  Type cacheType;
  float *out; ///< [N, heads, width]
  /// Rows of the cache are int8: key and value hold q * scale.
  bool int8Cache = false;
};
void gatedAttention(const GatedAttention &op, const Ragged &ragged);

struct Sample {
  const float *logits; ///< [R, vocab]
  const float *temperature;
  const int32_t *topK;
  const float *topP, *minP, *uniform;
  int64_t rows, vocab, tokenLimit, candidates;
};
/// One id per row into \p ids.
void sample(const Sample &op, int32_t *ids);

} // namespace reference
} // namespace quartet
#endif
