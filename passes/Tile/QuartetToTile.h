// Builds the schedule of one model: shared by the files of quartet-to-tile.
#ifndef QUARTET_PASSES_TILE_QUARTETTOTILE_H
#define QUARTET_PASSES_TILE_QUARTETTOTILE_H
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Tile/TileOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Tile/TaskSizes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include <functional>

namespace quartet {

/// One specialisation of the step.
struct BucketSpec {
  int64_t tokens = 1;
  tile::StepKind kind = tile::StepKind::Few;
};

/// Where a value of the model lies in the schedule.
struct Place {
  std::string buffer;
  int64_t column = 0, columns = 0;
};

/// A use of a projection's result as heads of attention.
struct HeadRole {
  enum Kind { Query, Key, Value } kind = Query;
  GatedAttentionOp attention;
  RmsNormOp norm; ///< null for values
  RopeOp rope;    ///< null for values
  bool gated =
      false; ///< Query: each head's rows are query rows, then gate rows
};

inline int64_t roundUp(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// The value behind results of phases.
mlir::Value throughPhases(mlir::Value value);

PackedType packedType(mlir::Value weight);
/// Columns that share a scale in rows staged for this weight; 0: floats.
int64_t activationGroup(PackedType type);

/// Converts the phases of a step of a model into one tile.step.
class StepBuilder {
public:
  StepBuilder(mlir::ImplicitLocOpBuilder &b, StepOp source, BucketSpec bucket,
              const TaskSizes &sizes);
  mlir::LogicalResult build();

private:
  using Body = llvm::function_ref<void(mlir::ValueRange coordinates)>;

  // StepBuilder.cpp: phases, buffers and where values are.
  mlir::LogicalResult convertBlock(mlir::Block &block);
  mlir::LogicalResult convertPhase(PhaseOp phase);
  void beginPhase(llvm::StringRef name);
  void endPhase();
  void tasks(llvm::ArrayRef<tile::ExtentAttr> extents, Body body,
             mlir::Value groups = {});
  tile::ExtentAttr extent(tile::ExtentKind kind, int64_t size);
  std::string addBuffer(llvm::StringRef name, mlir::Type type,
                        int64_t pieces = 0);
  mlir::MemRefType f32Buffer(llvm::ArrayRef<int64_t> shape);
  mlir::FailureOr<Place> placeOf(mlir::Value value);
  mlir::FlatSymbolRefAttr symbol(llvm::StringRef name);
  mlir::FlatSymbolRefAttr symbolOf(mlir::Value weightOrState);
  void findHeadRoles();

  // StepPhases.cpp: one function per kind of phase.
  mlir::LogicalResult embed(EmbedOp op);
  mlir::LogicalResult attend(GatedAttentionOp op);
  mlir::LogicalResult expertUp(SelectExpertsOp select, ExpertUpOp op);
  mlir::LogicalResult expertDown(ExpertDownOp op);
  mlir::LogicalResult sample(SampleOp op);

  // StepMatmuls.cpp: those that are a product with one matrix.
  mlir::LogicalResult project(PhaseOp phase);
  mlir::LogicalResult projectOne(mlir::Operation *op, mlir::Value x,
                                 mlir::Value weight,
                                 llvm::ArrayRef<int64_t> rows);
  mlir::LogicalResult residualLinear(LinearOp op);
  mlir::LogicalResult mlpUp(MlpUpOp op);
  mlir::LogicalResult head(LmHeadOp op);
  /// Tasks that write the rows that the step returns as hidden, if any.
  mlir::LogicalResult writeHidden();
  /// Runs \p body with rows staged once per worker (few) or per task (many),
  /// over tiles of \p tile of \p count rows of weights.
  mlir::LogicalResult
  matmulTasks(mlir::Value x, PackedType type, int64_t count, int64_t tile,
              bool chosen,
              llvm::function_ref<void(mlir::Value rows, mlir::Value token,
                                      mlir::Value index)>
                  body);
  mlir::LogicalResult headTasks(mlir::Value x, mlir::Value weight,
                                PackedType type, int64_t firstRow,
                                HeadRole role);

  // StepDelta.cpp
  struct Delta {
    Place input, a, b;
    int64_t keyHeads, keyDim, valueHeads, valueDim;
    int64_t columns() const { return valueHeads * valueDim; }
  };
  mlir::FailureOr<Delta> deltaOf(CausalConvOp conv, GatedDeltaOp op);
  /// In `many` steps, where TaskSizes wants it: a phase whose tasks do what of
  /// \p phase does not depend on the state.
  mlir::LogicalResult prepareAhead(PhaseOp phase, CausalConvOp conv,
                                   GatedDeltaOp op);
  mlir::LogicalResult delta(CausalConvOp conv, GatedDeltaOp op);

  // StepRouting.cpp
  struct Logits {
    std::string buffer;
    mlir::IntegerAttr experts, gateColumn; ///< gateColumn: null without a gate
  };
  mlir::FailureOr<Logits> logitsOf(SelectExpertsOp select);
  /// In `many` steps, where TaskSizes wants it: a phase whose tasks choose the
  /// experts for \p phase.
  mlir::LogicalResult chooseAhead(PhaseOp phase, SelectExpertsOp select);
  mlir::FailureOr<mlir::Value> route(SelectExpertsOp select);

  // StepStaging.cpp
  /// In `many` steps: a phase that stages the rows that several tasks of
  /// \p phase will multiply with.
  mlir::LogicalResult stageAhead(PhaseOp phase);
  /// In `many` steps: stages rows that experts will gather.
  mlir::LogicalResult publish(PhaseOp phase);
  /// Stages the rows that \p x stands for, with what happens on the way.
  mlir::FailureOr<mlir::Value> stage(mlir::Value x, int64_t group,
                                     mlir::Value token, bool chosen = false,
                                     llvm::StringRef publish = "");

  bool many() const { return bucket.kind == tile::StepKind::Many; }
  int64_t tokenTile() const;
  /// Tokens of a task that only stages or chooses experts.
  int64_t stageTile() const;
  int64_t rowTile(PackedType type, int64_t count) const;

  mlir::ImplicitLocOpBuilder &b;
  StepOp source;
  BucketSpec bucket;
  TaskSizes sizes;
  tile::StepOp step;
  tile::PhaseOp phase;
  mlir::OpBuilder::InsertPoint outside;
  llvm::DenseMap<mlir::Value, Place> places;
  llvm::DenseMap<mlir::Value, HeadRole> roles;
  /// Rows staged by every worker in this phase, by (value, group).
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> staged;
  /// In `many` steps: buffers with rows staged ahead, by (value, group), and
  /// their columns.
  llvm::DenseMap<std::pair<mlir::Value, int64_t>,
                 std::pair<std::string, int64_t>>
      ahead;
  /// In `many` steps: the buffer with an expert phase's staged input.
  llvm::DenseMap<mlir::Value, std::string> published;
  /// In `many` steps: buffers with experts chosen ahead, and their weights.
  llvm::DenseMap<mlir::Operation *, std::pair<std::string, std::string>> chosen;
  /// In `many` steps: buffers with what the delta rule was prepared.
  llvm::DenseMap<mlir::Operation *, std::string> prepared;
  std::string lastEvent, ropeTable, routingPhase, maxima;
  mlir::Operation *loop = nullptr; ///< the tile.layers being filled
  std::string loopLastEvent;
  int64_t maximaTile = 0;
};

} // namespace quartet
#endif
