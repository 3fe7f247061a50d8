// The generation loop. Where the sampling parameters allow it the step draws
// the token itself, otherwise the host does from the logits.
#include "runtime/src/engine/Generate.h"
#include <algorithm>
#include <chrono>

namespace quartet::rt {

namespace {
using Clock = std::chrono::steady_clock;

/// Closes the sequence on every way out.
struct OpenSequence {
  Engine &engine;
  int32_t id;
  ~OpenSequence() { engine.close(id); }
};

/// What one request needs between steps.
class Loop {
public:
  Loop(Engine &engine, const GenerateRequest &request)
      : engine(engine), request(request),
        sampler(request.sampling, int32_t(engine.manifest().tokenLimit)) {
    piece.resize(1);
  }

  FinishReason run(int32_t sequence,
                   const std::function<bool(int32_t)> &onToken,
                   GenerateStats &stats, std::string *error);

private:
  bool cancelled() const {
    return request.cancelled && request.cancelled->load();
  }
  bool isStop(int32_t token) const {
    const std::vector<int32_t> &stops = engine.manifest().generation.stopIds;
    return !request.ignoreStop &&
           std::find(stops.begin(), stops.end(), token) != stops.end();
  }
  bool step(bool wantsToken, double &seconds, std::string *error);

  Engine &engine;
  const GenerateRequest &request;
  Sampler sampler;
  std::vector<StepPiece> piece; ///< the one of the next step
  int32_t drawn = 0;            ///< the token that the last step gave
};

/// Runs the prepared piece; with \p wantsToken draws a token from its last row.
bool Loop::step(bool wantsToken, double &seconds, std::string *error) {
  piece[0].rows.clear();
  bool inStep = sampler.stepCanSample();
  if (wantsToken) {
    StepRow row;
    row.token = int32_t(piece[0].tokens.size()) - 1;
    const SamplingParams &params = sampler.params();
    if (inStep && params.temperature > 0)
      row.sampling = {params.temperature, params.topK, params.topP, params.minP,
                      sampler.uniform()};
    piece[0].rows.push_back(row);
  }
  Clock::time_point start = Clock::now();
  StepResult result;
  StepWish wish;
  wish.logits = wantsToken && !inStep;
  wish.hidden = false;
  if (!engine.step(piece, result, error, wish))
    return false;
  if (wantsToken)
    drawn = inStep ? result.sampled[0] : sampler.sample(result.logits);
  seconds += std::chrono::duration<double>(Clock::now() - start).count();
  return true;
}

FinishReason Loop::run(int32_t sequence,
                       const std::function<bool(int32_t)> &onToken,
                       GenerateStats &stats, std::string *error) {
  const std::vector<int32_t> &prompt = request.prompt;
  sampler.addPrompt(prompt.data(), int64_t(prompt.size()));
  piece[0].sequence = sequence;
  int64_t chunk = prefillTokens(engine, request.prefillChunk);
  for (size_t begin = 0; begin < prompt.size();) {
    if (cancelled())
      return FinishReason::Cancelled;
    size_t end = std::min(prompt.size(), begin + size_t(chunk));
    piece[0].tokens.assign(prompt.begin() + begin, prompt.begin() + end);
    bool last = end == prompt.size() && request.maxTokens != 0;
    if (!step(last, stats.promptSeconds, error))
      return FinishReason::Error;
    stats.promptTokens = int64_t(end);
    begin = end;
  }

  while (true) {
    if (stats.outputTokens == request.maxTokens)
      return FinishReason::Length;
    if (isStop(drawn))
      return FinishReason::Stop;
    sampler.addOutput(drawn);
    ++stats.outputTokens;
    if (!onToken(drawn))
      return FinishReason::Receiver;
    if (stats.outputTokens == request.maxTokens)
      return FinishReason::Length;
    if (cancelled())
      return FinishReason::Cancelled;
    if (engine.length(sequence) >= engine.context())
      return FinishReason::ContextFull;
    piece[0].tokens.assign(1, drawn);
    if (!step(true, stats.decodeSeconds, error))
      return FinishReason::Error;
    ++stats.decodeSteps;
  }
}
} // namespace

int64_t prefillTokens(const Engine &engine, int64_t wanted) {
  // Programs without a limit allocate their activations, which grow with it.
  constexpr int64_t withoutLimit = 256;
  int64_t limit = engine.limits().tokens;
  if (wanted <= 0)
    wanted = limit == INT64_MAX ? withoutLimit : limit;
  return std::min(wanted, limit);
}

FinishReason generate(Engine &engine, const GenerateRequest &request,
                      const std::function<bool(int32_t)> &onToken,
                      GenerateStats &stats, std::string *error) {
  stats = GenerateStats();
  std::string problem = whyNotValid(request.sampling);
  if (problem.empty() && request.prompt.empty())
    problem = "the prompt has no tokens";
  if (problem.empty() && int64_t(request.prompt.size()) > engine.context())
    problem = "the prompt has " + std::to_string(request.prompt.size()) +
              " tokens, the context holds " + std::to_string(engine.context());
  if (!problem.empty()) {
    if (error)
      *error = problem;
    return FinishReason::Error;
  }
  int32_t sequence = engine.open(error);
  if (sequence < 0)
    return FinishReason::Error;
  OpenSequence guard{engine, sequence};
  return Loop(engine, request).run(sequence, onToken, stats, error);
}

} // namespace quartet::rt
