// The weight file is opened when it is the right one, and refused with the
// file, what was found and what was expected when it is anything else.
#include "runtime/src/engine/WeightFile.h"
#include "TestManifest.h"
#include <cstring>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace quartet::rt;
using namespace quartet::rt::test;
using Json = nlohmann::ordered_json;

namespace {
class WeightFileTest : public testing::Test {
protected:
  /// The message with which a file with this content is refused.
  std::string refusal(const std::string &content) {
    std::string path = dir.write("w.safetensors", content), error;
    EXPECT_FALSE(WeightFile::open(path, manifest, "/bin/model", &error));
    EXPECT_NE(error.find(path), std::string::npos) << error;
    return error;
  }
  std::string refusal(const Json &header) {
    return refusal(weightImage(header));
  }
  TempDir dir;
  Manifest manifest = parse(manifestJson());
};

TEST_F(WeightFileTest, OpensTheRightFile) {
  std::string path = dir.write("w.safetensors", weightImage(weightHeader()));
  std::string error;
  auto file = WeightFile::open(path, manifest, "/bin/model", &error);
  ASSERT_TRUE(file) << error;
  // The manifest's order: b, which starts the data, then a.
  EXPECT_EQ(static_cast<const uint8_t *>(file->pointers()[0])[1], 1);
  EXPECT_EQ(static_cast<const uint8_t *>(file->pointers()[1])[0], 16);
}

TEST_F(WeightFileTest, OpensAnImageInMemory) {
  alignas(64) char image[1024];
  std::string content = weightImage(weightHeader()), error;
  memcpy(image, content.data(), content.size());
  auto file = WeightFile::fromMemory(image, content.size(), manifest,
                                     "/bin/model", &error);
  ASSERT_TRUE(file) << error;
  EXPECT_EQ(static_cast<const uint8_t *>(file->pointers()[1])[11], 27);
  EXPECT_FALSE(WeightFile::fromMemory(image, content.size() - 1, manifest,
                                      "/bin/model", &error));
  EXPECT_NE(error.find("embedded"), std::string::npos) << error;
}

TEST_F(WeightFileTest, RefusesAnotherId) {
  Json header = weightHeader();
  header["__metadata__"]["quartet.weights_id"] = "cccc";
  std::string error = refusal(header);
  for (const char *part :
       {"/bin/model", "cccc", "aaaa", "--weights", "compile"})
    EXPECT_NE(error.find(part), std::string::npos) << part << " in " << error;
  header.erase("__metadata__");
  EXPECT_NE(refusal(header).find("no id"), std::string::npos);
  header["__metadata__"] = 7;
  EXPECT_NE(refusal(header).find("no id"), std::string::npos);
}

TEST_F(WeightFileTest, ABuildWithoutWeightsChecksTheLayout) {
  manifest.weightsId.clear();
  Json header = weightHeader();
  header["__metadata__"]["quartet.weights_id"] = "anything";
  std::string path = dir.write("w.safetensors", weightImage(header)), error;
  EXPECT_TRUE(WeightFile::open(path, manifest, "/bin/model", &error)) << error;
  header["__metadata__"]["quartet.layout_id"] = "dddd";
  error = refusal(header);
  EXPECT_NE(error.find("layout_id is dddd, expected bbbb"), std::string::npos)
      << error;
}

// Every prefix of a good file is refused, and so is a longer one.
TEST_F(WeightFileTest, RefusesTruncation) {
  std::string image = weightImage(weightHeader());
  for (size_t size = 0; size < image.size(); size += 7)
    refusal(image.substr(0, size));
  EXPECT_NE(refusal(image.substr(0, image.size() - 1))
                .find("27 bytes of data, expected 28"),
            std::string::npos);
  EXPECT_NE(refusal(image + "x").find("29 bytes"), std::string::npos);
}

TEST_F(WeightFileTest, RefusesAPipeWithoutWaiting) {
  std::string path = dir.path + "/pipe", error;
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(WeightFile::open(path, manifest, "/bin/model", &error));
  EXPECT_NE(error.find("is not a regular file"), std::string::npos) << error;
}

TEST_F(WeightFileTest, RefusesOtherTensors) {
  Json header = weightHeader();
  header.erase("a");
  EXPECT_NE(refusal(header).find("tensor 'a' is missing"), std::string::npos);
  header = weightHeader();
  header["extra"] = header["a"];
  EXPECT_NE(refusal(header).find("3 tensors, expected 2"), std::string::npos);

  auto changed = [&](const char *key, const char *value) {
    Json header = weightHeader();
    header["a"][key] = Json::parse(value);
    return refusal(header);
  };
  EXPECT_NE(changed("dtype", "\"F16\"").find("expected \"BF16\""),
            std::string::npos);
  EXPECT_NE(changed("shape", "[3, 2]").find("[3,2], expected [2,3]"),
            std::string::npos);
  EXPECT_NE(changed("shape", "[2, 3, 1]").find("shape is"), std::string::npos);
  EXPECT_NE(changed("shape", "\"x\"").find("shape is"), std::string::npos);
  EXPECT_NE(changed("data_offsets", "[14, 26]").find("expected [16,28]"),
            std::string::npos);
  EXPECT_NE(changed("data_offsets", "[-1, 28]").find("data_offsets"),
            std::string::npos);
  EXPECT_NE(changed("data_offsets", "[16, 1e300]").find("data_offsets"),
            std::string::npos);
}

TEST_F(WeightFileTest, RefusesWhatIsNoSafetensors) {
  std::string huge = weightImage(weightHeader());
  huge.replace(0, 8, std::string(8, '\xff'));
  EXPECT_NE(refusal(huge).find("no safetensors file"), std::string::npos);
  EXPECT_NE(refusal(std::string(8, '\0') + "rest").find("not a JSON object"),
            std::string::npos);
  std::string error;
  EXPECT_FALSE(WeightFile::open(dir.path, manifest, "/bin/model", &error));
  EXPECT_NE(error.find("not a regular file"), std::string::npos) << error;
  EXPECT_FALSE(
      WeightFile::open(dir.path + "/none", manifest, "/bin/model", &error));
  EXPECT_NE(error.find("--weights FILE"), std::string::npos) << error;
}

// A header that is not padded puts F32 values at an odd address.
TEST_F(WeightFileTest, RefusesMisalignedData) {
  std::string text = weightHeader().dump();
  text.append((65 - (8 + text.size()) % 64) % 64, ' ');
  std::string image(8, '\0');
  image[0] = char(text.size() & 0xff);
  image[1] = char(text.size() >> 8);
  image += text + std::string(28, 'x');
  EXPECT_NE(refusal(image).find("expected a multiple of 4"), std::string::npos);
}

TEST(WeightPath, IsBesideTheExecutable) {
  Manifest manifest;
  manifest.weightsFile = "m.safetensors";
  EXPECT_EQ(weightPath(manifest, "", "/opt/x/m"), "/opt/x/m.safetensors");
  EXPECT_EQ(weightPath(manifest, "", "m"), "m.safetensors");
  EXPECT_EQ(weightPath(manifest, "else/w", "/opt/x/m"), "else/w");
  EXPECT_EQ(executablePath("x").front(), '/');
}

// A packed matrix is bytes with the panels as dimensions.
TEST_F(WeightFileTest, OpensPackedMatrices) {
  Json json = manifestJson();
  json["weights_bytes"] = 28 + 2 * 3 * 4 * 128;
  Json packed = {
      {"name", "p"},        {"dtype", "U8"},    {"shape", {2, 3, 4, 128}},
      {"offset", 28},       {"bytes", 3072},    {"format", "f32"},
      {"panel_bytes", 128}, {"scale_bytes", 0}, {"zeros_offset", 0},
      {"values_offset", 0}};
  json["weights"].push_back(packed);
  manifest = parse(json);
  Json header = weightHeader();
  header["p"] = {
      {"dtype", "U8"}, {"shape", {2, 3, 4, 128}}, {"data_offsets", {28, 3100}}};
  std::string path = dir.write("p.safetensors", weightImage(header, 3100));
  std::string error;
  auto file = WeightFile::open(path, manifest, "/bin/model", &error);
  ASSERT_TRUE(file) << error;
  EXPECT_EQ(static_cast<const uint8_t *>(file->pointers()[2])[0], 28);
  header["p"]["shape"] = {2, 3, 8, 64};
  EXPECT_NE(refusal(weightImage(header, 3100)).find("expected [2,3,4,128]"),
            std::string::npos);
}
} // namespace
