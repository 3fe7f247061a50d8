// Bytes and operations of a step, by hand.
#include "runtime/src/engine/StepCost.h"
#include "TestManifest.h"
#include <gtest/gtest.h>

using namespace quartet::rt;
using namespace quartet::rt::test;

namespace {
nlohmann::ordered_json withPlan() {
  nlohmann::ordered_json json = manifestJson();
  json["plan"] = nlohmann::ordered_json::parse(R"({"buckets": [
    {"tokens": 16, "kind": "few", "phases": [
      {"name": "in", "repeat": 10, "weight_bytes": 1000, "macs": 7, "tasks": 3},
      {"name": "experts", "repeat": 2, "weight_bytes": 10, "expert_bytes": 100,
       "experts": 4, "experts_per_token": 2, "macs": 50},
      {"name": "mix", "state_bytes": 30, "kv_bytes_per_position": 2}]},
    {"tokens": 512, "kind": "many", "phases": [
      {"name": "all", "weight_bytes": 5, "macs": 1}]}]})");
  return json;
}

TEST(StepCost, SumsThePhases) {
  Manifest manifest = parse(withPlan());
  std::optional<StepCost> one = stepCost(manifest, 1, 1, 100);
  ASSERT_TRUE(one);
  EXPECT_DOUBLE_EQ(one->bytes, 10 * 1000 + 2 * (10 + 100 * 2) + 30 + 2 * 100);
  EXPECT_DOUBLE_EQ(one->flops, 2 * (10 * 7 + 2 * 50));
  // Two tokens of two sequences: of 4 experts, 4 * (1 - 1/4) = 3 are read.
  std::optional<StepCost> two = stepCost(manifest, 2, 2, 100);
  EXPECT_DOUBLE_EQ(two->bytes,
                   10 * 1000 + 2 * (10 + 100 * 3) + 2 * (30 + 2 * 100));
  EXPECT_DOUBLE_EQ(two->flops, 2 * one->flops);
  // The bucket that holds the step; the last one when none does.
  EXPECT_DOUBLE_EQ(stepCost(manifest, 17, 1, 0)->bytes, 5);
  EXPECT_DOUBLE_EQ(stepCost(manifest, 1000, 1, 0)->bytes, 5);
}

TEST(StepCost, NeedsAPlan) {
  EXPECT_FALSE(stepCost(parse(manifestJson()), 1, 1, 0));
}
} // namespace
