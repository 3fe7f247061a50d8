// Continues one prompt: prefill in chunks, then one token per step, with the
// sampler and the ways to end.
#ifndef QUARTET_RUNTIME_ENGINE_GENERATE_H
#define QUARTET_RUNTIME_ENGINE_GENERATE_H
#include "runtime/src/engine/Engine.h"
#include "runtime/src/engine/Sampler.h"
#include <atomic>
#include <functional>

namespace quartet::rt {

struct GenerateRequest {
  std::vector<int32_t> prompt; ///< at least one token
  SamplingParams sampling;
  int64_t maxTokens = 0; ///< of output; < 0 = until the context is full
  /// Prompt tokens per step; cut to what a step holds. 0: as many as it holds,
  /// or 256 where it holds any number.
  int64_t prefillChunk = 0;
  bool ignoreStop = false; ///< stop tokens are ordinary output
  /// Looked at between steps; ends the generation. May be null.
  const std::atomic<bool> *cancelled = nullptr;
};

enum class FinishReason {
  Stop,        ///< a stop token was drawn (it is not part of the output)
  Length,      ///< maxTokens were drawn
  ContextFull, ///< the next token would not fit
  Receiver,    ///< the receiver of tokens wanted no more
  Cancelled,
  Error
};

struct GenerateStats {
  int64_t promptTokens = 0; ///< that the model has read
  int64_t outputTokens = 0; ///< given to the receiver
  int64_t decodeSteps = 0;  ///< steps after the prompt
  double promptSeconds = 0.0, decodeSeconds = 0.0;
};

/// Prompt tokens per step for the option \p wanted (see prefillChunk).
int64_t prefillTokens(const Engine &engine, int64_t wanted);

/// Runs \p request in a sequence of its own and gives every token of the output
/// to \p onToken as it is drawn; onToken returns false to end. \p stats is
/// filled on every way out, \p error only with FinishReason::Error.
FinishReason generate(Engine &engine, const GenerateRequest &request,
                      const std::function<bool(int32_t)> &onToken,
                      GenerateStats &stats, std::string *error);

} // namespace quartet::rt
#endif
