// The plan as the manifest carries it. Key order is fixed and zeros are left
// out, so that equal builds are equal bytes.
#include "compiler/plan/StepPlan.h"
#include "nlohmann/json.hpp"

using namespace quartet;
using Json = nlohmann::ordered_json;

static Json describePhase(const PhasePlan &phase, const StepShape &full) {
  const StepWork &work = phase.work;
  Json json = {{"name", phase.name},
               {"repeat", phase.repeat},
               {"weight_bytes", work.weightBytes}};
  auto set = [&](const char *key, int64_t value) {
    if (value)
      json[key] = value;
  };
  set("expert_bytes", work.expertBytes);
  set("experts", work.experts);
  set("experts_per_token", work.expertsPerToken);
  set("state_bytes", work.stateBytes);
  set("state_write_bytes", work.stateWriteBytes);
  set("kv_bytes_per_position", work.kvBytesPerPosition);
  set("token_bytes", work.tokenBytes);
  set("token_write_bytes", work.tokenWriteBytes);
  set("macs", work.macs);
  set("macs_per_position", work.macsPerPosition);
  set("macs_per_row", work.macsPerRow);
  set("int8_macs", work.int8Macs);
  set("int8_macs_per_row", work.int8MacsPerRow);
  json["tasks"] = phase.tasks(full);
  return json;
}

std::string quartet::manifestPlan(const ProgramPlan &plan) {
  Json buckets = Json::array();
  for (const StepPlan &step : plan.steps) {
    Json phases = Json::array();
    for (const PhasePlan &phase : step.phases)
      phases.push_back(describePhase(phase, step.fullShape()));
    buckets.push_back({{"tokens", step.tokens},
                       {"kind", tile::stringifyStepKind(step.kind).str()},
                       {"scratch_bytes", step.scratchBytes},
                       {"scratch_bytes_per_page", step.scratchPageBytes},
                       {"local_bytes", step.localBytes},
                       {"phases", std::move(phases)}});
  }
  return Json{{"buckets", std::move(buckets)}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}
