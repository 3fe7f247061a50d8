// Rotary embedding: reads its configuration (three generations of field names),
// and computes the angle per position of each frequency pair, the axis that
// each pair follows, and the YaRN factor. Source: modeling_rope_utils.py of
// Hugging Face transformers; YaRN is arXiv:2309.00071.
#include "models/ConfigParts.h"
#include <algorithm>
#include <cmath>

using nlohmann::json;

namespace quartet {

// The model card's limit of the long-context override, below 4 x 262,144.
static constexpr int64_t yarnMaxPositions = 1010000;
static constexpr double yarnMaxFactor = 1024;

/// Attention scale of YaRN, with the mscale of DeepSeek's variant.
static double yarnScale(double factor, double mscale = 1.0) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

std::vector<float> RopeConfig::inverseFrequencies() const {
  int64_t pairs = rotaryDim / 2;
  std::vector<float> result(pairs);
  double low = 0, high = 0;
  if (yarn) {
    const double pi = 3.14159265358979323846;
    // The pair that turns `rotations` times over the original context.
    auto correction = [&](double rotations) {
      return double(rotaryDim) *
             std::log(double(yarnOriginalPositions) / (rotations * 2 * pi)) /
             (2 * std::log(theta));
    };
    low = correction(betaFast);
    high = correction(betaSlow);
    if (yarnTruncate) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, double(rotaryDim - 1));
    if (low == high)
      high += 0.001; // as transformers does, against a division by zero
  }
  for (int64_t p = 0; p < pairs; ++p) {
    double frequency = std::pow(theta, -2.0 * double(p) / double(rotaryDim));
    if (yarn) {
      double ramp = std::clamp((double(p) - low) / (high - low), 0.0, 1.0);
      frequency = frequency * (1 - ramp) + frequency / yarnFactor * ramp;
    }
    result[p] = float(frequency);
  }
  return result;
}

std::vector<int32_t> RopeConfig::axes() const {
  int64_t pairs = rotaryDim / 2;
  std::vector<int32_t> result(pairs, 0);
  // Height takes every third pair from 1, width every third from 2, each as far
  // as its section reaches; time has the rest.
  for (int32_t axis = 1; axis < 3; ++axis)
    if (size_t(axis) < mropeSection.size())
      for (int64_t p = axis; p < std::min(pairs, 3 * mropeSection[axis]);
           p += 3)
        result[p] = axis;
  return result;
}

double RopeConfig::cosSinScale() const {
  if (!yarn)
    return 1.0;
  return attentionFactor ? *attentionFactor : yarnScale(yarnFactor);
}

/// The dimensions that are rotated: int(headDim * factor), as in Python.
static void readRotaryDim(JsonFields &text, JsonFields &rope,
                          ModelConfig &config) {
  // The class default of all three families where no file says it.
  double outer = text.number("partial_rotary_factor", {0, 1}, 0.25);
  double factor = rope.number("partial_rotary_factor", {0, 1}, outer);
  if (text.has("partial_rotary_factor") && factor != outer)
    rope.expected("partial_rotary_factor",
                  "the value of " + text.path("partial_rotary_factor") + ", " +
                      json(outer).dump());
  int64_t dim = int64_t(double(config.headDim) * factor);
  if (dim < 2 || dim % 2 != 0)
    text.fail("partial_rotary_factor " + json(factor).dump() + " of head_dim " +
              llvm::Twine(config.headDim) + " rotates " + llvm::Twine(dim) +
              " dimensions; expected an even number, at least 2");
  config.rope.rotaryDim = dim;
}

static void readSections(JsonFields &rope, ModelConfig &config) {
  int64_t pairs = config.rope.rotaryDim / 2;
  if (!rope.has("mrope_section")) {
    config.rope.mropeSection = {pairs, 0, 0};
    return;
  }
  if (!rope.boolean("mrope_interleaved", false))
    rope.fail(rope.path("mrope_section") +
              " is given without mrope_interleaved: true; only the interleaved "
              "layout is supported");
  std::vector<int64_t> section =
      rope.integers("mrope_section", {0, int64_t(1) << 16});
  int64_t sum = 0;
  for (int64_t count : section)
    sum += count;
  if (section.size() != 3 || sum != pairs)
    rope.expected("mrope_section", "three numbers whose sum is " +
                                       llvm::Twine(pairs) +
                                       ", half of the rotated dimensions");
  config.rope.mropeSection = section;
}

static void readYarn(JsonFields &rope, ModelConfig &config) {
  RopeConfig &result = config.rope;
  result.yarn = true;
  result.yarnFactor = rope.number("factor", {1, yarnMaxFactor});
  result.yarnOriginalPositions =
      rope.integer("original_max_position_embeddings", {1, int64_t(1) << 27},
                   config.maxPositions);
  result.betaFast = rope.number("beta_fast", {1e-3, 1e6}, 32);
  result.betaSlow = rope.number("beta_slow", {1e-3, 1e6}, 1);
  if (result.betaFast < result.betaSlow)
    rope.expected("beta_fast", "a number not below beta_slow");
  result.yarnTruncate = rope.boolean("truncate", true);
  if (rope.has("attention_factor"))
    result.attentionFactor = rope.number("attention_factor", {1e-3, 1e3});
  double mscale = rope.number("mscale", {0, 100}, 0);
  double mscaleAll = rope.number("mscale_all_dim", {0, 100}, 0);
  if (!result.attentionFactor && mscale != 0 && mscaleAll != 0)
    result.attentionFactor = yarnScale(result.yarnFactor, mscale) /
                             yarnScale(result.yarnFactor, mscaleAll);
}

void readRope(JsonFields &text, ModelConfig &config) {
  // transformers 5 writes rope_parameters; older versions rope_scaling beside
  // rope_theta, where the type may be called "type".
  const json *newer = text.childObject("rope_parameters");
  const json *older = text.childObject("rope_scaling");
  if (newer && older && *newer != *older)
    text.fail(text.path("rope_parameters") + " and " +
              text.path("rope_scaling") +
              " are both given and differ; keep rope_parameters");
  static const json empty = json::object();
  JsonFields rope = newer   ? text.nested("rope_parameters", *newer)
                    : older ? text.nested("rope_scaling", *older)
                            : text.nested("rope_parameters", empty);
  JsonFields &thetaFields = rope.has("rope_theta") ? rope : text;
  config.rope.theta = thetaFields.number("rope_theta", {1.001, 1e15});
  if (rope.has("rope_theta") && text.has("rope_theta") &&
      text.number("rope_theta", {1.001, 1e15}) != config.rope.theta)
    text.expected("rope_theta", "the value of " + rope.path("rope_theta"));
  readRotaryDim(text, rope, config);
  readSections(rope, config);
  const char *typeKey = rope.has("rope_type") ? "rope_type" : "type";
  std::string type = rope.string(typeKey, "default");
  if (type == "yarn")
    readYarn(rope, config);
  else if (type != "default")
    rope.expected(typeKey, "\"default\" or \"yarn\", the supported types");
}

llvm::Error extendContext(ModelConfig &config, double factor) {
  // Written so that NaN fails.
  if (!(factor > 1.0 && factor <= yarnMaxFactor))
    return llvm::createStringError("YaRN factor is " + json(factor).dump() +
                                   "; expected a number above 1, at most " +
                                   json(yarnMaxFactor).dump());
  RopeConfig &rope = config.rope;
  if (rope.yarn)
    return llvm::createStringError(
        "YaRN factor " + json(factor).dump() +
        " is asked for, but config.json has rope_type yarn with factor " +
        json(rope.yarnFactor).dump() + " already");
  rope.yarn = true;
  rope.yarnFactor = factor;
  rope.yarnOriginalPositions = config.maxPositions;
  int64_t reach = std::llround(double(config.maxPositions) * factor);
  config.maxPositions =
      std::max(config.maxPositions, std::min(reach, yarnMaxPositions));
  return llvm::Error::success();
}

} // namespace quartet
