// Recipes: what --quant and recipe files mean, and what is wrong with bad ones.
#include "compiler/import/quant/Recipe.h"
#include "QuantTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

std::string textOf(const Recipe &recipe, StringRef weight) {
  auto format = recipe.formatOf(weight);
  return format ? format->str() : "keep";
}

TEST(Recipe, KnowsTheClassOfEveryMatrix) {
  const std::map<std::string, std::string> classes = {
      {"l0.gate_up", "experts"},        {"l3.down", "experts"},
      {"l1.shared_gate_up", "experts"}, {"l1.shared_down", "experts"},
      {"l12.qkv", "delta_in"},          {"l0.z", "delta_in"},
      {"l0.delta_out", "delta_out"},    {"l3.q", "attention_in"},
      {"l3.k", "attention_in"},         {"l3.v", "attention_in"},
      {"l3.attn_out", "attention_out"}, {"l0.mlp_gate_up", "mlp"},
      {"l0.mlp_down", "mlp"},           {"lm_head", "head"},
      {"embed", "embedding"},           {"l0.router", "router"},
      {"l0.shared_gate", "router"},     {"l0.a", "delta_controls"},
      {"l0.b", "delta_controls"}};
  for (const auto &[weight, name] : classes) {
    auto found = classOf(weight);
    ASSERT_TRUE(found) << weight;
    EXPECT_EQ(stringify(*found).str(), name) << weight;
  }
  for (const char *weight : {"norm", "l0.input_norm", "l0.conv", "l0.a_log",
                             "l0.dt_bias", "l3.q_norm", ""})
    EXPECT_FALSE(classOf(weight)) << weight;
}

// A head tied to the embedding is no weight of the plan, and yet a matrix.
TEST(Recipe, PacksATiedHead) {
  Weight table;
  table.name = "embed";
  Weight head;
  head.name = "lm_head";
  Recipe w4 = cantFail(Recipe::fromOption("w4", std::nullopt));
  using Texts = std::vector<std::string>;
  WeightPlan tied, apart;
  tied.weights = {table};
  apart.weights = {table, head};
  EXPECT_EQ(w4.formatsOf(tied, nullptr), Texts{"lm_head=int8:64"});
  EXPECT_EQ(w4.formatsOf(apart, nullptr), Texts{"lm_head=int8:64"});
  EXPECT_EQ(Recipe().formatsOf(tied, nullptr), Texts{});
}

TEST(Recipe, ReadsOptions) {
  EXPECT_EQ(cantFail(Recipe::fromOption("", std::nullopt)).str(),
            Recipe().str());
  EXPECT_EQ(cantFail(Recipe::fromOption("", 32)).str(),
            cantFail(Recipe::fromOption("int4", 32)).str());
  Recipe plain = cantFail(Recipe::fromOption("bf16", std::nullopt));
  EXPECT_EQ(textOf(plain, "lm_head"), "bf16");
  EXPECT_EQ(textOf(plain, "embed"), "keep");
  Recipe eight = cantFail(Recipe::fromOption("int8", 32));
  EXPECT_EQ(textOf(eight, "l0.qkv"), "int8:32");
  EXPECT_EQ(textOf(eight, "lm_head"), "int8:32");
  EXPECT_EQ(textOf(eight, "l0.router"), "keep");
  EXPECT_EQ(textOf(eight, "l0.a"), "keep");
  EXPECT_EQ(textOf(eight, "norm"), "keep");
  EXPECT_EQ(textOf(cantFail(Recipe::fromOption("fp8", std::nullopt)), "l0.z"),
            "fp8:64");
  EXPECT_EQ(cantFail(Recipe::fromOption("w4", std::nullopt)).str(),
            "experts int4:64, delta_in int4:64, delta_out int4:64, "
            "attention_in int4:64, attention_out int4:64, mlp int4:64, head "
            "int8:64");
  EXPECT_EQ(textOf(cantFail(Recipe::fromOption("w8", std::nullopt)), "l0.down"),
            "int8:64");
  EXPECT_EQ(Recipe().str(), "");
}

TEST(Recipe, RefusesOptions) {
  EXPECT_EQ(message(Recipe::fromOption("int4", 48)),
            "--quant-group 48: expected 16, 32, 64 or 128");
  EXPECT_EQ(message(Recipe::fromOption("int4", 0)),
            "--quant-group 0: expected 16, 32, 64 or 128");
  EXPECT_TRUE(contains(message(Recipe::fromOption("bf16", 64)),
                       "--quant bf16 takes no group"));
  EXPECT_TRUE(contains(message(Recipe::fromOption("w4", 64)),
                       "--quant w4 takes no group"));
  EXPECT_TRUE(contains(message(Recipe::fromOption("int5", std::nullopt)),
                       "--quant int5: expected bf16, f16, fp8, int8, int6, "
                       "int4, w4, w8 or a recipe "
                       "file (No such file or directory)"));
}

TEST(Recipe, ReadsFiles) {
  TemporaryDirectory directory;
  directory.write("recipe.json", R"({
    "experts": {"format": "int4", "group": 32, "zero": "min"},
    "delta_in": {"format": "int4", "zero": "point", "scale": "bf16"},
    "attention_in": {"format": "fp8", "group": 0},
    "head": {"format": "int8", "group": 128, "scale": "f32"},
    "mlp": {"format": "f16"}, "router": {"format": "f32"},
    "embedding": {"format": "bf16"}, "delta_out": {"format": "keep"}})");
  Recipe recipe =
      cantFail(Recipe::fromOption(directory.file("recipe.json"), std::nullopt));
  EXPECT_EQ(textOf(recipe, "l0.down"), "int4:32:min");
  EXPECT_EQ(textOf(recipe, "l0.qkv"), "int4:64:point:bf16");
  EXPECT_EQ(textOf(recipe, "l3.k"), "fp8");
  EXPECT_EQ(textOf(recipe, "lm_head"), "int8:128:f32");
  EXPECT_EQ(textOf(recipe, "l0.mlp_down"), "f16");
  EXPECT_EQ(textOf(recipe, "l0.router"), "f32");
  EXPECT_EQ(textOf(recipe, "embed"), "bf16");
  EXPECT_EQ(textOf(recipe, "l0.delta_out"), "keep");
  EXPECT_EQ(textOf(recipe, "l3.attn_out"), "keep");
}

TEST(Recipe, SaysWhatIsWrongInAFile) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"([])", "r.json: expected an object"},
      {R"({"expert": {}})",
       "r.json: 'expert': unknown class of weights, expected experts, "
       "delta_in, delta_out, attention_in, attention_out, mlp, head, "
       "embedding, router, delta_controls"},
      {R"({"mlp": "int4"})",
       "r.json: 'mlp': \"int4\" found, expected an object"},
      {R"({"mlp": {}})",
       "r.json: 'mlp.format': nothing found, expected one of f32, bf16, f16, "
       "keep, fp8, int8, int6, int4"},
      {R"({"mlp": {"format": "int5"}})", "'mlp.format': \"int5\" found"},
      {R"({"mlp": {"format": 4}})", "'mlp.format': 4 found"},
      {R"({"mlp": {"format": "int4", "groups": 64}})",
       "'mlp.groups': unknown key, expected format, group, zero or scale"},
      {R"({"mlp": {"format": "int4", "group": 48}})",
       "'mlp.group': 48 found, expected 16, 32, 64 or 128"},
      {R"({"mlp": {"format": "int4", "group": 0}})", "'mlp.group': 0 found"},
      {R"({"mlp": {"format": "int4", "group": "64"}})",
       "'mlp.group': \"64\" found"},
      {R"({"mlp": {"format": "int4", "group": 64.0}})",
       "'mlp.group': 64.0 found"},
      {R"({"mlp": {"format": "int4", "zero": "max"}})",
       "'mlp.zero': \"max\" found, expected one of none, point, min"},
      {R"({"mlp": {"format": "int4", "scale": "fp8"}})",
       "'mlp.scale': \"fp8\" found, expected one of f16, bf16, f32"},
      {R"({"mlp": {"format": "fp8", "zero": "min"}})", "expected \"none\""},
      {R"({"mlp": {"format": "fp8", "group": 0, "scale": "f32"}})",
       "'mlp.scale': no scales with group 0"},
      {R"({"mlp": {"format": "bf16", "group": 64}})",
       "'mlp.group': only fp8, int8, int6 and int4 have scales, the format is "
       "bf16"},
      {R"({"embedding": {"format": "int8"}})",
       "'embedding.format': \"int8\" found, expected one of f32, bf16, f16, "
       "keep"},
      {R"({"router": {"format": "int4"}})", "'router.format': \"int4\" found"},
      {R"({"mlp": {"format": "bf16"}, "mlp": {"format": "f16"}})", "r.json: "},
      {R"({"mlp": )", "r.json: "}};
  for (const auto &[text, part] : table)
    EXPECT_TRUE(contains(message(Recipe::parse(text, "r.json")), part)) << text;
}

} // namespace
