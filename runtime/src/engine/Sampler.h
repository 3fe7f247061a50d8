// From logits to the next token. The order is: penalties, then temperature,
// then top-k, softmax, min-p and top-p, then the draw. `sampleLogits` is the
// host's half of quartet.sample: for the same logits both give the same token.
#ifndef QUARTET_RUNTIME_ENGINE_SAMPLER_H
#define QUARTET_RUNTIME_ENGINE_SAMPLER_H
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace quartet::rt {

struct SamplingParams {
  float temperature = 1.0f; ///< >= 0; 0 = greedy
  int32_t topK = 0;         ///< >= 0; 0 = no limit
  float topP = 1.0f;        ///< in (0, 1]
  float minP = 0.0f;        ///< in [0, 1]
  /// > 0; logits of tokens in the prompt or the output are divided (positive
  /// ones) or multiplied (negative ones) by it.
  float repetitionPenalty = 1.0f;
  /// Subtracted from the logits of tokens in the output: once per token that is
  /// there, and once per time that it is there.
  float presencePenalty = 0.0f, frequencyPenalty = 0.0f;
  uint64_t seed = 0;

  bool hasPenalties() const {
    return repetitionPenalty != 1.0f || presencePenalty != 0.0f ||
           frequencyPenalty != 0.0f;
  }
};

/// Says which parameter is out of range, or returns an empty string.
std::string whyNotValid(const SamplingParams &params);

/// Random number \p index of the stream of \p seed, in [0, 1), 24 bits. A pure
/// function (SplitMix64 of the index), so that a sequence can be continued or
/// repeated from any token.
float uniformAt(uint64_t seed, uint64_t index);

/// Draws a token from one row of logits.
///
/// Temperature 0: the largest logit with id < \p tokenLimit, lowest id on ties.
/// Otherwise: the candidates are the \p topK largest logits with id <
/// \p tokenLimit (all when topK is 0), sorted by (logit descending, id
/// ascending). p = softmax(logit / temperature) over them. min_p drops those
/// with p < minP * p[0]. top_p keeps the shortest prefix whose sum of p is >=
/// topP, at least one candidate; the sum runs over p as it came from the
/// softmax. Of what both keep, the first whose running sum is > uniform * total
/// is drawn, the last when there is none. All sums are f32, in order. NaN
/// counts as minus infinity.
///
/// \param logits [tokenLimit] or more
int32_t sampleLogits(const float *logits, int32_t tokenLimit, float temperature,
                     int32_t topK, float topP, float minP, float uniform);

/// The sampling state of one sequence: which tokens it has, for the penalties,
/// and how many were drawn, for the random numbers.
class Sampler {
public:
  /// \p tokenLimit: ids from here on are never drawn.
  Sampler(const SamplingParams &params, int32_t tokenLimit);

  const SamplingParams &params() const { return settings; }

  /// True when the token that the step draws itself is what sample() would
  /// draw, so that nothing has to be done on the host.
  bool stepCanSample() const;

  /// The draw for the next token, in [0, 1).
  float uniform() const { return uniformAt(settings.seed, drawn); }

  void addPrompt(const int32_t *tokens, int64_t count);
  /// Records a token of the output; advances the random numbers.
  void addOutput(int32_t token);

  /// Draws from one row of logits, [vocab], after the penalties. Does not
  /// record the token.
  int32_t sample(const float *logits);

private:
  SamplingParams settings;
  int32_t tokenLimit;
  uint64_t drawn = 0;
  /// Tokens of prompt and output, with how often each is in the output. Filled
  /// only when there are penalties.
  std::unordered_map<int32_t, int32_t> seen;
  std::vector<float> penalized; ///< [tokenLimit], scratch
};

} // namespace quartet::rt
#endif
