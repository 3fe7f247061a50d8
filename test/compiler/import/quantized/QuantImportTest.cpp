// Whole quantized checkpoints of a small model: mixed precision, what is kept
// of it, and the same weights through safetensors and GGUF.
#include "../gguf/GgufTesting.h"
#include "QuantTesting.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/quantized/WidenRows.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

constexpr int64_t hidden = 64, vocabulary = 16, wide = 96, layers = 4;
constexpr int64_t valueHeads = 4, valueDim = 32, valueRows = 128, keyRows = 64;

/// A dense model of four layers, DeltaNet and attention in turns.
std::string configText(const std::string &quantization) {
  return R"({"model_type": "qwen3_5_text", "vocab_size": 16,
    "hidden_size": 64, "num_hidden_layers": 4, "full_attention_interval": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "linear_key_head_dim": 16, "linear_value_head_dim": 32,
    "linear_conv_kernel_dim": 2, "intermediate_size": 96,
    "max_position_embeddings": 64, "dtype": "bfloat16", "eos_token_id": 5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
      "partial_rotary_factor": 0.5, "mrope_interleaved": true,
      "mrope_section": [4, 2, 2]}, "quantization_config": )" +
         quantization + "}";
}

struct Module {
  std::string name, gguf;
  int64_t rows, columns;
};

/// The matrices of a layer after "layers.N." and "blk.N.".
std::vector<Module> modules(int64_t layer) {
  std::vector<Module> list = {{"mlp.gate_proj", "ffn_gate", wide, hidden},
                              {"mlp.up_proj", "ffn_up", wide, hidden},
                              {"mlp.down_proj", "ffn_down", hidden, wide}};
  if (layer % 2 == 0)
    list.insert(
        list.end(),
        {{"linear_attn.in_proj_qkv", "attn_qkv", keyRows + valueRows, hidden},
         {"linear_attn.in_proj_z", "attn_gate", valueRows, hidden},
         {"linear_attn.out_proj", "ssm_out", hidden, valueRows}});
  else
    list.insert(list.end(), {{"self_attn.q_proj", "attn_q", 128, hidden},
                             {"self_attn.k_proj", "attn_k", 32, hidden},
                             {"self_attn.v_proj", "attn_v", 32, hidden},
                             {"self_attn.o_proj", "attn_output", hidden, 64}});
  return list;
}

/// The tensors that nobody quantizes, all zero but for GGUF's decay.
void addRest(TensorFile &file) {
  auto zeros = [&](const std::string &name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    file.floats("model." + name, "BF16", shape,
                std::vector<float>(size_t(count)));
  };
  zeros("embed_tokens.weight", {vocabulary, hidden});
  zeros("norm.weight", {hidden});
  file.floats("lm_head.weight", "BF16", {vocabulary, hidden},
              std::vector<float>(vocabulary * hidden));
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::string prefix = "layers." + std::to_string(layer) + ".";
    zeros(prefix + "input_layernorm.weight", {hidden});
    zeros(prefix + "post_attention_layernorm.weight", {hidden});
    if (layer % 2) {
      zeros(prefix + "self_attn.q_norm.weight", {32});
      zeros(prefix + "self_attn.k_norm.weight", {32});
      continue;
    }
    prefix += "linear_attn.";
    zeros(prefix + "in_proj_a.weight", {valueHeads, hidden});
    zeros(prefix + "in_proj_b.weight", {valueHeads, hidden});
    zeros(prefix + "conv1d.weight", {keyRows + valueRows, 1, 2});
    zeros(prefix + "A_log", {valueHeads});
    zeros(prefix + "dt_bias", {valueHeads});
    zeros(prefix + "norm.weight", {valueDim});
  }
}

IntegerMatrix matrixOf(int64_t layer, const Module &module, int bits = 8) {
  IntegerMatrix matrix{module.rows, module.columns, 32, bits};
  matrix.seed = uint32_t(layer * 100 + int64_t(module.name.size()));
  return matrix;
}

class QuantImport : public ::testing::Test {
protected:
  TemporaryDirectory directory;
  TensorFile file;
  std::unique_ptr<ModelInput> input;
  WeightPlan plan;

  void write(const std::string &quantization) {
    directory.write("config.json", configText(quantization));
    directory.write("model.safetensors", file.bytes());
  }
  /// Opens and plans; "success" or the problem.
  std::string open(StringRef path) {
    auto opened = ModelInput::open(path, {});
    if (!opened)
      return message(opened.takeError());
    input = std::move(*opened);
    if (Error error = input->openWeights())
      return message(std::move(error));
    auto planned = input->plan({});
    if (!planned)
      return message(planned.takeError());
    plan = std::move(*planned);
    return "success";
  }
  const Weight &weight(StringRef name) {
    for (const Weight &candidate : plan.weights)
      if (candidate.name == name)
        return candidate;
    ADD_FAILURE() << "no weight " << name.str();
    return plan.weights.front();
  }
  std::string own(StringRef name) {
    std::optional<PackedFormat> format =
        input->source()->ownFormat(weight(name));
    return format ? format->str() : "none";
  }
  static int64_t elements(const Weight &weight) {
    int64_t count = 1;
    for (int64_t extent : weight.shape)
      count *= extent;
    return count;
  }
  std::vector<float> floats(const Weight &weight) {
    std::vector<float> values(static_cast<size_t>(elements(weight)));
    EXPECT_EQ(message(input->source()->readF32(weight, 0, values)), "success");
    return values;
  }
  QuantizedRows rows(const Weight &weight, const PackedFormat &format) {
    QuantizedRows out;
    int64_t columns = weight.shape.back();
    int64_t count = elements(weight) / columns;
    out.reset(format, count, columns);
    EXPECT_EQ(message(input->source()->readOwn(weight, 0, count, out)),
              "success")
        << weight.name;
    return out;
  }
  /// All that the source owns has the values that it gives as floats.
  int expectOwnValues() {
    int owned = 0;
    auto source = input->source();
    for (const Weight &weight : plan.weights) {
      std::optional<PackedFormat> format = source->ownFormat(weight);
      if (!format)
        continue;
      ++owned;
      QuantizedRows all = rows(weight, *format);
      std::vector<float> expected = floats(weight), found(expected.size());
      dequantizeRows(all, found.data());
      EXPECT_EQ(std::memcmp(found.data(), expected.data(), found.size() * 4), 0)
          << weight.name;
      // Rows from the middle, across tensors.
      int64_t first = all.rows / 3, count = all.rows / 2;
      QuantizedRows some;
      some.reset(*format, count, all.columns);
      EXPECT_EQ(message(source->readOwn(weight, first, count, some)),
                "success");
      EXPECT_EQ(std::memcmp(some.values.data(),
                            all.values.data() + first * all.columns,
                            some.values.size()),
                0)
          << weight.name;
      EXPECT_EQ(some.scales[0], all.scales[size_t(first * all.groups)]);
    }
    return owned;
  }
};

std::string packed(int bits) {
  return R"({"quant_method": "compressed-tensors", "format": "pack-quantized",
    "config_groups": {"a": {"weights": {"num_bits": )" +
         std::to_string(bits) + R"(, "strategy": "group", "group_size": 32}}},
    "ignore": ["lm_head", "re:.*norm"]})";
}

TEST_F(QuantImport, KeepsEveryMatrixOfACheckpoint) {
  addRest(file);
  for (int64_t layer = 0; layer < layers; ++layer)
    for (const Module &module : modules(layer))
      matrixOf(layer, module, 4)
          .addPacked(file, "model.layers." + std::to_string(layer) + "." +
                               module.name);
  file.floats("model.layers.1.self_attn.k_proj.k_scale", "F32", {1}, {1});
  write(packed(4));
  ASSERT_EQ(open(directory.str()), "success");
  EXPECT_EQ(own("l0.qkv"), "int4:32");
  EXPECT_EQ(own("l0.b"), "none");
  EXPECT_EQ(own("lm_head"), "none");
  EXPECT_EQ(expectOwnValues(), 11); // gate and up are one weight
  EXPECT_EQ(weight("l0.qkv").dtype, Dtype::BF16);
  EXPECT_EQ(input->note(plan),
            "quantized tensors: 26 of packed int4 exactly as int4:32");
  // Two blocks: the second has the weights of layer 2.
  Module z = modules(2)[4];
  std::vector<float> expected = matrixOf(2, z, 4).values();
  std::vector<float> found = floats(weight("l0.z"));
  EXPECT_EQ(
      std::vector<float>(found.begin() + int64_t(expected.size()), found.end()),
      expected);
  ASSERT_EQ(plan.setAside.size(), 1u);
  EXPECT_EQ(plan.setAside[0].reason, "scale of activations");
  std::vector<StringRef> parts =
      input->storedNames("model.layers.0.mlp.up_proj.weight");
  EXPECT_TRUE(is_contained(parts, "model.layers.0.mlp.up_proj.weight_packed"));
  EXPECT_EQ(parts.size(), 3u);
}

TEST_F(QuantImport, MtpIsKeptLikeTheModel) {
  addRest(file);
  for (int64_t layer = 0; layer < layers; ++layer)
    for (const Module &module : modules(layer))
      matrixOf(layer, module, 4)
          .addPacked(file, "model.layers." + std::to_string(layer) + "." +
                               module.name);
  for (const Module &module : modules(1)) // of attention
    matrixOf(9, module, 4).addPacked(file, "mtp.layers.0." + module.name);
  IntegerMatrix fc = matrixOf(9, {"fc", "", hidden, 2 * hidden}, 4);
  fc.addPacked(file, "mtp.fc");
  auto zeros = [&](const std::string &name, int64_t count) {
    file.floats("mtp." + name, "BF16", {count},
                std::vector<float>(size_t(count)));
  };
  for (const char *name :
       {"pre_fc_norm_embedding.weight", "pre_fc_norm_hidden.weight",
        "norm.weight", "layers.0.input_layernorm.weight",
        "layers.0.post_attention_layernorm.weight"})
    zeros(name, hidden);
  zeros("layers.0.self_attn.q_norm.weight", 32);
  zeros("layers.0.self_attn.k_norm.weight", 32);
  std::string config = configText(packed(4));
  config.insert(1, "\"mtp_num_hidden_layers\": 1, ");
  directory.write("config.json", config);
  directory.write("model.safetensors", file.bytes());
  ASSERT_EQ(open(directory.str()), "success");
  EXPECT_EQ(plan.setAside.size(), 8u * 3 + 7); // three parts of a matrix
  auto planned = input->plan({std::nullopt, /*mtp=*/true});
  ASSERT_TRUE(bool(planned)) << message(planned.takeError());
  plan = std::move(*planned);
  EXPECT_EQ(plan.setAside.size(), 0u);
  EXPECT_EQ(own("mtp.q"), "int4:32");
  EXPECT_EQ(own("mtp.mlp_gate_up"), "int4:32");
  EXPECT_EQ(expectOwnValues(), 11 + 6);
  // Halves of rows are no rows that a packed format could keep.
  EXPECT_EQ(own("mtp.fc_hidden"), "none");
  std::vector<float> all = fc.values(), half = floats(weight("mtp.fc_hidden"));
  for (int64_t row = 0; row < hidden; ++row)
    for (int64_t column = 0; column < hidden; ++column)
      ASSERT_EQ(half[size_t(row * hidden + column)],
                all[size_t((2 * row + 1) * hidden + column)])
          << row << ", " << column;
}

TEST_F(QuantImport, MixedPrecision) {
  addRest(file);
  for (int64_t layer = 0; layer < layers; ++layer)
    for (const Module &module : modules(layer)) {
      std::string name =
          "model.layers." + std::to_string(layer) + "." + module.name;
      // Attention is plain, as is the first layer's down projection; layer 1
      // has 8 bits where layer 3 has 4.
      bool plain = name.find("attn.") != std::string::npos ||
                   (layer == 0 && module.name == "mlp.down_proj");
      IntegerMatrix matrix = matrixOf(layer, module, layer == 1 ? 8 : 4);
      if (plain)
        file.floats(name + ".weight", "BF16", {module.rows, module.columns},
                    matrix.values());
      else
        matrix.addGptq(file, name);
    }
  // The columns of one matrix are in another order.
  std::vector<int32_t> order;
  for (int k = 0; k < hidden; ++k)
    order.push_back(k % 2);
  file.at("model.layers.3.mlp.up_proj.g_idx").data = rawBytes(order);
  write(R"({"quant_method": "gptq", "bits": 4, "group_size": 32,
            "dynamic": {"-:.*attn.*": {}}})");
  ASSERT_EQ(open(directory.str()), "success");
  EXPECT_EQ(own("l0.qkv"), "none");
  EXPECT_EQ(own("l0.mlp_gate_up"), "int4:32");
  EXPECT_EQ(own("l0.mlp_down"), "none"); // half of it is plain
  EXPECT_EQ(own("l1.mlp_down"), "int8:32");
  EXPECT_EQ(own("l1.mlp_gate_up"), "int8:32");
  EXPECT_EQ(input->note(plan),
            "quantized tensors: 1 of GPTQ int4 as int8:32 (requantized, as its "
            "columns are in the order of activations: desc_act); "
            "4 of GPTQ int4 exactly as int4:32; "
            "2 of GPTQ int4 exactly as int8:32; "
            "1 of GPTQ int4 widened to bf16: no packed format for weights of "
            "such a mix (l0.mlp_down); "
            "3 of GPTQ int8 exactly as int8:32");
  // 4 bits in int8 rows: the same values.
  const Weight &down = weight("l1.mlp_down");
  std::vector<float> expected = floats(down), found(expected.size());
  PackedFormat format{ValueType::INT8, 32, ScaleType::F16};
  dequantizeRows(rows(down, format), found.data());
  EXPECT_EQ(found, expected);
  // A format that holds less is refused, one that holds more is not.
  auto source = input->source();
  format.value = ValueType::INT4;
  EXPECT_FALSE(source->owns(down, format));
  QuantizedRows out;
  out.reset(format, 1, wide);
  EXPECT_TRUE(contains(message(source->readOwn(down, 0, 1, out)),
                       "rows of int4:32 asked for"));
  format = {ValueType::INT8, 16, ScaleType::F32, ZeroKind::Min};
  EXPECT_TRUE(source->owns(down, format));
  dequantizeRows(rows(down, format), found.data());
  EXPECT_EQ(found, expected);
  // Requantized: within half a step of the group's scale.
  const Weight &up = weight("l1.mlp_gate_up");
  expected = floats(up);
  found.resize(expected.size());
  dequantizeRows(rows(up, *source->ownFormat(up)), found.data());
  size_t first = size_t(elements(up)) - size_t(wide * hidden);
  int different = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    bool requantized = i >= first;
    ASSERT_NEAR(found[i], expected[i], requantized ? 0.3 / 127 / 1.9 : 0) << i;
    different += found[i] != expected[i];
  }
  EXPECT_GT(different, 100);
}

TEST_F(QuantImport, ReportsWhatIsMissing) {
  addRest(file);
  write(packed(4));
  EXPECT_TRUE(contains(open(directory.str()),
                       "missing tensor 'model.layers.0.linear_attn.in_proj_qkv"
                       ".weight'"));
  Module gate = modules(0)[0];
  matrixOf(0, {gate.name, "", gate.rows, 2 * gate.columns}, 4)
      .addPacked(file, "model.layers.0.mlp.gate_proj");
  write(packed(4));
  EXPECT_TRUE(contains(open(directory.str()),
                       "tensor 'model.layers.0.mlp.gate_proj.weight' has shape "
                       "[96, 128]; expected [96, 64]"));
  // The config is gone, or says something else.
  write("null");
  EXPECT_TRUE(contains(open(directory.str()), "type I32 found"));
  write(packed(8));
  EXPECT_TRUE(contains(open(directory.str()),
                       "weight_shape' holds [96, 128]; expected the rows"));
  write(R"({"quant_method": "bitsandbytes"})");
  EXPECT_TRUE(
      contains(open(directory.str()),
               "quantization_config.quant_method is \"bitsandbytes\"; "
               "expected fp8, gptq, awq, compressed-tensors, modelopt"));
}

/// The same model as GGUF: value heads in its order, norms plus one.
GgufBuilder ggufModel(uint32_t type) {
  GgufBuilder gguf;
  gguf.set("general.architecture", "qwen35");
  auto set = [&](const char *key, uint32_t value) {
    gguf.set("qwen35." + std::string(key), value);
  };
  set("block_count", layers);
  set("full_attention_interval", 2);
  set("context_length", 64);
  set("embedding_length", hidden);
  set("feed_forward_length", wide);
  set("attention.head_count", 2);
  set("attention.head_count_kv", 1);
  set("attention.key_length", 32);
  set("rope.dimension_count", 16);
  set("ssm.conv_kernel", 2);
  set("ssm.state_size", 16);
  set("ssm.group_count", 2);
  set("ssm.time_step_rank", valueHeads);
  set("ssm.inner_size", valueRows);
  gguf.set("qwen35.attention.layer_norm_rms_epsilon", 1e-6f);
  gguf.set("qwen35.rope.freq_base", 1e4f);
  auto constant = [&](const std::string &name, std::vector<uint64_t> dims,
                      float value) {
    uint64_t count = 1;
    for (uint64_t extent : dims)
      count *= extent;
    gguf.floats(name, dims, std::vector<float>(count, value));
  };
  constant("token_embd.weight", {hidden, vocabulary}, 0);
  constant("output.weight", {hidden, vocabulary}, 0);
  constant("output_norm.weight", {hidden}, 1);
  // Index in the checkpoint of index i of the file, from `first` on in heads.
  auto untiled = [](int64_t i, int64_t first) {
    if (i < first)
      return i;
    int64_t head = (i - first) / valueDim, groups = 2, ratio = 2;
    int64_t original = head % groups * ratio + head / groups;
    return first + original * valueDim + (i - first) % valueDim;
  };
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::string blk = "blk." + std::to_string(layer) + ".";
    constant(blk + "attn_norm.weight", {hidden}, 1);
    constant(blk + "post_attention_norm.weight", {hidden}, 1);
    if (layer % 2) {
      constant(blk + "attn_q_norm.weight", {32}, 1);
      constant(blk + "attn_k_norm.weight", {32}, 1);
    } else {
      constant(blk + "ssm_alpha.weight", {hidden, valueHeads}, 0);
      constant(blk + "ssm_beta.weight", {hidden, valueHeads}, 0);
      constant(blk + "ssm_conv1d.weight", {2, keyRows + valueRows}, 0);
      constant(blk + "ssm_a", {valueHeads}, -1);
      constant(blk + "ssm_dt.bias", {valueHeads}, 0);
      constant(blk + "ssm_norm.weight", {valueDim}, 0);
    }
    for (const Module &module : modules(layer)) {
      IntegerMatrix matrix = matrixOf(layer, module, type == 8 ? 8 : 4);
      std::string data;
      for (int64_t row = 0; row < module.rows; ++row)
        for (int64_t block = 0; block < module.columns; block += 32) {
          int64_t n = module.gguf == "attn_qkv"    ? untiled(row, keyRows)
                      : module.gguf == "attn_gate" ? untiled(row, 0)
                                                   : row;
          auto code = [&](int64_t j) {
            int64_t k =
                module.gguf == "ssm_out" ? untiled(block + j, 0) : block + j;
            return matrix.code(n, k);
          };
          int64_t k = module.gguf == "ssm_out" ? untiled(block, 0) : block;
          data += raw(floatToHalf(matrix.scale(n, k / 32)));
          for (int64_t j = 0; j < (type == 8 ? 32 : 16); ++j)
            data += type == 8 ? char(int(code(j)) - 128)
                              : char(code(j) | code(j + 16) << 4);
        }
      gguf.tensors.push_back({blk + module.gguf + ".weight",
                              {uint64_t(module.columns), uint64_t(module.rows)},
                              type,
                              data});
    }
  }
  return gguf;
}

TEST_F(QuantImport, TheSameThroughGguf) {
  for (uint32_t type : {2u, 8u}) { // Q4_0, Q8_0
    int bits = type == 8 ? 8 : 4;
    file = {};
    addRest(file);
    for (int64_t layer = 0; layer < layers; ++layer)
      for (const Module &module : modules(layer))
        matrixOf(layer, module, bits)
            .addPacked(file, "model.layers." + std::to_string(layer) + "." +
                                 module.name);
    write(packed(bits));
    directory.write("m.gguf", ggufModel(type).bytes());
    ASSERT_EQ(open(directory.file("m.gguf")), "success");
    EXPECT_EQ(expectOwnValues(), 11);
    EXPECT_EQ(input->note(plan),
              bits == 8 ? "quantized tensors: 26 of Q8_0 exactly as int8:32"
                        : "quantized tensors: 26 of Q4_0 exactly as int4:32");
    std::map<std::string, QuantizedRows> fromGguf;
    for (const Weight &weight : plan.weights)
      if (auto format = input->source()->ownFormat(weight))
        fromGguf[weight.name] = rows(weight, *format);
    ASSERT_EQ(open(directory.str()), "success");
    for (const auto &[name, expected] : fromGguf) {
      const Weight &same = weight(name);
      ASSERT_EQ(own(name), expected.format.str());
      QuantizedRows found = rows(same, expected.format);
      EXPECT_EQ(found.values, expected.values) << name;
      EXPECT_EQ(found.scales, expected.scales) << name;
    }
  }
}

TEST_F(QuantImport, GgufTypesInOneWeight) {
  // Layer 0 in Q8_0 beside layer 2 in Q4_0: int8 holds both.
  GgufBuilder gguf = ggufModel(8), other = ggufModel(2);
  for (size_t i = 0; i < gguf.tensors.size(); ++i)
    if (StringRef(gguf.tensors[i].name).starts_with("blk.2."))
      gguf.tensors[i] = other.tensors[i];
  directory.write("m.gguf", gguf.bytes());
  ASSERT_EQ(open(directory.file("m.gguf")), "success");
  EXPECT_EQ(own("l0.qkv"), "int8:32");
  EXPECT_EQ(own("l0.delta_out"), "int8:32");
  EXPECT_EQ(expectOwnValues(), 11);
  EXPECT_EQ(input->note(plan),
            "quantized tensors: 6 of Q4_0 exactly as int8:32; "
            "20 of Q8_0 exactly as int8:32");
}

TEST_F(QuantImport, GgufScalesMustBeNumbers) {
  GgufBuilder gguf = ggufModel(8);
  for (GgufBuilder::Tensor &tensor : gguf.tensors)
    if (tensor.name == "blk.1.attn_k.weight")
      tensor.data.replace(2 * 68 + 34, 2, raw<uint16_t>(0x7e00));
  directory.write("m.gguf", gguf.bytes());
  ASSERT_EQ(open(directory.file("m.gguf")), "success");
  const Weight &k = weight("l1.k");
  QuantizedRows out;
  out.reset(*input->source()->ownFormat(k), 64, hidden);
  EXPECT_TRUE(contains(message(input->source()->readOwn(k, 0, 64, out)),
                       "tensor 'blk.1.attn_k.weight': row 2 has a block scale "
                       "of nan"));
}

} // namespace
