// The whole model as quartet IR: declarations, then the step with one repeated
// block. Every op carries a location that says which part of the model it is.
#include "models/BuildModel.h"
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
  void declareState(int64_t layer, StringRef part, StateDim dim,
                    ArrayRef<int64_t> shape, Dtype dtype);
  Value buildBlock(Value x, Block &step);
  void buildStep();
  Location named(const Twine &name) {
    return NameLoc::get(b.getStringAttr(name));
  }

  MLIRContext &context;
  const ModelConfig &config;
  const WeightPlan &plan;
  const BuildOptions &options;
  ImplicitLocOpBuilder b;
  llvm::StringMap<RankedTensorType> types; // of one repetition
};
} // namespace

void ModelBuilder::declareWeights() {
  for (const Weight &weight : plan.weights) {
    // Weights of a layer repeat with the block; the ends of the model do not.
    bool repeated = StringRef(weight.name).contains('.');
    ArrayRef<int64_t> shape = weight.shape;
    IntegerAttr repeat;
    if (repeated) {
      repeat = b.getI64IntegerAttr(shape.front());
      shape = shape.drop_front();
    }
    auto type =
        RankedTensorType::get(shape, elementType(&context, weight.dtype));
    types[weight.name] = type;
    WeightOp::create(b, weight.name, repeat, type);
  }
}

void ModelBuilder::declareState(int64_t layer, StringRef part, StateDim dim,
                                ArrayRef<int64_t> shape, Dtype dtype) {
  SmallVector<int64_t> full{ShapedType::kDynamic};
  llvm::append_range(full, shape);
  auto type = RankedTensorType::get(full, elementType(&context, dtype));
  std::string name = ("l" + Twine(layer) + "." + part).str();
  types[name] = type;
  StateOp::create(b, name, dim, b.getI64IntegerAttr(config.blockCount()), type);
}

void ModelBuilder::declareStates() {
  for (int64_t j = 0; j < config.blockPeriod(); ++j) {
    if (config.layers[j] == LayerKind::LinearAttention) {
      declareState(j, "conv_window", StateDim::Slots,
                   {config.convKernel - 1, config.convChannels()},
                   options.stateDtype);
      declareState(j, "delta_state", StateDim::Slots,
                   {config.valueHeads, config.valueDim, config.keyDim},
                   Dtype::F32);
      continue;
    }
    SmallVector<int64_t> page{config.numKvHeads, kPageTokens, config.headDim};
    declareState(j, "key_cache", StateDim::Pages, page, options.stateDtype);
    declareState(j, "value_cache", StateDim::Pages, page, options.stateDtype);
  }
}

Value ModelBuilder::buildBlock(Value x, Block &step) {
  StepValues values{step.getArgument(kPositions), step.getArgument(kTokenSeq),
                    step.getArgument(kSeqStart),  step.getArgument(kSeqPast),
                    step.getArgument(kSeqSlot),   step.getArgument(kPageTable)};
  auto block = BlockOp::create(b, x.getType(),
                               b.getI64IntegerAttr(config.blockCount()), x);
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&block.getBody(), {}, x.getType(), b.getLoc());
  Location outer = b.getLoc();
  Value h = body->getArgument(0);
  for (int64_t j = 0; j < config.blockPeriod(); ++j) {
    b.setLoc(named("l" + Twine(j)));
    h = LayerBuilder(b, config, types, values, j).build(h);
  }
  b.setLoc(outer);
  YieldOp::create(b, h);
  return block.getResult();
}

void ModelBuilder::buildStep() {
  auto step = StepOp::create(b);
  SmallVector<Type> inputs;
  for (unsigned i = 0; i < kNumStepInputs; ++i)
    inputs.push_back(stepInputType(&context, StepInput(i)));
  Block *body = b.createBlock(&step.getBody(), {}, inputs,
                              SmallVector<Location>(inputs.size(), b.getLoc()));
  auto rows = [&](int64_t width) {
    return RankedTensorType::get({ShapedType::kDynamic, width}, b.getF32Type());
  };
  auto weight = [&](StringRef name) -> Value {
    return LoadWeightOp::create(b, types.lookup(name), name);
  };
  b.setLoc(named("embed"));
  Value x = EmbedOp::create(b, rows(config.hiddenSize),
                            body->getArgument(kTokens), weight("embed"));
  b.setLoc(named("block"));
  x = buildBlock(x, *body);
  b.setLoc(named("norm"));
  x = RmsNormOp::create(b, x.getType(), x, weight("norm"),
                        b.getF32FloatAttr(config.rmsEps));
  b.setLoc(named("lm_head"));
  Value logits =
      LmHeadOp::create(b, rows(config.vocabSize), x, body->getArgument(kRows),
                       weight(config.tiedHead ? "embed" : "lm_head"));
  b.setLoc(named("sample"));
  int64_t limit =
      options.tokenLimit > 0 ? options.tokenLimit : config.vocabSize;
  Value sampled = SampleOp::create(
      b, RankedTensorType::get({ShapedType::kDynamic}, b.getI32Type()), logits,
      body->getArgument(kTemperature), body->getArgument(kTopK),
      body->getArgument(kTopP), body->getArgument(kMinP),
      body->getArgument(kUniform), b.getI64IntegerAttr(limit),
      b.getI64IntegerAttr(QUARTET_SAMPLE_CANDIDATES));
  ReturnOp::create(b, logits, sampled);
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
  buildStep();
  return module;
}

OwningOpRef<ModuleOp> quartet::buildModel(MLIRContext &context,
                                          const ModelConfig &config,
                                          const WeightPlan &plan,
                                          const BuildOptions &options) {
  return ModelBuilder(context, config, plan, options).build();
}
