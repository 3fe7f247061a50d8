// Packs the rows that are asked for into one panel at a time and unpacks it.
#include "compiler/import/quant/FakeQuantize.h"
#include "compiler/import/Convert.h"
#include "compiler/import/PackRows.h"

using namespace llvm;
using namespace quartet;

namespace {

class FakeQuantized final : public WeightSource {
public:
  FakeQuantized(WeightSource &source, const PackPlan &packed,
                const WeightPlan &weights, const ActivationStats *stats)
      : source(source), wide(weights) {
    for (const PackedMatrix &matrix : packed) {
      if (!matrix.format)
        continue;
      packers.push_back(
          std::make_unique<RowPacker>(matrix, wide, source, stats));
      for (const PackedPart &part : matrix.parts)
        uses[part.source].push_back({&matrix, &part, packers.back().get()});
    }
  }

  Error read(const Weight &weight, int64_t begin,
             MutableArrayRef<uint8_t> out) override {
    auto found = uses.find(weight.name);
    if (found == uses.end())
      return source.read(weight, begin, out);
    int64_t size = byteSize(weight.dtype);
    int64_t end = begin + int64_t(out.size()) / size;
    MatrixShape shape = matrixShape(weight);
    std::vector<float> values;
    while (begin < end) {
      int64_t row = begin / shape.columns;
      int64_t last = (end - 1) / shape.columns + 1;
      auto count = readRows(found->second, weight, row, last, values);
      if (!count)
        return count.takeError();
      int64_t stop = std::min(end, (row + *count) * shape.columns);
      int64_t bad =
          convertElements(Dtype::F32,
                          reinterpret_cast<const uint8_t *>(
                              values.data() + begin - row * shape.columns),
                          weight.dtype, out.data(), stop - begin);
      if (bad >= 0)
        return createStringError("weight '" + weight.name + "': element " +
                                 Twine(begin + bad) + " is too large for " +
                                 stringify(weight.dtype));
      out = out.drop_front(size_t((stop - begin) * size));
      begin = stop;
    }
    return Error::success();
  }

  bool isConcurrent() const override { return source.isConcurrent(); }

private:
  struct Use {
    const PackedMatrix *matrix;
    const PackedPart *part;
    const RowPacker *packer;
  };
  WeightSource &source;
  WideWeights wide;
  std::vector<std::unique_ptr<RowPacker>> packers;
  StringMap<std::vector<Use>> uses;

  /// Fills \p values with the whole rows from \p row on, counted over all
  /// leading dimensions: up to a panel, up to \p last, and only as far as one
  /// part goes. \returns how many.
  Expected<int64_t> readRows(ArrayRef<Use> list, const Weight &weight,
                             int64_t row, int64_t last,
                             std::vector<float> &values) {
    MatrixShape shape = matrixShape(weight);
    int64_t inExpert = row % shape.rows;
    int64_t expert = row / shape.rows % shape.experts;
    int64_t repeat = row / shape.rows / shape.experts;
    int64_t count = std::min({kPanelRows, last - row, shape.rows - inExpert});
    // Several parts when each has some of the columns.
    SmallVector<const Use *, 2> holding;
    for (const Use &one : list) {
      const PackedPart &part = *one.part;
      if (expert >= part.experts)
        continue;
      bool holds =
          inExpert >= part.sourceRow && inExpert < part.sourceRow + part.rows;
      if (holds) {
        holding.push_back(&one);
        count = std::min(count, part.sourceRow + part.rows - inExpert);
      }
      // Where another part begins it may be the one that counts.
      if (!holds && inExpert < part.sourceRow)
        count = std::min(count, part.sourceRow - inExpert);
    }
    values.resize(size_t(count * shape.columns));
    bool whole = llvm::any_of(holding, [&](const Use *use) {
      return use->part->columns == shape.columns;
    });
    if (!whole)
      if (Error error =
              source.readF32(wide[weight.name], row * shape.columns, values))
        return std::move(error);
    for (const Use *use : holding)
      if (Error error =
              readPart(*use, shape, repeat, expert, inExpert, count, values))
        return std::move(error);
    return count;
  }

  /// Puts the columns of \p use of \p count rows from \p inExpert on into \p
  /// values, which has whole rows.
  Error readPart(const Use &use, const MatrixShape &shape, int64_t repeat,
                 int64_t expert, int64_t inExpert, int64_t count,
                 std::vector<float> &values) {
    const PackedPart *part = use.part;
    int64_t matrixRow = part->row + inExpert - part->sourceRow;
    auto rows = use.packer->readPart(*part, repeat, part->expert + expert,
                                     matrixRow, count);
    if (!rows)
      return rows.takeError();
    PanelQuantizer quantizer(*use.matrix->format, use.matrix->columns);
    std::vector<uint8_t> panel(size_t(quantizer.layout.bytes));
    if (Error error =
            use.packer->pack(*rows, matrixRow, quantizer, panel.data()))
      return error;
    for (int64_t r = 0; r < count; ++r)
      unpackLane(*use.matrix->format, quantizer.layout, panel.data(), int(r),
                 MutableArrayRef<float>(values).slice(
                     size_t(r * shape.columns + part->sourceColumn),
                     size_t(part->columns)));
    return Error::success();
  }
};

} // namespace

std::unique_ptr<WeightSource>
quartet::fakeQuantize(WeightSource &source, const PackPlan &packed,
                      const WeightPlan &weights, const ActivationStats *stats) {
  return std::make_unique<FakeQuantized>(source, packed, weights, stats);
}
