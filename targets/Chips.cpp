// Strict reading of the descriptions: a wrong fact would not fail, it would
// only make slow code or false plans.
#include "targets/Chips.h"
#include "targets/cpu/Isa.h"
#include "targets/llvm/LlvmTarget.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include <nlohmann/json.hpp>
#include <set>

using namespace quartet;
using llvm::StringRef;
using nlohmann::json;

namespace {
/// The fields of one object; the first problem is kept, and all fields that
/// were asked for, so that what is left is unknown.
class Fields {
public:
  Fields(const json &object, std::string prefix, std::string &problem)
      : object(object), prefix(std::move(prefix)), problem(problem) {}

  /// The field, or null after a problem.
  const json *get(const char *key) {
    known.insert(key);
    auto found = object.find(key);
    if (found != object.end())
      return &*found;
    fail(key, "is missing");
    return nullptr;
  }
  std::string text(const char *key) {
    const json *value = get(key);
    if (!value)
      return "";
    if (value->is_string() && !value->get_ref<const std::string &>().empty())
      return value->get<std::string>();
    expected(key, *value, "a text that is not empty");
    return "";
  }
  /// From \p least to \p most, both allowed.
  int64_t integer(const char *key, int64_t least, int64_t most) {
    const json *value = get(key);
    if (!value)
      return least;
    // Large ones are unsigned; as int64_t they would turn negative.
    bool fits = value->is_number_integer() &&
                !(value->is_number_unsigned() &&
                  value->get<uint64_t>() > uint64_t(INT64_MAX));
    if (fits && value->get<int64_t>() >= least && value->get<int64_t>() <= most)
      return value->get<int64_t>();
    expected(key, *value,
             "an integer from " + std::to_string(least) + " to " +
                 std::to_string(most));
    return least;
  }
  /// More than zero.
  double rate(const char *key) {
    const json *value = get(key);
    if (!value)
      return 0;
    if (value->is_number() && value->get<double>() > 0 &&
        value->get<double>() < 1e9)
      return value->get<double>();
    expected(key, *value, "a number over 0");
    return 0;
  }
  void expected(const char *key, const json &found, const std::string &what) {
    fail(key, "is " +
                  found.dump(-1, ' ', false, json::error_handler_t::replace) +
                  "; expected " + what);
  }
  void fail(const std::string &key, const std::string &why) {
    if (problem.empty())
      problem = "field '" + prefix + key + "' " + why;
  }
  /// After all reads: anything else in the object is a problem.
  void end() {
    for (const auto &entry : object.items())
      if (!known.count(entry.key()))
        fail(entry.key(),
             "is not known; expected one of " + llvm::join(known, ", "));
  }

private:
  const json &object;
  std::string prefix;
  std::string &problem;
  std::set<std::string> known;
};
} // namespace

static std::vector<MatrixUnit> readUnits(Fields &fields, std::string &problem) {
  std::vector<MatrixUnit> units;
  const json *list = fields.get("matrix_units");
  if (!list)
    return units;
  if (!list->is_array()) {
    fields.expected("matrix_units", *list, "a list of objects");
    return units;
  }
  for (const json &entry : *list) {
    std::string place = "matrix_units[" + std::to_string(units.size()) + "]";
    if (!entry.is_object()) {
      fields.expected(place.c_str(), entry, "an object");
      return units;
    }
    Fields unit(entry, place + ".", problem);
    auto type = [&](const char *key) {
      std::string name = unit.text(key);
      static constexpr StringRef types[] = {"int4", "int8", "fp8",  "bf16",
                                            "f16",  "f32",  "int32"};
      if (!name.empty() && !llvm::is_contained(types, name))
        unit.expected(key, json(name),
                      "one of " + llvm::join(llvm::ArrayRef(types), ", "));
      return name;
    };
    MatrixUnit made;
    made.m = unit.integer("m", 1, 4096);
    made.n = unit.integer("n", 1, 4096);
    made.k = unit.integer("k", 1, 4096);
    made.a = type("a");
    made.b = type("b");
    made.sum = type("sum");
    unit.end();
    units.push_back(made);
  }
  return units;
}

/// "+a,-b" of a list of texts.
static std::string readFeatures(Fields &fields) {
  std::string joined;
  const json *list = fields.get("features");
  if (!list)
    return joined;
  auto isFeature = [](const json &entry) {
    if (!entry.is_string())
      return false;
    const auto &text = entry.get_ref<const std::string &>();
    return text.size() > 1 && (text[0] == '+' || text[0] == '-') &&
           text.find(',') == std::string::npos;
  };
  if (!list->is_array() || !llvm::all_of(*list, isFeature)) {
    fields.expected("features", *list, "a list of texts like \"+dotprod\"");
    return joined;
  }
  for (const json &entry : *list)
    joined += (joined.empty() ? "" : ",") + entry.get<std::string>();
  return joined;
}

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

llvm::Expected<Chip> quartet::parseChip(const ChipFile &file) {
  std::string problem;
  json parsed = parseStrict(file.text, problem);
  Chip chip;
  if (problem.empty()) {
    Fields fields(parsed, "", problem);
    Capabilities &facts = chip.capabilities;
    chip.name = fields.text("name");
    chip.about = fields.text("about");
    facts.triple = fields.text("triple");
    facts.cpu = fields.text("cpu");
    facts.features = readFeatures(fields);
    const json *workers = fields.get("workers");
    if (workers && *workers != json("auto"))
      facts.workers = int(fields.integer("workers", 1, 4096));
    chip.localBytes = fields.integer("local_memory_bytes", 1024, 1 << 30);
    chip.vectorBits = fields.integer("vector_bits", 128, 4096);
    chip.matrixUnits = readUnits(fields, problem);
    const json *peak = fields.get("peak_per_worker");
    if (peak && !peak->is_object())
      fields.expected("peak_per_worker", *peak, "an object");
    if (peak && peak->is_object()) {
      Fields rates(*peak, "peak_per_worker.", problem);
      facts.readGBs = rates.rate("read_gb_s");
      facts.f32Gflops = rates.rate("f32_gflop_s");
      facts.int8Gops = rates.rate("int8_gop_s");
      rates.end();
    }
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
  std::string names;
  for (const auto &entry : targetNames())
    names += " " + entry.first;
  return llvm::createStringError("unknown target '" + name +
                                 "'; known targets:" + names);
}
