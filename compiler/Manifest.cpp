// The manifest as JSON. Key order is fixed, so that equal builds are equal
// bytes.
#include "compiler/Manifest.h"
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Quartet/QuartetOps.h"
#include "nlohmann/json.hpp"
#include "quartet/abi.h"
#include "quartet/version.h"

using namespace quartet;
using Json = nlohmann::ordered_json;

static Json describeModel(const ManifestFacts &facts) {
  const ModelConfig &config = facts.config;
  Json pattern = Json::array();
  bool linear = false, full = false, sparse = false;
  for (int64_t j = 0; j < config.blockPeriod(); ++j) {
    pattern.push_back(stringify(config.layers[j]).str());
    linear |= config.layers[j] == LayerKind::LinearAttention;
    full |= config.layers[j] == LayerKind::FullAttention;
    sparse |= config.sparse[j];
  }
  Json model;
  model["family"] = stringify(config.family).str();
  model["layers"] = config.layers.size();
  model["pattern"] = pattern;
  model["blocks"] = config.blockCount();
  model["hidden"] = config.hiddenSize;
  model["vocab"] = config.vocabSize;
  model["token_limit"] = facts.tokenLimit;
  model["max_positions"] = config.maxPositions;
  if (full)
    model["attention"] = {{"heads", config.numHeads},
                          {"kv_heads", config.numKvHeads},
                          {"head_dim", config.headDim},
                          {"rotary_dim", config.rope.rotaryDim}};
  if (linear)
    model["linear_attention"] = {{"key_heads", config.keyHeads},
                                 {"value_heads", config.valueHeads},
                                 {"key_dim", config.keyDim},
                                 {"value_dim", config.valueDim},
                                 {"conv_kernel", config.convKernel}};
  if (sparse)
    model["experts"] = {{"count", config.numExperts},
                        {"per_token", config.expertsPerToken},
                        {"intermediate", config.expertIntermediate},
                        {"shared_intermediate", config.sharedIntermediate}};
  if (config.denseIntermediate)
    model["mlp"] = {{"intermediate", config.denseIntermediate}};
  Json rope = {{"type", config.rope.yarn ? "yarn" : "default"},
               {"theta", config.rope.theta}};
  if (config.rope.yarn) {
    rope["factor"] = config.rope.yarnFactor;
    rope["original_max_positions"] = config.rope.yarnOriginalPositions;
  }
  model["rope"] = rope;
  model["tied_head"] = config.tiedHead;
  ParameterCounts counts = countParameters(config);
  model["parameters"] = counts.text();
  model["parameters_active"] = counts.active();
  return model;
}

/// What the weight file says about a weight, and of a packed matrix what the
/// runtime needs to know to make one up: where its panels have scales, zero
/// points and values.
static Json describeWeight(const PackedWeight &weight) {
  Json json = {{"name", weight.name},
               {"dtype", weight.storedType().str()},
               {"shape", weight.storedShape()},
               {"offset", weight.offset},
               {"bytes", weight.bytes}};
  if (!weight.format)
    return json;
  PanelLayout panel(*weight.format, weight.shape.back());
  int64_t scaleBytes = weight.format->scale == ScaleType::F32 ? 4 : 2;
  json["format"] = weight.format->str();
  json["logical_shape"] = weight.shape;
  json["panel_bytes"] = panel.bytes;
  json["scale_bytes"] = panel.groups * kPanelRows * scaleBytes;
  json["zeros_offset"] = panel.zerosOffset;
  json["values_offset"] = panel.valuesOffset;
  return json;
}

static Json describeStates(mlir::ModuleOp module) {
  Json states = Json::array();
  module.walk([&](StateOp state) {
    auto type = mlir::cast<mlir::RankedTensorType>(state.getType());
    Json shape = Json::array();
    if (state.getRepeat())
      shape.push_back(*state.getRepeat());
    shape.push_back(stringifyStateDim(state.getDim()).str());
    for (int64_t extent : type.getShape().drop_front())
      shape.push_back(extent);
    mlir::Type element = type.getElementType();
    llvm::StringRef dtype = element.isInteger(8) ? "I8"
                            : element.isF32()    ? stringify(Dtype::F32)
                            : element.isBF16()   ? stringify(Dtype::BF16)
                                                 : stringify(Dtype::F16);
    states.push_back({{"name", state.getSymName().str()},
                      {"dtype", dtype.str()},
                      {"shape", shape}});
  });
  return states;
}

static Json describeGeneration(const GenerationConfig &generation) {
  Json json;
  json["do_sample"] = generation.doSample;
  json["temperature"] = generation.temperature;
  json["top_k"] = generation.topK;
  json["top_p"] = generation.topP;
  json["min_p"] = generation.minP;
  json["repetition_penalty"] = generation.repetitionPenalty;
  json["presence_penalty"] = generation.presencePenalty;
  json["stop_ids"] = generation.stopIds;
  return json;
}

std::string quartet::writeManifest(const ManifestFacts &facts,
                                   mlir::ModuleOp model) {
  Json json;
  json["abi"] = int(QUARTET_ABI_VERSION);
  json["quartet"] = QUARTET_VERSION;
  json["name"] = facts.name;
  json["target"] = {{"triple", facts.target.triple}, {"cpu", facts.target.cpu}};
  if (!facts.devices.empty())
    json["target"]["devices"] = facts.devices;
  json["model"] = describeModel(facts);
  auto lower = [](Dtype dtype) { return stringify(dtype).lower(); };
  json["dtype"] = lower(facts.matrixDtype);
  json["kv_dtype"] = stringify(facts.kvType).str();
  json["quantization"] = facts.quantization.empty() ? lower(facts.matrixDtype)
                                                    : facts.quantization;
  if (!facts.activations.empty())
    json["activations"] = facts.activations;
  json["page_tokens"] = int(QUARTET_PAGE_TOKENS);
  json["weights_id"] = facts.weightsId;
  json["layout_id"] = facts.layout.layoutId;
  json["weights_file"] = facts.weightsFile;
  json["weights_bytes"] = facts.layout.dataBytes;
  Json weights = Json::array();
  for (const PackedWeight &weight : facts.layout.weights)
    weights.push_back(describeWeight(weight));
  json["weights"] = std::move(weights);
  json["states"] = describeStates(model);
  if (facts.mtp)
    json["mtp"] = {{"layers", 1}};
  json["generation"] = describeGeneration(facts.config.generation);
  Json plan = Json::parse(facts.plan, nullptr, /*allow_exceptions=*/false);
  if (plan.is_object())
    json["plan"] = std::move(plan);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
