// The tensors of complete checkpoints, for the tests of plans.
#ifndef QUARTET_TEST_MODELS_TESTCHECKPOINTS_H
#define QUARTET_TEST_MODELS_TESTCHECKPOINTS_H
#include "TestConfigs.h"

namespace quartet::test {

inline void put(TensorTable &table, std::string name,
                std::vector<int64_t> shape, Dtype dtype = Dtype::BF16) {
  table[std::move(name)] = {dtype, std::move(shape)};
}

enum class Experts { Fused, Split };

/// Written out from the published layout, independently of the code under test.
inline TensorTable
checkpointOf(const ModelConfig &c,
             const std::string &root = "model.language_model.",
             Experts experts = Experts::Fused) {
  TensorTable table;
  int64_t h = c.hiddenSize;
  put(table, root + "embed_tokens.weight", {c.vocabSize, h});
  put(table, root + "norm.weight", {h});
  put(table, "lm_head.weight", {c.vocabSize, h});
  for (int64_t i = 0; i < c.checkpointLayers; ++i) {
    std::string p = root + "layers." + std::to_string(i) + ".";
    put(table, p + "input_layernorm.weight", {h});
    put(table, p + "post_attention_layernorm.weight", {h});
    if (i % 4 != 3) {
      int64_t channels = 2 * c.keyHeads * c.keyDim + c.valueHeads * c.valueDim;
      std::string d = p + "linear_attn.";
      put(table, d + "in_proj_qkv.weight", {channels, h});
      put(table, d + "in_proj_z.weight", {c.valueHeads * c.valueDim, h});
      put(table, d + "in_proj_b.weight", {c.valueHeads, h});
      put(table, d + "in_proj_a.weight", {c.valueHeads, h});
      put(table, d + "conv1d.weight", {channels, 1, c.convKernel});
      put(table, d + "A_log", {c.valueHeads});
      put(table, d + "dt_bias", {c.valueHeads});
      put(table, d + "norm.weight", {c.valueDim});
      put(table, d + "out_proj.weight", {h, c.valueHeads * c.valueDim});
    } else {
      std::string a = p + "self_attn.";
      int64_t gate = c.attentionGate ? 2 : 1;
      put(table, a + "q_proj.weight", {gate * c.numHeads * c.headDim, h});
      put(table, a + "k_proj.weight", {c.numKvHeads * c.headDim, h});
      put(table, a + "v_proj.weight", {c.numKvHeads * c.headDim, h});
      put(table, a + "o_proj.weight", {h, c.numHeads * c.headDim});
      put(table, a + "q_norm.weight", {c.headDim});
      put(table, a + "k_norm.weight", {c.headDim});
    }
    std::string m = p + "mlp.";
    if (c.numExperts == 0) {
      put(table, m + "gate_proj.weight", {c.denseIntermediate, h});
      put(table, m + "up_proj.weight", {c.denseIntermediate, h});
      put(table, m + "down_proj.weight", {h, c.denseIntermediate});
      continue;
    }
    put(table, m + "gate.weight", {c.numExperts, h});
    int64_t w = c.expertIntermediate, s = c.sharedIntermediate;
    if (experts == Experts::Fused) {
      put(table, m + "experts.gate_up_proj", {c.numExperts, 2 * w, h});
      put(table, m + "experts.down_proj", {c.numExperts, h, w});
    } else {
      for (int64_t e = 0; e < c.numExperts; ++e) {
        std::string x = m + "experts." + std::to_string(e) + ".";
        put(table, x + "gate_proj.weight", {w, h});
        put(table, x + "up_proj.weight", {w, h});
        put(table, x + "down_proj.weight", {h, w});
      }
    }
    put(table, m + "shared_expert.gate_proj.weight", {s, h});
    put(table, m + "shared_expert.up_proj.weight", {s, h});
    put(table, m + "shared_expert.down_proj.weight", {h, s});
    put(table, m + "shared_expert_gate.weight", {1, h});
  }
  return table;
}

} // namespace quartet::test
#endif
