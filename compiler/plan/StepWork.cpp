// Arithmetic on what a phase moves and computes: sums, steps of a shape, and
// how evenly tasks share out.
#include "compiler/plan/StepPlan.h"
#include "quartet/abi.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace quartet;
using tile::ExtentKind;

StepWork &StepWork::operator+=(const StepWork &other) {
  weightBytes += other.weightBytes;
  expertBytes += other.expertBytes;
  experts = std::max(experts, other.experts);
  expertsPerToken = std::max(expertsPerToken, other.expertsPerToken);
  stateBytes += other.stateBytes;
  stateWriteBytes += other.stateWriteBytes;
  kvBytesPerPosition += other.kvBytesPerPosition;
  tokenBytes += other.tokenBytes;
  tokenWriteBytes += other.tokenWriteBytes;
  macs += other.macs;
  macsPerPosition += other.macsPerPosition;
  macsPerRow += other.macsPerRow;
  int8Macs += other.int8Macs;
  int8MacsPerRow += other.int8MacsPerRow;
  return *this;
}

bool StepWork::operator==(const StepWork &other) const {
  auto fields = [](const StepWork &work) {
    return std::make_tuple(
        work.weightBytes, work.expertBytes, work.experts, work.expertsPerToken,
        work.stateBytes, work.stateWriteBytes, work.kvBytesPerPosition,
        work.tokenBytes, work.tokenWriteBytes, work.macs, work.macsPerPosition,
        work.macsPerRow, work.int8Macs, work.int8MacsPerRow);
  };
  return fields(*this) == fields(other);
}

double StepWork::chosenExperts(const StepShape &shape) const {
  if (experts <= 0)
    return 0;
  double share = double(expertsPerToken) / double(experts);
  return double(experts) * (1 - std::pow(1 - share, shape.tokens));
}

double StepWork::bytes(const StepShape &shape) const {
  if (onlyForRows() && shape.rows <= 0)
    return 0;
  return double(weightBytes) + double(expertBytes) * chosenExperts(shape) +
         shape.sequences * (double(stateBytes + stateWriteBytes) +
                            double(kvBytesPerPosition) * shape.context) +
         shape.tokens * double(tokenBytes + tokenWriteBytes);
}

double StepWork::flops(const StepShape &shape) const {
  return 2 * (shape.tokens *
                  (double(macs) + double(macsPerPosition) * shape.context) +
              shape.rows * double(macsPerRow));
}

double StepWork::int8Ops(const StepShape &shape) const {
  return 2 * (shape.tokens * double(int8Macs) +
              shape.rows * double(int8MacsPerRow));
}

/// Tiles of \p size that hold \p total.
static std::vector<double> cut(double total, double size) {
  std::vector<double> tiles;
  for (double at = 0; at < total; at += size)
    tiles.push_back(std::min(size, total - at) / size);
  return tiles;
}

std::vector<std::vector<double>> GridPlan::tiles(const StepShape &shape) const {
  std::vector<std::vector<double>> all;
  for (const GridDim &dim : dims) {
    double size = double(dim.size);
    switch (dim.kind) {
    case ExtentKind::Count:
      all.emplace_back(size_t(dim.size), 1.0);
      all.back().back() = dim.last;
      break;
    case ExtentKind::Tokens:
      all.push_back(cut(shape.tokens, size));
      break;
    case ExtentKind::Rows:
      all.push_back(cut(shape.rows, size));
      break;
    case ExtentKind::Sequences:
      all.push_back(cut(shape.sequences, 1));
      break;
    case ExtentKind::Ranges:
      all.push_back(
          cut(std::max(shape.context, 1.0), size * QUARTET_PAGE_TOKENS));
      break;
    case ExtentKind::Experts:
      all.emplace_back(size_t(std::lround(work.chosenExperts(shape))) +
                           size_t(sharedExperts),
                       1.0);
      break;
    }
  }
  return all;
}

int64_t PhasePlan::tasks(const StepShape &shape) const {
  int64_t count = 0;
  for (const GridPlan &grid : grids) {
    int64_t product = 1;
    for (const std::vector<double> &dim : grid.tiles(shape))
      product *= int64_t(dim.size());
    count += product;
  }
  return count;
}

/// The sizes of all points of a grid, the last dimension fastest.
static std::vector<double>
points(const std::vector<std::vector<double>> &dims) {
  std::vector<double> all{1.0};
  for (const std::vector<double> &dim : dims) {
    std::vector<double> next;
    next.reserve(all.size() * dim.size());
    for (double outer : all)
      for (double inner : dim)
        next.push_back(outer * inner);
    all = std::move(next);
  }
  return all;
}

double PhasePlan::balance(const StepShape &shape, int64_t workers) const {
  std::vector<double> read(size_t(std::max<int64_t>(workers, 1)), 0.0);
  double total = 0;
  for (const GridPlan &grid : grids) {
    std::vector<double> sizes = points(grid.tiles(shape));
    double sum = 0, bytes = grid.work.bytes(shape);
    for (double size : sizes)
      sum += size;
    if (sum <= 0)
      continue;
    for (double size : sizes)
      *llvm::min_element(read) += bytes * size / sum;
    total += bytes;
  }
  return total > 0 ? *llvm::max_element(read) * double(read.size()) / total : 0;
}

StepShape StepPlan::fullShape() const {
  if (kind == tile::StepKind::Many)
    return {double(tokens), 1, 1, double(tokens) / 2};
  double most = double(std::min(tokens, sequences));
  return {most, most, most, 0};
}

const StepPlan *ProgramPlan::stepFor(double tokens) const {
  for (const StepPlan &step : steps)
    if (double(step.tokens) >= tokens)
      return &step;
  return steps.empty() ? nullptr : &steps.back();
}
