// Prints the report of `quartetc inspect` as text and as JSON, from the same
// lists.
#include "compiler/Inspect.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <nlohmann/json.hpp>

using nlohmann::ordered_json;

namespace quartet {
namespace {

/// One row of the parameter table.
struct Component {
  const char *name;
  int64_t count, active; ///< active: read for one token
};

std::vector<Component> components(const InspectReport &report) {
  const ParameterCounts &c = report.counts;
  // One row of the embedding is read, all of it where it is the head too.
  int64_t row = report.config.tiedHead ? c.embedding : report.config.hiddenSize;
  std::vector<Component> all = {{"embedding", c.embedding, row},
                                {"mixers", c.mixers, c.mixers},
                                {"routers", c.routers, c.routers},
                                {"experts", c.experts, c.expertsActive},
                                {"shared experts", c.shared, c.shared},
                                {"dense MLPs", c.dense, c.dense},
                                {"layer norms", c.norms, c.norms},
                                {"final norm", c.finalNorm, c.finalNorm},
                                {"head", c.head, c.head}};
  llvm::erase_if(all, [](const Component &c) { return c.count == 0; });
  return all;
}

/// 1234567 as "1,234,567".
std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3; i -= 3)
    digits.insert(i - 3, ",");
  return digits;
}

/// "60.0 MiB".
std::string inUnits(int64_t bytes) {
  const char *units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = double(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format(unit == 0 ? "%.0f " : "%.1f ", value) << units[unit];
  return text;
}

std::string listText(llvm::ArrayRef<int64_t> list) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "[";
  llvm::interleaveComma(list, os);
  os << "]";
  return text;
}

/// Without control characters: names come from a file that nobody has checked.
std::string printable(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return text;
}

std::string numberText(double number) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.15g", number);
  return text;
}

void printShapes(const ModelConfig &c, llvm::raw_ostream &os) {
  auto line = [&](llvm::StringRef name) -> llvm::raw_ostream & {
    return os << "  " << llvm::left_justify(name, 12);
  };
  bool anySparse = llvm::is_contained(c.sparse, true);
  bool anyDense = llvm::is_contained(c.sparse, false);
  line("layers") << c.layers.size();
  if (int64_t(c.layers.size()) != c.checkpointLayers)
    os << " of " << c.checkpointLayers;
  os << ": " << layerPattern(c)
     << "  (D: Gated DeltaNet, A: gated attention; then "
     << (anySparse && anyDense ? "experts, or in lower case a dense MLP"
         : anySparse           ? "experts"
                               : "a dense MLP")
     << ")\n";
  line("widths") << "hidden " << grouped(c.hiddenSize) << ", vocabulary "
                 << grouped(c.vocabSize)
                 << (c.tiedHead ? ", head tied to the embedding" : "") << "\n";
  line("context") << grouped(c.maxPositions) << " tokens\n";
  line("attention") << c.numHeads << " query and " << c.numKvHeads
                    << " key/value heads of " << c.headDim
                    << (c.attentionGate ? ", with output gate\n" : "\n");
  line("rotary") << c.rope.rotaryDim << " of " << c.headDim
                 << " dimensions, theta " << numberText(c.rope.theta);
  if (c.rope.yarn)
    os << ", YaRN factor " << numberText(c.rope.yarnFactor) << " over "
       << grouped(c.rope.yarnOriginalPositions) << " positions";
  os << ", sections " << listText(c.rope.mropeSection) << "\n";
  line("DeltaNet") << c.keyHeads << " key heads of " << c.keyDim << ", "
                   << c.valueHeads << " value heads of " << c.valueDim
                   << ", convolution over " << c.convKernel << "\n";
  if (anySparse)
    line("experts") << c.numExperts << " of width " << c.expertIntermediate
                    << ", " << c.expertsPerToken << " per token"
                    << (c.renormalizeTopK ? ", weights renormalised" : "")
                    << "; a shared one of " << c.sharedIntermediate << "\n";
  if (anyDense)
    line("dense MLP") << "width " << grouped(c.denseIntermediate) << "\n";
  line("type") << stringify(c.dtype) << "\n";
  line("stop ids") << (c.generation.stopIds.empty() ? "none" : "");
  llvm::interleaveComma(c.generation.stopIds, os);
  os << "\n";
}

void printParameters(const InspectReport &report, llvm::raw_ostream &os) {
  int64_t total = report.counts.text();
  auto row = [&](llvm::StringRef name, int64_t count, llvm::StringRef share,
                 llvm::StringRef active) {
    os << "  " << llvm::left_justify(name, 24)
       << llvm::right_justify(grouped(count), 18)
       << llvm::right_justify(share, 10)
       << llvm::right_justify(active, active.empty() ? 0 : 17) << "\n";
  };
  auto percent = [&](int64_t count) {
    std::string text;
    llvm::raw_string_ostream(text)
        << llvm::format("%.1f %%", 100.0 * double(count) / double(total));
    return text;
  };
  os << "\nparameters" << llvm::right_justify("count", 34)
     << llvm::right_justify("share", 10)
     << llvm::right_justify("read per token", 17) << "\n";
  for (const Component &part : components(report))
    row(part.name, part.count, percent(part.count), grouped(part.active));
  row("text total", total, percent(total), grouped(report.counts.active()));
  if (report.counts.mtp)
    row("multi-token prediction", report.counts.mtp,
        report.mtp ? "own step" : "not used", "");
  if (report.counts.vision)
    row("vision tower", report.counts.vision, "not used", "");
}

void printStates(const InspectReport &report, llvm::raw_ostream &os) {
  auto line = [&](llvm::StringRef name, int64_t bytes, llvm::StringRef per) {
    os << "  " << llvm::left_justify(name, 24)
       << llvm::right_justify(grouped(bytes), 18) << " bytes " << per << " ("
       << inUnits(bytes) << ")\n";
  };
  os << "\nstate\n";
  line("DeltaNet matrices", report.deltaStateBytes(), "per sequence");
  line("convolution windows", report.convStateBytes(), "per sequence");
  line("keys and values", report.cacheBytesPerToken(), "per token");
}

void printTensors(const InspectReport &report, llvm::raw_ostream &os) {
  if (!report.hasWeights) {
    os << "\nno weights: " << report.directory
       << " has no .safetensors files, so only the configuration is shown\n";
    return;
  }
  size_t nameWidth = 7, shapeWidth = 5, countWidth = 5;
  for (const TensorGroup &group : report.groups) {
    nameWidth = std::max(nameWidth, group.pattern.size());
    shapeWidth = std::max(shapeWidth, listText(group.shape).size());
    countWidth = std::max(countWidth, grouped(group.count).size());
  }
  auto row = [&](llvm::StringRef name, llvm::StringRef count,
                 llvm::StringRef dtype, llvm::StringRef shape,
                 llvm::StringRef use) {
    os << "  " << llvm::left_justify(name, nameWidth) << "  "
       << llvm::right_justify(count, countWidth) << "  "
       << llvm::left_justify(dtype, 5) << "  "
       << llvm::left_justify(shape, shapeWidth) << "  " << use << "\n";
  };
  os << "\n"
     << grouped(report.tensorCount) << " tensors, "
     << grouped(report.checkpointBytes) << " bytes ("
     << inUnits(report.checkpointBytes) << ")";
  if (report.planned)
    os << "; the weight file has " << grouped(report.weightBytes) << " bytes ("
       << inUnits(report.weightBytes) << ")";
  os << "\n";
  if (report.groups.empty())
    return;
  row("pattern", "count", "type", "shape", "used as");
  for (const TensorGroup &group : report.groups)
    row(printable(group.pattern), grouped(group.count), group.dtype,
        listText(group.shape),
        !report.planned          ? "?"
        : group.setAside.empty() ? group.usedAs
                                 : "set aside: " + group.setAside);
}

ordered_json configJson(const ModelConfig &c) {
  ordered_json kinds = ordered_json::array(), sparse = ordered_json::array();
  for (int64_t j = 0; c.blockCount() > 0 && j < c.blockPeriod(); ++j) {
    kinds.push_back(stringify(c.layers[j]).str());
    sparse.push_back(bool(c.sparse[j]));
  }
  ordered_json rope = {{"type", c.rope.yarn ? "yarn" : "default"},
                       {"rotary_dim", c.rope.rotaryDim},
                       {"theta", c.rope.theta},
                       {"sections", c.rope.mropeSection}};
  if (c.rope.yarn) {
    rope["factor"] = c.rope.yarnFactor;
    rope["original_positions"] = c.rope.yarnOriginalPositions;
    rope["cos_sin_scale"] = c.rope.cosSinScale();
  }
  ordered_json json = {{"name", c.name},
                       {"family", stringify(c.family).str()},
                       {"layers", c.layers.size()},
                       {"checkpoint_layers", c.checkpointLayers},
                       {"blocks", c.blockCount()},
                       {"pattern", kinds},
                       {"pattern_has_experts", sparse},
                       {"hidden", c.hiddenSize},
                       {"vocab", c.vocabSize},
                       {"tied_head", c.tiedHead},
                       {"max_positions", c.maxPositions},
                       {"dtype", stringify(c.dtype).str()},
                       {"attention",
                        {{"heads", c.numHeads},
                         {"kv_heads", c.numKvHeads},
                         {"head_dim", c.headDim},
                         {"output_gate", c.attentionGate}}},
                       {"rope", rope},
                       {"linear_attention",
                        {{"key_heads", c.keyHeads},
                         {"value_heads", c.valueHeads},
                         {"key_dim", c.keyDim},
                         {"value_dim", c.valueDim},
                         {"conv_kernel", c.convKernel}}}};
  if (c.numExperts > 0)
    json["experts"] = {{"count", c.numExperts},
                       {"per_token", c.expertsPerToken},
                       {"intermediate", c.expertIntermediate},
                       {"shared_intermediate", c.sharedIntermediate},
                       {"renormalized", c.renormalizeTopK}};
  if (c.denseIntermediate > 0)
    json["dense"] = {{"intermediate", c.denseIntermediate}};
  json["stop_ids"] = c.generation.stopIds;
  return json;
}

} // namespace

void printReport(const InspectReport &report, llvm::raw_ostream &os) {
  os << report.config.name << ": " << stringify(report.config.family) << "\n\n";
  printShapes(report.config, os);
  printParameters(report, os);
  printStates(report, os);
  printTensors(report, os);
}

void printReportJson(const InspectReport &report, llvm::raw_ostream &os) {
  ordered_json parameters = ordered_json::object();
  for (const Component &part : components(report))
    parameters[part.name] = {{"count", part.count}, {"per_token", part.active}};
  const ParameterCounts &counts = report.counts;
  ordered_json json = {
      {"model", configJson(report.config)},
      {"parameters",
       {{"components", parameters},
        {"text", counts.text()},
        {"per_token", counts.active()},
        {"multi_token_prediction", counts.mtp},
        {"vision", counts.vision}}},
      {"state",
       {{"delta_bytes_per_sequence", report.deltaStateBytes()},
        {"conv_bytes_per_sequence", report.convStateBytes()},
        {"cache_bytes_per_token", report.cacheBytesPerToken()}}},
      {"weights", nullptr}};
  if (report.hasWeights) {
    ordered_json groups = ordered_json::array();
    for (const TensorGroup &group : report.groups) {
      ordered_json entry = {{"pattern", group.pattern},
                            {"count", group.count},
                            {"dtype", group.dtype},
                            {"shape", group.shape},
                            {"bytes", group.bytes}};
      if (!group.usedAs.empty())
        entry["used_as"] = group.usedAs;
      if (!group.setAside.empty())
        entry["set_aside"] = group.setAside;
      groups.push_back(std::move(entry));
    }
    json["weights"] = {{"tensors", report.tensorCount},
                       {"bytes", report.checkpointBytes},
                       {"fits", report.planned},
                       {"groups", groups}};
    if (report.planned)
      json["weights"]["weight_file_bytes"] = report.weightBytes;
  }
  // Tensor and folder names need not be UTF-8.
  os << json.dump(2, ' ', /*ensure_ascii=*/false,
                  ordered_json::error_handler_t::replace)
     << "\n";
}

} // namespace quartet
