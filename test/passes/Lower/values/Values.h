// What the value tests share: random inputs from the ranges that the model has,
// the bounds of the comparison, and ops whose rows are independent.
#ifndef QUARTET_TEST_VALUES_VALUES_H
#define QUARTET_TEST_VALUES_VALUES_H
#include "test/passes/Lower/values/OpRunner.h"
#include <random>

namespace quartet::test {

class Random {
public:
  explicit Random(uint32_t seed) : engine(seed) {}
  std::vector<float> normal(size_t count, float deviation = 1.0f);
  std::vector<float> uniform(size_t count, float low, float high);
  std::vector<int32_t> below(size_t count, int32_t limit);
  Buffer normal(Element element, std::vector<int64_t> shape,
                float deviation = 1.0f);
  /// [rows, in] with the deviation 1/sqrt(in) of a trained projection.
  Buffer projection(Element element, std::vector<int64_t> shape);

private:
  std::mt19937 engine;
};

/// Squared error over squared expectation; infinity where either is not finite.
double normalizedError(const std::vector<float> &actual,
                       const std::vector<float> &expected);

/// Expects \p actual to be within the bound of \p op and its element type.
void expectClose(const std::string &op, const Buffer &actual,
                 const std::vector<float> &expected);

/// Rows [from, from + count) of the first dimension.
Buffer slice(const Buffer &buffer, int64_t from, int64_t count);

/// An op each of whose result rows depends on the same row of some operands and
/// on all of the others.
struct RowOp {
  struct Operand {
    std::string name;
    Buffer buffer;
    bool isPerRow;
  };
  std::string text; ///< as for OpRunner
  std::vector<Operand> operands;
  std::vector<Buffer> results; ///< written by run

  /// Runs rows [from, from + count) of the operands, as a step of its own.
  std::vector<Buffer> run(int64_t from, int64_t count);
  /// Runs all rows into results, then each alone: the bits must be the same.
  void runAll();
};

/// The sequence operands of a step.
struct Batch {
  /// Sequences of \p lengths tokens with \p pasts before them in \p slots.
  Batch(std::vector<int32_t> lengths, std::vector<int32_t> pasts,
        std::vector<int32_t> slots, int64_t numSlots);
  /// Token \p token of sequence \p seq as a step of one token.
  Batch one(int64_t seq, int32_t token) const;
  reference::Ragged ragged() const;
  int64_t tokens() const { return tokenSeq.shape[0]; }
  int64_t sequences() const { return seqSlot.shape[0]; }
  bool usesSlot(int64_t slot) const;

  std::vector<int32_t> lengths;
  int64_t numSlots;
  Buffer tokenSeq, seqStart, seqPast, seqSlot;
};

/// One token; several; ragged sequences in mixed slots; sequences that decode
/// together; a sequence that fills more than one page.
std::vector<Batch> batches();

} // namespace quartet::test
#endif
