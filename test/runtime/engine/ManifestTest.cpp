// A good manifest is read completely; a bad one is refused with a message that
// names the field.
#include "TestManifest.h"
#include <gtest/gtest.h>

using namespace quartet::rt;
using namespace quartet::rt::test;
using Json = nlohmann::ordered_json;

namespace {
std::string errorOf(const Json &json) {
  std::string error;
  EXPECT_FALSE(parseManifest(json.dump(), &error));
  return error;
}

TEST(Manifest, ReadsEverything) {
  Manifest manifest = parse(manifestJson());
  EXPECT_EQ(manifest.name, "test");
  EXPECT_EQ(manifest.cpu, "x86-64-v3");
  EXPECT_EQ(manifest.vocab, 16);
  EXPECT_EQ(manifest.tokenLimit, 12);
  EXPECT_EQ(manifest.maxPositions, 300);
  ASSERT_EQ(manifest.weights.size(), 2u);
  EXPECT_EQ(manifest.weights[1].name, "a");
  EXPECT_EQ(manifest.weights[1].offset, 16u);
  EXPECT_EQ(manifest.weights[1].shape, (std::vector<int64_t>{2, 3}));
  ASSERT_EQ(manifest.states.size(), 3u);
  EXPECT_FALSE(manifest.states[0].paged);
  EXPECT_TRUE(manifest.states[2].paged);
  EXPECT_EQ(manifest.bytesPerSlot(), 4 * (2 * 3 + 5));
  EXPECT_EQ(manifest.bytesPerPage(), 4 * 2 * 64);
  EXPECT_EQ(manifest.generation.topK, 20);
  EXPECT_EQ(manifest.generation.stopIds, (std::vector<int32_t>{11}));
}

TEST(Manifest, RefusesWhatIsNoObject) {
  std::string error;
  EXPECT_FALSE(parseManifest("", &error));
  EXPECT_FALSE(parseManifest("[1]", &error));
  EXPECT_FALSE(parseManifest("{\"abi\":1", &error));
  EXPECT_NE(error.find("not a JSON object"), std::string::npos) << error;
}

TEST(Manifest, RefusesAnotherAbi) {
  Json json = manifestJson();
  json["abi"] = 1;
  EXPECT_NE(errorOf(json).find("'abi' is 1"), std::string::npos);
}

// Every required field, taken away and given a wrong type.
TEST(Manifest, NeedsItsFields) {
  for (const char *key :
       {"abi", "quartet", "name", "target", "model", "page_tokens",
        "weights_id", "layout_id", "weights_file", "weights_bytes", "weights",
        "states"}) {
    Json json = manifestJson();
    json.erase(key);
    std::string error = errorOf(json);
    EXPECT_NE(error.find("'" + std::string(key) + "' is nothing"),
              std::string::npos)
        << error;
    json[key] = true;
    EXPECT_NE(errorOf(json).find("'" + std::string(key) + "' is true"),
              std::string::npos);
  }
  for (const char *key : {"family", "layers", "hidden", "vocab", "token_limit",
                          "max_positions"}) {
    Json json = manifestJson();
    json["model"].erase(key);
    EXPECT_NE(errorOf(json).find(key), std::string::npos) << key;
    json["model"][key] = -1;
    EXPECT_NE(errorOf(json).find(key), std::string::npos) << key;
  }
}

TEST(Manifest, ChecksSizes) {
  auto withWeight = [](const char *key, Json value) {
    Json json = manifestJson();
    json["weights"][1][key] = std::move(value);
    return errorOf(json);
  };
  EXPECT_NE(withWeight("bytes", 13).find("weight 'a'"), std::string::npos);
  EXPECT_NE(withWeight("offset", 20).find("ends at byte 32 of 28"),
            std::string::npos);
  EXPECT_NE(withWeight("dtype", "F33").find("unknown dtype"),
            std::string::npos);
  EXPECT_NE(withWeight("name", "b").find("twice"), std::string::npos);
  EXPECT_NE(withWeight("shape", Json::array({2, 0})).find("extent 0"),
            std::string::npos);
  // 2^62 * 2 * 2 bytes would overflow.
  EXPECT_NE(
      withWeight("shape", Json::array({int64_t(1) << 62, 2})).find("extent"),
      std::string::npos);
}

TEST(Manifest, ChecksStates) {
  auto withShape = [](const char *shape) {
    Json json = manifestJson();
    json["states"][0]["shape"] = Json::parse(shape);
    return errorOf(json);
  };
  EXPECT_NE(withShape("[2, 3]").find("exactly one of"), std::string::npos);
  EXPECT_NE(withShape(R"(["slots", "pages"])").find("exactly one of"),
            std::string::npos);
  EXPECT_NE(withShape(R"([2, "rows"])").find("exactly one of"),
            std::string::npos);
  EXPECT_NE(withShape(R"([0, "slots"])").find("extent 0"), std::string::npos);
}

TEST(Manifest, ChecksTheRest) {
  Json json = manifestJson();
  json["weights_file"] = "../other.safetensors";
  EXPECT_NE(errorOf(json).find("without a folder"), std::string::npos);
  json = manifestJson();
  json["model"]["token_limit"] = 17;
  EXPECT_NE(errorOf(json).find("'token_limit' is 17"), std::string::npos);
  json = manifestJson();
  json["generation"]["top_p"] = 1.5;
  EXPECT_NE(errorOf(json).find("'top_p' is 1.5"), std::string::npos);
  json = manifestJson();
  json["generation"]["stop_ids"] = Json::array({"eos"});
  EXPECT_NE(errorOf(json).find("stop_ids"), std::string::npos);
}

TEST(Manifest, ReadsPackedMatrices) {
  Json json = manifestJson();
  json["weights_bytes"] = 28 + 2 * 3 * 4 * 1088;
  json["weights"].push_back({{"name", "packed"},
                             {"dtype", "U8"},
                             {"shape", {2, 3, 4, 1088}},
                             {"offset", 28},
                             {"bytes", 2 * 3 * 4 * 1088},
                             {"format", "int4:64"},
                             {"logical_shape", {2, 3, 64, 128}},
                             {"panel_bytes", 1088},
                             {"scale_bytes", 64},
                             {"zeros_offset", 64},
                             {"values_offset", 64}});
  Manifest manifest = parse(json);
  EXPECT_EQ(manifest.weights[1].format, "");
  EXPECT_EQ(manifest.weights[2].format, "int4:64");
  EXPECT_EQ(manifest.weights[2].panelBytes, 1088);
  EXPECT_EQ(manifest.weights[2].valuesOffset, 64);
  json["weights"][2]["values_offset"] = 2000;
  EXPECT_NE(errorOf(json).find("'values_offset' is 2000"), std::string::npos);
  json["weights"][2]["values_offset"] = 64;
  json["weights"][2]["panel_bytes"] = 1000;
  EXPECT_NE(errorOf(json).find("no whole number of panels"), std::string::npos);
  json["weights"][2]["panel_bytes"] = 1088;
  json["weights"][2]["values_offset"] = 72;
  EXPECT_NE(errorOf(json).find("at 72, expected a multiple of 16"),
            std::string::npos);
}

TEST(Manifest, ReadsThePlan) {
  Json json = manifestJson();
  EXPECT_TRUE(parse(json).plan.empty());
  json["plan"]["buckets"] = Json::parse(
      R"([{"tokens": 4, "phases": [{"name": "in", "weight_bytes": 3}]}])");
  Manifest manifest = parse(json);
  ASSERT_EQ(manifest.plan.size(), 1u);
  EXPECT_EQ(manifest.plan[0].tokens, 4);
  EXPECT_EQ(manifest.plan[0].phases[0].name, "in");
  EXPECT_EQ(manifest.plan[0].phases[0].weightBytes, 3);
  EXPECT_EQ(manifest.plan[0].phases[0].repeat, 1);
  json["plan"]["buckets"][0].erase("phases");
  EXPECT_NE(errorOf(json).find("'phases' is nothing"), std::string::npos);
}
} // namespace
