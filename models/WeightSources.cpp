// Finds the source of every weight in a checkpoint's tensor table and proves
// that nothing is left over: the runs of all weights must tile each tensor
// exactly, unless the tensor is set aside by name.
#include "models/LayerParts.h"
#include "models/Weights.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include <algorithm>

namespace quartet {
namespace {

using Shape = std::vector<int64_t>;

constexpr size_t maxListed = 20;

/// Element type of a weight whose sources have several.
class WidestDtype {
public:
  void add(Dtype dtype) {
    anyF32 |= dtype == Dtype::F32;
    anyBF16 |= dtype == Dtype::BF16;
    any = true;
  }
  Dtype get(Dtype fallback) const {
    if (!any)
      return fallback;
    return anyF32 ? Dtype::F32 : anyBF16 ? Dtype::BF16 : Dtype::F16;
  }

private:
  bool any = false, anyF32 = false, anyBF16 = false;
};

class SourceFinder {
public:
  SourceFinder(const ModelConfig &config, const WeightOptions &options,
               const TensorTable &table)
      : config(config), options(options), table(table) {}

  llvm::Expected<WeightPlan> run();

private:
  const ModelConfig &config;
  const WeightOptions &options;
  const TensorTable &table;
  std::string root; ///< before "embed_tokens.weight" and "layers."
  std::vector<std::string> problems;
  /// Tensors that a problem or a set-aside entry accounts for.
  llvm::StringSet<> explained;
  WidestDtype dtype; ///< of the weight being planned

  /// What the names of a layer's tensors begin with.
  std::string layerPrefix(int64_t layer) const {
    return root + "layers." + std::to_string(layer) + ".";
  }
  bool exists(const std::string &name) const { return table.count(name) != 0; }
  /// Do the DeltaNet inputs of a layer come as Qwen3-Next's fused tensors?
  bool isInterleaved(const std::string &prefix) const {
    return config.family == Family::Qwen3Next &&
           (exists(prefix + "linear_attn.in_proj_qkvz.weight") ||
            exists(prefix + "linear_attn.in_proj_ba.weight"));
  }

  void findRoot();
  llvm::Error refuseQuantized() const;
  /// Records the tensor's type; false and a problem when it is missing or has
  /// another shape.
  bool check(const std::string &name, const Shape &shape,
             llvm::StringRef alternative = "");
  void whole(Weight &weight, const std::string &name, const Shape &shape,
             llvm::StringRef alternative = "");
  // Tensors of a part are named \p prefix and then as the part says.
  void addPart(Weight &weight, const LayerPart &part,
               const std::string &prefix);
  void interleaved(Weight &weight, const LayerPart &part,
                   const std::string &prefix);
  void experts(Weight &weight, const LayerPart &part,
               const std::string &prefix);
  void halfColumns(Weight &weight, const LayerPart &part,
                   const std::string &prefix);
  void addHead(Weight *head);
  /// The weight's element type, when its sources are known.
  void finish(Weight &weight);
  /// Set-aside entries and the proof that all else is used exactly once.
  void cover(WeightPlan &plan);
  std::string whySetAside(llvm::StringRef name) const;
  llvm::Error report() const;
};

} // namespace

/// Without control characters: names come from a file that nobody has checked.
static std::string printable(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return text;
}

void SourceFinder::findRoot() {
  const char *roots[] = {"model.language_model.", "language_model.model.",
                         "model."};
  for (const char *tensor : {"embed_tokens.weight", "norm.weight",
                             "layers.0.input_layernorm.weight"})
    for (const char *candidate : roots)
      if (exists(std::string(candidate) + tensor)) {
        root = candidate;
        return;
      }
  root = config.family == Family::Qwen3Next ? "model." : roots[0];
}

llvm::Error SourceFinder::refuseQuantized() const {
  for (const auto &[name, type] : table) {
    if (!setAsideByName(name, options.mtp).empty())
      continue;
    for (llvm::StringRef suffix :
         {".qweight", ".qzeros", ".scales", ".g_idx", ".weight_packed",
          ".weight_scale", ".weight_scale_inv", ".weight_scale_2",
          ".weight_zero_point", ".input_scale", ".biases"})
      if (llvm::StringRef(name).ends_with(suffix))
        return llvm::createStringError(
            "tensor '" + printable(name) + "' (" + stringify(type.dtype) + " " +
            shapeText(type.shape) +
            ") belongs to a quantized matrix, but config.json has no "
            "quantization_config that says how (download it too)");
  }
  return llvm::Error::success();
}

/// What the found shape hints at; starts with "; " or is empty.
static std::string shapeHint(llvm::StringRef name, const Shape &found,
                             const Shape &expected) {
  size_t rank = expected.size();
  if (found.size() != rank || rank < 2)
    return "";
  Shape swapped = expected;
  std::swap(swapped[rank - 1], swapped[rank - 2]);
  if (found != swapped)
    return "";
  if (name.ends_with("conv1d.weight"))
    return "; this is the layout of MLX conversions, which change the norms "
           "too: import the original checkpoint";
  return "; the tensor looks transposed: store it as [..., out, in]";
}

bool SourceFinder::check(const std::string &name, const Shape &shape,
                         llvm::StringRef alternative) {
  auto it = table.find(name);
  if (it == table.end()) {
    problems.push_back("missing tensor '" + name + "'; expected shape " +
                       shapeText(shape) + alternative.str());
    return false;
  }
  explained.insert(name);
  if (it->second.shape != shape) {
    problems.push_back("tensor '" + name + "' has shape " +
                       shapeText(it->second.shape) + "; expected " +
                       shapeText(shape) +
                       shapeHint(name, it->second.shape, shape));
    return false;
  }
  dtype.add(it->second.dtype);
  return true;
}

void SourceFinder::whole(Weight &weight, const std::string &name,
                         const Shape &shape, llvm::StringRef alternative) {
  if (check(name, shape, alternative))
    weight.runs.push_back({name, 0, elementCount(shape)});
}

/// Gathers one part out of the tensors in which Qwen3-Next interleaves by key
/// head: per head rows of q, k, v, z, and rows of b, a; v, z, b and a for the
/// value heads of that key head.
void SourceFinder::interleaved(Weight &weight, const LayerPart &part,
                               const std::string &prefix) {
  int64_t hidden = config.hiddenSize, heads = config.keyHeads;
  int64_t ratio = config.valueHeads / heads;
  int64_t key = config.keyDim, value = ratio * config.valueDim;
  bool isGate = part.name == "a" || part.name == "b";
  int64_t group = isGate ? 2 * ratio : 2 * key + 2 * value;
  std::string name = prefix + (isGate ? "linear_attn.in_proj_ba.weight"
                                      : "linear_attn.in_proj_qkvz.weight");
  bool firstUse = part.name == "qkv" || part.name == "b";
  Shape shape = {heads * group, hidden};
  // Only the first of the parts reports a problem of the shared tensor.
  if (!firstUse) {
    auto it = table.find(name);
    if (it == table.end() || it->second.shape != shape)
      return;
    dtype.add(it->second.dtype);
  } else if (!check(name, shape)) {
    return;
  }
  auto gather = [&](int64_t firstRow, int64_t rows) {
    for (int64_t head = 0; head < heads; ++head)
      weight.runs.push_back(
          {name, (head * group + firstRow) * hidden, rows * hidden});
  };
  if (part.name == "qkv") {
    gather(0, key);
    gather(key, key);
    gather(2 * key, value);
  } else if (part.name == "z") {
    gather(2 * key + value, value);
  } else if (part.name == "b") {
    gather(0, ratio);
  } else {
    gather(ratio, ratio);
  }
}

void SourceFinder::experts(Weight &weight, const LayerPart &part,
                           const std::string &layer) {
  const auto &[suffix, shape] = part.tensors.front();
  std::string fused = layer + suffix.str();
  std::string prefix = layer + "mlp.experts.";
  bool isGateUp = part.source == PartSource::ExpertGateUp;
  auto ofExpert = [&](int64_t expert, llvm::StringRef projection) {
    return prefix + std::to_string(expert) + "." + projection.str() + ".weight";
  };
  llvm::StringRef first = isGateUp ? "gate_proj" : "down_proj";
  bool split =
      llvm::any_of(llvm::seq<int64_t>(0, config.numExperts),
                   [&](int64_t e) { return exists(ofExpert(e, first)); });
  if (exists(fused) && split) {
    problems.push_back("tensors '" + fused + "' and '" + prefix + "*." +
                       first.str() +
                       ".weight' are both there; expected one of the layouts");
    explained.insert(fused);
    for (int64_t e = 0; e < config.numExperts; ++e)
      for (const char *projection : {"gate_proj", "up_proj", "down_proj"})
        explained.insert(ofExpert(e, projection));
    return;
  }
  if (!split) {
    whole(weight, fused, shape, ", or '" + ofExpert(0, first) + "' and so on");
    return;
  }
  int64_t width = config.expertIntermediate, hidden = config.hiddenSize;
  for (int64_t e = 0; e < config.numExperts; ++e) {
    if (!isGateUp) {
      whole(weight, ofExpert(e, "down_proj"), {hidden, width});
      continue;
    }
    whole(weight, ofExpert(e, "gate_proj"), {width, hidden});
    whole(weight, ofExpert(e, "up_proj"), {width, hidden});
  }
}

/// Half of each row; the first half's part reports a problem of the tensor.
void SourceFinder::halfColumns(Weight &weight, const LayerPart &part,
                               const std::string &prefix) {
  const auto &[suffix, shape] = part.tensors.front();
  std::string name = prefix + suffix.str();
  bool left = part.source == PartSource::LeftColumns;
  auto it = table.find(name);
  if (!left && (it == table.end() || it->second.shape != shape))
    return;
  if (!check(name, shape))
    return;
  int64_t columns = shape.back() / 2;
  for (int64_t row = 0; row < shape.front(); ++row)
    weight.runs.push_back(
        {name, (2 * row + (left ? 0 : 1)) * columns, columns});
}

void SourceFinder::addPart(Weight &weight, const LayerPart &part,
                           const std::string &prefix) {
  switch (part.source) {
  case PartSource::Tensor:
  case PartSource::Rows:
    break;
  case PartSource::DeltaInput:
    if (isInterleaved(prefix))
      return interleaved(weight, part, prefix);
    break;
  case PartSource::ExpertGateUp:
  case PartSource::ExpertDown:
    return experts(weight, part, prefix);
  case PartSource::LeftColumns:
  case PartSource::RightColumns:
    return halfColumns(weight, part, prefix);
  }
  for (const auto &[suffix, shape] : part.tensors)
    whole(weight, prefix + suffix.str(), shape);
}

void SourceFinder::addHead(Weight *head) {
  std::string name = "lm_head.weight", other = "language_model.lm_head.weight";
  if (exists(name) && exists(other)) {
    problems.push_back("tensors '" + name + "' and '" + other +
                       "' are both there; expected one of them");
    explained.insert(name);
    explained.insert(other);
    return;
  }
  if (!head)
    return; // tied: a stored head is set aside by whySetAside
  whole(*head, exists(other) ? other : name, head->shape,
        "; only tie_word_embeddings: true in config.json makes it unnecessary");
}

std::string SourceFinder::whySetAside(llvm::StringRef name) const {
  if (llvm::StringRef reason = setAsideByName(name, options.mtp);
      !reason.empty())
    return reason.str();
  if (config.tiedHead &&
      (name == "lm_head.weight" || name == "language_model.lm_head.weight"))
    return "head tied to the embedding";
  int64_t layer;
  if (name.consume_front(root + "layers.") && !name.consumeInteger(10, layer) &&
      name.starts_with(".") && layer >= int64_t(config.layers.size()) &&
      layer < config.checkpointLayers)
    return "beyond --layers " + std::to_string(config.layers.size());
  return "";
}

void SourceFinder::cover(WeightPlan &plan) {
  std::map<llvm::StringRef, std::vector<std::pair<int64_t, int64_t>>> used;
  for (const Weight &weight : plan.weights)
    for (const Run &run : weight.runs)
      used[run.tensor].emplace_back(run.offset, run.count);
  for (const auto &[name, type] : table) {
    auto it = used.find(name);
    if (it == used.end()) {
      if (std::string reason = whySetAside(name); !reason.empty())
        plan.setAside.push_back({name, std::move(reason)});
      else if (!explained.contains(name))
        problems.push_back(
            "unknown tensor '" + name + "' (" + stringify(type.dtype).str() +
            " " + shapeText(type.shape) + "); this model has no use for it");
      continue;
    }
    llvm::sort(it->second);
    int64_t next = 0;
    for (const auto &[offset, count] : it->second) {
      if (offset != next)
        break;
      next += count;
    }
    // With problems, some of the tensor's weights may have been left out.
    if (next != elementCount(type.shape) && problems.empty())
      problems.push_back("tensor '" + name + "' is used once up to element " +
                         std::to_string(next) + "; expected all " +
                         std::to_string(elementCount(type.shape)));
  }
}

llvm::Error SourceFinder::report() const {
  if (problems.empty())
    return llvm::Error::success();
  std::string text = "the checkpoint does not fit config.json:";
  for (const std::string &problem :
       llvm::ArrayRef(problems).take_front(maxListed))
    text += "\n  " + printable(problem);
  if (problems.size() > maxListed)
    text += "\n  and " + std::to_string(problems.size() - maxListed) + " more";
  return llvm::createStringError(text);
}

void SourceFinder::finish(Weight &weight) {
  if (!options.dtype && !isAlwaysF32(weight.role))
    weight.dtype = dtype.get(config.dtype);
  dtype = WidestDtype();
}

llvm::Expected<WeightPlan> SourceFinder::run() {
  if (options.mtp)
    if (std::string why = whyNotMtp(config); !why.empty())
      return llvm::createStringError(why);
  if (llvm::Error error = refuseQuantized())
    return std::move(error);
  findRoot();
  WeightPlan plan = planWeights(config, options);
  int64_t period = config.blockPeriod(), blocks = config.blockCount();
  size_t next = 0;
  Weight &embed = plan.weights[next++];
  whole(embed, root + "embed_tokens.weight", embed.shape);
  finish(embed);
  for (int64_t j = 0; blocks > 0 && j < period; ++j)
    for (const LayerPart &part : layerParts(config, j)) {
      Weight &weight = plan.weights[next++];
      for (int64_t block = 0; block < blocks; ++block)
        addPart(weight, part, layerPrefix(j + block * period));
      finish(weight);
    }
  Weight &norm = plan.weights[next++];
  whole(norm, root + "norm.weight", norm.shape);
  finish(norm);
  Weight *head = config.tiedHead ? nullptr : &plan.weights[next++];
  addHead(head);
  if (head)
    finish(*head);
  if (options.mtp) {
    auto addMtp = [&](const std::vector<LayerPart> &parts,
                      const std::string &prefix) {
      for (const LayerPart &part : parts) {
        addPart(plan.weights[next], part, prefix);
        finish(plan.weights[next++]);
      }
    };
    addMtp(mtpEnds(config), "mtp.");
    addMtp(mtpLayerParts(config), "mtp.layers.0.");
  }
  cover(plan);
  if (llvm::Error error = report())
    return std::move(error);
  return plan;
}

llvm::Expected<WeightPlan> planWeights(const ModelConfig &config,
                                       const WeightOptions &options,
                                       const TensorTable &table) {
  return SourceFinder(config, options, table).run();
}

} // namespace quartet
