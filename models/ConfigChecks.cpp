// What a config.json must not say: quantized weights, mathematics that the
// compiler does not have, and sizes whose products make no sense.
#include "models/ConfigParts.h"
#include "llvm/Support/MathExtras.h"

using nlohmann::json;

namespace quartet {

/// Elements of one weight of one layer, and of the model.
static constexpr uint64_t maxWeightElements = uint64_t(1) << 40;
static constexpr uint64_t maxModelElements = uint64_t(1) << 44;

void refuseQuantized(JsonFields &fields) {
  for (const char *key : {"quantization_config", "compression_config"}) {
    const json *value = fields.find(key);
    if (!value)
      continue;
    std::string method = "unknown";
    if (value->is_object())
      for (const char *name : {"quant_method", "format"})
        if (auto it = value->find(name);
            it != value->end() && it->is_string()) {
          method = shortText(*it);
          break;
        }
    fields.fail(fields.path(key) + " has quant_method " + method +
                "; this build imports BF16, F16 and F32 checkpoints: use the "
                "unquantized one");
  }
}

void refuseUnsupported(JsonFields &text) {
  struct Field {
    const char *name;
    double neutral;
  };
  static const Field fields[] = {{"attention_bias", 0},
                                 {"mlp_bias", 0},
                                 {"use_sliding_window", 0},
                                 {"attention_sinks", 0},
                                 {"use_attention_sinks", 0},
                                 {"attention_chunk_size", 0},
                                 {"final_logit_softcapping", 0},
                                 {"logit_softcapping", 0},
                                 {"attn_logit_softcapping", 0},
                                 {"logits_soft_cap", 0},
                                 {"logit_scale", 1},
                                 {"logits_scaling", 1},
                                 {"embedding_multiplier", 1},
                                 {"residual_multiplier", 1},
                                 {"attention_multiplier", 0},
                                 {"routed_scaling_factor", 1},
                                 {"n_group", 1},
                                 {"topk_group", 1}};
  for (const Field &field : fields) {
    const json *value = text.find(field.name);
    bool off = !value || (value->is_boolean() && !value->get<bool>()) ||
               (value->is_number() && value->get<double>() == field.neutral);
    if (!off)
      text.fail(text.path(field.name) + " is " + shortText(*value) +
                ", which is not supported; expected it absent or off");
  }
  if (text.string("scoring_func", "softmax") != "softmax")
    text.expected("scoring_func", "\"softmax\", the supported router");
  std::string act = text.string("hidden_act", "silu");
  if (act != "silu" && act != "swish")
    text.expected("hidden_act", "\"silu\", the supported activation");
}

void checkSizes(JsonFields &text, const ModelConfig &c) {
  auto product = [](std::initializer_list<int64_t> factors) {
    uint64_t result = 1;
    for (int64_t factor : factors)
      result = llvm::SaturatingMultiply(result, uint64_t(factor));
    return result;
  };
  struct Size {
    const char *what;
    uint64_t elements;
  };
  uint64_t total = product({2, c.vocabSize, c.hiddenSize});
  for (const Size &size : std::initializer_list<Size>{
           {"the token embedding", product({c.vocabSize, c.hiddenSize})},
           {"a query projection",
            product({2, c.numHeads, c.headDim, c.hiddenSize})},
           {"a DeltaNet key projection",
            product({2, c.keyHeads, c.keyDim, c.hiddenSize})},
           {"a DeltaNet value projection",
            product({3, c.valueHeads, c.valueDim, c.hiddenSize})},
           {"the experts of a layer",
            product({3, c.numExperts, c.expertIntermediate, c.hiddenSize})},
           {"a dense MLP", product({3, c.denseIntermediate, c.hiddenSize})}}) {
    total = llvm::SaturatingAdd(
        total,
        llvm::SaturatingMultiply(size.elements, uint64_t(c.checkpointLayers)));
    if (size.elements > maxWeightElements)
      text.fail(size.what + llvm::Twine(" has ") + llvm::Twine(size.elements) +
                " elements with these sizes; expected at most " +
                llvm::Twine(maxWeightElements));
  }
  if (total > maxModelElements)
    text.fail("the model has about " + llvm::Twine(total) +
              " parameters with these sizes; expected at most " +
              llvm::Twine(maxModelElements));
}

} // namespace quartet
