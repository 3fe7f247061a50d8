// Metadata keys of the three architectures, translated to fields of
// config.json. What the fields may be is decided by parseConfig.
#include "compiler/import/gguf/GgufConfig.h"
#include "compiler/import/StrictJson.h"
#include "compiler/import/gguf/GgufBlocks.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

using namespace llvm;
using nlohmann::json;

namespace quartet {
namespace {

class ConfigWriter {
public:
  explicit ConfigWriter(const GgufModel &model) : model(model) {}

  Expected<ModelConfig> run(const ConfigOptions &options);

private:
  const GgufModel &model;
  std::string architecture;
  json config = json::object(), generation = json::object();
  std::string problem; // the first; what follows is not looked at

  Error fail(const Twine &message) const {
    return createStringError(model.path() + ": " + message);
  }
  std::string key(StringRef name) const {
    return architecture + "." + name.str();
  }
  /// The value, or nothing after recording the problem.
  template <typename T>
  std::optional<T> keep(Expected<std::optional<T>> value) {
    if (value)
      return std::move(*value);
    std::string text = toString(value.takeError());
    if (problem.empty())
      problem = std::move(text);
    return std::nullopt;
  }
  void missing(StringRef key, StringRef expected) {
    if (problem.empty())
      problem = toString(model.wrongKind(key, expected));
  }
  std::optional<int64_t> integer(StringRef name) {
    return keep(model.integer(key(name)));
  }
  /// Copies a key to a field; \returns it, or 0 with a problem when missing.
  int64_t copyInteger(StringRef name, const char *field) {
    std::optional<int64_t> value = integer(name);
    if (!value)
      missing(key(name), "an integer");
    config[field] = value.value_or(0);
    return value.value_or(0);
  }

  void readFamily();
  void readShapes();
  void readKvHeads();
  void readDeltaNet();
  void readLayers();
  void readMlp();
  void readRope(int64_t headDim);
  void readVocabulary();
  void readStops();
  void readSampling();
};

/// A float of the file as the shortest decimal that gives it: 1e-06, where the
/// widened float would be 9.99999997e-07.
double shortest(double value) {
  float wanted = float(value);
  if (double(wanted) != value)
    return value;
  char text[32];
  for (int digits = 1; digits < 9; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    double read = std::strtod(text, nullptr);
    if (float(read) == wanted)
      return read;
  }
  return value;
}

} // namespace

void ConfigWriter::readFamily() {
  std::optional<std::string> name = keep(model.string("general.architecture"));
  if (!name) {
    missing("general.architecture", "a string");
    return;
  }
  architecture = *name;
  const char *type = architecture == "qwen35moe"   ? "qwen3_5_moe"
                     : architecture == "qwen35"    ? "qwen3_5"
                     : architecture == "qwen3next" ? "qwen3_next"
                                                   : nullptr;
  if (!type && problem.empty())
    problem = model.path() + ": metadata 'general.architecture' is '" +
              printable(architecture) +
              "', expected qwen35moe, qwen35 or qwen3next";
  if (type)
    config["model_type"] = type;
}

/// One number, or one per layer with 0 where the layer has no attention.
void ConfigWriter::readKvHeads() {
  std::string name = key("attention.head_count_kv");
  const GgufValue *value = model.value(name);
  if (!value || !value->isArrayOf(GgufValue::Kind::Integer)) {
    copyInteger("attention.head_count_kv", "num_key_value_heads");
    return;
  }
  int64_t heads = 0;
  for (int64_t found : value->integers) {
    if (found != 0 && heads != 0 && found != heads && problem.empty())
      problem = model.path() + ": metadata '" + name + "' has " +
                std::to_string(heads) + " and " + std::to_string(found) +
                ", expected one number of heads besides 0";
    heads = found != 0 ? found : heads;
  }
  config["num_key_value_heads"] = heads;
}

void ConfigWriter::readShapes() {
  copyInteger("embedding_length", "hidden_size");
  copyInteger("context_length", "max_position_embeddings");
  copyInteger("attention.head_count", "num_attention_heads");
  readKvHeads();
  int64_t headDim = copyInteger("attention.key_length", "head_dim");
  std::optional<int64_t> valueLength = integer("attention.value_length");
  if (valueLength && *valueLength != headDim && problem.empty())
    problem = model.path() + ": metadata '" + key("attention.value_length") +
              "' is " + std::to_string(*valueLength) + ", expected " +
              std::to_string(headDim) + " like attention.key_length";
  std::string eps = key("attention.layer_norm_rms_epsilon");
  std::optional<double> epsilon = keep(model.number(eps));
  if (!epsilon)
    missing(eps, "a number");
  config["rms_norm_eps"] = shortest(epsilon.value_or(1e-6));
  readRope(headDim);
}

void ConfigWriter::readRope(int64_t headDim) {
  json rope = json::object();
  rope["rope_type"] = "default";
  std::optional<double> base = keep(model.number(key("rope.freq_base")));
  if (!base)
    missing(key("rope.freq_base"), "a number");
  rope["rope_theta"] = shortest(base.value_or(0));
  std::optional<int64_t> dimensions = integer("rope.dimension_count");
  double part =
      dimensions && headDim > 0 ? double(*dimensions) / double(headDim) : 1.0;
  // The field is a factor, and its reader rounds the product down.
  if (dimensions && double(headDim) * part < double(*dimensions))
    part = std::nextafter(part, 2.0);
  rope["partial_rotary_factor"] = part;

  std::string sectionsKey = key("rope.dimension_sections");
  if (const GgufValue *sections = model.value(sectionsKey)) {
    if (!sections->isArrayOf(GgufValue::Kind::Integer)) {
      missing(sectionsKey, "an array of integers");
    } else {
      std::vector<int64_t> numbers = sections->integers;
      if (numbers.size() == 4 && numbers.back() == 0)
        numbers.pop_back(); // an axis that the family does not use
      rope["mrope_section"] = numbers;
      rope["mrope_interleaved"] = true;
    }
  }
  std::optional<std::string> type =
      keep(model.string(key("rope.scaling.type")));
  if (type && *type != "none") {
    rope["rope_type"] = *type;
    const std::pair<const char *, const char *> fields[] = {
        {"rope.scaling.factor", "factor"},
        {"rope.scaling.yarn_beta_fast", "beta_fast"},
        {"rope.scaling.yarn_beta_slow", "beta_slow"}};
    for (auto [name, field] : fields)
      if (std::optional<double> value = keep(model.number(key(name))))
        rope[field] = shortest(*value);
    // Here the factor on cos and sin is relative to YaRN's own.
    for (const char *name :
         {"rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor"})
      if (std::optional<double> value = keep(model.number(key(name)));
          value && *value != 1) {
        double factor = rope.value("factor", 1.0);
        rope["attention_factor"] =
            shortest(*value) * (factor > 1 ? 0.1 * std::log(factor) + 1 : 1);
      }
    if (std::optional<double> value =
            keep(model.number(key("rope.scaling.yarn_ext_factor")));
        value && *value != 1 && *value != -1 && problem.empty())
      problem = model.path() + ": metadata '" +
                key("rope.scaling.yarn_ext_factor") + "' is " +
                std::to_string(*value) + ", expected 1, the supported blend";
    if (std::optional<int64_t> value =
            integer("rope.scaling.original_context_length"))
      rope["original_max_position_embeddings"] = *value;
  }
  config["rope_parameters"] = rope;
}

void ConfigWriter::readDeltaNet() {
  copyInteger("ssm.state_size", "linear_key_head_dim");
  copyInteger("ssm.group_count", "linear_num_key_heads");
  copyInteger("ssm.conv_kernel", "linear_conv_kernel_dim");
  int64_t heads = copyInteger("ssm.time_step_rank", "linear_num_value_heads");
  int64_t inner = integer("ssm.inner_size").value_or(-1);
  if (inner < 0)
    missing(key("ssm.inner_size"), "a positive integer");
  if ((heads < 1 || inner < 1 || inner % heads != 0) && problem.empty())
    problem = model.path() + ": metadata '" + key("ssm.inner_size") + "' is " +
              std::to_string(inner) + ", expected a multiple of the " +
              std::to_string(heads) + " value heads";
  config["linear_value_head_dim"] = heads > 0 ? inner / heads : 0;
}

void ConfigWriter::readLayers() {
  std::optional<int64_t> blocks = integer("block_count");
  int64_t mtp = integer("nextn_predict_layers").value_or(0);
  if (!blocks)
    missing(key("block_count"), "an integer");
  if ((mtp < 0 || mtp > blocks.value_or(0)) && problem.empty())
    problem = model.path() + ": metadata '" + key("nextn_predict_layers") +
              "' is " + std::to_string(mtp) + ", expected 0 to block_count (" +
              std::to_string(blocks.value_or(0)) + ")";
  if (!problem.empty())
    return;
  int64_t layers = *blocks - mtp;
  config["num_hidden_layers"] = layers;
  config["mtp_num_hidden_layers"] = mtp;
  if (std::optional<int64_t> interval = integer("full_attention_interval"))
    config["full_attention_interval"] = *interval;
  std::string name = key("attention.recurrent_layers");
  const GgufValue *recurrent = model.value(name);
  if (!recurrent)
    return;
  if (!recurrent->isArrayOf(GgufValue::Kind::Bool)) {
    missing(name, "an array of booleans");
    return;
  }
  if (int64_t(recurrent->integers.size()) < layers) {
    problem = model.path() + ": metadata '" + name + "' has " +
              std::to_string(recurrent->integers.size()) +
              " elements, expected " + std::to_string(layers);
    return;
  }
  json types = json::array();
  for (int64_t i = 0; i < layers; ++i)
    types.push_back(recurrent->integers[size_t(i)] ? "linear_attention"
                                                   : "full_attention");
  config["layer_types"] = types;
}

void ConfigWriter::readMlp() {
  if (architecture == "qwen35") {
    copyInteger("feed_forward_length", "intermediate_size");
    return;
  }
  copyInteger("expert_count", "num_experts");
  copyInteger("expert_used_count", "num_experts_per_tok");
  copyInteger("expert_feed_forward_length", "moe_intermediate_size");
  copyInteger("expert_shared_feed_forward_length",
              "shared_expert_intermediate_size");
  if (std::optional<int64_t> gating = integer("expert_gating_func"))
    if (*gating > 1 && problem.empty()) // 0: not said, 1: softmax
      problem = model.path() + ": metadata '" + key("expert_gating_func") +
                "' is " + std::to_string(*gating) +
                ", expected 1 (softmax), the supported router";
  if (std::optional<double> scale =
          keep(model.number(key("expert_weights_scale"))))
    if (*scale != 0)
      config["routed_scaling_factor"] = *scale;
  if (std::optional<bool> norm =
          keep(model.boolean(key("expert_weights_norm"))))
    config["norm_topk_prob"] = *norm;
}

/// The vocabulary's size is that of the embedding; its type stands for the
/// model's.
void ConfigWriter::readVocabulary() {
  const GgufTensor *embedding = model.find("token_embd.weight");
  if (!embedding || embedding->shape.size() != 2) {
    if (problem.empty())
      problem = model.path() +
                (embedding ? ": tensor 'token_embd.weight' has " +
                                 std::to_string(embedding->shape.size()) +
                                 " dimensions, expected 2"
                           : ": missing tensor "
                             "'token_embd.weight'");
    return;
  }
  config["vocab_size"] = embedding->shape[0];
  std::optional<Dtype> plain = ggufType(embedding->type)->plain;
  config["dtype"] = plain == Dtype::F32   ? "float32"
                    : plain == Dtype::F16 ? "float16"
                                          : "bfloat16";
  config["tie_word_embeddings"] = !model.find("output.weight");
}

/// The end-of-sequence token, and the family's two stop tokens: a GGUF has
/// room for one only.
void ConfigWriter::readStops() {
  std::vector<int64_t> stops;
  auto add = [&](int64_t id) {
    if (!is_contained(stops, id))
      stops.push_back(id);
  };
  for (StringRef name :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"})
    if (std::optional<int64_t> id = keep(model.integer(name)))
      add(*id);
  const GgufValue *tokens = model.value("tokenizer.ggml.tokens");
  const GgufValue *types = model.value("tokenizer.ggml.token_type");
  if (tokens && tokens->isArrayOf(GgufValue::Kind::String) && types &&
      types->isArrayOf(GgufValue::Kind::Integer) &&
      types->integers.size() == tokens->strings.size())
    for (size_t i = 0; i < tokens->strings.size(); ++i)
      if (types->integers[i] == 3 && (tokens->strings[i] == "<|im_end|>" ||
                                      tokens->strings[i] == "<|endoftext|>"))
        add(int64_t(i));
  config["eos_token_id"] = stops;
}

/// Sampling defaults, which newer files take over from
/// generation_config.json.
void ConfigWriter::readSampling() {
  const std::pair<const char *, const char *> numbers[] = {
      {"general.sampling.temp", "temperature"},
      {"general.sampling.top_p", "top_p"},
      {"general.sampling.min_p", "min_p"},
      {"general.sampling.penalty_repeat", "repetition_penalty"}};
  for (auto [name, field] : numbers)
    if (std::optional<double> value = keep(model.number(name)))
      generation[field] = shortest(*value);
  if (std::optional<int64_t> value =
          keep(model.integer("general.sampling.top_k")))
    generation["top_k"] = *value;
  if (!generation.empty())
    generation["do_sample"] = true;
}

Expected<ModelConfig> ConfigWriter::run(const ConfigOptions &options) {
  readFamily();
  if (problem.empty()) {
    readShapes();
    readDeltaNet();
    readLayers();
    readMlp();
    readVocabulary();
    readStops();
    readSampling();
  }
  if (!problem.empty())
    return createStringError(problem);
  auto text = [](const json &object) {
    return object.dump(-1, ' ', /*ensure_ascii=*/false,
                       json::error_handler_t::replace);
  };
  Expected<ModelConfig> result =
      parseConfig(text(config), generation.empty() ? "" : text(generation),
                  model.path(), options);
  if (result)
    result->name = model.name();
  return result;
}

Expected<ModelConfig> readGgufConfig(const GgufModel &model,
                                     const ConfigOptions &options) {
  return ConfigWriter(model).run(options);
}

} // namespace quartet
