// Configurations for the tests of models/: small variations on a complete
// config, and the published models of the repository.
#ifndef QUARTET_TEST_MODELS_TESTCONFIGS_H
#define QUARTET_TEST_MODELS_TESTCONFIGS_H
#include "models/Config.h"
#include "models/Weights.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quartet::test {

/// A flat, complete qwen3_5_moe_text config: 8 layers in two 3:1 blocks. All
/// dimensions differ, so that a mix-up shows.
inline nlohmann::json smallMoe() {
  return nlohmann::json::parse(R"({
    "model_type": "qwen3_5_moe_text", "vocab_size": 97, "hidden_size": 24,
    "num_hidden_layers": 8, "full_attention_interval": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "linear_num_key_heads": 2, "linear_num_value_heads": 6,
    "linear_key_head_dim": 5, "linear_value_head_dim": 7,
    "linear_conv_kernel_dim": 4, "num_experts": 3, "num_experts_per_tok": 2,
    "moe_intermediate_size": 11, "shared_expert_intermediate_size": 13,
    "max_position_embeddings": 1024, "dtype": "bfloat16", "eos_token_id": 5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
      "partial_rotary_factor": 0.5, "mrope_interleaved": true,
      "mrope_section": [2, 1, 1]}})");
}

/// The same as a qwen3_5 model: dense, no experts.
inline nlohmann::json smallDense() {
  nlohmann::json config = smallMoe();
  config["model_type"] = "qwen3_5_text";
  for (const char *key :
       {"num_experts", "num_experts_per_tok", "moe_intermediate_size",
        "shared_expert_intermediate_size"})
    config.erase(key);
  config["intermediate_size"] = 19;
  return config;
}

/// The same as a qwen3_next model.
inline nlohmann::json smallNext() {
  nlohmann::json config = smallMoe();
  config["model_type"] = "qwen3_next";
  return config;
}

inline llvm::Expected<ModelConfig> parse(const nlohmann::json &config,
                                         const ConfigOptions &options = {},
                                         llvm::StringRef generation = "") {
  return parseConfig(config.dump(), generation, "dir/config.json", options);
}

/// The config, which must be valid.
inline ModelConfig mustParse(const nlohmann::json &config,
                             const ConfigOptions &options = {},
                             llvm::StringRef generation = "") {
  llvm::Expected<ModelConfig> result = parse(config, options, generation);
  if (result)
    return *result;
  ADD_FAILURE() << llvm::toString(result.takeError());
  return {};
}

/// The message of an error; empty (and a failed test) when there is none.
template <typename T> std::string messageOf(llvm::Expected<T> result) {
  if (result) {
    ADD_FAILURE() << "expected an error";
    return "";
  }
  return llvm::toString(result.takeError());
}

/// A model of the repository's models/ folder.
inline ModelConfig published(llvm::StringRef name,
                             const ConfigOptions &options = {}) {
  std::string directory = QUARTET_MODELS_DIR "/" + name.str();
  llvm::Expected<ModelConfig> result = readConfig(directory, options);
  if (result)
    return *result;
  ADD_FAILURE() << llvm::toString(result.takeError());
  return {};
}

} // namespace quartet::test

#define EXPECT_HAS(text, part)                                                 \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)
#endif
