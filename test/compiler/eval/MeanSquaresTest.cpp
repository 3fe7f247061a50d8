// Sums and counts to means, and what is no file of sums.
#include "compiler/eval/Calibrate.h"
#include "compiler/import/Safetensors.h"
#include "test/compiler/eval/EvalTesting.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>

using namespace llvm;
using namespace quartet;
using ::testing::HasSubstr;

/// A safetensors file of \p values under the header \p json.
static std::string image(StringRef json, ArrayRef<float> values) {
  std::string header = json.str();
  header.append((8 - header.size() % 8) % 8, ' ');
  uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char *>(&length), 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char *>(values.data()),
               values.size() * sizeof(float));
  return bytes;
}

TEST(MeanSquares, DividesByTheCounts) {
  TempFolder folder;
  // Two experts with two columns each, the second without rows; and a matrix.
  std::string states =
      folder.file("states", image(R"({"l0.down.squares": {"dtype": "F32",
        "shape": [1, 2, 3], "data_offsets": [0, 24]}, "lm_head.squares":
        {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]}})",
                                  {6, 9, 3, 0, 0, 0, 10, 4}));
  std::string output = folder.path + "/stats";
  auto summary = meanSquaresOf(states, output);
  ASSERT_TRUE(bool(summary));
  EXPECT_EQ(summary->matrices, 3);
  EXPECT_EQ(summary->unseen, 1);
  auto file = MemoryBuffer::getFile(output);
  ASSERT_TRUE(bool(file));
  auto written = Checkpoint::fromBuffer(std::move(*file));
  ASSERT_TRUE(bool(written));
  auto values = [&](StringRef name) {
    ArrayRef<uint8_t> bytes = written->data(name);
    std::vector<float> result(bytes.size() / sizeof(float));
    std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  };
  EXPECT_EQ(written->tensors().size(), 2u);
  ASSERT_TRUE(written->find("l0.down") && written->find("lm_head"));
  EXPECT_EQ(written->find("l0.down")->shape, (std::vector<int64_t>{1, 2, 2}));
  EXPECT_EQ(written->find("lm_head")->shape, (std::vector<int64_t>{1}));
  EXPECT_EQ(values("l0.down"), (std::vector<float>{2, 3, 0, 0}));
  EXPECT_EQ(values("lm_head"), (std::vector<float>{2.5}));
}

TEST(MeanSquares, RefusesOtherFiles) {
  TempFolder folder;
  auto problem = [&](StringRef json, ArrayRef<float> values) {
    return messageOf(meanSquaresOf(folder.file("states", image(json, values)),
                                   folder.path + "/stats"));
  };
  EXPECT_THAT(
      problem(
          R"({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})",
          {1, 1}),
      HasSubstr("found tensor 'w' of type F32, expected sums of squares"));
  EXPECT_THAT(problem(R"({"w.squares": {"dtype": "I32", "shape": [2],
                        "data_offsets": [0, 8]}})",
                      {1, 1}),
              HasSubstr("of type I32"));
  float infinity = std::numeric_limits<float>::infinity();
  for (float bad : {infinity, std::numeric_limits<float>::quiet_NaN()})
    EXPECT_THAT(problem(R"({"w.squares": {"dtype": "F32", "shape": [3],
                          "data_offsets": [0, 12]}})",
                        {1, bad, 4}),
                HasSubstr("w: a sum of squared activations is not finite"));
  EXPECT_THAT(messageOf(meanSquaresOf(folder.path + "/nosuch", "x")),
              HasSubstr("nosuch: cannot read the file"));
  EXPECT_FALSE(sys::fs::exists(folder.path + "/stats"));
}
