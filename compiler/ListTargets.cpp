// Facts about targets as text and as JSON; both from the same description.
#include "compiler/ListTargets.h"
#include "targets/Chips.h"
#include "targets/cpu/Features.h"
#include "targets/gpu/ReadFacts.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <nlohmann/json.hpp>

using namespace quartet;
using llvm::StringRef;
using Json = nlohmann::ordered_json;

static llvm::Expected<std::string> needsOf(const Chip &chip) {
  const Capabilities &facts = chip.capabilities;
  return cpu::kernelFeatures(facts.triple, facts.cpu, facts.features);
}

static Json describeUnits(const Chip &chip) {
  Json units = Json::array();
  for (const MatrixUnit &unit : chip.matrixUnits)
    units.push_back({{"m", unit.m},
                     {"n", unit.n},
                     {"k", unit.k},
                     {"a", unit.a},
                     {"b", unit.b},
                     {"sum", unit.sum}});
  return units;
}

static StringRef copyEngineName(gpu::CopyEngine engine) {
  return gpu::kCopyEngines[size_t(engine)];
}

/// The default of --launch.
static StringRef launchName(const gpu::GpuFacts &facts) {
  return facts.fasterLaunch() == gpu::LaunchMode::Graph ? "graph"
                                                        : "persistent";
}

static Json describeGpu(const Chip &chip) {
  const gpu::GpuFacts &facts = *chip.gpu;
  Json json;
  json["name"] = chip.name;
  json["about"] = chip.about;
  json["triple"] = facts.triple;
  json["features"] = facts.features;
  json["card"] = facts.card;
  json["units"] = facts.units;
  json["dies"] = facts.dies;
  json["blocks_per_unit"] = facts.blocksPerUnit;
  json["threads"] = facts.threads;
  json["lanes"] = facts.lanes;
  json["shared_memory_bytes"] = facts.sharedBytes;
  json["registers"] = facts.registers;
  json["matrix_units"] = describeUnits(chip);
  json["copy_engine"] = copyEngineName(facts.copy).str();
  json["warp_group_matrix"] = facts.wgmma;
  json["dependent_launch"] = facts.dependentLaunch;
  json["clock_hertz"] = facts.clockHertz;
  json["launch"] = launchName(facts).str();
  json["launch_records"] = Json::array();
  for (const gpu::LaunchRecord &record : facts.launchRecords)
    json["launch_records"].push_back({{"model", record.model},
                                      {"tokens", record.tokens},
                                      {"graph_us", record.graphUs},
                                      {"persistent_us", record.persistentUs}});
  json["peak"] = {{"read_gb_s", facts.readGBs},
                  {"f32_gflop_s", facts.f32Gflops},
                  {"bf16_gflop_s", facts.bf16Gflops},
                  {"int8_gop_s", facts.int8Gops}};
  return json;
}

static llvm::Expected<Json> describe(const Chip &chip) {
  if (chip.gpu)
    return describeGpu(chip);
  const Capabilities &facts = chip.capabilities;
  auto needs = needsOf(chip);
  if (!needs)
    return needs.takeError();
  auto known = [](double rate) { return rate > 0 ? Json(rate) : Json(); };
  Json json;
  json["name"] = chip.name;
  json["about"] = chip.about;
  json["triple"] = facts.triple;
  json["cpu"] = facts.cpu;
  json["features"] = facts.features;
  json["needs"] = *needs;
  json["workers"] = facts.workers ? Json(facts.workers) : Json("auto");
  json["local_memory_bytes"] = chip.localBytes ? Json(chip.localBytes) : Json();
  json["vector_bits"] = chip.vectorBits;
  json["matrix_units"] = describeUnits(chip);
  json["peak_per_worker"] = {{"read_gb_s", known(facts.readGBs)},
                             {"f32_gflop_s", known(facts.f32Gflops)},
                             {"int8_gop_s", known(facts.int8Gops)}};
  return json;
}

static void line(llvm::raw_ostream &out, StringRef label,
                 const llvm::Twine &value) {
  out << llvm::left_justify(label, 18) << value << "\n";
}

static void printUnits(const Chip &chip, llvm::raw_ostream &out) {
  for (const MatrixUnit &unit : chip.matrixUnits)
    line(out, "matrix unit",
         llvm::formatv("{0} x {1} x {2}, {3} by {4} to {5}", unit.m, unit.n,
                       unit.k, unit.a, unit.b, unit.sum)
             .str());
}

static void printGpu(const Chip &chip, llvm::raw_ostream &out) {
  const gpu::GpuFacts &facts = *chip.gpu;
  line(out, "triple", facts.triple);
  line(out, "LLVM features", facts.features);
  line(out, "card",
       facts.card + ", " + llvm::Twine(facts.units) + " units" +
           (facts.dies > 1 ? " on " + llvm::Twine(facts.dies) + " dies" : ""));
  line(out, "workers",
       llvm::formatv("{0} per unit, each of {1} threads in warps of {2}",
                     facts.blocksPerUnit, facts.threads, facts.lanes)
           .str());
  line(out, "a worker has",
       llvm::formatv("{0} KiB of shared memory, {1} registers per thread",
                     facts.sharedBytes / 1024, facts.registers)
           .str());
  printUnits(chip, out);
  StringRef copies = copyEngineName(facts.copy);
  line(out, "copies", copies == "none" ? "through registers" : copies);
  line(
      out, "has",
      llvm::Twine(facts.wgmma ? "warp-group matrices, " : "") +
          (facts.dependentLaunch ? "dependent launch" : "no dependent launch"));
  for (const gpu::LaunchRecord &record : facts.launchRecords)
    line(out, "measured",
         llvm::formatv("{0}, {1} tokens: graph {2} us, persistent {3} us",
                       record.model, record.tokens, record.graphUs,
                       record.persistentUs)
             .str());
  line(out, "launch",
       launchName(facts) +
           (facts.launchRecords.empty() ? ", not measured" : ", as measured"));
  line(out, "peaks",
       llvm::formatv("reads {0} GB/s, f32 {1} TFLOP/s, bf16 {2} TFLOP/s, "
                     "int8 {3} TOP/s, of the card",
                     facts.readGBs, facts.f32Gflops / 1000,
                     facts.bf16Gflops / 1000, facts.int8Gops / 1000)
           .str());
}

static llvm::Error printCpu(const Chip &chip, llvm::raw_ostream &out) {
  const Capabilities &facts = chip.capabilities;
  auto needs = needsOf(chip);
  if (!needs)
    return needs.takeError();
  auto rate = [](double number, StringRef unit) {
    return number > 0 ? llvm::formatv("{0} {1}", number, unit).str()
                      : std::string("unknown");
  };
  line(out, "triple", facts.triple);
  line(out, "LLVM CPU", facts.cpu);
  if (!facts.features.empty())
    line(out, "LLVM features", facts.features);
  line(out, "needs", needs->empty() ? "nothing more" : *needs);
  line(out, "workers",
       facts.workers ? llvm::Twine(facts.workers).str()
                     : "one for each core of the machine");
  line(out, "local memory",
       chip.localBytes
           ? llvm::Twine(chip.localBytes / 1024).str() + " KiB per worker"
           : "unknown");
  line(out, "vectors", llvm::Twine(chip.vectorBits) + " bits");
  printUnits(chip, out);
  line(out, "peaks",
       "reads " + rate(facts.readGBs, "GB/s") + ", f32 " +
           rate(facts.f32Gflops, "GFLOP/s") + ", int8 " +
           rate(facts.int8Gops, "GOP/s") + ", of one worker");
  return llvm::Error::success();
}

static llvm::Error printFacts(const Chip &chip, llvm::raw_ostream &out) {
  out << chip.name << ": " << chip.about << "\n";
  if (!chip.gpu)
    return printCpu(chip, out);
  printGpu(chip, out);
  return llvm::Error::success();
}

static llvm::Error listAll(bool json, llvm::raw_ostream &out) {
  Json list = Json::array();
  for (const auto &[name, about] : targetNames()) {
    if (!json) {
      out << llvm::left_justify(name, 16) << about << "\n";
      continue;
    }
    auto chip = findChip(name);
    if (!chip)
      return chip.takeError();
    auto described = describe(*chip);
    if (!described)
      return described.takeError();
    list.push_back(std::move(*described));
  }
  if (json)
    out << list.dump(2) << "\n";
  return llvm::Error::success();
}

llvm::Error quartet::listTargets(StringRef name, bool json,
                                 llvm::raw_ostream &out) {
  if (name.empty())
    return listAll(json, out);
  auto chip = findChip(name);
  if (!chip)
    return chip.takeError();
  auto cpus = cpuNames(name);
  if (!cpus)
    return cpus.takeError();
  if (json) {
    auto described = describe(*chip);
    if (!described)
      return described.takeError();
    if (!chip->gpu)
      (*described)["cpus"] = *cpus;
    out << described->dump(2) << "\n";
    return llvm::Error::success();
  }
  if (llvm::Error error = printFacts(*chip, out))
    return error;
  if (chip->gpu)
    return llvm::Error::success();
  out << "\nCPUs for --mcpu:\n";
  for (const std::string &cpu : *cpus)
    out << cpu << "\n";
  return llvm::Error::success();
}
