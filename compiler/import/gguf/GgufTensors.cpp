// Names, shapes and layouts of the family's tensors in GGUF. The converter puts
// the value heads of DeltaNet in another order: head g * R + r of the
// checkpoint (R of them for each key head g) is head r * G + g of the file, for
// G key heads. Only Qwen3-Next keeps the checkpoint's order.
// Source: llama.cpp, conversion of Qwen3NextModel and Qwen3_5 models.
#include "compiler/import/gguf/GgufTensors.h"
#include "compiler/import/StrictJson.h"
#include "compiler/import/gguf/GgufBlocks.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace quartet {
namespace {

using Shape = std::vector<int64_t>;
using Order = GgufView::Order;

constexpr size_t maxListed = 20;

std::string shapeText(ArrayRef<int64_t> shape) {
  return "[" +
         join(map_range(shape, [](int64_t d) { return std::to_string(d); }),
              ", ") +
         "]";
}

/// Without dimensions of extent 1, which converters drop or keep.
Shape squeezed(ArrayRef<int64_t> shape) {
  Shape result;
  for (int64_t extent : shape)
    if (extent != 1)
      result.push_back(extent);
  return result;
}

class TensorMapper {
public:
  TensorMapper(const GgufModel &model, const ModelConfig &config, bool mtp)
      : model(model), config(config), mtp(mtp),
        tiled(config.family != Family::Qwen3Next) {}

  Expected<GgufTensors> run();

private:
  const GgufModel &model;
  const ModelConfig &config;
  bool mtp;   ///< map the layer of multi-token prediction, too
  bool tiled; ///< value heads are in the file's own order
  GgufTensors result;
  StringSet<> claimed;
  std::vector<std::string> problems;
  Order valueRows, valueHeads, convRows; // the same for every layer

  static std::string inFile(int64_t layer, StringRef part) {
    return "blk." + std::to_string(layer) + "." + part.str();
  }
  /// The layer behind the model's is that of multi-token prediction.
  std::string inCheckpoint(int64_t layer, StringRef part) const {
    if (layer == config.checkpointLayers)
      return "mtp.layers.0." + part.str();
    return "model.layers." + std::to_string(layer) + "." + part.str();
  }
  /// Order of \p first rows as they are and then one group of \p size for each
  /// value head.
  Order headOrder(int64_t first, int64_t size) const;
  /// The tensor, or null and a problem when it is missing or mis-shaped.
  const GgufTensor *claim(const std::string &name, const Shape &shape,
                          StringRef alternative = "");
  GgufView *add(const std::string &checkpointName, const Shape &shape,
                const GgufTensor *tensor);
  GgufView *same(const std::string &name, const std::string &checkpointName,
                 const Shape &shape);
  void norm(const std::string &name, const std::string &checkpointName,
            int64_t size);
  void deltaNet(int64_t layer);
  void deltaInputs(int64_t layer);
  void attention(int64_t layer);
  void experts(int64_t layer);
  void dense(int64_t layer);
  void decoderLayer(int64_t layer, LayerKind kind, bool sparse);
  void mtpLayer();
  void cover();
  std::string whySetAside(StringRef name) const;
};

} // namespace

Order TensorMapper::headOrder(int64_t first, int64_t size) const {
  int64_t groups = config.keyHeads, ratio = config.valueHeads / groups;
  if (!tiled || ratio == 1 || groups == 1)
    return nullptr;
  auto order = std::make_shared<std::vector<int64_t>>();
  order->reserve(size_t(first + config.valueHeads * size));
  for (int64_t i = 0; i < first; ++i)
    order->push_back(i);
  for (int64_t head = 0; head < config.valueHeads; ++head) {
    int64_t stored = head % ratio * groups + head / ratio;
    for (int64_t i = 0; i < size; ++i)
      order->push_back(first + stored * size + i);
  }
  return order;
}

const GgufTensor *TensorMapper::claim(const std::string &name,
                                      const Shape &shape,
                                      StringRef alternative) {
  const GgufTensor *tensor = model.find(name);
  claimed.insert(name);
  if (!tensor) {
    problems.push_back("missing tensor '" + name + "'; expected shape " +
                       shapeText(shape) + alternative.str());
    return nullptr;
  }
  if (tensor->rowLength() != shape.back() ||
      squeezed(tensor->shape) != squeezed(shape)) {
    problems.push_back("tensor '" + name + "' has shape " +
                       shapeText(tensor->shape) + "; expected " +
                       shapeText(shape));
    return nullptr;
  }
  return tensor;
}

GgufView *TensorMapper::add(const std::string &checkpointName,
                            const Shape &shape, const GgufTensor *tensor) {
  if (!tensor)
    return nullptr;
  GgufView view;
  view.tensor = tensor;
  view.columns = tensor->rowLength();
  view.rows = 1;
  for (int64_t extent : shape)
    view.rows *= extent;
  view.rows /= view.columns;
  result.table[checkpointName] = {
      ggufType(tensor->type)->plain.value_or(Dtype::BF16), shape};
  return &(result.views[checkpointName] = std::move(view));
}

GgufView *TensorMapper::same(const std::string &name,
                             const std::string &checkpointName,
                             const Shape &shape) {
  return add(checkpointName, shape, claim(name, shape));
}

void TensorMapper::norm(const std::string &name,
                        const std::string &checkpointName, int64_t size) {
  if (GgufView *view = same(name, checkpointName, {size}))
    view->change = GgufChange::PlusOne;
}

/// Newer files have the same tensors as the checkpoints of Qwen3.5;
/// Qwen3-Next's may be fused by key head: q, k, v, z and b, a, the last four
/// for the value heads of that key head.
void TensorMapper::deltaInputs(int64_t layer) {
  int64_t hidden = config.hiddenSize, groups = config.keyHeads;
  int64_t heads = config.valueHeads, ratio = heads / groups;
  int64_t key = config.keyDim, value = ratio * config.valueDim;
  int64_t valueSize = heads * config.valueDim, channels = config.convChannels();
  auto hf = [&](StringRef part) {
    return inCheckpoint(layer, ("linear_attn." + part + ".weight").str());
  };
  // Rows [first, first + count) of each group, group by group.
  auto gather = [&](std::vector<int64_t> &order, int64_t group, int64_t first,
                    int64_t count) {
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t i = 0; i < count; ++i)
        order.push_back(g * group + first + i);
  };
  auto ordered = [&](const std::string &name, int64_t rows,
                     const GgufTensor *tensor, std::vector<int64_t> order) {
    if (GgufView *view = add(name, {rows, hidden}, tensor)) {
      view->rows = rows;
      view->rowOrder =
          std::make_shared<const std::vector<int64_t>>(std::move(order));
    }
  };
  bool isNext = config.family == Family::Qwen3Next;
  std::string fused = inFile(layer, "ssm_in.weight");
  if (isNext && model.find(fused)) {
    int64_t group = 2 * key + 2 * value;
    const GgufTensor *tensor = claim(fused, {groups * group, hidden});
    std::vector<int64_t> qkv, z;
    gather(qkv, group, 0, key);
    gather(qkv, group, key, key);
    gather(qkv, group, 2 * key, value);
    gather(z, group, 2 * key + value, value);
    ordered(hf("in_proj_qkv"), channels, tensor, std::move(qkv));
    ordered(hf("in_proj_z"), valueSize, tensor, std::move(z));
  } else {
    if (GgufView *view = same(inFile(layer, "attn_qkv.weight"),
                              hf("in_proj_qkv"), {channels, hidden}))
      view->rowOrder = convRows;
    if (GgufView *view = same(inFile(layer, "attn_gate.weight"),
                              hf("in_proj_z"), {valueSize, hidden}))
      view->rowOrder = valueRows;
  }
  fused = inFile(layer, "ssm_ba.weight");
  if (isNext && model.find(fused)) {
    const GgufTensor *tensor = claim(fused, {2 * heads, hidden});
    std::vector<int64_t> a, b;
    gather(b, 2 * ratio, 0, ratio);
    gather(a, 2 * ratio, ratio, ratio);
    ordered(hf("in_proj_b"), heads, tensor, std::move(b));
    ordered(hf("in_proj_a"), heads, tensor, std::move(a));
    return;
  }
  for (auto [part, name] : {std::pair("ssm_alpha.weight", "in_proj_a"),
                            std::pair("ssm_beta.weight", "in_proj_b")})
    if (GgufView *view = same(inFile(layer, part), hf(name), {heads, hidden}))
      view->rowOrder = valueHeads;
}

void TensorMapper::deltaNet(int64_t layer) {
  int64_t heads = config.valueHeads, channels = config.convChannels();
  deltaInputs(layer);
  auto hf = [&](StringRef part) {
    return inCheckpoint(layer, ("linear_attn." + part).str());
  };
  std::string conv = inFile(layer, "ssm_conv1d.weight");
  if (GgufView *view =
          add(hf("conv1d.weight"), {channels, 1, config.convKernel},
              claim(conv, {channels, config.convKernel})))
    view->rowOrder = convRows;
  if (GgufView *view = same(inFile(layer, "ssm_a"), hf("A_log"), {heads})) {
    view->columnOrder = valueHeads;
    view->change = GgufChange::NegExp;
  }
  if (GgufView *view =
          same(inFile(layer, "ssm_dt.bias"), hf("dt_bias"), {heads}))
    view->columnOrder = valueHeads;
  same(inFile(layer, "ssm_norm.weight"), hf("norm.weight"), {config.valueDim});
  if (GgufView *view =
          same(inFile(layer, "ssm_out.weight"), hf("out_proj.weight"),
               {config.hiddenSize, heads * config.valueDim}))
    view->columnOrder = valueRows;
}

void TensorMapper::attention(int64_t layer) {
  int64_t hidden = config.hiddenSize, dim = config.headDim;
  int64_t queries = config.numHeads * dim, keys = config.numKvHeads * dim;
  auto hf = [&](StringRef part) {
    return inCheckpoint(layer, ("self_attn." + part + ".weight").str());
  };
  same(inFile(layer, "attn_q.weight"), hf("q_proj"),
       {config.attentionGate ? 2 * queries : queries, hidden});
  same(inFile(layer, "attn_k.weight"), hf("k_proj"), {keys, hidden});
  same(inFile(layer, "attn_v.weight"), hf("v_proj"), {keys, hidden});
  same(inFile(layer, "attn_output.weight"), hf("o_proj"), {hidden, queries});
  norm(inFile(layer, "attn_q_norm.weight"), hf("q_norm"), dim);
  norm(inFile(layer, "attn_k_norm.weight"), hf("k_norm"), dim);
}

void TensorMapper::experts(int64_t layer) {
  int64_t hidden = config.hiddenSize, count = config.numExperts;
  int64_t width = config.expertIntermediate;
  int64_t shared = config.sharedIntermediate;
  auto hf = [&](const Twine &part) {
    return inCheckpoint(layer, ("mlp." + part).str());
  };
  same(inFile(layer, "ffn_gate_inp.weight"), hf("gate.weight"),
       {count, hidden});
  std::string fused = inFile(layer, "ffn_gate_up_exps.weight");
  if (model.find(fused)) {
    same(fused, hf("experts.gate_up_proj"), {count, 2 * width, hidden});
  } else {
    for (auto [part, projection] :
         {std::pair("ffn_gate_exps.weight", "gate_proj"),
          std::pair("ffn_up_exps.weight", "up_proj")}) {
      const GgufTensor *tensor =
          claim(inFile(layer, part), {count, width, hidden});
      for (int64_t e = 0; tensor && e < count; ++e) {
        GgufView *view =
            add(hf("experts." + Twine(e) + "." + projection + ".weight"),
                {width, hidden}, tensor);
        view->firstRow = e * width;
      }
    }
  }
  same(inFile(layer, "ffn_down_exps.weight"), hf("experts.down_proj"),
       {count, hidden, width});
  same(inFile(layer, "ffn_gate_inp_shexp.weight"),
       hf("shared_expert_gate.weight"), {1, hidden});
  same(inFile(layer, "ffn_gate_shexp.weight"),
       hf("shared_expert.gate_proj.weight"), {shared, hidden});
  same(inFile(layer, "ffn_up_shexp.weight"), hf("shared_expert.up_proj.weight"),
       {shared, hidden});
  same(inFile(layer, "ffn_down_shexp.weight"),
       hf("shared_expert.down_proj.weight"), {hidden, shared});
}

void TensorMapper::dense(int64_t layer) {
  int64_t hidden = config.hiddenSize, width = config.denseIntermediate;
  auto hf = [&](StringRef part) {
    return inCheckpoint(layer, ("mlp." + part + ".weight").str());
  };
  same(inFile(layer, "ffn_gate.weight"), hf("gate_proj"), {width, hidden});
  same(inFile(layer, "ffn_up.weight"), hf("up_proj"), {width, hidden});
  same(inFile(layer, "ffn_down.weight"), hf("down_proj"), {hidden, width});
}

void TensorMapper::decoderLayer(int64_t layer, LayerKind kind, bool sparse) {
  int64_t hidden = config.hiddenSize;
  norm(inFile(layer, "attn_norm.weight"),
       inCheckpoint(layer, "input_layernorm.weight"), hidden);
  norm(inFile(layer, "post_attention_norm.weight"),
       inCheckpoint(layer, "post_attention_layernorm.weight"), hidden);
  if (kind == LayerKind::LinearAttention)
    deltaNet(layer);
  else
    attention(layer);
  if (sparse)
    experts(layer);
  else
    dense(layer);
}

void TensorMapper::mtpLayer() {
  int64_t hidden = config.hiddenSize, layer = config.checkpointLayers;
  auto nextn = [&](StringRef part) {
    return inFile(layer, ("nextn." + part + ".weight").str());
  };
  norm(nextn("enorm"), "mtp.pre_fc_norm_embedding.weight", hidden);
  norm(nextn("hnorm"), "mtp.pre_fc_norm_hidden.weight", hidden);
  same(nextn("eh_proj"), "mtp.fc.weight", {hidden, 2 * hidden});
  norm(nextn("shared_head_norm"), "mtp.norm.weight", hidden);
  decoderLayer(layer, LayerKind::FullAttention, config.numExperts > 0);
  // Files may have an embedding and a head of the layer's own.
  for (StringRef part : {"embed_tokens", "shared_head_head"})
    if (model.find(nextn(part))) {
      problems.push_back("tensor '" + nextn(part) +
                         "' is the layer's own; expected that it shares the "
                         "model's embedding and head");
      claimed.insert(nextn(part));
    }
}

std::string TensorMapper::whySetAside(StringRef name) const {
  int64_t layer;
  if (!name.consume_front("blk.") || name.consumeInteger(10, layer) ||
      !name.starts_with("."))
    return "";
  int64_t used = int64_t(config.layers.size()),
          stored = config.checkpointLayers;
  if (layer >= used && layer < stored)
    return "beyond --layers " + std::to_string(used);
  if (!mtp && layer >= stored && layer < stored + config.mtpLayers)
    return "multi-token prediction";
  return "";
}

/// Every tensor is claimed or set aside, and the views of a claimed one have
/// all of its rows, each once.
void TensorMapper::cover() {
  std::map<const GgufTensor *, std::vector<bool>> used;
  for (const auto &[name, view] : result.views) {
    std::vector<bool> &rows = used[view.tensor];
    rows.resize(size_t(view.tensor->elements() / view.columns));
    for (int64_t row = 0; row < view.rows; ++row) {
      auto stored = size_t(view.rowInFile(row));
      if (stored < rows.size() && !rows[stored])
        rows[stored] = true;
      else if (problems.empty())
        problems.push_back("row " + std::to_string(stored) + " of tensor '" +
                           view.tensor->name + "' is used twice");
    }
  }
  for (const GgufTensor &tensor : model.tensors()) {
    auto it = used.find(&tensor);
    if (it != used.end()) {
      auto missing = llvm::find(it->second, false);
      if (missing != it->second.end() && problems.empty())
        problems.push_back("row " +
                           std::to_string(missing - it->second.begin()) +
                           " of tensor '" + tensor.name + "' is not used");
    } else if (std::string reason = whySetAside(tensor.name); !reason.empty()) {
      result.setAside.push_back({tensor.name, std::move(reason)});
    } else if (!claimed.contains(tensor.name)) {
      problems.push_back(
          "unknown tensor '" + tensor.name + "' (" + ggufTypeName(tensor.type) +
          " " + shapeText(tensor.shape) + "); this model has no use for it");
    }
  }
}

Expected<GgufTensors> TensorMapper::run() {
  int64_t hidden = config.hiddenSize;
  valueHeads = headOrder(0, 1);
  valueRows = headOrder(0, config.valueDim);
  convRows = headOrder(2 * config.keyHeads * config.keyDim, config.valueDim);
  same("token_embd.weight", "model.embed_tokens.weight",
       {config.vocabSize, hidden});
  norm("output_norm.weight", "model.norm.weight", hidden);
  if (!config.tiedHead)
    same("output.weight", "lm_head.weight", {config.vocabSize, hidden});
  for (int64_t i = 0; i < int64_t(config.layers.size()); ++i)
    decoderLayer(i, config.layers[size_t(i)], config.sparse[size_t(i)]);
  if (mtp)
    mtpLayer();
  cover();
  if (problems.empty())
    return std::move(result);
  std::string text = model.path() + ": the tensors do not fit the metadata:";
  for (const std::string &problem : ArrayRef(problems).take_front(maxListed))
    text += "\n  " + printable(problem, 400);
  if (problems.size() > maxListed)
    text += "\n  and " + std::to_string(problems.size() - maxListed) + " more";
  return createStringError(text);
}

StringRef GgufTensors::nameInFile(StringRef tensor) const {
  auto it = views.find(tensor);
  return it == views.end() ? tensor : StringRef(it->second.tensor->name);
}

Expected<GgufTensors> mapGgufTensors(const GgufModel &model,
                                     const ModelConfig &config, bool mtp) {
  return TensorMapper(model, config, mtp).run();
}

} // namespace quartet
