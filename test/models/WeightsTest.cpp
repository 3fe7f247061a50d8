// The plan of weights: shapes, order and types, where each element comes from,
// and that a checkpoint which does not fit is refused with every reason.
#include "TestCheckpoints.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace quartet;
using namespace quartet::test;

namespace {

using Shape = std::vector<int64_t>;

int64_t count(const Shape &shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                         std::multiplies<int64_t>());
}

const Weight &weight(const WeightPlan &plan, llvm::StringRef name) {
  // Something to look at, so that a failed test goes on.
  static const Weight none = {
      "none", WeightRole::Matrix, {1, 1, 1}, Dtype::F32, {{"none", 0, 0}}};
  for (const Weight &weight : plan.weights)
    if (weight.name == name)
      return weight;
  ADD_FAILURE() << "no weight " << name.str();
  return none;
}

WeightPlan mustPlan(const ModelConfig &config, const TensorTable &table,
                    const WeightOptions &options = {}) {
  llvm::Expected<WeightPlan> plan = planWeights(config, options, table);
  if (plan)
    return std::move(*plan);
  ADD_FAILURE() << llvm::toString(plan.takeError());
  return {};
}

std::string planError(const ModelConfig &config, const TensorTable &table) {
  return messageOf(planWeights(config, {}, table));
}

/// Every weight's runs must have as many elements as its shape.
void expectComplete(const WeightPlan &plan) {
  EXPECT_FALSE(plan.weights.empty());
  for (const Weight &weight : plan.weights) {
    int64_t elements = 0;
    for (const quartet::Run &run : weight.runs)
      elements += run.count;
    EXPECT_EQ(elements, count(weight.shape)) << weight.name;
  }
}

const std::string layers = "model.language_model.layers.";

} // namespace

TEST(Weights, OrderAndShapes) {
  WeightPlan plan = planWeights(mustParse(smallMoe()), {});
  std::vector<std::string> names;
  for (const Weight &weight : plan.weights)
    names.push_back(weight.name);
  std::vector<std::string> delta = {
      "input_norm",  "post_norm",  "qkv",     "z",       "b",
      "a",           "conv",       "a_log",   "dt_bias", "delta_norm",
      "delta_out",   "router",     "gate_up", "down",    "shared_gate_up",
      "shared_down", "shared_gate"};
  std::vector<std::string> attention = {
      "input_norm", "post_norm",      "q",           "k",          "v",
      "q_norm",     "k_norm",         "attn_out",    "router",     "gate_up",
      "down",       "shared_gate_up", "shared_down", "shared_gate"};
  std::vector<std::string> expected = {"embed"};
  for (int j = 0; j < 4; ++j)
    for (const std::string &part : j == 3 ? attention : delta)
      expected.push_back("l" + std::to_string(j) + "." + part);
  expected.insert(expected.end(), {"norm", "lm_head"});
  EXPECT_EQ(names, expected);
  EXPECT_EQ(weight(plan, "embed").shape, (Shape{97, 24}));
  EXPECT_EQ(weight(plan, "l0.qkv").shape, (Shape{2, 62, 24}));
  EXPECT_EQ(weight(plan, "l1.conv").shape, (Shape{2, 62, 4}));
  EXPECT_EQ(weight(plan, "l3.q").shape, (Shape{2, 128, 24}));
  EXPECT_EQ(weight(plan, "l2.gate_up").shape, (Shape{2, 3, 22, 24}));
  EXPECT_EQ(weight(plan, "l2.shared_gate").shape, (Shape{2, 1, 24}));
}

TEST(Weights, AttentionWithoutGateHasHalfTheRows) {
  nlohmann::json json = smallMoe();
  json["attn_output_gate"] = false;
  WeightPlan plan = planWeights(mustParse(json), {});
  EXPECT_EQ(weight(plan, "l3.q").shape, (Shape{2, 64, 24}));
}

TEST(Weights, ElementTypesWithoutCheckpoint) {
  WeightPlan plan = planWeights(mustParse(smallMoe()), {Dtype::F16});
  for (const char *name : {"embed", "lm_head", "l0.qkv", "l0.router", "l0.a"})
    EXPECT_EQ(weight(plan, name).dtype, Dtype::F16) << name;
  for (const char *name : {"norm", "l0.input_norm", "l0.delta_norm", "l0.conv",
                           "l0.a_log", "l0.dt_bias", "l3.q_norm"})
    EXPECT_EQ(weight(plan, name).dtype, Dtype::F32) << name;
  plan = planWeights(mustParse(smallMoe()), {});
  EXPECT_EQ(weight(plan, "l0.qkv").dtype, Dtype::BF16);
}

TEST(Weights, CompleteCheckpoint) {
  ModelConfig config = mustParse(smallMoe());
  for (const char *root :
       {"model.language_model.", "model.", "language_model.model."}) {
    WeightPlan plan = mustPlan(config, checkpointOf(config, root));
    expectComplete(plan);
    EXPECT_TRUE(plan.setAside.empty());
    const Weight &z = weight(plan, "l1.z");
    ASSERT_EQ(z.runs.size(), 2u);
    EXPECT_EQ(z.runs[0].tensor,
              std::string(root) + "layers.1.linear_attn.in_proj_z.weight");
    EXPECT_EQ(z.runs[1].tensor,
              std::string(root) + "layers.5.linear_attn.in_proj_z.weight");
    EXPECT_EQ(z.runs[1].offset, 0);
    EXPECT_EQ(z.runs[1].count, 42 * 24);
  }
}

TEST(Weights, HeadUnderTheOtherName) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  table["language_model.lm_head.weight"] = table["lm_head.weight"];
  EXPECT_HAS(planError(config, table), "are both there");
  table.erase("lm_head.weight");
  WeightPlan plan = mustPlan(config, table);
  EXPECT_EQ(weight(plan, "lm_head").runs[0].tensor,
            "language_model.lm_head.weight");
}

TEST(Weights, DenseCheckpoint) {
  ModelConfig config = mustParse(smallDense());
  WeightPlan plan = mustPlan(config, checkpointOf(config));
  expectComplete(plan);
  const Weight &gateUp = weight(plan, "l0.mlp_gate_up");
  EXPECT_EQ(gateUp.shape, (Shape{2, 38, 24}));
  ASSERT_EQ(gateUp.runs.size(), 4u);
  EXPECT_EQ(gateUp.runs[0].tensor, layers + "0.mlp.gate_proj.weight");
  EXPECT_EQ(gateUp.runs[1].tensor, layers + "0.mlp.up_proj.weight");
  EXPECT_EQ(gateUp.runs[2].tensor, layers + "4.mlp.gate_proj.weight");
}

TEST(Weights, ExpertsOnePerTensor) {
  ModelConfig config = mustParse(smallMoe());
  WeightPlan plan =
      mustPlan(config, checkpointOf(config, "model.", Experts::Split));
  expectComplete(plan);
  const Weight &gateUp = weight(plan, "l2.gate_up");
  ASSERT_EQ(gateUp.runs.size(), 12u);
  EXPECT_EQ(gateUp.runs[2].tensor,
            "model.layers.2.mlp.experts.1.gate_proj.weight");
  EXPECT_EQ(gateUp.runs[3].tensor,
            "model.layers.2.mlp.experts.1.up_proj.weight");
  EXPECT_EQ(gateUp.runs[6].tensor,
            "model.layers.6.mlp.experts.0.gate_proj.weight");
  EXPECT_EQ(weight(plan, "l2.down").runs[5].tensor,
            "model.layers.6.mlp.experts.2.down_proj.weight");
}

TEST(Weights, ExpertOfManyMissing) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config, "model.", Experts::Split);
  table.erase("model.layers.6.mlp.experts.0.gate_proj.weight");
  std::string message = planError(config, table);
  EXPECT_HAS(message, "missing tensor "
                      "'model.layers.6.mlp.experts.0.gate_proj.weight'; "
                      "expected shape [11, 24]");
  EXPECT_EQ(message.find("unknown"), std::string::npos) << message;
}

TEST(Weights, BothExpertLayouts) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config, "model.", Experts::Split);
  put(table, "model.layers.2.mlp.experts.down_proj", {3, 24, 11});
  std::string message = planError(config, table);
  EXPECT_HAS(message, "expected one of the layouts");
  EXPECT_EQ(message.find("unknown"), std::string::npos) << message;
}

// Element by element: where row r of the split form stands in the fused tensor.
TEST(Weights, InterleavedRunsAreExact) {
  ModelConfig config = mustParse(smallNext());
  TensorTable table = checkpointOf(config, "model.");
  for (int i : {0, 1, 2, 4, 5, 6}) {
    std::string d = "model.layers." + std::to_string(i) + ".linear_attn.";
    for (const char *part : {"qkv", "z", "b", "a"})
      table.erase(d + "in_proj_" + part + ".weight");
    put(table, d + "in_proj_qkvz.weight", {2 * (5 + 5 + 21 + 21), 24});
    put(table, d + "in_proj_ba.weight", {2 * (3 + 3), 24});
  }
  WeightPlan plan = mustPlan(config, table);
  expectComplete(plan);
  // 2 key heads; per head 5 q rows, 5 k rows, 3 x 7 v rows, 3 x 7 z rows.
  auto sourceRow = [&](const char *name, int64_t block, int64_t row) {
    const Weight &w = weight(plan, name);
    int64_t element = (block * w.shape[1] + row) * 24;
    for (const quartet::Run &run : w.runs) {
      if (element < run.count) {
        EXPECT_HAS(run.tensor, "layers." + std::to_string(1 + 4 * block) + ".");
        return (run.offset + element) / 24;
      }
      element -= run.count;
    }
    return int64_t(-1);
  };
  for (int64_t block : {0, 1}) {
    for (int64_t head = 0; head < 2; ++head)
      for (int64_t d = 0; d < 5; ++d) {
        EXPECT_EQ(sourceRow("l1.qkv", block, head * 5 + d), head * 52 + d);
        EXPECT_EQ(sourceRow("l1.qkv", block, 10 + head * 5 + d),
                  head * 52 + 5 + d);
      }
    for (int64_t head = 0; head < 6; ++head) {
      int64_t group = head / 3, r = head % 3;
      for (int64_t d = 0; d < 7; ++d) {
        EXPECT_EQ(sourceRow("l1.qkv", block, 20 + head * 7 + d),
                  group * 52 + 10 + r * 7 + d);
        EXPECT_EQ(sourceRow("l1.z", block, head * 7 + d),
                  group * 52 + 31 + r * 7 + d);
      }
      EXPECT_EQ(sourceRow("l1.b", block, head), group * 6 + r);
      EXPECT_EQ(sourceRow("l1.a", block, head), group * 6 + 3 + r);
    }
  }
  EXPECT_EQ(weight(plan, "l1.z").runs[0].tensor,
            "model.layers.1.linear_attn.in_proj_qkvz.weight");
  EXPECT_EQ(weight(plan, "l1.a").runs[0].tensor,
            "model.layers.1.linear_attn.in_proj_ba.weight");

  table["model.layers.1.linear_attn.in_proj_qkvz.weight"].shape = {103, 24};
  std::string message = planError(config, table);
  EXPECT_HAS(message, "has shape [103, 24]; expected [104, 24]");
  EXPECT_EQ(llvm::StringRef(message).count("\n"), 1u) << message;
}

// A qwen3_next checkpoint may hold the split form; the others never the fused.
TEST(Weights, SplitAndFusedBelongToTheirFamilies) {
  ModelConfig next = mustParse(smallNext());
  expectComplete(mustPlan(next, checkpointOf(next, "model.")));
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  put(table, layers + "0.linear_attn.in_proj_qkvz.weight", {104, 24});
  EXPECT_HAS(planError(config, table),
             "unknown tensor '" + layers +
                 "0.linear_attn.in_proj_qkvz.weight'");
}

TEST(Weights, MissingExtraAndMisshapedInOneError) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  table.erase(layers + "5.linear_attn.A_log");
  put(table, layers + "5.linear_attn.in_proj_qkv.bias", {62});
  table[layers + "3.self_attn.k_proj.weight"].shape = {31, 24};
  std::string message = planError(config, table);
  EXPECT_HAS(message, "missing tensor '" + layers +
                          "5.linear_attn.A_log'; expected shape [6]");
  EXPECT_HAS(message, "unknown tensor '" + layers +
                          "5.linear_attn.in_proj_qkv.bias' (BF16 [62])");
  EXPECT_HAS(message, "tensor '" + layers +
                          "3.self_attn.k_proj.weight' has shape [31, 24]; "
                          "expected [32, 24]");
  EXPECT_EQ(llvm::StringRef(message).count("\n"), 3u) << message;
}

TEST(Weights, ListsTwentyProblemsThenACount) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  for (int i = 0; i < 25; ++i)
    put(table, "extra." + std::to_string(i), {1});
  std::string message = planError(config, table);
  EXPECT_EQ(llvm::StringRef(message).count("unknown tensor"), 20u);
  EXPECT_HAS(message, "and 5 more");
}

TEST(Weights, EmptyCheckpoint) {
  ModelConfig config = mustParse(smallMoe());
  EXPECT_HAS(planError(config, {}), "missing tensor");
}

TEST(Weights, LayersOfTwoRootsAreNotMixed) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  put(table, "model.layers.0.input_layernorm.weight", {24});
  EXPECT_HAS(planError(config, table),
             "unknown tensor 'model.layers.0.input_layernorm.weight'");
}

TEST(Weights, TransposedTensors) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  table[layers + "0.mlp.experts.gate_up_proj"].shape = {3, 24, 22};
  table[layers + "4.linear_attn.out_proj.weight"].shape = {42, 24};
  table[layers + "1.linear_attn.conv1d.weight"].shape = {62, 4, 1};
  std::string message = planError(config, table);
  EXPECT_HAS(message, "gate_up_proj' has shape [3, 24, 22]; expected [3, 22, "
                      "24]; the tensor looks transposed");
  EXPECT_HAS(message, "out_proj.weight' has shape [42, 24]; expected [24, 42]; "
                      "the tensor looks transposed");
  EXPECT_HAS(message, "the layout of MLX conversions");
}

TEST(Weights, TypesOfTheCheckpointAreWidened) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  table[layers + "4.linear_attn.in_proj_z.weight"].dtype = Dtype::F32;
  table[layers + "4.mlp.shared_expert.up_proj.weight"].dtype = Dtype::F16;
  table[layers + "0.mlp.gate.weight"].dtype = Dtype::F16;
  table[layers + "4.mlp.gate.weight"].dtype = Dtype::F16;
  table[layers + "0.linear_attn.A_log"].dtype = Dtype::F16;
  WeightPlan plan = mustPlan(config, table);
  EXPECT_EQ(weight(plan, "l0.z").dtype, Dtype::F32);
  EXPECT_EQ(weight(plan, "l0.shared_gate_up").dtype, Dtype::BF16);
  EXPECT_EQ(weight(plan, "l0.router").dtype, Dtype::F16);
  EXPECT_EQ(weight(plan, "l0.a_log").dtype, Dtype::F32);
  EXPECT_EQ(weight(plan, "l0.qkv").dtype, Dtype::BF16);
  plan = mustPlan(config, table, {Dtype::BF16});
  EXPECT_EQ(weight(plan, "l0.z").dtype, Dtype::BF16);
  EXPECT_EQ(weight(plan, "l0.a_log").dtype, Dtype::F32);
}

TEST(Weights, VisionAndMtpAreSetAside) {
  ModelConfig config = mustParse(smallMoe());
  TensorTable table = checkpointOf(config);
  put(table, "model.visual.pos_embed.weight", {4, 4});
  put(table, "visual.pos_embed.weight", {4, 4});
  put(table, "mtp.fc.weight", {24, 48});
  WeightPlan plan = mustPlan(config, table);
  ASSERT_EQ(plan.setAside.size(), 3u);
  EXPECT_EQ(plan.setAside[0].tensor, "model.visual.pos_embed.weight");
  EXPECT_EQ(plan.setAside[0].reason, "vision tower");
  EXPECT_EQ(plan.setAside[1].reason, "multi-token prediction");
  EXPECT_EQ(plan.setAside[2].reason, "vision tower");
  put(table, "model.visuals", {4});
  EXPECT_HAS(planError(config, table), "unknown tensor 'model.visuals'");
}

TEST(Weights, LayersBeyondTheLimitAreSetAside) {
  ConfigOptions options;
  options.layers = 4;
  ModelConfig config = mustParse(smallMoe(), options);
  TensorTable table = checkpointOf(config);
  WeightPlan plan = mustPlan(config, table);
  expectComplete(plan);
  EXPECT_EQ(plan.setAside.size(), 3u * (9 + 9) + (6 + 9));
  for (const SetAside &entry : plan.setAside)
    EXPECT_EQ(entry.reason, "beyond --layers 4") << entry.tensor;
  put(table, layers + "8.input_layernorm.weight", {24});
  EXPECT_HAS(planError(config, table), "unknown tensor '" + layers + "8.");
}

TEST(Weights, TiedHead) {
  nlohmann::json json = smallMoe();
  json["tie_word_embeddings"] = true;
  ModelConfig config = mustParse(json);
  TensorTable table = checkpointOf(config);
  WeightPlan plan = mustPlan(config, table);
  expectComplete(plan);
  EXPECT_EQ(plan.weights.back().name, "norm");
  ASSERT_EQ(plan.setAside.size(), 1u);
  EXPECT_EQ(plan.setAside[0].tensor, "lm_head.weight");
  EXPECT_EQ(plan.setAside[0].reason, "head tied to the embedding");
  table.erase("lm_head.weight");
  EXPECT_TRUE(mustPlan(config, table).setAside.empty());
  json["tie_word_embeddings"] = false;
  EXPECT_HAS(planError(mustParse(json), table),
             "missing tensor 'lm_head.weight'");
}

TEST(Weights, PartsOfQuantizedTensorsAreRefused) {
  ModelConfig config = mustParse(smallMoe());
  for (const char *suffix : {"weight_scale_inv", "qweight", "weight_packed"}) {
    TensorTable table = checkpointOf(config);
    put(table, layers + "0.linear_attn.out_proj." + suffix, {1, 1}, Dtype::F32);
    EXPECT_HAS(planError(config, table), "belongs to a quantized matrix");
  }
  // In what is set aside anyway it does not matter.
  TensorTable table = checkpointOf(config);
  put(table, "mtp.fc.weight_scale", {1});
  EXPECT_EQ(mustPlan(config, table).setAside.size(), 1u);
}

// The published checkpoint: 1045 tensors, of which 352 are MTP and vision.
TEST(Weights, Qwen36HasTheTensorsOfTheCheckpoint) {
  ModelConfig config = published("Qwen3.6-35B-A3B");
  TensorTable table = checkpointOf(config);
  EXPECT_EQ(table.size(), 1045u - 19 - 333);
  WeightPlan plan = mustPlan(config, table);
  expectComplete(plan);
  EXPECT_EQ(weight(plan, "l0.gate_up").shape, (Shape{10, 256, 1024, 2048}));
  EXPECT_EQ(weight(plan, "l3.q").shape, (Shape{10, 8192, 2048}));
}
