// Reads config.json of the three families into a ModelConfig: every field has a
// type and a range, every default is resolved, and whatever would change the
// mathematics without being supported is refused by name.
#include "models/Config.h"
#include "models/ConfigParts.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using nlohmann::json;

namespace quartet {

// Far above any published model, far below what could overflow.
static constexpr int64_t maxVocab = int64_t(1) << 24;
static constexpr int64_t maxWidth = int64_t(1) << 17;
static constexpr int64_t maxIntermediate = int64_t(1) << 20;
static constexpr int64_t maxHeads = 4096;
static constexpr int64_t maxHeadDim = 4096;
static constexpr int64_t maxLayers = 1024;
static constexpr int64_t maxExperts = 4096;
static constexpr int64_t maxConvKernel = 64;
static constexpr int64_t maxPositionLimit = int64_t(1) << 27;

/// Elements of one weight of one layer, and of the model.
static constexpr uint64_t maxWeightElements = uint64_t(1) << 40;
static constexpr uint64_t maxModelElements = uint64_t(1) << 44;

llvm::StringRef stringify(Family family) {
  switch (family) {
  case Family::Qwen35Moe:
    return "qwen3_5_moe";
  case Family::Qwen35:
    return "qwen3_5";
  case Family::Qwen3Next:
    return "qwen3_next";
  }
  return "";
}

llvm::StringRef stringify(LayerKind kind) {
  return kind == LayerKind::LinearAttention ? "linear_attention"
                                            : "full_attention";
}

llvm::StringRef stringify(Dtype dtype) {
  switch (dtype) {
  case Dtype::F32:
    return "F32";
  case Dtype::F16:
    return "F16";
  case Dtype::BF16:
    return "BF16";
  }
  return "";
}

int64_t byteSize(Dtype dtype) { return dtype == Dtype::F32 ? 4 : 2; }

llvm::StringRef stringify(KvType type) {
  switch (type) {
  case KvType::F32:
    return "f32";
  case KvType::F16:
    return "f16";
  case KvType::BF16:
    return "bf16";
  case KvType::Int8:
    return "int8";
  }
  return "";
}

KvType kvTypeOf(Dtype dtype) {
  return dtype == Dtype::F32   ? KvType::F32
         : dtype == Dtype::F16 ? KvType::F16
                               : KvType::BF16;
}

int64_t ModelConfig::blockPeriod() const {
  size_t count = layers.size();
  for (size_t period = 1; period < count; ++period) {
    if (count % period != 0)
      continue;
    bool repeats = true;
    for (size_t i = period; i < count && repeats; ++i)
      repeats =
          layers[i] == layers[i - period] && sparse[i] == sparse[i - period];
    if (repeats)
      return int64_t(period);
  }
  return std::max<int64_t>(1, int64_t(count));
}

static std::optional<Family> familyOf(llvm::StringRef modelType) {
  modelType.consume_back("_text");
  for (Family family : {Family::Qwen35Moe, Family::Qwen35, Family::Qwen3Next})
    if (modelType == stringify(family))
      return family;
  return std::nullopt;
}

/// From the outer and the inner model_type, which must agree.
static Family readFamily(JsonFields &root, JsonFields &text) {
  const char *supported = "qwen3_5_moe, qwen3_5 or qwen3_next";
  JsonFields &first = root.has("model_type") ? root : text;
  std::optional<Family> family = familyOf(first.string("model_type"));
  if (!family) {
    first.expected("model_type", supported);
    return Family::Qwen35Moe;
  }
  if (text.has("model_type") && familyOf(text.string("model_type")) != family)
    text.expected("model_type",
                  "the family of the outer model_type, " + stringify(*family));
  return *family;
}

/// Refuses fields that would change the mathematics. Each is fine when absent,
/// null, false or its neutral number.
static void refuseUnsupported(JsonFields &text) {
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

/// Layer kinds: layer_types, else every full_attention_interval-th is full.
static void readLayers(JsonFields &text, ModelConfig &config) {
  int64_t count = text.integer("num_hidden_layers", {1, maxLayers});
  config.checkpointLayers = count;
  const json *types = text.find("layer_types");
  if (!types) {
    int64_t interval =
        text.integer("full_attention_interval", {1, maxLayers}, 4);
    for (int64_t i = 0; i < count; ++i)
      config.layers.push_back((i + 1) % interval == 0
                                  ? LayerKind::FullAttention
                                  : LayerKind::LinearAttention);
    return;
  }
  if (!types->is_array()) {
    text.expected("layer_types", "a list of strings");
    return;
  }
  if (int64_t(types->size()) != count)
    text.fail(text.path("layer_types") + " has " + llvm::Twine(types->size()) +
              " entries; expected " + llvm::Twine(count) +
              ", the value of num_hidden_layers");
  for (const json &type : *types) {
    LayerKind kind = LayerKind::LinearAttention;
    if (type == stringify(LayerKind::FullAttention).str())
      kind = LayerKind::FullAttention;
    else if (type != stringify(LayerKind::LinearAttention).str())
      text.fail(text.path("layer_types[") + llvm::Twine(config.layers.size()) +
                "] is " + shortText(type) +
                "; expected \"linear_attention\" or \"full_attention\"");
    config.layers.push_back(kind);
  }
}

static void readAttention(JsonFields &text, ModelConfig &config) {
  config.numHeads = text.integer("num_attention_heads", {1, maxHeads});
  config.numKvHeads = text.integer("num_key_value_heads", {1, maxHeads});
  config.headDim = text.integer("head_dim", {2, maxHeadDim});
  if (config.numHeads % config.numKvHeads != 0)
    text.expected("num_attention_heads", "a multiple of num_key_value_heads (" +
                                             llvm::Twine(config.numKvHeads) +
                                             ")");
  config.attentionGate = text.boolean("attn_output_gate", true);
  config.maxPositions =
      text.integer("max_position_embeddings", {1, maxPositionLimit});
  readRope(text, config);
}

static void readDeltaNet(JsonFields &text, ModelConfig &config) {
  config.keyHeads = text.integer("linear_num_key_heads", {1, maxHeads});
  config.valueHeads = text.integer("linear_num_value_heads", {1, maxHeads});
  config.keyDim = text.integer("linear_key_head_dim", {1, maxHeadDim});
  config.valueDim = text.integer("linear_value_head_dim", {1, maxHeadDim});
  config.convKernel =
      text.integer("linear_conv_kernel_dim", {2, maxConvKernel});
  if (config.valueHeads % config.keyHeads != 0)
    text.expected("linear_num_value_heads",
                  "a multiple of linear_num_key_heads (" +
                      llvm::Twine(config.keyHeads) + ")");
  std::string gate = text.string("output_gate_type", "silu");
  if (gate == "sigmoid")
    config.deltaGate = GateKind::Sigmoid;
  else if (gate != "silu" && gate != "swish")
    text.expected("output_gate_type", "\"silu\", \"swish\" or \"sigmoid\"");
}

/// Which layers have experts, and the sizes of both kinds of MLP.
static void readMlp(JsonFields &text, ModelConfig &config) {
  bool dense = config.family == Family::Qwen35;
  config.numExperts =
      text.integer("num_experts", {0, maxExperts},
                   dense ? std::optional<int64_t>(0) : std::nullopt);
  if (dense && config.numExperts != 0)
    text.expected("num_experts", "0, as qwen3_5 has dense layers only");
  int64_t step = text.integer("decoder_sparse_step", {1, maxLayers}, 1);
  config.sparse.assign(config.layers.size(), false);
  if (config.numExperts > 0)
    for (size_t i = 0; i < config.sparse.size(); ++i)
      config.sparse[i] = (i + 1) % size_t(step) == 0;
  for (int64_t i :
       text.integers("mlp_only_layers", {0, int64_t(config.layers.size()) - 1}))
    config.sparse[i] = false;

  bool anySparse = false, anyDense = false;
  for (bool sparse : config.sparse)
    (sparse ? anySparse : anyDense) = true;
  if (anyDense)
    config.denseIntermediate =
        text.integer("intermediate_size", {1, maxIntermediate});
  if (!anySparse) {
    config.numExperts = 0;
    return;
  }
  config.expertsPerToken = text.integer("num_experts_per_tok", {1, maxExperts});
  if (config.expertsPerToken > config.numExperts)
    text.expected("num_experts_per_tok", "at most num_experts (" +
                                             llvm::Twine(config.numExperts) +
                                             ")");
  config.expertIntermediate =
      text.integer("moe_intermediate_size", {1, maxIntermediate});
  config.sharedIntermediate =
      text.integer("shared_expert_intermediate_size", {1, maxIntermediate});
  config.renormalizeTopK = text.boolean("norm_topk_prob", true);
}

/// The value of \p key in both places, which must agree where both have it.
static bool readTied(JsonFields &root, JsonFields &text) {
  const char *key = "tie_word_embeddings";
  bool inner = text.boolean(key, root.boolean(key, false));
  if (root.has(key) && root.boolean(key) != inner)
    root.expected(key, "the value of " + text.path(key));
  return inner;
}

static Dtype readDtype(JsonFields &root, JsonFields &text) {
  for (JsonFields *fields : {&text, &root})
    for (const char *key : {"dtype", "torch_dtype"}) {
      if (!fields->has(key))
        continue;
      std::string name = fields->string(key);
      if (name == "bfloat16")
        return Dtype::BF16;
      if (name == "float16")
        return Dtype::F16;
      if (name == "float32")
        return Dtype::F32;
      fields->expected(key, "\"bfloat16\", \"float16\" or \"float32\"");
    }
  return Dtype::BF16;
}

static void readVision(JsonFields &root, ModelConfig &config) {
  const json *object = root.childObject("vision_config");
  if (!object || root.boolean("language_model_only", false))
    return;
  config.hasVision = true;
  JsonFields fields = root.nested("vision_config", *object);
  VisionConfig &vision = config.vision;
  vision.depth = fields.integer("depth", {0, maxLayers}, 0);
  vision.hiddenSize = fields.integer("hidden_size", {0, maxWidth}, 0);
  vision.intermediate =
      fields.integer("intermediate_size", {0, maxIntermediate}, 0);
  vision.outHidden =
      fields.integer("out_hidden_size", {0, maxWidth}, config.hiddenSize);
  vision.channels = fields.integer("in_channels", {0, 64}, 3);
  vision.patch = fields.integer("patch_size", {0, 256}, 0);
  vision.temporalPatch = fields.integer("temporal_patch_size", {0, 64}, 0);
  vision.spatialMerge = fields.integer("spatial_merge_size", {0, 16}, 0);
  vision.positions =
      fields.integer("num_position_embeddings", {0, maxVocab}, 0);
}

/// Bounds the products of the dimensions, each of which is in range alone.
static void checkSizes(JsonFields &text, const ModelConfig &c) {
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

static llvm::Error applyOptions(ModelConfig &config,
                                const ConfigOptions &options,
                                llvm::StringRef fileName) {
  if (options.layers != 0) {
    if (options.layers < 1 || options.layers > config.checkpointLayers)
      return llvm::createStringError(
          "number of layers to keep is " + llvm::Twine(options.layers) +
          "; expected 1 to " + llvm::Twine(config.checkpointLayers) +
          ", the layers of " + fileName);
    config.layers.resize(options.layers);
    config.sparse.resize(options.layers);
  }
  if (options.ropeYarnFactor != 0)
    return extendContext(config, options.ropeYarnFactor);
  return llvm::Error::success();
}

llvm::Expected<ModelConfig> parseConfig(llvm::StringRef configText,
                                        llvm::StringRef generation,
                                        llvm::StringRef fileName,
                                        const ConfigOptions &options) {
  llvm::Expected<json> object = parseJsonObject(configText, fileName);
  if (!object)
    return object.takeError();
  std::string problem;
  JsonFields root(*object, fileName.str(), "", problem);
  const json *inner = root.childObject("text_config");
  JsonFields text = inner ? root.nested("text_config", *inner) : root;

  ModelConfig config;
  config.name =
      llvm::sys::path::filename(llvm::sys::path::parent_path(fileName)).str();
  config.family = readFamily(root, text);
  refuseUnsupported(text);
  config.vocabSize = text.integer("vocab_size", {1, maxVocab});
  config.hiddenSize = text.integer("hidden_size", {1, maxWidth});
  readLayers(text, config);
  if (text.failed())
    return text.takeError();
  readAttention(text, config);
  readDeltaNet(text, config);
  readMlp(text, config);
  config.rmsEps = text.number("rms_norm_eps", {1e-12, 0.1}, 1e-6);
  config.tiedHead = readTied(root, text);
  config.dtype = readDtype(root, text);
  const char *mtpKey = text.has("mtp_num_hidden_layers")
                           ? "mtp_num_hidden_layers"
                           : "num_nextn_predict_layers";
  config.mtpLayers = text.integer(mtpKey, {0, 64}, 0);
  config.mtpOwnEmbedding = text.boolean("mtp_use_dedicated_embeddings", false);
  readVision(root, config);
  std::vector<int64_t> stops;
  for (JsonFields *fields : {&text, &root})
    for (int64_t id :
         fields->integers("eos_token_id", {0, config.vocabSize - 1},
                          /*orOne=*/true))
      stops.push_back(id);
  checkSizes(text, config);
  if (text.failed())
    return text.takeError();

  llvm::SmallString<256> generationName(fileName);
  llvm::sys::path::remove_filename(generationName);
  llvm::sys::path::append(generationName, "generation_config.json");
  llvm::Expected<GenerationConfig> sampling =
      parseGeneration(generation, generationName, config.vocabSize, stops);
  if (!sampling)
    return sampling.takeError();
  config.generation = std::move(*sampling);
  if (llvm::Error error = applyOptions(config, options, fileName))
    return std::move(error);
  return config;
}

llvm::Expected<ModelConfig> readConfig(llvm::StringRef directory,
                                       const ConfigOptions &options) {
  llvm::SmallString<256> path(directory);
  llvm::sys::path::append(path, "config.json");
  auto config = llvm::MemoryBuffer::getFile(path);
  if (!config)
    return llvm::createStringError("cannot read " + path + ": " +
                                   config.getError().message());
  llvm::SmallString<256> generationPath(directory);
  llvm::sys::path::append(generationPath, "generation_config.json");
  auto generation = llvm::MemoryBuffer::getFile(generationPath);
  if (!generation &&
      generation.getError() != std::errc::no_such_file_or_directory)
    return llvm::createStringError("cannot read " + generationPath + ": " +
                                   generation.getError().message());
  llvm::Expected<ModelConfig> result =
      parseConfig((*config)->getBuffer(),
                  generation ? (*generation)->getBuffer() : "", path, options);
  if (!result)
    return result;
  // The folder's real name, also for "." and "models/tiny/".
  llvm::SmallString<256> real(directory);
  llvm::sys::fs::make_absolute(real);
  llvm::sys::path::remove_dots(real, /*remove_dot_dot=*/true);
  while (real.size() > 1 && llvm::sys::path::is_separator(real.back()))
    real.pop_back();
  result->name = llvm::sys::path::filename(real).str();
  return result;
}

} // namespace quartet
