// The whole model as quartet IR: declarations, then the step with one repeated
// block. Every op carries a location that says which part of the model it is.
#include "models/BuildModel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "models/LayerBuilder.h"
#include "quartet/abi.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace quartet;

static Type elementType(MLIRContext *context, Dtype dtype) {
  switch (dtype) {
  case Dtype::F32:
    return Float32Type::get(context);
  case Dtype::F16:
    return Float16Type::get(context);
  case Dtype::BF16:
    return BFloat16Type::get(context);
  }
  return {};
}

static Type elementType(MLIRContext *context, KvType type) {
  switch (type) {
  case KvType::F32:
    return Float32Type::get(context);
  case KvType::F16:
    return Float16Type::get(context);
  case KvType::BF16:
    return BFloat16Type::get(context);
  case KvType::Int8:
    return IntegerType::get(context, 8);
  }
  return {};
}

namespace {
class ModelBuilder {
public:
  ModelBuilder(MLIRContext &context, const ModelConfig &config,
               const WeightPlan &plan, const BuildOptions &options)
      : context(context), config(config), plan(plan), options(options),
        b(NameLoc::get(StringAttr::get(&context, config.name)), &context) {}

  OwningOpRef<ModuleOp> build();

private:
  void declareWeights();
  void declareStates();
  /// \p repeat 0: one, outside of the block.
  void declareState(const Twine &layer, int64_t repeat, StringRef part,
                    StateDim dim, ArrayRef<int64_t> shape, Type element);
  void declareCaches(const Twine &layer, int64_t repeat);
  Value buildBlock(Value x, Block &step);
  Value buildMtpLayer(Value x, Block &step);
  void buildStep(bool mtp);
  Value loadWeight(StringRef name) {
    return LoadWeightOp::create(b, types.lookup(name), name);
  }
  Value norm(Value x, StringRef weight) {
    return RmsNormOp::create(b, x.getType(), x, loadWeight(weight),
                             b.getF32FloatAttr(config.rmsEps));
  }
  RankedTensorType rows(int64_t width) {
    return RankedTensorType::get({ShapedType::kDynamic, width}, b.getF32Type());
  }
  Location named(const Twine &name) {
    return NameLoc::get(b.getStringAttr(name));
  }

  MLIRContext &context;
  const ModelConfig &config;
  const WeightPlan &plan;
  const BuildOptions &options;
  ImplicitLocOpBuilder b;
  llvm::StringMap<RankedTensorType> types; // of one repetition
  bool hasMtp = false;
};
} // namespace

void ModelBuilder::declareWeights() {
  for (const Weight &weight : plan.weights) {
    // Weights of a layer repeat with the block; the ends of the model do not,
    // and of multi-token prediction there is one layer, without a block.
    bool isMtp = StringRef(weight.name).starts_with("mtp.");
    ArrayRef<int64_t> shape = weight.shape;
    IntegerAttr repeat;
    if (StringRef(weight.name).contains('.')) {
      if (!isMtp)
        repeat = b.getI64IntegerAttr(shape.front());
      shape = shape.drop_front();
    }
    hasMtp |= isMtp;
    auto type =
        RankedTensorType::get(shape, elementType(&context, weight.dtype));
    types[weight.name] = type;
    WeightOp::create(b, weight.name, repeat, type);
  }
}

void ModelBuilder::declareState(const Twine &layer, int64_t repeat,
                                StringRef part, StateDim dim,
                                ArrayRef<int64_t> shape, Type element) {
  SmallVector<int64_t> full{ShapedType::kDynamic};
  llvm::append_range(full, shape);
  auto type = RankedTensorType::get(full, element);
  std::string name = (layer + "." + part).str();
  types[name] = type;
  StateOp::create(b, name, dim,
                  repeat ? b.getI64IntegerAttr(repeat) : IntegerAttr(), type);
}

void ModelBuilder::declareCaches(const Twine &layer, int64_t repeat) {
  bool int8 = options.kvType == KvType::Int8;
  SmallVector<int64_t> page{config.numKvHeads, pageRows(int8, config.headDim),
                            config.headDim};
  for (StringRef part : {"key_cache", "value_cache"})
    declareState(layer, repeat, part, StateDim::Pages, page,
                 elementType(&context, options.kvType));
}

void ModelBuilder::declareStates() {
  int64_t repeat = config.blockCount();
  for (int64_t j = 0; j < config.blockPeriod(); ++j) {
    std::string layer = "l" + std::to_string(j);
    if (config.layers[j] != LayerKind::LinearAttention) {
      declareCaches(layer, repeat);
      continue;
    }
    declareState(layer, repeat, "conv_window", StateDim::Slots,
                 {config.convKernel - 1, config.convChannels()},
                 elementType(&context, options.stateDtype));
    declareState(layer, repeat, "delta_state", StateDim::Slots,
                 {config.valueHeads, config.valueDim, config.keyDim},
                 b.getF32Type());
  }
  if (hasMtp)
    declareCaches("mtp", 0);
}

static StepValues valuesOf(Block &step) {
  return {step.getArgument(kPositions), step.getArgument(kTokenSeq),
          step.getArgument(kSeqStart),  step.getArgument(kSeqPast),
          step.getArgument(kSeqSlot),   step.getArgument(kPageTable)};
}

Value ModelBuilder::buildBlock(Value x, Block &step) {
  StepValues values = valuesOf(step);
  auto block = BlockOp::create(b, x.getType(),
                               b.getI64IntegerAttr(config.blockCount()), x);
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&block.getBody(), {}, x.getType(), b.getLoc());
  Location outer = b.getLoc();
  Value h = body->getArgument(0);
  for (int64_t j = 0; j < config.blockPeriod(); ++j) {
    std::string name = "l" + std::to_string(j);
    b.setLoc(named(name));
    h = LayerBuilder(b, config, types, values, name, config.layers[j],
                     config.sparse[j])
            .build(h);
  }
  b.setLoc(outer);
  YieldOp::create(b, h);
  return block.getResult();
}

/// u = concat(e, f) * fc, then the layer; e and f are the normed embedding of
/// the next token (\p x) and hidden state.
Value ModelBuilder::buildMtpLayer(Value x, Block &step) {
  StepValues values = valuesOf(step);
  Value e = norm(x, "mtp.embed_norm");
  Value f = norm(step.getArgument(kHiddenIn), "mtp.hidden_norm");
  Value left = LinearOp::create(b, x.getType(), e, loadWeight("mtp.fc_embed"));
  Value right =
      LinearOp::create(b, x.getType(), f, loadWeight("mtp.fc_hidden"));
  Value u = arith::AddFOp::create(b, left, right);
  return LayerBuilder(b, config, types, values, "mtp", LayerKind::FullAttention,
                      config.numExperts > 0)
      .build(u);
}

void ModelBuilder::buildStep(bool mtp) {
  auto step = StepOp::create(b, mtp);
  SmallVector<Type> inputs;
  for (unsigned i = 0; i < kNumStepInputs; ++i)
    inputs.push_back(stepInputType(&context, StepInput(i)));
  if (mtp)
    inputs.push_back(rows(config.hiddenSize));
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&step.getBody(), {}, inputs,
                              SmallVector<Location>(inputs.size(), b.getLoc()));
  Location outer = b.getLoc();
  b.setLoc(named("embed"));
  Value x = EmbedOp::create(b, rows(config.hiddenSize),
                            body->getArgument(kTokens), loadWeight("embed"));
  b.setLoc(named(mtp ? "mtp" : "block"));
  x = mtp ? buildMtpLayer(x, *body) : buildBlock(x, *body);
  b.setLoc(named("norm"));
  x = norm(x, mtp ? "mtp.norm" : "norm");
  b.setLoc(named("lm_head"));
  Value logits =
      LmHeadOp::create(b, rows(config.vocabSize), x, body->getArgument(kRows),
                       loadWeight(config.tiedHead ? "embed" : "lm_head"));
  b.setLoc(named("sample"));
  int64_t limit =
      options.tokenLimit > 0 ? options.tokenLimit : config.vocabSize;
  Value sampled = SampleOp::create(
      b, RankedTensorType::get({ShapedType::kDynamic}, b.getI32Type()), logits,
      body->getArgument(kTemperature), body->getArgument(kTopK),
      body->getArgument(kTopP), body->getArgument(kMinP),
      body->getArgument(kUniform), b.getI64IntegerAttr(limit),
      b.getI64IntegerAttr(QUARTET_SAMPLE_CANDIDATES));
  ReturnOp::create(b, logits, sampled, hasMtp ? x : Value());
  b.setLoc(outer);
}

OwningOpRef<ModuleOp> ModelBuilder::build() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToStart(module->getBody());
  std::string symbol;
  for (char c : config.name)
    symbol.push_back(llvm::isAlnum(c) ? c : '_');
  if (symbol.empty() || llvm::isDigit(symbol.front()))
    symbol.insert(symbol.begin(), '_');
  auto model = ModelOp::create(b, symbol);
  b.createBlock(&model.getBody());
  declareWeights();
  declareStates();
  buildStep(/*mtp=*/false);
  if (hasMtp)
    buildStep(/*mtp=*/true);
  return module;
}

OwningOpRef<ModuleOp> quartet::buildModel(MLIRContext &context,
                                          const ModelConfig &config,
                                          const WeightPlan &plan,
                                          const BuildOptions &options) {
  return ModelBuilder(context, config, plan, options).build();
}
