// Rows in, panels out. A part whose source is quantized in the very format of
// the matrix is copied; everything else goes through f32.
#include "compiler/import/PackRows.h"
#include "compiler/import/StrictJson.h"
#include <cmath>
#include <cstring>

using namespace llvm;
using namespace quartet;

WideWeights::WideWeights(const WeightPlan &plan) : weights(plan.weights) {
  for (Weight &weight : weights) {
    weight.dtype = Dtype::F32;
    byName[weight.name] = &weight;
  }
}

RowPacker::RowPacker(const PackedMatrix &matrix, const WideWeights &weights,
                     WeightSource &source, const ActivationStats *stats)
    : matrix(matrix), weights(weights), source(source), stats(stats) {}

/// Groups of the source must be groups of the matrix.
bool RowPacker::takesOwn(const PackedPart &part, const Weight &weight) const {
  if (!source.owns(weight, *matrix.format))
    return false;
  int64_t group = std::max(matrix.format->group, 1);
  bool toTheEnd =
      part.sourceColumn + part.columns == matrixShape(weight).columns;
  return part.sourceColumn % group == 0 &&
         (toTheEnd || part.columns % group == 0);
}

Expected<PartRows> RowPacker::readPart(const PackedPart &part, int64_t repeat,
                                       int64_t expert, int64_t firstRow,
                                       int64_t rows) const {
  PartRows out;
  out.part = &part;
  out.weight = &weights[part.source];
  out.repeat = repeat;
  out.expert = expert - part.expert;
  out.firstRow = firstRow;
  out.rows = rows;
  MatrixShape shape = matrixShape(*out.weight);
  out.sourceRow = (repeat * shape.experts + out.expert) * shape.rows +
                  part.sourceRow + (firstRow - part.row);
  out.own = takesOwn(part, *out.weight);
  if (out.own) {
    out.quantized.reset(*matrix.format, rows, shape.columns);
    if (Error error =
            source.readOwn(*out.weight, out.sourceRow, rows, out.quantized))
      return std::move(error);
    return out;
  }
  out.values.resize(size_t(rows * shape.columns));
  if (Error error = source.readF32(*out.weight, out.sourceRow * shape.columns,
                                   out.values))
    return std::move(error);
  return out;
}

Expected<std::vector<PartRows>> RowPacker::read(int64_t repeat, int64_t expert,
                                                int64_t firstRow,
                                                int64_t rows) const {
  std::vector<PartRows> found;
  for (const PackedPart &part : matrix.parts) {
    if (expert < part.expert || expert >= part.expert + part.experts)
      continue;
    int64_t begin = std::max(firstRow, part.row);
    int64_t end = std::min(firstRow + rows, part.row + part.rows);
    if (begin >= end)
      continue;
    auto read = readPart(part, repeat, expert, begin, end - begin);
    if (!read)
      return read.takeError();
    found.push_back(std::move(*read));
  }
  return found;
}

Error RowPacker::unusable(const PartRows &rows, int64_t row,
                          int64_t column) const {
  const Weight &weight = *rows.weight;
  int64_t columns = matrixShape(weight).columns;
  float value = rows.values[size_t(row * columns + column)];
  int64_t element = (rows.sourceRow + row) * columns + column;
  std::string place = "weight '" + weight.name + "'";
  for (const Run &run : weight.runs) {
    if (element < run.count) {
      place = "tensor '" + printable(run.tensor) + "' (" + place + ")";
      element += run.offset;
      break;
    }
    element -= run.count;
  }
  std::string format = matrix.format->str();
  if (!std::isfinite(value))
    return createStringError(place + ": element " + Twine(element) + " is " +
                             (std::isnan(value) ? "NaN" : "infinite") +
                             ", expected a finite number to store as " +
                             format);
  return createStringError(place + ": element " + Twine(element) + " is " +
                           std::to_string(value) + ", expected at most " +
                           std::to_string(largestValue(*matrix.format)) +
                           " in size to store as " + format);
}

Error RowPacker::pack(ArrayRef<PartRows> rows, int64_t firstRow,
                      PanelQuantizer &quantizer, uint8_t *panel) const {
  PanelRow lanes[kPanelRows];
  float limit = largestValue(*matrix.format);
  for (const PartRows &from : rows) {
    if (from.own)
      continue;
    int64_t columns = matrixShape(*from.weight).columns;
    ArrayRef<float> columnWeights;
    if (stats)
      columnWeights =
          stats->columnWeights(*from.weight, from.repeat, from.expert);
    int64_t begin = std::max(firstRow, from.firstRow);
    int64_t end = std::min(firstRow + kPanelRows, from.firstRow + from.rows);
    for (int64_t row = begin; row < end; ++row) {
      PanelRow &lane = lanes[row - firstRow];
      int64_t column = from.part->sourceColumn;
      lane.values =
          from.values.data() + (row - from.firstRow) * columns + column;
      lane.count = from.part->columns;
      if (!columnWeights.empty())
        lane.weights = columnWeights.data() + column;
      int64_t bad = findUnusable({lane.values, size_t(lane.count)}, limit);
      if (bad >= 0)
        return unusable(from, row - from.firstRow, column + bad);
    }
  }
  int64_t ownRows = 0;
  for (const PartRows &from : rows)
    if (from.own)
      ownRows +=
          std::min(firstRow + kPanelRows, from.firstRow + from.rows) -
          std::min(firstRow + kPanelRows, std::max(firstRow, from.firstRow));
  // Makes lanes without f32 zero, whether they are to stay so or not.
  if (ownRows < kPanelRows)
    quantizer.quantize(lanes, panel);
  else
    std::memset(panel, 0, size_t(quantizer.layout.valuesOffset));
  for (const PartRows &from : rows) {
    if (!from.own)
      continue;
    int64_t begin = std::max(firstRow, from.firstRow);
    int64_t end = std::min(firstRow + kPanelRows, from.firstRow + from.rows);
    for (int64_t row = begin; row < end; ++row) {
      int64_t bad = placeRow(from.quantized, row - from.firstRow,
                             from.part->sourceColumn, from.part->columns,
                             quantizer.layout, int(row - firstRow), panel);
      if (bad >= 0)
        return createStringError(
            "weight '" + from.weight->name + "': group " + Twine(bad) +
            " of the rows from " + Twine(from.sourceRow) + " has the scale " +
            std::to_string(from.quantized.scales[size_t(bad)]) +
            ", expected a scale and a zero point that " + matrix.format->str() +
            " holds");
    }
  }
  return Error::success();
}
