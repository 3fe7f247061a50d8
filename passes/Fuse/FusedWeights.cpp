// Declarations of fused weights, their parts, and the end of their sources.
#include "passes/Fuse/FusedWeights.h"

using namespace mlir;
using namespace quartet;

Attribute quartet::storageOf(Type weight) {
  if (auto packed = dyn_cast<PackedType>(weight))
    return StringAttr::get(weight.getContext(), packed.getFormat());
  return TypeAttr::get(cast<RankedTensorType>(weight).getElementType());
}

Type quartet::withShape(Type weight, ArrayRef<int64_t> shape) {
  if (auto packed = dyn_cast<PackedType>(weight))
    return PackedType::get(weight.getContext(), shape, packed.getFormat());
  return cast<RankedTensorType>(weight).clone(shape);
}

WeightOp FusedWeights::weightOf(Value value) {
  auto load = value.getDefiningOp<LoadWeightOp>();
  return load ? symbols.lookup<WeightOp>(load.getWeight()) : WeightOp();
}

/// "l0.qkv", "l0.z" -> "l0.qkv_z"; the layer is said once if it is the same.
static std::string joinNames(ArrayRef<WeightOp> weights) {
  WeightOp first = weights.front();
  std::string name = first.getSymName().str();
  auto [layer, part] = first.getSymName().split('.');
  std::string prefix = part.empty() ? std::string() : layer.str() + ".";
  for (WeightOp weight : weights.drop_front()) {
    StringRef other = weight.getSymName();
    if (!prefix.empty())
      other.consume_front(prefix);
    name += "_" + other.str();
  }
  return name;
}

WeightOp FusedWeights::create(ArrayRef<WeightOp> sources, Type type,
                              ArrayRef<PartAttr> parts) {
  WeightOp first = sources.front();
  OpBuilder b(first);
  SmallVector<Attribute> attrs(parts.begin(), parts.end());
  std::string name = joinNames(sources);
  if (sources.size() == 1)
    name += "_padded";
  auto weight = WeightOp::create(b, first.getLoc(), b.getStringAttr(name),
                                 first.getRepeatAttr(), b.getArrayAttr(attrs),
                                 TypeAttr::get(type));
  symbols.insert(weight, Block::iterator(first));
  for (WeightOp source : sources)
    replaced.insert(source);
  return weight;
}

void FusedWeights::append(SmallVectorImpl<PartAttr> &parts, WeightOp weight,
                          WeightPiece piece, int64_t row, int64_t expert) {
  MLIRContext *context = weight.getContext();
  SmallVector<PartAttr> own;
  if (std::optional<ArrayAttr> attrs = weight.getParts()) {
    llvm::append_range(own, attrs->getAsRange<PartAttr>());
  } else {
    ArrayRef<int64_t> shape = weightShape(weight.getType());
    own.push_back(PartAttr::get(
        context, FlatSymbolRefAttr::get(weight.getSymNameAttr()),
        /*rows=*/shape[shape.size() - 2], /*sourceRow=*/0, /*row=*/0,
        /*columns=*/shape.back(), /*sourceColumn=*/0,
        /*experts=*/shape.size() == 3 ? shape[0] : 1, /*expert=*/0));
  }
  for (PartAttr part : own) {
    int64_t begin = std::max(part.getRow(), piece.row);
    int64_t end =
        std::min(part.getRow() + part.getRows(), piece.row + piece.rows);
    int64_t columns = std::min(part.getColumns() - piece.column, piece.columns);
    if (begin >= end || columns < 1)
      continue;
    parts.push_back(PartAttr::get(
        context, part.getSource(), end - begin,
        part.getSourceRow() + begin - part.getRow(), begin - piece.row + row,
        columns, part.getSourceColumn() + piece.column, part.getExperts(),
        part.getExpert() + expert));
  }
}

Value FusedWeights::load(OpBuilder &b, Location loc, WeightOp weight) {
  return LoadWeightOp::create(b, loc, weight.getType(), weight.getSymName());
}

void FusedWeights::eraseUnused() {
  llvm::DenseSet<StringAttr> used;
  model.walk([&](LoadWeightOp load) {
    if (load->use_empty())
      load.erase();
    else
      used.insert(load.getWeightAttr().getAttr());
  });
  for (WeightOp weight : replaced)
    if (!used.contains(weight.getSymNameAttr()))
      symbols.erase(weight);
  replaced.clear();
}
