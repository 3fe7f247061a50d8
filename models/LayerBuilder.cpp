// One decoder layer as quartet ops. Sources of the formulas: the ops
// themselves; of the order: Qwen3_5MoeDecoderLayer and its parts in Hugging
// Face transformers.
#include "models/LayerBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace quartet;

/// Added to the sum of squares of q and k before the root; fixed in the family.
static constexpr float kQkEps = 1e-6f;

LayerBuilder::LayerBuilder(ImplicitLocOpBuilder &b, const ModelConfig &config,
                           const llvm::StringMap<RankedTensorType> &types,
                           const StepValues &step, StringRef layer,
                           LayerKind kind, bool sparse)
    : b(b), config(config), types(types), step(step), layer(layer), kind(kind),
      sparse(sparse) {}

RankedTensorType LayerBuilder::activation(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> full{ShapedType::kDynamic};
  llvm::append_range(full, shape);
  return RankedTensorType::get(full, b.getF32Type());
}

static std::string nameOf(StringRef layer, StringRef part) {
  return (layer + "." + part).str();
}

Value LayerBuilder::weight(StringRef part) {
  std::string name = nameOf(layer, part);
  return LoadWeightOp::create(b, types.lookup(name), name);
}

Value LayerBuilder::loadState(StringRef part) {
  std::string name = nameOf(layer, part);
  return LoadStateOp::create(b, types.lookup(name), name);
}

void LayerBuilder::storeState(StringRef part, Value value) {
  StoreStateOp::create(b, nameOf(layer, part), value);
}

Value LayerBuilder::norm(Value x, StringRef part) {
  return RmsNormOp::create(b, x.getType(), x, weight(part),
                           b.getF32FloatAttr(config.rmsEps));
}

Value LayerBuilder::linear(Value x, StringRef part) {
  Value w = weight(part);
  int64_t rows = cast<RankedTensorType>(w.getType()).getDimSize(0);
  return LinearOp::create(b, activation({rows}), x, w);
}

Value LayerBuilder::columns(Value x, int64_t from, int64_t count) {
  auto rank = cast<RankedTensorType>(x.getType()).getRank();
  Value tokens = tensor::DimOp::create(b, x, 0);
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0));
  SmallVector<OpFoldResult> sizes{tokens};
  for (int64_t d = 1; d < rank; ++d)
    sizes.push_back(
        b.getIndexAttr(cast<RankedTensorType>(x.getType()).getDimSize(d)));
  SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
  offsets.back() = b.getIndexAttr(from);
  sizes.back() = b.getIndexAttr(count);
  return tensor::ExtractSliceOp::create(b, x, offsets, sizes, strides);
}

Value LayerBuilder::heads(Value x, int64_t count) {
  int64_t width = cast<RankedTensorType>(x.getType()).getDimSize(1) / count;
  SmallVector<ReassociationIndices> groups{{0}, {1, 2}};
  SmallVector<OpFoldResult> sizes{tensor::DimOp::create(b, x, 0).getResult(),
                                  b.getIndexAttr(count), b.getIndexAttr(width)};
  return tensor::ExpandShapeOp::create(b, activation({count, width}), x, groups,
                                       sizes);
}

Value LayerBuilder::flat(Value x) {
  SmallVector<ReassociationIndices> groups{{0}, {1, 2}};
  return tensor::CollapseShapeOp::create(b, x, groups);
}

Value LayerBuilder::rope(Value x) {
  return RopeOp::create(
      b, x.getType(), x, step.positions,
      b.getDenseF32ArrayAttr(config.rope.inverseFrequencies()),
      b.getDenseI32ArrayAttr(config.rope.axes()),
      b.getF32FloatAttr(config.rope.cosSinScale()));
}

Value LayerBuilder::deltaNet(Value x) {
  int64_t keyWidth = config.keyHeads * config.keyDim;
  int64_t valueWidth = config.valueHeads * config.valueDim;
  Value qkv = linear(x, "qkv");
  Value z = linear(x, "z");
  Value beta = linear(x, "b");
  Value decay = linear(x, "a");
  Value window = loadState("conv_window");
  auto conv = CausalConvOp::create(
      b, TypeRange{qkv.getType(), window.getType()}, qkv, weight("conv"),
      window, step.tokenSeq, step.seqStart, step.seqSlot);
  storeState("conv_window", conv.getStateOut());
  Value q = heads(columns(conv.getY(), 0, keyWidth), config.keyHeads);
  Value k = heads(columns(conv.getY(), keyWidth, keyWidth), config.keyHeads);
  Value v =
      heads(columns(conv.getY(), 2 * keyWidth, valueWidth), config.valueHeads);
  Value state = loadState("delta_state");
  auto delta = GatedDeltaOp::create(b, TypeRange{v.getType(), state.getType()},
                                    q, k, v, decay, beta, weight("a_log"),
                                    weight("dt_bias"), state, step.seqStart,
                                    step.seqSlot, b.getF32FloatAttr(kQkEps));
  storeState("delta_state", delta.getStateOut());
  auto gate = config.deltaGate == GateKind::Silu ? Activation::Silu
                                                 : Activation::Sigmoid;
  Value y = GatedRmsNormOp::create(
      b, v.getType(), delta.getOut(), heads(z, config.valueHeads),
      weight("delta_norm"), ActivationAttr::get(b.getContext(), gate),
      b.getF32FloatAttr(config.rmsEps));
  return linear(flat(y), "delta_out");
}

Value LayerBuilder::attention(Value x) {
  int64_t width = config.headDim;
  // Per head: the query, then its gate.
  Value q = heads(linear(x, "q"), config.numHeads);
  Value gate;
  if (config.attentionGate) {
    gate = columns(q, width, width);
    q = columns(q, 0, width);
  }
  Value k = heads(linear(x, "k"), config.numKvHeads);
  Value v = heads(linear(x, "v"), config.numKvHeads);
  q = rope(norm(q, "q_norm"));
  k = rope(norm(k, "k_norm"));
  Value keys = loadState("key_cache"), values = loadState("value_cache");
  auto op = GatedAttentionOp::create(
      b, TypeRange{q.getType(), keys.getType(), values.getType()}, q, k, v,
      gate, keys, values, step.tokenSeq, step.seqStart, step.seqPast,
      step.seqSlot, step.pageTable,
      b.getF32FloatAttr(1.0 / std::sqrt(double(width))));
  storeState("key_cache", op.getKeyOut());
  storeState("value_cache", op.getValueOut());
  return linear(flat(op.getOut()), "attn_out");
}

Value LayerBuilder::mixtureOfExperts(Value x) {
  Type weights = activation({config.expertsPerToken});
  Type ids = RankedTensorType::get(
      {ShapedType::kDynamic, config.expertsPerToken}, b.getI32Type());
  auto route =
      RouteOp::create(b, TypeRange{weights, ids}, x, weight("router"),
                      b.getI64IntegerAttr(config.expertsPerToken),
                      config.renormalizeTopK ? b.getUnitAttr() : UnitAttr());
  Value routed =
      ExpertsOp::create(b, x.getType(), x, route.getWeights(), route.getIds(),
                        weight("gate_up"), weight("down"));
  if (!config.sharedIntermediate)
    return routed;
  Value shared =
      SharedExpertOp::create(b, x.getType(), x, weight("shared_gate_up"),
                             weight("shared_down"), weight("shared_gate"));
  return arith::AddFOp::create(b, routed, shared);
}

Value LayerBuilder::denseMlp(Value x) {
  return MlpOp::create(b, x.getType(), x, weight("mlp_gate_up"),
                       weight("mlp_down"));
}

Value LayerBuilder::build(Value x) {
  Value normed = norm(x, "input_norm");
  bool linearAttention = kind == LayerKind::LinearAttention;
  Value mixed = linearAttention ? deltaNet(normed) : attention(normed);
  x = arith::AddFOp::create(b, x, mixed);
  normed = norm(x, "post_norm");
  Value y = sparse ? mixtureOfExperts(normed) : denseMlp(normed);
  return arith::AddFOp::create(b, x, y);
}
