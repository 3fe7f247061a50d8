// The report of `quartetc inspect` on directories made here: with weights that
// fit, with weights that don't, without weights, and without a config.
#include "compiler/Inspect.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace quartet;
using nlohmann::json;

#define EXPECT_HAS(text, part)                                                 \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)

namespace {

struct Result {
  std::string text, error;
};

class Inspect : public testing::Test {
protected:
  llvm::SmallString<128> directory;
  std::map<std::string, std::vector<int64_t>> tensors;

  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("quartet", directory));
    write("config.json", R"({"model_type": "qwen3_5_text", "vocab_size": 10,
      "hidden_size": 8, "num_hidden_layers": 2, "full_attention_interval": 3,
      "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
      "linear_num_key_heads": 1, "linear_num_value_heads": 2,
      "linear_key_head_dim": 3, "linear_value_head_dim": 5,
      "linear_conv_kernel_dim": 4, "intermediate_size": 1200,
      "max_position_embeddings": 64, "rope_theta": 10000.0,
      "partial_rotary_factor": 0.5, "tie_word_embeddings": true})");
    tensors["model.embed_tokens.weight"] = {10, 8};
    tensors["model.norm.weight"] = {8};
    tensors["mtp.fc.weight"] = {8, 16};
    for (std::string p : {"model.layers.0.", "model.layers.1."}) {
      tensors[p + "input_layernorm.weight"] = {8};
      tensors[p + "post_attention_layernorm.weight"] = {8};
      tensors[p + "linear_attn.in_proj_qkv.weight"] = {16, 8};
      tensors[p + "linear_attn.in_proj_z.weight"] = {10, 8};
      tensors[p + "linear_attn.in_proj_b.weight"] = {2, 8};
      tensors[p + "linear_attn.in_proj_a.weight"] = {2, 8};
      tensors[p + "linear_attn.conv1d.weight"] = {16, 1, 4};
      tensors[p + "linear_attn.A_log"] = {2};
      tensors[p + "linear_attn.dt_bias"] = {2};
      tensors[p + "linear_attn.norm.weight"] = {5};
      tensors[p + "linear_attn.out_proj.weight"] = {8, 10};
      tensors[p + "mlp.gate_proj.weight"] = {1200, 8};
      tensors[p + "mlp.up_proj.weight"] = {1200, 8};
      tensors[p + "mlp.down_proj.weight"] = {8, 1200};
    }
  }
  void TearDown() override { llvm::sys::fs::remove_directories(directory); }

  void write(const char *name, llvm::StringRef text) {
    std::error_code error;
    llvm::raw_fd_ostream((directory + "/" + name).str(), error) << text;
    ASSERT_FALSE(error);
  }

  /// All tensors as BF16 zeros.
  void writeTensors() {
    json header = json::object();
    uint64_t end = 0;
    for (const auto &[name, shape] : tensors) {
      uint64_t begin = end;
      uint64_t bytes = 2;
      for (int64_t extent : shape)
        bytes *= uint64_t(extent);
      end += bytes;
      header[name] = {
          {"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {begin, end}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    uint64_t size = text.size();
    std::string bytes;
    for (int i = 0; i < 8; ++i)
      bytes += char(size >> (8 * i));
    write("model.safetensors", bytes + text + std::string(end, '\0'));
  }

  Result run(bool asJson = false, int64_t layers = 0) {
    InspectOptions options;
    options.directory = directory.str().str();
    options.config.layers = layers;
    options.json = asJson;
    Result result;
    llvm::raw_string_ostream os(result.text);
    if (llvm::Error error = inspectModel(options, os))
      result.error = llvm::toString(std::move(error));
    return result;
  }
};

} // namespace

TEST_F(Inspect, CheckpointThatFits) {
  writeTensors();
  Result result = run();
  EXPECT_EQ(result.error, "");
  EXPECT_HAS(result.text, "2 x [D]");
  EXPECT_HAS(result.text, "head tied to the embedding");
  // 2 layers x 2 heads x 3 x 5 x 4 bytes; 2 x 3 taps x 16 channels x 2 bytes.
  EXPECT_HAS(result.text, "240 bytes per sequence");
  EXPECT_HAS(result.text, "192 bytes per sequence");
  EXPECT_HAS(result.text, "57,600");
  EXPECT_HAS(result.text, "31 tensors");
  EXPECT_HAS(result.text, "set aside: multi-token prediction");
  EXPECT_HAS(result.text, "l*.mlp_gate_up");
  EXPECT_HAS(result.text, "model.layers.*.linear_attn.conv1d.weight");
}

TEST_F(Inspect, JsonHasTheSame) {
  writeTensors();
  json report = json::parse(run(/*asJson=*/true).text, nullptr, false);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report["model"]["family"], "qwen3_5");
  EXPECT_EQ(report["parameters"]["components"]["dense MLPs"]["count"], 57600);
  EXPECT_EQ(report["state"]["delta_bytes_per_sequence"], 240);
  EXPECT_EQ(report["weights"]["fits"], true);
  EXPECT_EQ(report["weights"]["tensors"], 31);
  bool found = false;
  for (const json &group : report["weights"]["groups"])
    if (group["pattern"] == "model.layers.*.mlp.up_proj.weight") {
      found = true;
      EXPECT_EQ(group["count"], 2);
      EXPECT_EQ(group["used_as"], "l*.mlp_gate_up");
      EXPECT_EQ(group["shape"], json({1200, 8}));
    }
  EXPECT_TRUE(found);
}

TEST_F(Inspect, FewerLayers) {
  writeTensors();
  Result result = run(/*asJson=*/false, 1);
  EXPECT_EQ(result.error, "");
  EXPECT_HAS(result.text, "1 of 2: 1 x [D]");
  EXPECT_HAS(result.text, "set aside: beyond --layers 1");
}

TEST_F(Inspect, CheckpointThatDoesNotFit) {
  tensors.erase("model.norm.weight");
  tensors["model.extra\x1b"] = {3};
  writeTensors();
  Result result = run();
  EXPECT_HAS(result.error, "missing tensor 'model.norm.weight'");
  EXPECT_HAS(result.error, "unknown tensor 'model.extra?'");
  EXPECT_HAS(result.text, "2 x [D]");
  EXPECT_HAS(result.text, "31 tensors");
  EXPECT_EQ(result.text.find('\x1b'), std::string::npos);
  json report = json::parse(run(/*asJson=*/true).text, nullptr, false);
  EXPECT_EQ(report["weights"]["fits"], false);
}

TEST_F(Inspect, BrokenCheckpoint) {
  write("model.safetensors", "short");
  Result result = run();
  EXPECT_HAS(result.error, "model.safetensors");
  EXPECT_HAS(result.text, "parameters");
}

TEST_F(Inspect, WithoutWeights) {
  Result result = run();
  EXPECT_EQ(result.error, "");
  EXPECT_HAS(result.text, "no weights: ");
  EXPECT_TRUE(json::parse(run(true).text, nullptr, false)["weights"].is_null());
}

TEST_F(Inspect, WithoutConfig) {
  llvm::sys::fs::remove(directory + "/config.json");
  Result result = run();
  EXPECT_HAS(result.error, "cannot read ");
  EXPECT_EQ(result.text, "");
}

TEST(LayerPattern, MixedAndLong) {
  ModelConfig config;
  config.layers = {LayerKind::LinearAttention, LayerKind::FullAttention};
  config.sparse = {true, false};
  EXPECT_EQ(layerPattern(config), "1 x [D a]");
  config.sparse = {false, false};
  EXPECT_EQ(layerPattern(config), "1 x [D A]");
  config.layers.assign(41, LayerKind::LinearAttention);
  config.layers[40] = LayerKind::FullAttention;
  config.sparse.assign(41, true);
  EXPECT_HAS(layerPattern(config), " ... 41 layers]");
}
