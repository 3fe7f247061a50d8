// The weights of multi-token prediction: what the plan has with the option and
// without it, from where each element comes, and what is refused.
#include "TestCheckpoints.h"
#include "llvm/ADT/STLExtras.h"

using namespace quartet;
using namespace quartet::test;

namespace {

using Shape = std::vector<int64_t>;

nlohmann::json withMtp(nlohmann::json config) {
  config["mtp_num_hidden_layers"] = 1;
  config["mtp_use_dedicated_embeddings"] = false;
  return config;
}

/// A complete checkpoint with the layer of multi-token prediction.
TensorTable tensorsOf(const ModelConfig &c, bool split = false) {
  TensorTable table = checkpointOf(
      c, c.family == Family::Qwen3Next ? "model." : "model.language_model.");
  auto put = [&](const std::string &name, Shape shape) {
    table["mtp." + name] = {Dtype::BF16, std::move(shape)};
  };
  int64_t h = c.hiddenSize, d = c.headDim, w = c.expertIntermediate;
  put("fc.weight", {h, 2 * h});
  put("pre_fc_norm_embedding.weight", {h});
  put("pre_fc_norm_hidden.weight", {h});
  put("norm.weight", {h});
  std::string p = "layers.0.";
  put(p + "input_layernorm.weight", {h});
  put(p + "post_attention_layernorm.weight", {h});
  put(p + "self_attn.q_proj.weight", {2 * c.numHeads * d, h});
  put(p + "self_attn.k_proj.weight", {c.numKvHeads * d, h});
  put(p + "self_attn.v_proj.weight", {c.numKvHeads * d, h});
  put(p + "self_attn.o_proj.weight", {h, c.numHeads * d});
  put(p + "self_attn.q_norm.weight", {d});
  put(p + "self_attn.k_norm.weight", {d});
  if (c.numExperts == 0) {
    put(p + "mlp.gate_proj.weight", {c.denseIntermediate, h});
    put(p + "mlp.up_proj.weight", {c.denseIntermediate, h});
    put(p + "mlp.down_proj.weight", {h, c.denseIntermediate});
    return table;
  }
  int64_t s = c.sharedIntermediate;
  put(p + "mlp.gate.weight", {c.numExperts, h});
  put(p + "mlp.shared_expert.gate_proj.weight", {s, h});
  put(p + "mlp.shared_expert.up_proj.weight", {s, h});
  put(p + "mlp.shared_expert.down_proj.weight", {h, s});
  put(p + "mlp.shared_expert_gate.weight", {1, h});
  if (!split) {
    put(p + "mlp.experts.gate_up_proj", {c.numExperts, 2 * w, h});
    put(p + "mlp.experts.down_proj", {c.numExperts, h, w});
    return table;
  }
  for (int64_t e = 0; e < c.numExperts; ++e) {
    std::string x = p + "mlp.experts." + std::to_string(e) + ".";
    put(x + "gate_proj.weight", {w, h});
    put(x + "up_proj.weight", {w, h});
    put(x + "down_proj.weight", {h, w});
  }
  return table;
}

std::string mtpProblems(const ModelConfig &config, const TensorTable &table) {
  llvm::Expected<WeightPlan> plan =
      planWeights(config, {std::nullopt, true}, table);
  return plan ? "" : llvm::toString(plan.takeError());
}

/// The sizes of all weights "mtp.*" of a plan without a checkpoint.
int64_t mtpElements(const ModelConfig &config) {
  int64_t total = 0;
  for (const Weight &weight :
       planWeights(config, {std::nullopt, true}).weights) {
    int64_t count = 1;
    for (int64_t extent : weight.shape)
      count *= extent;
    if (llvm::StringRef(weight.name).starts_with("mtp."))
      total += count;
  }
  return total;
}

TEST(Mtp, PartsComeBehindTheModel) {
  ModelConfig config = mustParse(withMtp(smallMoe()));
  WeightPlan without = planWeights(config, {});
  WeightPlan plan = planWeights(config, {std::nullopt, true});
  std::vector<std::string> names;
  for (const Weight &weight :
       llvm::ArrayRef(plan.weights).drop_front(without.weights.size()))
    names.push_back(weight.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "mtp.embed_norm", "mtp.hidden_norm", "mtp.fc_embed",
                "mtp.fc_hidden", "mtp.norm", "mtp.input_norm", "mtp.post_norm",
                "mtp.q", "mtp.k", "mtp.v", "mtp.q_norm", "mtp.k_norm",
                "mtp.attn_out", "mtp.router", "mtp.gate_up", "mtp.down",
                "mtp.shared_gate_up", "mtp.shared_down", "mtp.shared_gate"}));
  EXPECT_EQ(plan.weights[without.weights.size() + 2].shape,
            (Shape{1, config.hiddenSize, config.hiddenSize}));
  EXPECT_EQ(mtpElements(config), countParameters(config).mtp);
}

// Counts of the published checkpoint (model specification, section 2.8).
TEST(Mtp, Qwen36HasItsParameters) {
  EXPECT_EQ(mtpElements(published("Qwen3.6-35B-A3B")), 844640768);
}

TEST(Mtp, EveryFamilyIsComplete) {
  for (const nlohmann::json &json : {smallMoe(), smallDense(), smallNext()})
    for (bool split : {false, true}) {
      ModelConfig config = mustParse(withMtp(json));
      TensorTable table = tensorsOf(config, split);
      EXPECT_EQ(mtpProblems(config, table), "");
      // Without the option the same tensors are set aside.
      llvm::Expected<WeightPlan> plan = planWeights(config, {}, table);
      ASSERT_TRUE(bool(plan)) << llvm::toString(plan.takeError());
      EXPECT_EQ(plan->setAside.size(),
                size_t(llvm::count_if(table, [](const auto &entry) {
                  return llvm::StringRef(entry.first).starts_with("mtp.");
                })));
    }
}

TEST(Mtp, HalvesOfTheProjectionAreColumns) {
  ModelConfig config = mustParse(withMtp(smallMoe()));
  auto plan = planWeights(config, {std::nullopt, true}, tensorsOf(config));
  ASSERT_TRUE(bool(plan)) << llvm::toString(plan.takeError());
  for (auto [name, first] :
       {std::pair("mtp.fc_embed", 0), std::pair("mtp.fc_hidden", 24)}) {
    std::string wanted = name;
    auto weight = llvm::find_if(
        plan->weights, [&](const Weight &w) { return w.name == wanted; });
    ASSERT_NE(weight, plan->weights.end());
    ASSERT_EQ(weight->runs.size(), 24u);
    for (int64_t row = 0; row < 24; ++row) {
      const quartet::Run &run = weight->runs[size_t(row)];
      EXPECT_EQ(run.tensor, "mtp.fc.weight");
      EXPECT_EQ(run.offset, 48 * row + first);
      EXPECT_EQ(run.count, 24);
    }
  }
}

TEST(Mtp, MissingAndMisshapedTensorsAreListed) {
  ModelConfig config = mustParse(withMtp(smallMoe()));
  TensorTable table = tensorsOf(config);
  table.erase("mtp.layers.0.self_attn.q_norm.weight");
  table["mtp.fc.weight"].shape = {48, 24};
  table["mtp.layers.1.input_layernorm.weight"] = {Dtype::BF16, {24}};
  std::string problems = mtpProblems(config, table);
  EXPECT_HAS(problems, "missing tensor 'mtp.layers.0.self_attn.q_norm.weight'; "
                       "expected shape [16]");
  EXPECT_HAS(problems, "tensor 'mtp.fc.weight' has shape [48, 24]; expected "
                       "[24, 48]");
  EXPECT_HAS(problems, "unknown tensor 'mtp.layers.1.input_layernorm.weight'");
  EXPECT_EQ(llvm::StringRef(problems).count("mtp.fc.weight"), 1u) << problems;
}

TEST(Mtp, ConfigsWithoutTheLayerAreRefused) {
  EXPECT_HAS(whyNotMtp(mustParse(smallMoe())),
             "mtp_num_hidden_layers of its configuration is absent or 0");
  nlohmann::json json = withMtp(smallMoe());
  EXPECT_EQ(whyNotMtp(mustParse(json)), "");
  json["mtp_num_hidden_layers"] = 2;
  EXPECT_HAS(whyNotMtp(mustParse(json)), "has 2 layers");
  json = withMtp(smallMoe());
  json["mtp_use_dedicated_embeddings"] = true;
  EXPECT_HAS(whyNotMtp(mustParse(json)),
             "mtp_use_dedicated_embeddings is true");
  EXPECT_HAS(messageOf(planWeights(mustParse(json), {std::nullopt, true}, {})),
             "mtp_use_dedicated_embeddings is true");
  json["mtp_use_dedicated_embeddings"] = "yes";
  EXPECT_HAS(messageOf(parse(json)), "mtp_use_dedicated_embeddings");
  // The releases of Qwen3-Next don't say that they have it.
  ModelConfig next = mustParse(smallNext());
  EXPECT_EQ(whyNotMtp(next), "");
  EXPECT_EQ(mtpProblems(next, tensorsOf(next)), "");
  EXPECT_HAS(mtpProblems(next, checkpointOf(next, "model.")),
             "missing tensor 'mtp.fc.weight'");
}

} // namespace
