// Sampling on the host. Candidates are sorted as 64-bit keys (logit bits turned
// so that they sort descending, then the id), which is quicker than comparing
// pairs and leaves no doubt about ties.
#include "runtime/src/engine/Sampler.h"
#include "quartet/abi.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

namespace quartet::rt {

namespace {
/// Ascending keys are descending logits, then ascending ids.
uint64_t sortKey(float logit, int32_t id) {
  if (std::isnan(logit))
    logit = -std::numeric_limits<float>::infinity();
  logit += 0.0f; // -0 and +0 tie
  uint32_t bits;
  memcpy(&bits, &logit, sizeof(bits));
  uint32_t ascending = bits >> 31 ? ~bits : bits | 0x80000000u;
  return uint64_t(~ascending) << 32 | uint32_t(id);
}

int32_t idOf(uint64_t key) { return int32_t(uint32_t(key)); }

int32_t greedy(const float *logits, int32_t tokenLimit) {
  int32_t best = 0;
  float bestLogit = -std::numeric_limits<float>::infinity();
  for (int32_t id = 0; id != tokenLimit; ++id) {
    if (logits[id] > bestLogit) {
      bestLogit = logits[id];
      best = id;
    }
  }
  return best;
}
} // namespace

std::string whyNotValid(const SamplingParams &params) {
  auto range = [](const char *what, double found, const char *expected) {
    char text[32];
    snprintf(text, sizeof(text), "%g", found);
    return std::string(what) + " is " + text + ", expected " + expected;
  };
  if (!(params.temperature >= 0) || std::isinf(params.temperature))
    return range("temperature", params.temperature, "a number >= 0");
  if (params.topK < 0)
    return range("top-k", params.topK, "a whole number >= 0");
  if (!(params.topP > 0 && params.topP <= 1))
    return range("top-p", params.topP, "a number above 0 and up to 1");
  if (!(params.minP >= 0 && params.minP <= 1))
    return range("min-p", params.minP, "a number from 0 to 1");
  if (!(params.repetitionPenalty > 0) || std::isinf(params.repetitionPenalty))
    return range("repetition penalty", params.repetitionPenalty,
                 "a number above 0");
  if (!std::isfinite(params.presencePenalty))
    return range("presence penalty", params.presencePenalty, "a number");
  if (!std::isfinite(params.frequencyPenalty))
    return range("frequency penalty", params.frequencyPenalty, "a number");
  return "";
}

float uniformAt(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  return float(z >> 40) * 0x1p-24f;
}

int32_t sampleLogits(const float *logits, int32_t tokenLimit, float temperature,
                     int32_t topK, float topP, float minP, float uniform) {
  if (temperature == 0.0f || topK == 1)
    return greedy(logits, tokenLimit);

  std::vector<uint64_t> keys(static_cast<size_t>(tokenLimit));
  for (int32_t id = 0; id != tokenLimit; ++id)
    keys[size_t(id)] = sortKey(logits[id], id);
  if (topK > 0 && topK < tokenLimit) {
    std::nth_element(keys.begin(), keys.begin() + (topK - 1), keys.end());
    keys.resize(size_t(topK));
  }
  std::sort(keys.begin(), keys.end());

  float largest = logits[idOf(keys[0])] / temperature;
  if (!std::isfinite(largest)) // Nothing to choose from, or one above all.
    return idOf(keys[0]);
  std::vector<float> p(keys.size());
  float sum = 0.0f;
  for (size_t i = 0; i != keys.size(); ++i) {
    float logit = logits[idOf(keys[i])];
    p[i] = std::isnan(logit) ? 0.0f : std::exp(logit / temperature - largest);
    sum += p[i];
  }
  float cumulative = 0.0f, total = 0.0f;
  size_t kept = 0;
  for (size_t i = 0; i != p.size(); ++i) {
    p[i] /= sum;
    if (i != 0 && (p[i] < minP * p[0] || cumulative >= topP))
      break;
    cumulative += p[i];
    kept = i + 1;
  }
  total = cumulative;
  float target = uniform * total;
  cumulative = 0.0f;
  for (size_t i = 0; i != kept; ++i) {
    cumulative += p[i];
    if (cumulative > target)
      return idOf(keys[i]);
  }
  return idOf(keys[kept - 1]);
}

Sampler::Sampler(const SamplingParams &params, int32_t tokenLimit)
    : settings(params), tokenLimit(tokenLimit) {}

bool Sampler::stepCanSample() const {
  if (settings.hasPenalties())
    return false;
  return settings.temperature == 0.0f ||
         (settings.topK > 0 && settings.topK <= QUARTET_SAMPLE_CANDIDATES);
}

void Sampler::addPrompt(const int32_t *tokens, int64_t count) {
  if (!settings.hasPenalties())
    return;
  for (int64_t i = 0; i != count; ++i)
    seen.try_emplace(tokens[i], 0);
}

void Sampler::addOutput(int32_t token) {
  ++drawn;
  if (settings.hasPenalties())
    ++seen[token];
}

int32_t Sampler::sample(const float *logits) {
  const float *row = logits;
  if (settings.hasPenalties()) {
    penalized.assign(logits, logits + tokenLimit);
    for (const auto &[id, outputs] : seen) {
      if (id < 0 || id >= tokenLimit)
        continue;
      float &logit = penalized[size_t(id)];
      logit = logit > 0 ? logit / settings.repetitionPenalty
                        : logit * settings.repetitionPenalty;
      if (outputs == 0)
        continue;
      logit -= settings.frequencyPenalty * float(outputs);
      logit -= settings.presencePenalty;
    }
    row = penalized.data();
  }
  return sampleLogits(row, tokenLimit, settings.temperature, settings.topK,
                      settings.topP, settings.minP, uniform());
}

} // namespace quartet::rt
