// What is read of a quantization_config, and what is refused.
#include "compiler/import/quantized/QuantConfig.h"
#include "../ImportTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

QuantConfig parse(const std::string &object) {
  Expected<QuantConfig> config = parseQuantConfig(
      "{\"quantization_config\": " + object + "}", "dir/config.json");
  if (config)
    return *config;
  ADD_FAILURE() << toString(config.takeError());
  return {};
}
std::string problem(const std::string &object) {
  return message(parseQuantConfig("{\"quantization_config\": " + object + "}",
                                  "dir/config.json"));
}

TEST(QuantConfig, ReadsMethods) {
  QuantConfig fp8 = parse(R"({"quant_method": "fp8", "fmt": "e4m3",
    "activation_scheme": "dynamic", "weight_block_size": [64, 128],
    "modules_to_not_convert": ["lm_head", "a.b", "re:.*x", "c.*"]})");
  EXPECT_EQ(fp8.method, QuantMethod::Fp8);
  EXPECT_EQ(fp8.blockRows, 64);
  EXPECT_EQ(fp8.blockColumns, 128);
  EXPECT_EQ(fp8.plainModules.size(), 2u); // patterns are not names
  EXPECT_EQ(fp8.plainField, "modules_to_not_convert");

  QuantConfig gptq =
      parse(R"({"quant_method": "gptq", "bits": 8, "group_size": -1})");
  EXPECT_TRUE(gptq.zerosLessOne);
  EXPECT_EQ(gptq.integers, (std::vector<QuantConfig::Integers>{{8, 0}}));
  gptq = parse(R"({"quant_method": "gptq", "checkpoint_format": "gptq_v2",
                   "dynamic": {"-:.*attn.*": {}}})");
  EXPECT_FALSE(gptq.zerosLessOne);
  EXPECT_TRUE(gptq.integers.empty()); // rules may say something else

  EXPECT_EQ(parse(R"({"quant_method": "awq", "bits": 4, "group_size": 64,
                      "version": "GEMM",
                      "modules_to_not_convert": null})")
                .method,
            QuantMethod::Awq);
  QuantConfig compressed = parse(R"({"quant_method": "compressed-tensors",
    "format": "mixed-precision", "config_groups": {
      "a": {"weights": {"num_bits": 4, "strategy": "group", "group_size": 32}},
      "b": {"weights": {"num_bits": 8, "strategy": "channel"}},
      "c": {"weights": {"num_bits": 8, "type": "float", "strategy": "block",
                        "block_structure": [128, 128]}},
      "d": {"weights": null}}})");
  EXPECT_EQ(compressed.integers,
            (std::vector<QuantConfig::Integers>{{4, 32}, {8, 0}}));
  EXPECT_EQ(compressed.blockRows, 128);
  EXPECT_EQ(parse(R"({"quant_algo": "NVFP4"})").method, QuantMethod::ModelOpt);
}

TEST(QuantConfig, FindsThePlace) {
  auto method = [](StringRef text) {
    auto config = parseQuantConfig(text, "f");
    return config ? config->method : QuantMethod::None;
  };
  EXPECT_EQ(method("{}"), QuantMethod::None);
  EXPECT_EQ(method(R"({"quantization_config": null})"), QuantMethod::None);
  EXPECT_EQ(method(R"({"text_config": {"quantization_config":
                       {"quant_method": "fp8"}}})"),
            QuantMethod::Fp8);
  EXPECT_EQ(method(R"({"compression_config":
                       {"quant_method": "compressed-tensors"}})"),
            QuantMethod::CompressedTensors);
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  EXPECT_EQ(readQuantConfig(directory.str())->method, QuantMethod::None);
  directory.write("hf_quant_config.json",
                  R"({"quantization": {"quant_algo": "FP8"}})");
  EXPECT_EQ(readQuantConfig(directory.str())->method, QuantMethod::ModelOpt);
}

TEST(QuantConfig, RefusesWhatItDoesNotRead) {
  EXPECT_TRUE(contains(problem("4"), "dir/config.json: quantization_config is "
                                     "4; expected an object"));
  EXPECT_TRUE(contains(problem("{}"),
                       "quantization_config.quant_method is missing; expected "
                       "fp8, gptq, awq, compressed-tensors, modelopt"));
  EXPECT_TRUE(contains(problem(R"({"quant_method": "fp8", "fmt": "e5m2"})"),
                       "quantization_config.fmt is \"e5m2\"; expected e4m3"));
  for (const char *size : {"[128]", "[128, 100]", "[0, 128]", "4", "[]"})
    EXPECT_TRUE(contains(problem("{\"quant_method\": \"fp8\", "
                                 "\"weight_block_size\": " +
                                 std::string(size) + "}"),
                         "quantization_config.weight_block_size is "));
  EXPECT_TRUE(contains(problem(R"({"quant_method": "gptq", "bits": 3})"),
                       "bits is 3; expected 4 or 8"));
  EXPECT_TRUE(contains(problem(R"({"quant_method": "gptq", "bits": "4"})"),
                       "bits is \"4\""));
  EXPECT_TRUE(contains(problem(R"({"quant_method": "awq", "bits": 8})"),
                       "bits is 8; expected 4"));
  EXPECT_TRUE(contains(problem(R"({"quant_method": "awq",
                                   "version": "gemv"})"),
                       "version is \"gemv\"; expected gemm"));
  EXPECT_TRUE(contains(problem(R"({"quant_method": "compressed-tensors",
                                   "format": "marlin-24"})"),
                       "expected one of pack-quantized, int-quantized"));
  EXPECT_TRUE(contains(
      problem(R"({"quant_method": "compressed-tensors", "config_groups":
                  {"a": {"weights": {"num_bits": 3}}}})"),
      "config_groups.a.weights.num_bits is 3; expected 4 or 8"));
  EXPECT_TRUE(contains(
      problem(R"({"quant_method": "compressed-tensors", "transform_config":
                  {"config_groups": {"u": {}}}})"),
      "has rotations"));
  EXPECT_TRUE(contains(problem(R"({"quant_method": "modelopt",
                                   "quant_algo": "W4A8_AWQ"})"),
                       "expected one of NVFP4, FP8, MIXED_PRECISION"));
  for (const char *list : {"4", "[1]", "{}"})
    EXPECT_TRUE(contains(problem("{\"quant_method\": \"fp8\", "
                                 "\"modules_to_not_convert\": " +
                                 std::string(list) + "}"),
                         "expected a list of module names"));
}

} // namespace
