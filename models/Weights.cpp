// The list of weights of the compiled model with their shapes, from the config
// alone. The table of parts below is the only place that spells tensor names
// of layers.
#include "models/Weights.h"
#include "models/LayerParts.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace quartet {

bool isAlwaysF32(WeightRole role) {
  switch (role) {
  case WeightRole::Norm:
  case WeightRole::GatedNorm:
  case WeightRole::Conv:
  case WeightRole::ALog:
  case WeightRole::DtBias:
    return true;
  case WeightRole::Matrix:
  case WeightRole::Router:
  case WeightRole::Embedding:
    return false;
  }
  return false;
}

int64_t elementCount(llvm::ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "[";
  llvm::interleaveComma(shape, os);
  os << "]";
  return text;
}

llvm::StringRef setAsideByName(llvm::StringRef tensor, bool mtp) {
  if (tensor.starts_with("model.visual.") || tensor.starts_with("visual."))
    return "vision tower";
  if (!mtp && tensor.starts_with("mtp."))
    return "multi-token prediction";
  return "";
}

namespace {
using Shape = std::vector<int64_t>;
using Role = WeightRole;

/// Collects parts; most of them are one tensor of the part's own shape.
struct PartList {
  std::vector<LayerPart> parts;

  void tensor(llvm::StringRef name, Role role, Shape shape,
              llvm::StringRef tensor, PartSource source = PartSource::Tensor) {
    parts.push_back({name, role, shape, source, {{tensor, shape}}});
  }
  /// Gate rows, then up rows, of a SwiGLU.
  void gateUp(llvm::StringRef name, int64_t width, int64_t hidden,
              llvm::StringRef gate, llvm::StringRef up) {
    Shape half = {width, hidden};
    parts.push_back({name,
                     Role::Matrix,
                     {2 * width, hidden},
                     PartSource::Rows,
                     {{gate, half}, {up, half}}});
  }
};
} // namespace

static void addDeltaNet(const ModelConfig &c, PartList &list) {
  int64_t hidden = c.hiddenSize, valueRows = c.valueHeads * c.valueDim;
  list.tensor("qkv", Role::Matrix, {c.convChannels(), hidden},
              "linear_attn.in_proj_qkv.weight", PartSource::DeltaInput);
  list.tensor("z", Role::Matrix, {valueRows, hidden},
              "linear_attn.in_proj_z.weight", PartSource::DeltaInput);
  list.tensor("b", Role::Router, {c.valueHeads, hidden},
              "linear_attn.in_proj_b.weight", PartSource::DeltaInput);
  list.tensor("a", Role::Router, {c.valueHeads, hidden},
              "linear_attn.in_proj_a.weight", PartSource::DeltaInput);
  list.parts.push_back(
      {"conv",
       Role::Conv,
       {c.convChannels(), c.convKernel},
       PartSource::Tensor,
       {{"linear_attn.conv1d.weight", {c.convChannels(), 1, c.convKernel}}}});
  list.tensor("a_log", Role::ALog, {c.valueHeads}, "linear_attn.A_log");
  list.tensor("dt_bias", Role::DtBias, {c.valueHeads}, "linear_attn.dt_bias");
  list.tensor("delta_norm", Role::GatedNorm, {c.valueDim},
              "linear_attn.norm.weight");
  list.tensor("delta_out", Role::Matrix, {hidden, valueRows},
              "linear_attn.out_proj.weight");
}

static void addAttention(const ModelConfig &c, PartList &list) {
  int64_t hidden = c.hiddenSize, queryRows = c.numHeads * c.headDim;
  int64_t kvRows = c.numKvHeads * c.headDim;
  list.tensor("q", Role::Matrix,
              {c.attentionGate ? 2 * queryRows : queryRows, hidden},
              "self_attn.q_proj.weight");
  list.tensor("k", Role::Matrix, {kvRows, hidden}, "self_attn.k_proj.weight");
  list.tensor("v", Role::Matrix, {kvRows, hidden}, "self_attn.v_proj.weight");
  list.tensor("q_norm", Role::Norm, {c.headDim}, "self_attn.q_norm.weight");
  list.tensor("k_norm", Role::Norm, {c.headDim}, "self_attn.k_norm.weight");
  list.tensor("attn_out", Role::Matrix, {hidden, queryRows},
              "self_attn.o_proj.weight");
}

static void addExperts(const ModelConfig &c, PartList &list) {
  int64_t hidden = c.hiddenSize, experts = c.numExperts;
  int64_t width = c.expertIntermediate;
  list.tensor("router", Role::Router, {experts, hidden}, "mlp.gate.weight");
  list.tensor("gate_up", Role::Matrix, {experts, 2 * width, hidden},
              "mlp.experts.gate_up_proj", PartSource::ExpertGateUp);
  list.tensor("down", Role::Matrix, {experts, hidden, width},
              "mlp.experts.down_proj", PartSource::ExpertDown);
  list.gateUp("shared_gate_up", c.sharedIntermediate, hidden,
              "mlp.shared_expert.gate_proj.weight",
              "mlp.shared_expert.up_proj.weight");
  list.tensor("shared_down", Role::Matrix, {hidden, c.sharedIntermediate},
              "mlp.shared_expert.down_proj.weight");
  list.tensor("shared_gate", Role::Router, {1, hidden},
              "mlp.shared_expert_gate.weight");
}

std::string whyNotMtp(const ModelConfig &config) {
  // The releases of Qwen3-Next have the layer, but no field that says so: there
  // the tensors decide.
  if (config.mtpLayers == 0 && config.family != Family::Qwen3Next)
    return "the model has no layer of multi-token prediction: "
           "mtp_num_hidden_layers of its configuration is absent or 0, "
           "expected 1";
  if (config.mtpLayers > 1)
    return "the model has " + std::to_string(config.mtpLayers) +
           " layers of multi-token prediction (mtp_num_hidden_layers), "
           "expected 1";
  if (config.mtpOwnEmbedding)
    return "the layer of multi-token prediction has an embedding of its own "
           "(mtp_use_dedicated_embeddings is true); expected that it shares "
           "the model's";
  return "";
}

static std::vector<LayerPart> partsOf(const ModelConfig &c, LayerKind kind,
                                      bool sparse) {
  PartList list;
  list.tensor("input_norm", Role::Norm, {c.hiddenSize},
              "input_layernorm.weight");
  list.tensor("post_norm", Role::Norm, {c.hiddenSize},
              "post_attention_layernorm.weight");
  if (kind == LayerKind::LinearAttention)
    addDeltaNet(c, list);
  else
    addAttention(c, list);
  if (sparse) {
    addExperts(c, list);
    return std::move(list.parts);
  }
  list.gateUp("mlp_gate_up", c.denseIntermediate, c.hiddenSize,
              "mlp.gate_proj.weight", "mlp.up_proj.weight");
  list.tensor("mlp_down", Role::Matrix, {c.hiddenSize, c.denseIntermediate},
              "mlp.down_proj.weight");
  return std::move(list.parts);
}

std::vector<LayerPart> layerParts(const ModelConfig &c, int64_t layer) {
  return partsOf(c, c.layers[layer], c.sparse[layer]);
}

std::vector<LayerPart> mtpLayerParts(const ModelConfig &c) {
  return partsOf(c, LayerKind::FullAttention, c.numExperts > 0);
}

std::vector<LayerPart> mtpEnds(const ModelConfig &c) {
  int64_t hidden = c.hiddenSize;
  PartList list;
  list.tensor("embed_norm", Role::Norm, {hidden},
              "pre_fc_norm_embedding.weight");
  list.tensor("hidden_norm", Role::Norm, {hidden}, "pre_fc_norm_hidden.weight");
  // concat(e, f) * fc = e * left + f * right: no concatenation is needed.
  Shape fc = {hidden, 2 * hidden};
  auto half = [&](llvm::StringRef name, PartSource source) {
    list.parts.push_back(
        {name, Role::Router, {hidden, hidden}, source, {{"fc.weight", fc}}});
  };
  half("fc_embed", PartSource::LeftColumns);
  half("fc_hidden", PartSource::RightColumns);
  list.tensor("norm", Role::Norm, {hidden}, "norm.weight");
  return std::move(list.parts);
}

WeightPlan planWeights(const ModelConfig &config,
                       const WeightOptions &options) {
  WeightPlan plan;
  auto add = [&](std::string name, WeightRole role, Shape shape) {
    Dtype dtype =
        isAlwaysF32(role) ? Dtype::F32 : options.dtype.value_or(config.dtype);
    plan.weights.push_back(
        {std::move(name), role, std::move(shape), dtype, {}});
  };
  add("embed", Role::Embedding, {config.vocabSize, config.hiddenSize});
  int64_t blocks = config.blockCount(), period = config.blockPeriod();
  for (int64_t j = 0; blocks > 0 && j < period; ++j)
    for (LayerPart &part : layerParts(config, j)) {
      Shape shape = std::move(part.shape);
      shape.insert(shape.begin(), blocks);
      add("l" + std::to_string(j) + "." + part.name.str(), part.role,
          std::move(shape));
    }
  add("norm", Role::Norm, {config.hiddenSize});
  if (!config.tiedHead)
    add("lm_head", Role::Embedding, {config.vocabSize, config.hiddenSize});
  if (!options.mtp)
    return plan;
  for (const auto &parts : {mtpEnds(config), mtpLayerParts(config)})
    for (const LayerPart &part : parts) {
      Shape shape = part.shape;
      shape.insert(shape.begin(), 1);
      add("mtp." + part.name.str(), part.role, std::move(shape));
    }
  return plan;
}

} // namespace quartet
