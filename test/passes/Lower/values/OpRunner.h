// Compiles one op by the reference pipeline, runs it in this process and leaves
// the results in buffers.
#ifndef QUARTET_TEST_VALUES_OPRUNNER_H
#define QUARTET_TEST_VALUES_OPRUNNER_H
#include "test/passes/Lower/values/Buffer.h"

namespace quartet::test {

/// One op with its operands and results. Call input and state in the order of
/// the op's operands, output in the order of its results; the results that
/// update states follow the outputs. Buffers must outlive run().
class OpRunner {
public:
  /// \p op is the op's text up to the types, such as "quartet.linear %x, %w".
  explicit OpRunner(std::string op) : op(std::move(op)) {}

  /// \p dynamic are the dimensions that the compiled code learns when it runs.
  OpRunner &input(const std::string &name, Buffer &buffer,
                  std::vector<int> dynamic = {});
  OpRunner &output(Buffer &buffer, std::vector<int> dynamic = {0});
  /// An operand whose first dimension is dynamic and that is updated in place.
  OpRunner &state(const std::string &name, Buffer &buffer);

  /// Runs with parallel loops cut into small pieces, last piece first, and
  /// again in one piece: the bits must be the same. Failures are reported to
  /// GoogleTest.
  void run();

private:
  struct Argument {
    std::string name;
    Buffer *buffer;
    std::vector<int> dynamic;
    bool isOperand, isResult;
  };
  std::string type(const Argument &argument, const char *kind) const;
  std::string module() const;

  std::string op;
  std::vector<Argument> arguments; // operands, then outputs
};

} // namespace quartet::test
#endif
