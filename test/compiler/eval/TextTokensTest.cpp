// Texts, their tokens, and what an executable says about itself.
#include "compiler/eval/TextTokens.h"
#include "compiler/eval/CompiledModel.h"
#include "compiler/eval/PackedSize.h"
#include "test/compiler/eval/EvalTesting.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace quartet;
using ::testing::HasSubstr;

TEST(TextTokens, ChecksTexts) {
  TempFolder folder;
  EXPECT_FALSE(bool(checkText(folder.file("good", "caf\xc3\xa9\n"))));
  auto problem = [&](StringRef content) {
    return toString(checkText(folder.file("text", content)));
  };
  EXPECT_THAT(problem(""), HasSubstr("text: is empty"));
  EXPECT_THAT(problem("caf\xc3\xa9 \xe9t\xe9"),
              HasSubstr("is not UTF-8 at byte 6"));
  EXPECT_THAT(problem("\xed\xa0\x80"), HasSubstr("at byte 0"));
  EXPECT_THAT(toString(checkText(folder.path)), HasSubstr("is a folder"));
  EXPECT_THAT(toString(checkText(folder.path + "/nosuch")),
              HasSubstr("nosuch: cannot read the text: No such file"));
}

TEST(TextTokens, AsksTheExecutable) {
  TempFolder folder;
  std::string text = folder.file("text", "3,1,4,1,5");
  // A tokenizer that prints its input when asked the right way.
  std::string model =
      folder.script("model", "[ \"$*\" = 'tokenize --ids -' ] && cat && echo");
  auto tokens = [&](int64_t least, int64_t most) {
    return tokensOf(text, model, folder.path + "/log", least, most);
  };
  auto all = tokens(5, 100);
  ASSERT_TRUE(bool(all));
  EXPECT_EQ(*all, (std::vector<int32_t>{3, 1, 4, 1, 5}));
  EXPECT_EQ(*tokens(1, 3), (std::vector<int32_t>{3, 1, 4}));
  EXPECT_THAT(messageOf(tokens(6, 100)),
              HasSubstr("text: has 5 tokens, expected a text of at least 6"));
  std::string words = folder.script("words", "echo one two");
  EXPECT_THAT(messageOf(tokensOf(text, words, folder.path + "/log", 1, 9)),
              HasSubstr("found 'one two', expected token ids"));
}

TEST(TextTokens, WritesWindows) {
  TempFolder folder;
  auto written = [&](int64_t length) {
    EXPECT_FALSE(
        bool(writeTokens({1, 2, 3, 4, 5}, length, folder.path + "/ids")));
    auto file = MemoryBuffer::getFile(folder.path + "/ids");
    return (*file)->getBuffer().str();
  };
  EXPECT_EQ(written(2), "1,2;3,4;5");
  EXPECT_EQ(written(5), "1,2,3,4,5");
  EXPECT_EQ(written(9), "1,2,3,4,5");
}

TEST(CompiledModel, ReadsTheManifest) {
  auto model = CompiledModel::parse(
      R"({"model": {"vocab": 300, "max_positions": 4096}, "weights_bytes": 99,
          "quantization": "w4", "weights": [{"name": "n", "bytes": 500},
          {"format": "int8:64", "bytes": 20}, {"format": "int4:64", "bytes": 15},
          {"format": "int4:64", "bytes": 10}]})",
      "m");
  ASSERT_TRUE(bool(model));
  EXPECT_EQ(model->vocab, 300);
  EXPECT_EQ(model->maxPositions, 4096);
  EXPECT_EQ(model->weightsBytes, 99u);
  EXPECT_EQ(model->formats, "int4:64, int8:64");
  // The generic lowering packs nothing.
  model = CompiledModel::parse(
      R"({"model": {"vocab": 3, "max_positions": 4}, "quantization": "bf16"})",
      "m");
  ASSERT_TRUE(bool(model));
  EXPECT_EQ(model->formats, "bf16");
  for (StringRef bad : {"", "[]", "{\"model\": 3}", "usage: cat FILE",
                        "{\"model\": {\"vocab\": \"3\"}}"})
    EXPECT_THAT(messageOf(CompiledModel::parse(bad, "m")),
                HasSubstr("'m' is no executable of quartetc"));
}

TEST(PackedSize, AddsUpPanels) {
  struct Plain : WeightSource {
    Error read(const Weight &, int64_t, MutableArrayRef<uint8_t>) override {
      return Error::success();
    }
  } plain;
  Weight matrix, embedding;
  matrix.name = "l0.qkv";
  matrix.shape = {2, 33, 100};
  embedding.name = "embed";
  embedding.role = WeightRole::Embedding;
  embedding.shape = {10, 8};
  WeightPlan plan;
  plan.weights = {matrix, embedding};
  EXPECT_EQ(packedSize(plan, Recipe(), plain), 2u * 2 * 33 * 100 + 2 * 80);
  // Three panels for 33 rows, two groups for 100 columns: 64 bytes of scales
  // and 16 lines of 8 columns each.
  auto recipe = Recipe::fromOption("int4", 64);
  ASSERT_TRUE(bool(recipe));
  EXPECT_EQ(packedSize(plan, *recipe, plain), 2u * 3 * (64 + 16 * 64) + 2 * 80);
}
