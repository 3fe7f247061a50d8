// Builds the structs of abi.h field by field, in the order that they have
// there.
#include "passes/Lower/ProgramTable.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "runtime/include/quartet/abi.h"

using namespace mlir;
using namespace quartet;

static_assert(sizeof(quartet_span) == 2 * 8);
static_assert(sizeof(quartet_launch) == 8 * 8);
static_assert(sizeof(quartet_image) == 3 * 8);
static_assert(sizeof(quartet_device) == 10 * 8);
static_assert(sizeof(quartet_bucket) == 10 * 8);
static_assert(sizeof(quartet_program) == 7 * 8);

/// Of code objects, which drivers read in place: that of ELF, and more.
constexpr uint64_t imageAlignment = 64;

namespace {
class Table {
public:
  explicit Table(ModuleOp module) : b(module.getLoc(), module.getContext()) {
    b.setInsertionPointToEnd(module.getBody());
    pointer = LLVM::LLVMPointerType::get(b.getContext());
    Type i64 = b.getI64Type();
    SmallVector<Type> fields(7, i64);
    fields.append({pointer, pointer, i64});
    auto structOf = [&](ArrayRef<Type> types) {
      return LLVM::LLVMStructType::getLiteral(b.getContext(), types);
    };
    bucketType = structOf(fields);
    programType =
        structOf({pointer, pointer, pointer, i64, pointer, i64, pointer});
    spanType = structOf({pointer, i64});
    launchType = structOf({pointer, pointer, i64, i64, i64, i64, pointer, i64});
    imageType = structOf({i64, pointer, i64});
    deviceType = structOf(
        {i64, pointer, i64, i64, i64, i64, pointer, i64, pointer, pointer});
  }

  /// Strings and buckets of program \p p.
  void part(const Program &program, size_t p);
  /// The same in another object.
  void declarePart(const ProgramPart &part, size_t p);
  /// The table of the programs whose parts are defined or declared.
  void join(ArrayRef<ProgramPart> parts);

private:
  Value number(int64_t value) {
    return LLVM::ConstantOp::create(b, b.getI64Type(), value);
  }
  Value address(StringRef symbol) {
    return LLVM::AddressOfOp::create(b, pointer, symbol);
  }
  void string(const std::string &name, StringRef text, uint64_t alignment = 1);
  /// Each of \p texts once; gives their symbols.
  llvm::StringMap<std::string> strings(const std::string &name,
                                       ArrayRef<StringRef> texts);
  void buckets(const std::string &name, const std::vector<ProgramBucket> &list);
  void launches(const std::string &name,
                const std::vector<ProgramLaunch> &list);
  /// Those of all launches, one behind the other.
  void spans(const std::string &name, ArrayRef<ProgramSpan> list);
  void device(const std::string &name, const ProgramDevice &device);
  Value null() { return LLVM::ZeroOp::create(b, pointer); }
  /// A constant array of \p rows, each the values of one struct's fields.
  void array(StringRef name, Type rowType, int64_t rows, bool exported,
             llvm::function_ref<SmallVector<Value>(int64_t)> fieldsOf);

  ImplicitLocOpBuilder b;
  Type pointer;
  LLVM::LLVMStructType bucketType, programType, spanType, launchType, imageType,
      deviceType;
};
} // namespace

void Table::string(const std::string &name, StringRef text,
                   uint64_t alignment) {
  std::string terminated = text.str() + '\0';
  auto type = LLVM::LLVMArrayType::get(b.getIntegerType(8), terminated.size());
  LLVM::GlobalOp::create(b, type, /*isConstant=*/true, LLVM::Linkage::Internal,
                         name, b.getStringAttr(terminated), alignment);
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

llvm::StringMap<std::string> Table::strings(const std::string &name,
                                            ArrayRef<StringRef> texts) {
  llvm::StringMap<std::string> symbols;
  for (StringRef text : texts) {
    std::string &symbol = symbols[text];
    if (!symbol.empty())
      continue;
    symbol = name + "_name" + std::to_string(symbols.size());
    string(symbol, text);
  }
  return symbols;
}

void Table::spans(const std::string &name, ArrayRef<ProgramSpan> list) {
  SmallVector<StringRef> phases;
  for (const ProgramSpan &span : list)
    phases.push_back(span.phase);
  llvm::StringMap<std::string> names = strings(name, phases);
  array(name, spanType, int64_t(list.size()), /*exported=*/false,
        [&](int64_t i) {
          const ProgramSpan &span = list[size_t(i)];
          return SmallVector<Value>{address(names[span.phase]),
                                    number(span.layer)};
        });
}

void Table::launches(const std::string &name,
                     const std::vector<ProgramLaunch> &list) {
  // Kernels are launched for every repetition of the layers.
  SmallVector<StringRef> kernels;
  for (const ProgramLaunch &launch : list)
    kernels.push_back(launch.kernel);
  llvm::StringMap<std::string> names = strings(name, kernels);
  std::vector<ProgramSpan> all;
  SmallVector<int64_t> firsts;
  for (const ProgramLaunch &launch : list) {
    firsts.push_back(int64_t(all.size()));
    llvm::append_range(all, launch.spans);
  }
  std::string allName = name + "_spans";
  if (!all.empty())
    spans(allName, all);
  auto spansFrom = [&](int64_t first) -> Value {
    return LLVM::GEPOp::create(b, pointer, spanType, address(allName),
                               ArrayRef<LLVM::GEPArg>{int32_t(first)});
  };
  array(name, launchType, int64_t(list.size()), /*exported=*/false,
        [&](int64_t i) {
          const ProgramLaunch &launch = list[size_t(i)];
          return SmallVector<Value>{
              address(names[launch.kernel]),
              launch.host ? address(launch.kernel) : null(),
              number(launch.layer),
              number(launch.sharedBytes),
              number(launch.overlap),
              number(launch.cooperative),
              launch.spans.empty() ? null() : spansFrom(firsts[size_t(i)]),
              number(int64_t(launch.spans.size()))};
        });
}

void Table::buckets(const std::string &name,
                    const std::vector<ProgramBucket> &list) {
  for (auto [i, bucket] : llvm::enumerate(list))
    if (!bucket.launches.empty())
      launches(name + "_launches" + std::to_string(i), bucket.launches);
  array(name, bucketType, int64_t(list.size()), /*exported=*/false,
        [&](int64_t i) {
          const ProgramBucket &bucket = list[size_t(i)];
          SmallVector<Value> fields;
          for (int64_t value :
               {bucket.tokens, bucket.sequences, bucket.scratchBytes,
                bucket.scratchPageBytes, bucket.localBytes, bucket.syncCounters,
                int64_t(bucket.team)})
            fields.push_back(number(value));
          fields.push_back(bucket.run.empty() ? null() : address(bucket.run));
          fields.push_back(
              bucket.launches.empty()
                  ? null()
                  : address(name + "_launches" + std::to_string(i)));
          fields.push_back(number(int64_t(bucket.launches.size())));
          return fields;
        });
}

void Table::device(const std::string &name, const ProgramDevice &device) {
  for (auto [i, image] : llvm::enumerate(device.images))
    string(name + "_image" + std::to_string(i), image.data, imageAlignment);
  if (!device.images.empty())
    array(name + "_images", imageType, int64_t(device.images.size()),
          /*exported=*/false, [&](int64_t i) {
            const ProgramDevice::Image &image = device.images[size_t(i)];
            return SmallVector<Value>{
                number(image.kind),
                address(name + "_image" + std::to_string(i)),
                number(int64_t(image.data.size()))};
          });
  if (device.fill)
    launches(name + "_fill", {*device.fill});
  if (!device.peaks.empty())
    launches(name + "_peaks", device.peaks);
  string(name + "_arch", device.arch);
  array(name, deviceType, 1, /*exported=*/false, [&](int64_t) {
    return SmallVector<Value>{
        number(device.kind),
        address(name + "_arch"),
        number(device.threads),
        number(device.lanes),
        number(device.blocksPerUnit),
        number(device.clockHertz),
        device.images.empty() ? null() : address(name + "_images"),
        number(int64_t(device.images.size())),
        device.fill ? address(name + "_fill") : null(),
        device.peaks.empty() ? null() : address(name + "_peaks")};
  });
}

static std::string partName(StringRef what, size_t program) {
  return ("quartet_program" + llvm::Twine(program) + what).str();
}

void Table::part(const Program &program, size_t p) {
  string(partName("_target", p), program.target);
  string(partName("_features", p), program.features);
  buckets(partName("_buckets", p), program.buckets);
  if (!program.mtpBuckets.empty())
    buckets(partName("_mtp_buckets", p), program.mtpBuckets);
  if (program.device)
    device(partName("_device", p), *program.device);
}

void Table::declarePart(const ProgramPart &part, size_t p) {
  auto declare = [&](StringRef what, Type element, int64_t count) {
    auto global = LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(element, count), /*isConstant=*/true,
        LLVM::Linkage::External, partName(what, p), Attribute());
    global.setVisibility_(LLVM::Visibility::Hidden);
  };
  declare("_target", b.getIntegerType(8), 0);
  declare("_features", b.getIntegerType(8), 0);
  declare("_buckets", bucketType, part.buckets);
  if (part.mtpBuckets)
    declare("_mtp_buckets", bucketType, part.mtpBuckets);
  if (part.device)
    declare("_device", deviceType, 1);
}

void Table::join(ArrayRef<ProgramPart> parts) {
  array("quartet_programs", programType, int64_t(parts.size()),
        /*exported=*/true, [&](int64_t i) {
          size_t p = size_t(i);
          return SmallVector<Value>{
              address(partName("_target", p)),
              address(partName("_features", p)),
              address(partName("_buckets", p)),
              number(parts[p].buckets),
              parts[p].mtpBuckets ? address(partName("_mtp_buckets", p))
                                  : null(),
              number(parts[p].mtpBuckets),
              parts[p].device ? address(partName("_device", p)) : null()};
        });
  LLVM::GlobalOp::create(b, b.getI64Type(), /*isConstant=*/true,
                         LLVM::Linkage::External, "quartet_num_programs",
                         b.getI64IntegerAttr(int64_t(parts.size())));
}

void quartet::emitProgramTable(ModuleOp module,
                               const std::vector<Program> &programs) {
  Table table(module);
  std::vector<ProgramPart> parts;
  for (const Program &program : programs) {
    table.part(program, parts.size());
    parts.push_back({int64_t(program.buckets.size()),
                     int64_t(program.mtpBuckets.size()),
                     program.device.has_value()});
  }
  table.join(parts);
}

ProgramPart quartet::exportProgram(ModuleOp module, unsigned number) {
  SymbolTable symbols(module);
  for (StringRef name : {"quartet_programs", "quartet_num_programs"})
    symbols.erase(symbols.lookup(name));
  /// \returns the elements of the global, 0 if there is none.
  auto exportGlobal = [&](StringRef what) -> int64_t {
    auto global = symbols.lookup<LLVM::GlobalOp>(partName(what, 0));
    if (!global)
      return 0;
    global.setSymName(partName(what, number));
    global.setLinkage(LLVM::Linkage::External);
    global.setVisibility_(LLVM::Visibility::Hidden);
    return cast<LLVM::LLVMArrayType>(global.getGlobalType()).getNumElements();
  };
  exportGlobal("_target");
  exportGlobal("_features");
  ProgramPart part;
  part.buckets = exportGlobal("_buckets");
  part.mtpBuckets = exportGlobal("_mtp_buckets");
  part.device = exportGlobal("_device") != 0;
  return part;
}

void quartet::emitJoinedTable(ModuleOp module,
                              const std::vector<ProgramPart> &parts) {
  Table table(module);
  for (auto [p, part] : llvm::enumerate(parts))
    table.declarePart(part, p);
  table.join(parts);
}
