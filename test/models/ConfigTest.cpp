// Reading config.json: the three families, both nestings, defaults, options,
// and what a hostile or unsupported file is told.
#include "TestConfigs.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace quartet;
using namespace quartet::test;
using nlohmann::json;

namespace {

/// The error for smallMoe() with one field changed.
std::string errorWith(const char *key, json value) {
  json config = smallMoe();
  config[key] = std::move(value);
  return messageOf(parse(config));
}

constexpr LayerKind linear = LayerKind::LinearAttention;
constexpr LayerKind full = LayerKind::FullAttention;

} // namespace

TEST(Config, Qwen36) {
  ModelConfig config = published("Qwen3.6-35B-A3B");
  EXPECT_EQ(config.family, Family::Qwen35Moe);
  EXPECT_EQ(config.name, "Qwen3.6-35B-A3B");
  EXPECT_EQ(config.layers.size(), 40u);
  EXPECT_EQ(config.blockPeriod(), 4);
  EXPECT_EQ(config.blockCount(), 10);
  EXPECT_EQ(config.layers[3], full);
  EXPECT_EQ(config.layers[38], linear);
  EXPECT_EQ(config.convChannels(), 8192);
  EXPECT_EQ(config.rope.rotaryDim, 64);
  EXPECT_EQ(config.maxPositions, 262144);
  EXPECT_TRUE(config.renormalizeTopK);
  EXPECT_TRUE(config.attentionGate);
  EXPECT_EQ(config.deltaGate, GateKind::Silu);
  EXPECT_TRUE(config.hasVision);
  EXPECT_EQ(config.mtpLayers, 1);
  EXPECT_FALSE(config.tiedHead);
  EXPECT_EQ(config.dtype, Dtype::BF16);
  EXPECT_EQ(config.generation.stopIds, (std::vector<int32_t>{248046, 248044}));
  EXPECT_TRUE(config.generation.doSample);
  EXPECT_EQ(config.generation.topK, 20);
  EXPECT_EQ(config.generation.topP, 0.95);
}

TEST(Config, Relatives) {
  ModelConfig dense = published("Qwen3.6-27B");
  EXPECT_EQ(dense.family, Family::Qwen35);
  EXPECT_EQ(dense.layers.size(), 64u);
  EXPECT_EQ(dense.denseIntermediate, 17408);
  EXPECT_EQ(dense.numExperts, 0);
  EXPECT_EQ(dense.valueHeads, 48);
  ModelConfig next = published("Qwen3-Next-80B-A3B");
  EXPECT_EQ(next.family, Family::Qwen3Next);
  EXPECT_EQ(next.blockCount(), 12);
  EXPECT_EQ(next.expertsPerToken, 10);
  EXPECT_FALSE(next.hasVision);
  EXPECT_EQ(next.rope.mropeSection, (std::vector<int64_t>{32, 0, 0}));
  EXPECT_EQ(published("Qwen3-Coder-Next").rope.theta, 5e6);
}

// An inner text_config and the flat form of the same model give the same.
TEST(Config, NestedAndFlat) {
  json outer = {{"model_type", "qwen3_5_moe"}, {"text_config", smallMoe()}};
  ModelConfig nested = mustParse(outer), flat = mustParse(smallMoe());
  EXPECT_EQ(nested.layers, flat.layers);
  EXPECT_EQ(nested.hiddenSize, 24);
  EXPECT_EQ(nested.name, "dir");
  EXPECT_FALSE(nested.hasVision);
  outer["text_config"]["hidden_size"] = 0;
  EXPECT_HAS(messageOf(parse(outer)),
             "dir/config.json: text_config.hidden_size is 0; expected an "
             "integer from 1 to 131072");
  outer["text_config"] = 7;
  EXPECT_HAS(messageOf(parse(outer)), "text_config is 7; expected an object");
}

TEST(Config, ModelTypes) {
  for (const char *type : {"qwen3_5_moe", "qwen3_5_moe_text"}) {
    json config = smallMoe();
    config["model_type"] = type;
    EXPECT_EQ(mustParse(config).family, Family::Qwen35Moe);
  }
  EXPECT_EQ(mustParse(smallDense()).family, Family::Qwen35);
  EXPECT_EQ(mustParse(smallNext()).family, Family::Qwen3Next);
  EXPECT_HAS(errorWith("model_type", "llama"),
             "model_type is \"llama\"; expected qwen3_5_moe, qwen3_5 or "
             "qwen3_next");
  EXPECT_HAS(errorWith("model_type", nullptr), "model_type is missing");
  json outer = {{"model_type", "qwen3_5"}, {"text_config", smallMoe()}};
  EXPECT_HAS(messageOf(parse(outer)), "text_config.model_type");
}

TEST(Config, LayerTypes) {
  json config = smallMoe();
  config["num_hidden_layers"] = 3;
  config["layer_types"] = {"full_attention", "linear_attention",
                           "full_attention"};
  ModelConfig model = mustParse(config); // wins over the interval
  EXPECT_EQ(model.layers, (std::vector<LayerKind>{full, linear, full}));
  EXPECT_EQ(model.blockPeriod(), 3);
  config["layer_types"][1] = "sliding_attention";
  EXPECT_HAS(messageOf(parse(config)),
             "layer_types[1] is \"sliding_attention\"");
  config["layer_types"] = {"full_attention"};
  EXPECT_HAS(messageOf(parse(config)), "layer_types has 1 entries; expected 3");
  config["layer_types"] = "full_attention";
  EXPECT_HAS(messageOf(parse(config)), "expected a list of strings");
  config = smallMoe();
  config.erase("full_attention_interval");
  EXPECT_EQ(mustParse(config).layers[3], full); // the class default, 4
  config["full_attention_interval"] = 2;
  EXPECT_EQ(mustParse(config).blockPeriod(), 2);
}

// Two dense layers among the experts make the period longer.
TEST(Config, SparseLayersAndPeriod) {
  json config = smallNext();
  config["intermediate_size"] = 9;
  config["mlp_only_layers"] = {0};
  ModelConfig model = mustParse(config);
  EXPECT_FALSE(model.sparse[0]);
  EXPECT_TRUE(model.sparse[1]);
  EXPECT_EQ(model.blockPeriod(), 8);
  config["mlp_only_layers"] = {0, 4};
  EXPECT_EQ(mustParse(config).blockPeriod(), 4);
  config["mlp_only_layers"] = nullptr;
  config["decoder_sparse_step"] = 2;
  model = mustParse(config);
  EXPECT_EQ(model.sparse, (std::vector<bool>{false, true, false, true, false,
                                             true, false, true}));
  config.erase("intermediate_size");
  EXPECT_HAS(messageOf(parse(config)), "intermediate_size is missing");
  config["mlp_only_layers"] = {8};
  EXPECT_HAS(messageOf(parse(config)), "mlp_only_layers");
}

TEST(Config, KeepsTheFirstLayers) {
  ConfigOptions options;
  options.layers = 5;
  ModelConfig model = mustParse(smallMoe(), options);
  EXPECT_EQ(model.layers.size(), 5u);
  EXPECT_EQ(model.sparse.size(), 5u);
  EXPECT_EQ(model.checkpointLayers, 8);
  EXPECT_EQ(model.blockPeriod(), 5);
  for (int64_t layers : {int64_t(9), int64_t(-1), INT64_MAX, INT64_MIN}) {
    options.layers = layers;
    EXPECT_HAS(messageOf(parse(smallMoe(), options)), "expected 1 to 8");
  }
}

TEST(Config, BlockPeriodDividesTheLayers) {
  ModelConfig model;
  model.layers = {linear, full, linear, full, linear};
  model.sparse.assign(5, true);
  EXPECT_EQ(model.blockPeriod(), 5);
  model.layers.assign(7, linear);
  model.sparse.assign(7, true);
  EXPECT_EQ(model.blockPeriod(), 1);
  EXPECT_EQ(model.blockCount(), 7);
  EXPECT_EQ(ModelConfig().blockPeriod(), 1);
  EXPECT_EQ(ModelConfig().blockCount(), 0);
}

TEST(Config, OptionalFields) {
  json config = smallMoe();
  ModelConfig model = mustParse(config);
  EXPECT_TRUE(model.renormalizeTopK);
  EXPECT_TRUE(model.attentionGate);
  EXPECT_EQ(model.rmsEps, 1e-6);
  EXPECT_EQ(model.mtpLayers, 0);
  config["norm_topk_prob"] = false;
  config["attn_output_gate"] = false;
  config["rms_norm_eps"] = 1e-5;
  config["num_nextn_predict_layers"] = 2;
  config["output_gate_type"] = "sigmoid";
  config["tie_word_embeddings"] = true;
  config["dtype"] = nullptr;
  config["torch_dtype"] = "float16";
  config["some_new_field"] = {{"a", 1}};
  model = mustParse(config);
  EXPECT_FALSE(model.renormalizeTopK);
  EXPECT_FALSE(model.attentionGate);
  EXPECT_EQ(model.rmsEps, 1e-5);
  EXPECT_EQ(model.mtpLayers, 2);
  EXPECT_EQ(model.deltaGate, GateKind::Sigmoid);
  EXPECT_TRUE(model.tiedHead);
  EXPECT_EQ(model.dtype, Dtype::F16);
  config["output_gate_type"] = "swish";
  EXPECT_EQ(mustParse(config).deltaGate, GateKind::Silu);
  config["output_gate_type"] = "relu";
  EXPECT_HAS(messageOf(parse(config)), "output_gate_type is \"relu\"");
}

TEST(Config, TiedHeadInnerOrOuter) {
  json outer = {{"model_type", "qwen3_5_moe"},
                {"text_config", smallMoe()},
                {"tie_word_embeddings", true}};
  EXPECT_TRUE(mustParse(outer).tiedHead);
  outer["text_config"]["tie_word_embeddings"] = false;
  EXPECT_HAS(messageOf(parse(outer)),
             "tie_word_embeddings is true; expected the value of "
             "text_config.tie_word_embeddings");
}

TEST(Config, Generation) {
  const char *text = R"({"do_sample": true, "temperature": 0.6, "top_k": -1,
    "top_p": 0.8, "min_p": 0.1, "repetition_penalty": 1.05,
    "presence_penalty": 1.5, "eos_token_id": [7, 5], "pad_token_id": 5})";
  GenerationConfig g = mustParse(smallMoe(), {}, text).generation;
  EXPECT_TRUE(g.doSample);
  EXPECT_EQ(g.temperature, 0.6);
  EXPECT_EQ(g.topK, 0);
  EXPECT_EQ(g.topP, 0.8);
  EXPECT_EQ(g.minP, 0.1);
  EXPECT_EQ(g.repetitionPenalty, 1.05);
  EXPECT_EQ(g.presencePenalty, 1.5);
  EXPECT_EQ(g.stopIds, (std::vector<int32_t>{7, 5}));
  g = mustParse(smallMoe(), {}, R"({"eos_token_id": 6})").generation;
  EXPECT_EQ(g.stopIds, (std::vector<int32_t>{6, 5}));
  EXPECT_EQ(g.temperature, 1.0);
  EXPECT_EQ(mustParse(smallMoe()).generation.stopIds,
            (std::vector<int32_t>{5}));
  for (const char *bad :
       {R"({"eos_token_id": 97})", R"({"eos_token_id": [1, "a"]})",
        R"({"temperature": -1})", R"({"top_p": 0})", R"({"top_k": 1.5})", "[]",
        "{"})
    EXPECT_HAS(messageOf(parse(smallMoe(), {}, bad)),
               "dir/generation_config.json: ");
}

// How the weights are quantized does not change the program's mathematics: only
// the importer looks at it.
TEST(Config, QuantizationIsLeftToTheImporter) {
  json config = smallMoe();
  config["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
  EXPECT_EQ(mustParse(config).hiddenSize, 24);
}

TEST(Config, UnsupportedMathematicsIsNamed) {
  for (const char *key : {"attention_bias", "use_sliding_window",
                          "attention_sinks", "mlp_bias"}) {
    EXPECT_HAS(errorWith(key, true), std::string(key) + " is true, which is "
                                                        "not supported");
    json config = smallMoe();
    config[key] = false;
    mustParse(config);
  }
  EXPECT_HAS(errorWith("final_logit_softcapping", 30.0),
             "final_logit_softcapping is 30.0");
  EXPECT_HAS(errorWith("routed_scaling_factor", 2.5), "is 2.5");
  EXPECT_HAS(errorWith("routed_scaling_factor", 0), "is 0");
  EXPECT_HAS(errorWith("hidden_act", "gelu"), "hidden_act is \"gelu\"");
  EXPECT_HAS(errorWith("scoring_func", "sigmoid"), "scoring_func");
  json config = smallMoe();
  config["routed_scaling_factor"] = 1.0;
  config["final_logit_softcapping"] = 0;
  config["sliding_window"] = 4096; // without use_sliding_window: not in use
  mustParse(config);
}

TEST(Config, SizesAreChecked) {
  for (const char *key :
       {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "linear_num_key_heads",
        "linear_num_value_heads", "linear_key_head_dim",
        "linear_value_head_dim", "linear_conv_kernel_dim", "num_experts",
        "num_experts_per_tok", "moe_intermediate_size",
        "shared_expert_intermediate_size", "max_position_embeddings"}) {
    for (json value : {json(-1), json(nullptr), json("8"), json(2.5),
                       json(true), json(json::array()), json(json::object()),
                       json(INT64_MAX), json(UINT64_MAX), json(INT64_MIN)})
      EXPECT_HAS(errorWith(key, value), std::string("dir/config.json: ") + key)
          << value;
  }
  EXPECT_HAS(errorWith("num_key_value_heads", 3),
             "num_attention_heads is 4; expected a multiple of "
             "num_key_value_heads (3)");
  EXPECT_HAS(errorWith("linear_num_key_heads", 4), "linear_num_value_heads");
  EXPECT_HAS(errorWith("num_experts_per_tok", 4), "at most num_experts (3)");
  EXPECT_HAS(errorWith("rms_norm_eps", 0), "rms_norm_eps is 0");
  EXPECT_HAS(errorWith("rms_norm_eps", "1e-6"), "rms_norm_eps");
  EXPECT_HAS(errorWith("dtype", "float8_e4m3fn"), "dtype");
  EXPECT_HAS(errorWith("eos_token_id", 97), "eos_token_id is 97");
  json dense = smallDense();
  dense["num_experts"] = 8;
  EXPECT_HAS(messageOf(parse(dense)), "dense layers only");
}

// Each dimension alone is in range; their product is not.
TEST(Config, ProductsAreBounded) {
  json config = smallMoe();
  config["num_experts"] = 4096;
  config["moe_intermediate_size"] = 1 << 20;
  config["hidden_size"] = 1 << 17;
  EXPECT_HAS(messageOf(parse(config)), "the experts of a layer has");
  config = smallMoe();
  config["num_hidden_layers"] = 1024;
  config["vocab_size"] = 1 << 20;
  config["hidden_size"] = 1 << 17;
  EXPECT_HAS(messageOf(parse(config)), "parameters with these sizes");
}

TEST(Config, NotJson) {
  auto error = [](llvm::StringRef text) {
    return messageOf(parseConfig(text, "", "dir/config.json"));
  };
  EXPECT_HAS(error(""), "dir/config.json: syntax error at byte 1");
  EXPECT_HAS(error("{\"a\": }"), "syntax error at byte 7");
  EXPECT_HAS(error("{\"a\": 1e999}"), "syntax error");
  EXPECT_HAS(error("{\"a\": \"\xff\"}"), "syntax error");
  EXPECT_HAS(error("[1]"), "holds array; expected a JSON object");
  EXPECT_HAS(error(std::string(100000, '[')), "nests deeper than 64 levels");
  std::string objects;
  for (int i = 0; i < 100000; ++i)
    objects += "{\"a\":";
  EXPECT_HAS(error(objects), "nests deeper than 64 levels");
  EXPECT_HAS(error(std::string((16 << 20) + 1, ' ')), "expected at most");
}

TEST(Config, ReadsFiles) {
  llvm::SmallString<128> directory;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("quartet", directory));
  EXPECT_HAS(messageOf(readConfig(directory)), "cannot read ");
  auto write = [&](const char *name, const std::string &text) {
    std::error_code error;
    llvm::raw_fd_ostream((directory + "/" + name).str(), error) << text;
    ASSERT_FALSE(error);
  };
  write("config.json", smallMoe().dump());
  llvm::Expected<ModelConfig> config = readConfig((directory + "/.").str());
  ASSERT_TRUE(bool(config)) << llvm::toString(config.takeError());
  EXPECT_EQ(config->name, llvm::sys::path::filename(directory));
  EXPECT_EQ(config->generation.stopIds, (std::vector<int32_t>{5}));
  write("generation_config.json", "{\"eos_token_id\": 9}");
  EXPECT_EQ(readConfig(directory)->generation.stopIds,
            (std::vector<int32_t>{9, 5}));
  write("generation_config.json", "x");
  EXPECT_HAS(messageOf(readConfig(directory)),
             "generation_config.json: syntax error");
  llvm::sys::fs::remove_directories(directory);
}
