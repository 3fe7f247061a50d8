// A small GGUF model: its configuration, how its tensors become those of a
// checkpoint, its tokenizer, its parts, and one broken model per rule.
#include "GgufTesting.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/gguf/GgufConfig.h"
#include "compiler/import/gguf/GgufTensors.h"
#include "compiler/import/gguf/GgufTokenizer.h"
#include <cmath>

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

constexpr int hidden = 8, vocabulary = 5;

/// 0, 1, 2, ... from \p first.
std::vector<float> counting(size_t count, float first = 0) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = first + float(i);
  return values;
}

void addEntries(GgufBuilder &file) {
  file.set("general.architecture", "qwen35");
  auto set = [&](const char *key, uint32_t value) {
    file.set("qwen35." + std::string(key), value);
  };
  set("block_count", 2);
  set("full_attention_interval", 2);
  set("context_length", 64);
  set("embedding_length", hidden);
  set("feed_forward_length", 6);
  set("attention.head_count", 2);
  set("attention.head_count_kv", 1);
  set("attention.key_length", 4);
  set("rope.dimension_count", 2);
  set("ssm.conv_kernel", 2);
  set("ssm.state_size", 2);
  set("ssm.group_count", 2);
  set("ssm.time_step_rank", 6);
  set("ssm.inner_size", 6 * 3);
  file.set("qwen35.attention.layer_norm_rms_epsilon", 1e-6f);
  file.set("qwen35.rope.freq_base", 1e7f);
}

/// A dense model of one DeltaNet layer (2 key heads of 2, 6 value heads of 3)
/// and one attention layer.
GgufBuilder smallModel() {
  GgufBuilder file;
  addEntries(file);
  auto matrix = [&](const std::string &name, size_t rows, size_t columns) {
    file.floats(name, {columns, rows}, counting(rows * columns));
  };
  auto vector = [&](const std::string &name, std::vector<float> values) {
    file.floats(name, {values.size()}, values);
  };
  matrix("token_embd.weight", vocabulary, hidden);
  vector("output_norm.weight", counting(hidden, 1));
  matrix("output.weight", vocabulary, hidden);
  for (std::string blk : {"blk.0.", "blk.1."}) {
    vector(blk + "attn_norm.weight", counting(hidden));
    vector(blk + "post_attention_norm.weight", counting(hidden));
    matrix(blk + "ffn_gate.weight", 6, hidden);
    matrix(blk + "ffn_up.weight", 6, hidden);
    matrix(blk + "ffn_down.weight", hidden, 6);
  }
  matrix("blk.0.attn_qkv.weight", 8 + 18, hidden);
  matrix("blk.0.attn_gate.weight", 18, hidden);
  matrix("blk.0.ssm_alpha.weight", 6, hidden);
  matrix("blk.0.ssm_beta.weight", 6, hidden);
  matrix("blk.0.ssm_conv1d.weight", 8 + 18, 2);
  vector("blk.0.ssm_a", {-1, -2, -3, -4, -5, -6});
  vector("blk.0.ssm_dt.bias", counting(6));
  vector("blk.0.ssm_norm.weight", counting(3));
  matrix("blk.0.ssm_out.weight", hidden, 18);
  matrix("blk.1.attn_q.weight", 16, hidden);
  matrix("blk.1.attn_k.weight", 4, hidden);
  matrix("blk.1.attn_v.weight", 4, hidden);
  matrix("blk.1.attn_output.weight", hidden, 8);
  vector("blk.1.attn_q_norm.weight", counting(4));
  vector("blk.1.attn_k_norm.weight", counting(4));
  return file;
}

class GgufImport : public ::testing::Test {
protected:
  TemporaryDirectory directory;

  std::string path(StringRef name = "m.gguf") const {
    return directory.file(name);
  }
  /// Everything that a build reads; "success" or the message.
  std::string problem(const GgufBuilder &file, ConfigOptions options = {}) {
    directory.write("m.gguf", file.bytes());
    auto input = ModelInput::open(path(), options);
    if (!input)
      return message(input.takeError());
    if (std::string found = message((*input)->plan({})); found != "success")
      return found;
    return message((*input)->tokenizer());
  }
  /// All elements of a weight.
  std::vector<float> weight(StringRef name, int64_t begin = 0) {
    auto input = ModelInput::open(path(), {});
    EXPECT_TRUE(bool(input)) << message(input.takeError());
    auto plan = (*input)->plan({Dtype::F32});
    EXPECT_TRUE(bool(plan)) << message(plan.takeError());
    for (const Weight &candidate : plan->weights) {
      if (candidate.name != name)
        continue;
      int64_t count = 1;
      for (int64_t extent : candidate.shape)
        count *= extent;
      std::vector<float> values(size_t(count - begin));
      MutableArrayRef<uint8_t> bytes(reinterpret_cast<uint8_t *>(values.data()),
                                     values.size() * 4);
      EXPECT_EQ(message((*input)->source()->read(candidate, begin, bytes)),
                "success");
      return values;
    }
    ADD_FAILURE() << "no weight " << name.str();
    return {};
  }
};

std::string withoutTokenizer(const std::string &found) {
  return contains(found, "no tokenizer") ? "success" : found;
}

TEST_F(GgufImport, ReadsTheConfiguration) {
  directory.write("m.gguf", smallModel().bytes());
  auto model = GgufModel::open(path());
  ASSERT_TRUE(bool(model)) << message(model.takeError());
  auto config = readGgufConfig(*model);
  ASSERT_TRUE(bool(config)) << message(config.takeError());
  EXPECT_EQ(config->name, "m");
  EXPECT_EQ(config->family, Family::Qwen35);
  EXPECT_EQ(config->layers, (std::vector<LayerKind>{LayerKind::LinearAttention,
                                                    LayerKind::FullAttention}));
  EXPECT_EQ(config->vocabSize, vocabulary);
  EXPECT_EQ(config->valueDim, 3);
  EXPECT_EQ(config->rope.rotaryDim, 2);
  EXPECT_EQ(config->rope.theta, 1e7);
  EXPECT_EQ(config->rmsEps, 1e-6); // not 9.99999997e-07
  EXPECT_FALSE(config->tiedHead);
  EXPECT_EQ(config->dtype, Dtype::F32);
}

TEST_F(GgufImport, PutsValueHeadsInTheCheckpointsOrder) {
  directory.write("m.gguf", smallModel().bytes());
  // 3 value heads for each of 2 key heads: head 3 g + r is stored as 2 r + g.
  EXPECT_EQ(weight("l0.dt_bias"), (std::vector<float>{0, 2, 4, 1, 3, 5}));
  std::vector<float> a = weight("l0.a_log");
  const float stored[] = {1, 3, 5, 2, 4, 6};
  for (int i = 0; i < 6; ++i)
    EXPECT_NEAR(std::exp(a[size_t(i)]), stored[i], 1e-6) << i;
  std::vector<float> alpha = weight("l0.a");
  EXPECT_EQ(alpha[1 * hidden], 2.0f * hidden);
  // The first 8 rows of qkv are q and k; then heads of 3 rows.
  std::vector<float> qkv = weight("l0.qkv");
  EXPECT_EQ(qkv[7 * hidden], 7.0f * hidden);
  EXPECT_EQ(qkv[(8 + 3) * hidden + 1], float((8 + 6) * hidden + 1));
  std::vector<float> conv = weight("l0.conv");
  EXPECT_EQ(conv[(8 + 3) * 2 + 1], float((8 + 6) * 2 + 1));
  std::vector<float> z = weight("l0.z");
  EXPECT_EQ(z[4 * hidden], 7.0f * hidden);
  // Columns of the output projection.
  std::vector<float> out = weight("l0.delta_out");
  EXPECT_EQ(out[18 + 4], 18 + 7.0f);
  EXPECT_EQ(weight("l0.delta_out", 18 + 4)[0], 18 + 7.0f); // from mid-row
  EXPECT_EQ(weight("l1.q"), counting(16 * hidden));
}

TEST_F(GgufImport, UndoesTheConvertersChanges) {
  directory.write("m.gguf", smallModel().bytes());
  EXPECT_EQ(weight("norm"), counting(hidden, 0));  // was 1 + w
  EXPECT_EQ(weight("l0.delta_norm"), counting(3)); // stays
  // A bf16 logarithm comes back exactly, through any exp within one ulp.
  EXPECT_EQ(undoNegExp(-1.0f), 0.0f);
  for (float a : {1.5f, -2.25f, 2.765625f, -6.9375f}) {
    float stored = -std::exp(a);
    EXPECT_EQ(undoNegExp(stored), a);
    EXPECT_EQ(undoNegExp(std::nextafter(stored, 0.0f)), a);
  }
  EXPECT_NEAR(undoNegExp(-std::exp(0.1f)), 0.1f, 1e-7);
  // The norm's factor 1 + w comes back for every w.
  for (float w : {0.0f, 1e-9f, -1e-5f, 0.3f, -0.999f, 7.1f, -3.0f}) {
    float stored = 1.0f + w;
    EXPECT_EQ(1.0f + undoPlusOne(stored), stored) << w;
  }
}

TEST_F(GgufImport, SetsAsideMtpAndLeftOutLayers) {
  GgufBuilder file = smallModel();
  file.set("qwen35.nextn_predict_layers", 1u);
  file.entries[1] = text("qwen35.block_count") + raw<uint32_t>(4) + raw(3u);
  file.floats("blk.2.nextn.eh_proj.weight", {2, 2}, counting(4));
  EXPECT_EQ(withoutTokenizer(problem(file)), "success");
  ConfigOptions options;
  options.layers = 1;
  EXPECT_EQ(withoutTokenizer(problem(file, options)), "success");
  auto input = ModelInput::open(path(), options);
  auto plan = (*input)->plan({});
  std::set<std::string> reasons;
  for (const SetAside &entry : plan->setAside)
    reasons.insert(entry.reason);
  EXPECT_EQ(reasons, (std::set<std::string>{"beyond --layers 1",
                                            "multi-token prediction"}));
}

TEST_F(GgufImport, MtpIsCheckedWhenAskedFor) {
  GgufBuilder file = smallModel();
  file.set("qwen35.nextn_predict_layers", 1u);
  file.entries[1] = text("qwen35.block_count") + raw<uint32_t>(4) + raw(3u);
  file.floats("blk.2.nextn.eh_proj.weight", {2, 2}, counting(4));
  file.floats("blk.2.nextn.embed_tokens.weight", {hidden, vocabulary},
              counting(hidden * vocabulary));
  EXPECT_EQ(withoutTokenizer(problem(file)), "success");
  auto input = ModelInput::open(path(), {});
  auto plan = (*input)->plan({std::nullopt, /*mtp=*/true});
  ASSERT_FALSE(bool(plan));
  std::string found = toString(plan.takeError());
  EXPECT_TRUE(contains(found, "tensor 'blk.2.nextn.eh_proj.weight' has shape "
                              "[2, 2]; expected [8, 16]"));
  EXPECT_TRUE(contains(found, "missing tensor 'blk.2.nextn.enorm.weight'; "
                              "expected shape [8]"));
  EXPECT_TRUE(contains(found, "missing tensor 'blk.2.attn_q.weight'"));
  EXPECT_TRUE(contains(found, "'blk.2.nextn.embed_tokens.weight' is the "
                              "layer's own"));
  // A file without the layer.
  EXPECT_EQ(withoutTokenizer(problem(smallModel())), "success");
  input = ModelInput::open(path(), {});
  plan = (*input)->plan({std::nullopt, /*mtp=*/true});
  ASSERT_FALSE(bool(plan));
  EXPECT_TRUE(contains(toString(plan.takeError()),
                       "no layer of multi-token prediction"));
}

TEST_F(GgufImport, ReportsTensorsByTheFilesNames) {
  GgufBuilder file = smallModel();
  file.tensors[1].name = "output_nrm.weight";
  file.tensors[2].dims = {hidden / 2, vocabulary * 2};
  std::string found = problem(file);
  EXPECT_TRUE(contains(found, "missing tensor 'output_norm.weight'; expected "
                              "shape [8]"));
  EXPECT_TRUE(contains(found, "unknown tensor 'output_nrm.weight' (F32 [8])"));
  EXPECT_TRUE(contains(found, "tensor 'output.weight' has shape [10, 4]; "
                              "expected [5, 8]"));
  file = smallModel();
  file.floats("blk.2.attn_norm.weight", {hidden}, counting(hidden));
  EXPECT_TRUE(contains(problem(file), "unknown tensor 'blk.2.attn_norm"));
}

TEST_F(GgufImport, RejectsDecayThatIsNotNegative) {
  GgufBuilder file = smallModel();
  for (GgufBuilder::Tensor &tensor : file.tensors)
    if (tensor.name == "blk.0.ssm_a")
      tensor.data.replace(4, 4, raw(0.5f));
  directory.write("m.gguf", file.bytes());
  auto input = ModelInput::open(path(), {});
  auto plan = (*input)->plan({});
  for (const Weight &weight : plan->weights)
    if (weight.name == "l0.a_log") {
      uint8_t out[24];
      EXPECT_TRUE(contains(message((*input)->source()->read(weight, 0, out)),
                           "tensor 'blk.0.ssm_a': value 0.500000 found, "
                           "expected a negative number"));
    }
}

TEST_F(GgufImport, RejectsBadMetadata) {
  auto changed = [&](size_t index, const std::string &entry) {
    GgufBuilder file = smallModel();
    file.entries[index] = entry;
    return problem(file);
  };
  std::string u32 = raw<uint32_t>(4);
  EXPECT_TRUE(
      contains(changed(0, text("general.architecture") + raw<uint32_t>(8) +
                              text("llama")),
               "'general.architecture' is 'llama', expected qwen35moe"));
  EXPECT_TRUE(contains(changed(0, text("x") + u32 + raw(1u)),
                       "'general.architecture' is missing"));
  EXPECT_TRUE(contains(changed(4, text("x") + u32 + raw(1u)),
                       "'qwen35.embedding_length' is missing"));
  EXPECT_TRUE(contains(changed(4, text("qwen35.embedding_length") +
                                      raw<uint32_t>(8) + text("8")),
                       "is a string, expected an integer"));
  EXPECT_TRUE(
      contains(changed(14, text("qwen35.ssm.inner_size") + u32 + raw(17u)),
               "is 17, expected a multiple of the 6 value heads"));
  EXPECT_TRUE(
      contains(changed(12, text("qwen35.ssm.group_count") + u32 + raw(4u)),
               "linear_num_value_heads"));
}

void addTokenizer(GgufBuilder &file) {
  file.set("tokenizer.ggml.model", "gpt2");
  file.set("tokenizer.ggml.pre", "qwen35");
}

TEST_F(GgufImport, WritesTheTokenizer) {
  GgufBuilder file = smallModel();
  addTokenizer(file);
  file.strings("tokenizer.ggml.tokens",
               {"a", "b", "ab", "<|im_end|>", "[PAD]"});
  file.integers("tokenizer.ggml.token_type", {1, 1, 1, 3, 5});
  file.strings("tokenizer.ggml.merges", {"a b"});
  directory.write("m.gguf", file.bytes());
  auto model = GgufModel::open(path());
  auto found = ggufTokenizerJson(*model);
  ASSERT_TRUE(bool(found)) << message(found.takeError());
  EXPECT_TRUE(contains(**found, R"("vocab":{"a":0,"ab":2,"b":1})"));
  EXPECT_TRUE(contains(**found, R"("content":"<|im_end|>","id":3)"));
  EXPECT_TRUE(contains(**found, R"("merges":["a b"])"));
  EXPECT_FALSE(StringRef(**found).contains("PAD"));
  // The stop tokens of the family, although no eos id is named.
  auto config = readGgufConfig(*model);
  ASSERT_TRUE(bool(config)) << message(config.takeError());
  EXPECT_EQ(config->generation.stopIds, std::vector<int32_t>{3});
}

TEST_F(GgufImport, RejectsBadTokenizers) {
  auto with = [&](std::vector<std::string> tokens, std::vector<int32_t> types,
                  const char *pre = "qwen35") {
    GgufBuilder file = smallModel();
    file.set("tokenizer.ggml.model", "gpt2");
    file.set("tokenizer.ggml.pre", pre);
    file.strings("tokenizer.ggml.tokens", tokens);
    file.integers("tokenizer.ggml.token_type", types);
    file.strings("tokenizer.ggml.merges", {});
    return problem(file);
  };
  EXPECT_TRUE(contains(with({"a"}, {1}, "llama-bpe"),
                       "'tokenizer.ggml.pre' is 'llama-bpe', expected qwen35"));
  EXPECT_TRUE(contains(with({"a", "a"}, {1, 1}), "token 'a' found twice"));
  EXPECT_TRUE(contains(with({"a", "b"}, {1}), "has 1 elements, expected 2"));
  EXPECT_TRUE(contains(with({"a"}, {6}), "type 6 found for token 'a'"));
  EXPECT_TRUE(contains(with({"\xff"}, {1}), "is not UTF-8"));
  EXPECT_TRUE(contains(with({"a"}, {1}), "no token for byte 0"));
  GgufBuilder file = smallModel();
  file.set("tokenizer.ggml.model", "llama");
  EXPECT_TRUE(contains(problem(file), "'tokenizer.ggml.model' is 'llama'"));
}

TEST_F(GgufImport, OpensSplitModels) {
  auto part = [](uint16_t number, uint16_t count) {
    GgufBuilder file;
    file.entry("split.no", 2, raw(number));
    file.entry("split.count", 2, raw(count));
    file.entry("split.tensors.count", 5, raw<int32_t>(2));
    file.floats(number == 0 ? "a" : "b", {1}, {float(number)});
    return file.bytes();
  };
  std::string first = path("x-00001-of-00002.gguf");
  auto problem = [&] { return message(GgufModel::open(first)); };
  directory.write("x-00001-of-00002.gguf", part(0, 2));
  EXPECT_TRUE(contains(problem(), "x-00002-of-00002.gguf: missing, expected "
                                  "beside"));
  directory.write("x-00002-of-00002.gguf", part(0, 2));
  EXPECT_TRUE(contains(problem(), "'split.no' is 0, expected 1"));
  directory.write("x-00002-of-00002.gguf", part(1, 3));
  EXPECT_TRUE(contains(problem(), "'split.count' is 3, expected 2"));
  directory.write("x-00002-of-00002.gguf", part(1, 2));
  auto model = GgufModel::open(first);
  ASSERT_TRUE(bool(model)) << message(model.takeError());
  EXPECT_EQ(model->name(), "x");
  ASSERT_TRUE(model->find("b"));
  EXPECT_EQ(toStringRef(model->data(*model->find("b"))), raw(1.0f));
  EXPECT_TRUE(contains(message(GgufModel::open(path("x-00002-of-00002.gguf"))),
                       "this is part 2 of 2, expected the first one"));
  directory.write("y.gguf", part(0, 2));
  EXPECT_TRUE(contains(message(GgufModel::open(path("y.gguf"))),
                       "expected a name that ends in -00001-of-00002.gguf"));
  GgufBuilder two;
  two.entry("split.no", 2, raw<uint16_t>(1));
  two.entry("split.count", 2, raw<uint16_t>(2));
  directory.write("x-00002-of-00002.gguf", two.bytes());
  EXPECT_TRUE(contains(problem(), "have 1 tensors, expected 2"));
  two.floats("a", {1}, {0});
  directory.write("x-00002-of-00002.gguf", two.bytes());
  EXPECT_TRUE(contains(problem(), "tensor 'a': found here and in"));
  EXPECT_TRUE(
      contains(message(GgufModel::open(path("none.gguf"))), "No such file"));
}

} // namespace
