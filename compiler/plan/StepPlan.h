// What each phase of a step reads, writes and computes, counted on the tile
// dialect, where types and task grids are final. The manifest carries the
// counts; `quartetc plan` makes times of them.
#ifndef QUARTET_COMPILER_PLAN_STEPPLAN_H
#define QUARTET_COMPILER_PLAN_STEPPLAN_H
#include "dialects/Tile/TileOps.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace quartet {

/// One step as it is run.
struct StepShape {
  double tokens = 1, sequences = 1;
  double rows = 1;    ///< whose logits are wanted
  double context = 0; ///< positions that each sequence has, on average
};

/// What one repetition of a phase, or one grid of its tasks, moves and
/// computes. Bytes are traffic of memory; what tasks hand each other in scratch
/// memory is left out, because caches hold it. Multiply-adds are those of
/// matrices, convolution, delta rule and attention.
struct StepWork {
  int64_t weightBytes = 0; ///< read by every step
  int64_t expertBytes = 0; ///< of one expert, read when a token chose it
  int64_t experts = 0, expertsPerToken = 0;
  int64_t stateBytes = 0, stateWriteBytes = 0; ///< per sequence
  int64_t kvBytesPerPosition = 0;              ///< per sequence and position
  int64_t tokenBytes = 0;      ///< per token: rows of the embedding
  int64_t tokenWriteBytes = 0; ///< per token: keys and values
  int64_t macs = 0;            ///< per token
  int64_t macsPerPosition = 0; ///< per token and position of its context
  int64_t macsPerRow = 0;      ///< per row whose logits are wanted
  int64_t int8Macs = 0;        ///< those of `macs` that multiply bytes
  int64_t int8MacsPerRow = 0;  ///< those of `macsPerRow` that do

  StepWork &operator+=(const StepWork &other);
  bool operator==(const StepWork &other) const;

  /// Work that a step without wanted rows leaves out.
  bool onlyForRows() const { return macsPerRow && !macs; }
  /// Experts that \p shape's tokens choose, expected, if each token chooses
  /// for itself: E * (1 - (1 - k/E)^tokens).
  double chosenExperts(const StepShape &shape) const;
  /// Bytes read and written.
  double bytes(const StepShape &shape) const;
  /// A multiply-add counts as two.
  double flops(const StepShape &shape) const;
  /// Those of flops() that multiply bytes.
  double int8Ops(const StepShape &shape) const;
};

/// One dimension of a task grid.
struct GridDim {
  tile::ExtentKind kind = tile::ExtentKind::Count;
  int64_t size = 1;
  /// Size of the last tile in parts of the others'; `count` only.
  double last = 1;
};

/// One `tile.tasks`.
struct GridPlan {
  std::vector<GridDim> dims;
  StepWork work;
  int64_t sharedExperts = 0; ///< experts that every token has, in tasks too
  /// Relative sizes of the tiles of each dimension.
  std::vector<std::vector<double>> tiles(const StepShape &shape) const;
};

struct PhasePlan {
  std::string name;
  int64_t repeat = 1;
  StepWork work; ///< of one repetition
  std::vector<GridPlan> grids;

  /// Tasks of one repetition.
  int64_t tasks(const StepShape &shape) const;
  /// Tasks are taken in their order by whichever of \p workers has read the
  /// fewest bytes: bytes of the one that reads the most, divided by the mean.
  /// 1 is even; 0 when the tasks read nothing.
  double balance(const StepShape &shape, int64_t workers) const;
};

struct StepPlan {
  tile::StepKind kind = tile::StepKind::Few;
  int64_t tokens = 0, sequences = 0;              ///< most of a step
  int64_t scratchBytes = 0, scratchPageBytes = 0; ///< the latter per page
  int64_t localBytes = 0;                         ///< per worker
  std::vector<PhasePlan> phases;

  /// The largest step: one token of each of `sequences` (few), a prompt of
  /// `tokens` (many).
  StepShape fullShape() const;
};

struct ProgramPlan {
  std::vector<StepPlan> steps; ///< by ascending tokens
  int64_t weightBytes = 0;     ///< of the program, read or not
  int64_t slotBytes = 0;       ///< of states, per sequence
  int64_t pageBytes = 0;       ///< of states, per page of all caches

  /// The step that runs \p tokens tokens: the smallest that holds them, else
  /// the largest. Null without steps.
  const StepPlan *stepFor(double tokens) const;
};

/// Counts the program in \p module, after buildTilePipeline: its own steps, not
/// those of multi-token prediction. A module without a tile.program has none.
ProgramPlan planProgram(mlir::ModuleOp module);

/// The manifest's "plan" (docs/manifest.md), a JSON object on one line.
std::string manifestPlan(const ProgramPlan &plan);

} // namespace quartet
#endif
