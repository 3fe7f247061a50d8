// Builds the structs of abi.h field by field, in the order that they have
// there.
#include "passes/Lower/ProgramTable.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "runtime/include/quartet/abi.h"

using namespace mlir;
using namespace quartet;

static_assert(sizeof(quartet_bucket) == 8 * 8);
static_assert(sizeof(quartet_program) == 8 * 6);

namespace {
class Table {
public:
  explicit Table(ModuleOp module) : b(module.getLoc(), module.getContext()) {
    b.setInsertionPointToEnd(module.getBody());
    pointer = LLVM::LLVMPointerType::get(b.getContext());
    Type i64 = b.getI64Type();
    SmallVector<Type> fields(7, i64);
    fields.push_back(pointer);
    bucketType = LLVM::LLVMStructType::getLiteral(b.getContext(), fields);
    programType = LLVM::LLVMStructType::getLiteral(
        b.getContext(), {pointer, pointer, pointer, i64, pointer, i64});
  }

  void emit(const std::vector<Program> &programs);

private:
  Value number(int64_t value) {
    return LLVM::ConstantOp::create(b, b.getI64Type(), value);
  }
  Value address(StringRef symbol) {
    return LLVM::AddressOfOp::create(b, pointer, symbol);
  }
  void string(const std::string &name, StringRef text);
  void buckets(StringRef name, const std::vector<ProgramBucket> &list);
  /// A constant array of \p rows, each the values of one struct's fields.
  void array(StringRef name, Type rowType, int64_t rows, bool exported,
             llvm::function_ref<SmallVector<Value>(int64_t)> fieldsOf);

  ImplicitLocOpBuilder b;
  Type pointer;
  LLVM::LLVMStructType bucketType, programType;
};
} // namespace

void Table::string(const std::string &name, StringRef text) {
  std::string terminated = text.str() + '\0';
  auto type = LLVM::LLVMArrayType::get(b.getIntegerType(8), terminated.size());
  LLVM::GlobalOp::create(b, type, /*isConstant=*/true, LLVM::Linkage::Internal,
                         name, b.getStringAttr(terminated));
}

void Table::array(StringRef name, Type rowType, int64_t rows, bool exported,
                  llvm::function_ref<SmallVector<Value>(int64_t)> fieldsOf) {
  auto type = LLVM::LLVMArrayType::get(rowType, rows);
  auto global = LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                                       exported ? LLVM::Linkage::External
                                                : LLVM::Linkage::Internal,
                                       name, Attribute());
  OpBuilder::InsertionGuard guard(b);
  b.createBlock(&global.getInitializerRegion());
  Value value = LLVM::UndefOp::create(b, type);
  for (int64_t row = 0; row != rows; ++row)
    for (auto [field, content] : llvm::enumerate(fieldsOf(row)))
      value = LLVM::InsertValueOp::create(
          b, value, content, ArrayRef<int64_t>{row, int64_t(field)});
  LLVM::ReturnOp::create(b, value);
}

void Table::buckets(StringRef name, const std::vector<ProgramBucket> &list) {
  array(name, bucketType, int64_t(list.size()), /*exported=*/false,
        [&](int64_t i) {
          const ProgramBucket &bucket = list[size_t(i)];
          SmallVector<Value> fields;
          for (int64_t value :
               {bucket.tokens, bucket.sequences, bucket.scratchBytes,
                bucket.scratchPageBytes, bucket.localBytes, bucket.syncCounters,
                int64_t(bucket.team)})
            fields.push_back(number(value));
          fields.push_back(address(bucket.run));
          return fields;
        });
}

void Table::emit(const std::vector<Program> &programs) {
  auto name = [](const char *what, size_t program) {
    return "quartet_program" + std::to_string(program) + what;
  };
  for (size_t p = 0; p != programs.size(); ++p) {
    const Program &program = programs[p];
    string(name("_target", p), program.target);
    string(name("_features", p), program.features);
    buckets(name("_buckets", p), program.buckets);
    if (!program.mtpBuckets.empty())
      buckets(name("_mtp_buckets", p), program.mtpBuckets);
  }
  array("quartet_programs", programType, int64_t(programs.size()),
        /*exported=*/true, [&](int64_t i) {
          size_t p = size_t(i);
          int64_t mtp = int64_t(programs[p].mtpBuckets.size());
          return SmallVector<Value>{
              address(name("_target", p)),
              address(name("_features", p)),
              address(name("_buckets", p)),
              number(int64_t(programs[p].buckets.size())),
              mtp ? address(name("_mtp_buckets", p))
                  : Value(LLVM::ZeroOp::create(b, pointer)),
              number(mtp)};
        });
  LLVM::GlobalOp::create(b, b.getI64Type(), /*isConstant=*/true,
                         LLVM::Linkage::External, "quartet_num_programs",
                         b.getI64IntegerAttr(int64_t(programs.size())));
}

void quartet::emitProgramTable(ModuleOp module,
                               const std::vector<Program> &programs) {
  Table(module).emit(programs);
}
