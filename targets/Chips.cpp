// Strict reading of the descriptions: a wrong fact would not fail, it would
// only make slow code or false plans.
#include "targets/Chips.h"
#include "targets/ChipFields.h"
#include "targets/cpu/Isa.h"
#include "targets/gpu/ReadFacts.h"
#include "targets/llvm/LlvmTarget.h"
#include "llvm/Support/Path.h"

using namespace quartet;
using llvm::StringRef;
using nlohmann::json;

/// Parses \p text and refuses keys that stand twice, of which the library would
/// silently take the last.
static json parseStrict(StringRef text, std::string &problem) {
  std::vector<std::set<std::string>> open;
  auto watch = [&](int, json::parse_event_t event, json &parsed) {
    if (event == json::parse_event_t::object_start)
      open.emplace_back();
    else if (event == json::parse_event_t::object_end)
      open.pop_back();
    else if (event == json::parse_event_t::key &&
             !open.back().insert(parsed.get<std::string>()).second &&
             problem.empty())
      problem = "field '" + parsed.get<std::string>() + "' stands twice";
    return true;
  };
  json parsed = json::parse(text.begin(), text.end(), watch,
                            /*allow_exceptions=*/false);
  if (!parsed.is_object() && problem.empty())
    problem = "is not one JSON object";
  return parsed;
}

static void readCpu(ChipFields &fields, Chip &chip) {
  Capabilities &facts = chip.capabilities;
  facts.triple = fields.text("triple");
  facts.cpu = fields.text("cpu");
  facts.features = fields.features("features");
  const json *workers = fields.get("workers");
  if (workers && *workers != json("auto"))
    facts.workers = int(fields.integer("workers", 1, 4096));
  chip.localBytes = fields.integer("local_memory_bytes", 1024, 1 << 30);
  chip.vectorBits = fields.integer("vector_bits", 128, 4096);
  chip.matrixUnits = fields.matrixUnits("matrix_units");
  fields.group("peak_per_worker", [&](ChipFields &rates) {
    facts.readGBs = rates.rate("read_gb_s");
    facts.f32Gflops = rates.rate("f32_gflop_s");
    facts.int8Gops = rates.rate("int8_gop_s");
  });
}

/// The folder says whose the chip is.
static std::optional<gpu::Vendor> gpuVendorOf(StringRef file) {
  StringRef folder =
      llvm::sys::path::filename(llvm::sys::path::parent_path(file));
  if (folder == "nvidia")
    return gpu::Vendor::Nvidia;
  if (folder == "amd")
    return gpu::Vendor::Amd;
  return std::nullopt;
}

llvm::Expected<Chip> quartet::parseChip(const ChipFile &file) {
  std::string problem;
  json parsed = parseStrict(file.text, problem);
  Chip chip;
  if (problem.empty()) {
    ChipFields fields(parsed, "", problem);
    chip.name = fields.text("name");
    chip.about = fields.text("about");
    if (auto vendor = gpuVendorOf(file.name))
      gpu::readFacts(fields, *vendor, chip);
    else
      readCpu(fields, chip);
    fields.end();
    StringRef stem = llvm::sys::path::stem(file.name);
    if (chip.name != stem)
      fields.expected("name", json(chip.name),
                      "that of the file, " + stem.str());
  }
  if (!problem.empty())
    return llvm::createStringError(file.name + ": " + problem);
  return chip;
}

static llvm::Expected<Chip> hostChip() {
  Chip chip;
  chip.name = "host";
  chip.about = "the CPU that runs the compiler";
  chip.capabilities = LlvmTarget::hostCapabilities();
  const Capabilities &facts = chip.capabilities;
  auto isa = cpu::Isa::of(facts.triple, facts.cpu, facts.features);
  if (!isa)
    return isa.takeError();
  chip.vectorBits = int64_t(isa->lanes) * 32;
  return chip;
}

llvm::Expected<Chip> quartet::findChip(StringRef name) {
  if (name == "host")
    return hostChip();
  for (const ChipFile &file : chipFiles())
    if (llvm::sys::path::stem(file.name) == name)
      return parseChip(file);
  std::string names, near;
  for (const auto &entry : targetNames()) {
    names += " " + entry.first;
    if (near.empty() && StringRef(entry.first).starts_with(name)) // sm_90
      near = " (did you mean '" + entry.first + "'?)";
  }
  return llvm::createStringError("unknown target '" + name + "'" + near +
                                 "; known targets:" + names);
}

llvm::Expected<gpu::GpuFacts> quartet::findGpuFacts(StringRef name) {
  llvm::Expected<Chip> chip = findChip(name);
  if (!chip)
    return chip.takeError();
  if (chip->gpu)
    return std::move(*chip->gpu);
  std::string names;
  for (const ChipFile &file : chipFiles())
    if (gpuVendorOf(file.name))
      names += " " + llvm::sys::path::stem(file.name).str();
  return llvm::createStringError("target '" + name +
                                 "' is no GPU; known GPUs:" + names);
}
