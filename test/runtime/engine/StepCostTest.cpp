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
      {"name": "in", "repeat": 10, "weight_bytes": 1000, "macs": 7,
       "int8_macs": 6, "tasks": 3},
      {"name": "experts", "repeat": 2, "weight_bytes": 10, "expert_bytes": 100,
       "experts": 4, "experts_per_token": 2, "macs": 50},
      {"name": "mix", "state_bytes": 30, "state_write_bytes": 20,
       "kv_bytes_per_position": 2, "token_bytes": 3, "token_write_bytes": 4,
       "macs_per_position": 5},
      {"name": "head", "weight_bytes": 700, "macs_per_row": 11,
       "int8_macs_per_row": 10}]},
    {"tokens": 512, "kind": "many", "phases": [
      {"name": "all", "weight_bytes": 5, "macs": 1}]}]})");
  return json;
}

TEST(StepCost, SumsThePhases) {
  Manifest manifest = parse(withPlan());
  std::optional<StepCost> one = stepCost(manifest, 1, 1, 1, 100);
  ASSERT_TRUE(one);
  EXPECT_DOUBLE_EQ(one->bytes, 10 * 1000 + 2 * (10 + 100 * 2) +
                                   (30 + 20 + 2 * 100 + 3 + 4) + 700);
  EXPECT_DOUBLE_EQ(one->flops, 2 * (10 * 7 + 2 * 50 + 5 * 100 + 11));
  EXPECT_DOUBLE_EQ(one->int8Flops, 2 * (10 * 6 + 10));
  // Two tokens of two sequences: of 4 experts, 4 * (1 - 1/4) = 3 are read.
  std::optional<StepCost> two = stepCost(manifest, 2, 2, 2, 100);
  EXPECT_DOUBLE_EQ(two->bytes, 10 * 1000 + 2 * (10 + 100 * 3) +
                                   2 * (30 + 20 + 2 * 100 + 3 + 4) + 700);
  EXPECT_DOUBLE_EQ(two->flops, 2 * one->flops);
  // Two tokens of one sequence, none of whose logits are wanted.
  std::optional<StepCost> part = stepCost(manifest, 2, 1, 0, 100);
  EXPECT_DOUBLE_EQ(part->bytes, 10 * 1000 + 2 * (10 + 100 * 3) +
                                    (30 + 20 + 2 * 100) + 2 * (3 + 4));
  EXPECT_DOUBLE_EQ(part->flops, two->flops - 2 * 2 * 11);
  // The bucket that holds the step; the last one when none does.
  EXPECT_DOUBLE_EQ(stepCost(manifest, 17, 1, 1, 0)->bytes, 5);
  EXPECT_DOUBLE_EQ(stepCost(manifest, 1000, 1, 1, 0)->bytes, 5);
}

TEST(StepCost, NeedsAPlan) {
  EXPECT_FALSE(stepCost(parse(manifestJson()), 1, 1, 1, 0));
}
} // namespace
