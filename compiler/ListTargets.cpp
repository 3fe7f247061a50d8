// Facts about targets as text and as JSON; both from the same description.
#include "compiler/ListTargets.h"
#include "targets/Chips.h"
#include "targets/cpu/Features.h"
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

static llvm::Expected<Json> describe(const Chip &chip) {
  const Capabilities &facts = chip.capabilities;
  auto needs = needsOf(chip);
  if (!needs)
    return needs.takeError();
  Json units = Json::array();
  for (const MatrixUnit &unit : chip.matrixUnits)
    units.push_back({{"m", unit.m},
                     {"n", unit.n},
                     {"k", unit.k},
                     {"a", unit.a},
                     {"b", unit.b},
                     {"sum", unit.sum}});
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
  json["matrix_units"] = units;
  json["peak_per_worker"] = {{"read_gb_s", known(facts.readGBs)},
                             {"f32_gflop_s", known(facts.f32Gflops)},
                             {"int8_gop_s", known(facts.int8Gops)}};
  return json;
}

static llvm::Error printFacts(const Chip &chip, llvm::raw_ostream &out) {
  const Capabilities &facts = chip.capabilities;
  auto needs = needsOf(chip);
  if (!needs)
    return needs.takeError();
  auto line = [&](StringRef label, const llvm::Twine &value) {
    out << llvm::left_justify(label, 18) << value << "\n";
  };
  auto rate = [](double number, StringRef unit) {
    return number > 0 ? llvm::formatv("{0} {1}", number, unit).str()
                      : std::string("unknown");
  };
  out << chip.name << ": " << chip.about << "\n";
  line("triple", facts.triple);
  line("LLVM CPU", facts.cpu);
  if (!facts.features.empty())
    line("LLVM features", facts.features);
  line("needs", needs->empty() ? "nothing more" : *needs);
  line("workers", facts.workers ? llvm::Twine(facts.workers).str()
                                : "one for each core of the machine");
  line("local memory",
       chip.localBytes
           ? llvm::Twine(chip.localBytes / 1024).str() + " KiB per worker"
           : "unknown");
  line("vectors", llvm::Twine(chip.vectorBits) + " bits");
  for (const MatrixUnit &unit : chip.matrixUnits)
    line("matrix unit",
         llvm::formatv("{0} x {1} x {2}, {3} by {4} to {5}", unit.m, unit.n,
                       unit.k, unit.a, unit.b, unit.sum)
             .str());
  line("peaks", "reads " + rate(facts.readGBs, "GB/s") + ", f32 " +
                    rate(facts.f32Gflops, "GFLOP/s") + ", int8 " +
                    rate(facts.int8Gops, "GOP/s") + ", of one worker");
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
    (*described)["cpus"] = *cpus;
    out << described->dump(2) << "\n";
    return llvm::Error::success();
  }
  if (llvm::Error error = printFacts(*chip, out))
    return error;
  out << "\nCPUs for --mcpu:\n";
  for (const std::string &cpu : *cpus)
    out << cpu << "\n";
  return llvm::Error::success();
}
