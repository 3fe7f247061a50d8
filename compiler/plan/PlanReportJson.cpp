// The JSON of a plan: the manifest's plan, and beside each phase what it does
// in the step that the text's table is about.
#include "compiler/plan/PlanReport.h"
#include "nlohmann/json.hpp"
#include "quartet/abi.h"

using namespace quartet;
using Json = nlohmann::ordered_json;

static Json describeTime(const PhaseTime &time) {
  return {{"bytes", time.bytes},
          {"flops", time.flops},
          {"least_seconds", time.seconds},
          {"bound", time.computes ? "compute" : "memory"}};
}

static Json describeBuckets(const PlanReport &report) {
  Json buckets = Json::array();
  Json counted = Json::parse(manifestPlan(report.program), nullptr,
                             /*allow_exceptions=*/false);
  for (auto [index, step] : llvm::enumerate(report.program.steps)) {
    Json bucket = counted["buckets"][index];
    StepShape shape = report.tableShape(step);
    bucket["step"] = {{"tokens", shape.tokens},
                      {"sequences", shape.sequences},
                      {"rows", shape.rows},
                      {"context", shape.context}};
    bucket["step"].update(describeTime(timeOf(step, shape, report.machine)));
    for (auto [number, phase] : llvm::enumerate(step.phases)) {
      Json inStep = describeTime(timeOf(phase, shape, report.machine));
      inStep["tasks"] = phase.tasks(shape);
      inStep["balance"] = phase.balance(shape, report.machine.workers);
      bucket["phases"][number]["step"] = std::move(inStep);
    }
    buckets.push_back(std::move(bucket));
  }
  return buckets;
}

void quartet::printPlanJson(const PlanReport &report, llvm::raw_ostream &os) {
  const PlanMachine &machine = report.machine;
  Json json;
  json["model"] = report.model;
  json["layers"] = report.layers;
  json["checkpoint_layers"] = report.checkpointLayers;
  json["formats"] = report.formats;
  json["target"] = report.target;
  json["cpu"] = report.cpu;
  json["machine"] = {{"workers", machine.workers},
                     {"read_gb_per_second", machine.readGBs},
                     {machine.floats + "_gflops_per_worker", machine.f32Gflops},
                     {"int8_gops_per_worker", machine.int8Gops}};
  json["assumptions"] = report.assumptions;
  json["memory"] = {{"weights_bytes", report.weightFileBytes},
                    {"sequence_bytes", report.program.slotBytes},
                    {"position_bytes",
                     double(report.program.pageBytes) / QUARTET_PAGE_TOKENS}};
  json["prefill"] = Json::array();
  for (const PlannedPrefill &prefill : report.prefill) {
    Json entry = {{"tokens", prefill.tokens}};
    entry.update(describeTime(prefill.time));
    entry["most_tokens_per_second"] =
        double(prefill.tokens) / prefill.time.seconds;
    json["prefill"].push_back(std::move(entry));
  }
  json["decode"] = Json::array();
  for (const PlannedDecode &decode : report.decode) {
    Json entry = {{"batch", decode.batch}, {"context", decode.context}};
    entry.update(describeTime(decode.time));
    entry["most_tokens_per_second"] =
        double(decode.batch) / decode.time.seconds;
    entry["memory_bytes"] = decode.memory;
    json["decode"].push_back(std::move(entry));
  }
  json["buckets"] = describeBuckets(report);
  os << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}
