// The text of a module around one op, and its way through the pipeline, LLVM's
// optimizer and the JIT.
#include "test/passes/Lower/values/OpRunner.h"
#include "compiler/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "targets/llvm/Optimize.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <map>

using namespace quartet::test;
using llvm::orc::ExecutorAddr;

// Functions of the compiler's own library that LLVM calls on CPUs without the
// instructions.
extern "C" {
void __truncsfbf2();
void __truncsfhf2();
void __extendhfsf2();
}

/// Whether quartet_parallel_for cuts its range; see OpRunner::run.
static bool cutRanges;

static void parallelFor(void (*body)(void *, int64_t, int64_t), void *context,
                        int64_t count, int64_t) {
  if (!cutRanges)
    return body(context, 0, count);
  // An odd size, so that pieces begin in the middle of rows and vectors.
  int64_t piece = std::max<int64_t>(3, count / 7 | 1);
  for (int64_t begin = (count - 1) / piece * piece; begin >= 0; begin -= piece)
    body(context, begin, std::min(begin + piece, count));
}

OpRunner &OpRunner::input(const std::string &name, Buffer &buffer,
                          std::vector<int> dynamic) {
  arguments.push_back({name, &buffer, std::move(dynamic), true, false});
  return *this;
}

OpRunner &OpRunner::output(Buffer &buffer, std::vector<int> dynamic) {
  auto name = "out" + std::to_string(arguments.size());
  arguments.push_back({name, &buffer, std::move(dynamic), false, true});
  return *this;
}

OpRunner &OpRunner::state(const std::string &name, Buffer &buffer) {
  arguments.push_back({name, &buffer, {0}, true, true});
  return *this;
}

std::string OpRunner::type(const Argument &argument, const char *kind) const {
  std::string text = std::string(kind) + "<";
  const std::vector<int64_t> &shape = argument.buffer->shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    bool isDynamic = llvm::is_contained(argument.dynamic, static_cast<int>(d));
    text += (isDynamic ? "?" : std::to_string(shape[d])) + "x";
  }
  return text + name(argument.buffer->element) + ">";
}

std::string OpRunner::module() const {
  std::string parameters, operands, resultTypes, loads, stores, call;
  auto append = [](std::string &list, const std::string &item) {
    list += (list.empty() ? "" : ", ") + item;
  };
  std::vector<const Argument *> results;
  for (bool isState : {false, true})
    for (const Argument &argument : arguments)
      if (argument.isResult && argument.isOperand == isState)
        results.push_back(&argument);
  for (const Argument &argument : arguments) {
    std::string buffer = "%buffer_" + argument.name;
    append(parameters, buffer + ": " + type(argument, "memref"));
    if (!argument.isOperand)
      continue;
    append(operands, type(argument, "tensor"));
    loads += "  %" + argument.name + " = bufferization.to_tensor " + buffer +
             " restrict" + (argument.isResult ? " writable" : "") + " : " +
             type(argument, "memref") + " to " + type(argument, "tensor") +
             "\n";
  }
  for (size_t i = 0; i < results.size(); ++i) {
    append(resultTypes, type(*results[i], "tensor"));
    stores += "  bufferization.materialize_in_destination %result#" +
              std::to_string(i) + " in restrict writable %buffer_" +
              results[i]->name + " : (" + type(*results[i], "tensor") + ", " +
              type(*results[i], "memref") + ") -> ()\n";
  }
  return "func.func @run(" + parameters +
         ") attributes {llvm.emit_c_interface} {\n" + loads +
         "  %result:" + std::to_string(results.size()) + " = " + op + " : (" +
         operands + ") -> (" + resultTypes + ")\n" + stores + "  return\n}\n";
}

/// Adds run_packed(ptr), which takes the arguments of the C interface of @run
/// from an array.
static void addPackedEntry(llvm::Module &module) {
  llvm::Function *callee = module.getFunction("_mlir_ciface_run");
  llvm::IRBuilder<> b(module.getContext());
  llvm::Type *pointer = b.getPtrTy();
  auto *entry = llvm::Function::Create(
      llvm::FunctionType::get(b.getVoidTy(), {pointer}, false),
      llvm::GlobalValue::ExternalLinkage, "run_packed", module);
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", entry));
  llvm::SmallVector<llvm::Value *> values;
  for (unsigned i = 0; i < callee->arg_size(); ++i)
    values.push_back(b.CreateLoad(
        pointer, b.CreateConstGEP1_32(pointer, entry->getArg(0), i)));
  b.CreateCall(callee, values);
  b.CreateRetVoid();
}

namespace {
/// One process-wide compiler; modules are compiled once per text.
class Jit {
public:
  static Jit &get() {
    static Jit jit;
    return jit;
  }
  using Entry = void (*)(void **);
  llvm::Expected<Entry> compile(const std::string &text);

private:
  Jit();
  mlir::MLIRContext context;
  std::vector<std::unique_ptr<llvm::orc::LLJIT>> jits;
  std::map<std::string, Entry> entries;
};
} // namespace

Jit::Jit() : context(mlir::MLIRContext::Threading::DISABLED) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  mlir::DialectRegistry registry;
  quartet::registerDialects(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
}

llvm::Expected<Jit::Entry> Jit::compile(const std::string &text) {
  if (Entry entry = entries[text])
    return entry;
  auto failed = [&](const char *stage) {
    return llvm::createStringError(llvm::Twine(stage) + " fails for\n" + text);
  };
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      text, mlir::ParserConfig(&context));
  if (!module)
    return failed("parsing");
  mlir::PassManager passes(&context);
  quartet::buildReferencePipeline(passes);
  if (mlir::failed(passes.run(*module)))
    return failed("the reference pipeline");

  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  auto llvmModule = mlir::translateModuleToLLVMIR(*module, *llvmContext);
  if (!llvmModule)
    return failed("translation to LLVM IR");
  addPackedEntry(*llvmModule);
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  llvmModule->setDataLayout((*machine)->createDataLayout());
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  quartet::optimize(*llvmModule, **machine, llvm::OptimizationLevel::O2);

  auto jit =
      llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(*builder).create();
  if (!jit)
    return jit.takeError();
  llvm::orc::JITDylib &library = (*jit)->getMainJITDylib();
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  llvm::orc::SymbolMap symbols;
  auto define = [&](const char *symbol, auto *function) {
    symbols[(*jit)->mangleAndIntern(symbol)] = {ExecutorAddr::fromPtr(function),
                                                llvm::JITSymbolFlags::Exported};
  };
  define("quartet_parallel_for", &parallelFor);
  define("__truncsfbf2", &__truncsfbf2);
  define("__truncsfhf2", &__truncsfhf2);
  define("__extendhfsf2", &__extendhfsf2);
  if (llvm::Error error =
          library.define(llvm::orc::absoluteSymbols(std::move(symbols))))
    return error;
  if (llvm::Error error = (*jit)->addIRModule(llvm::orc::ThreadSafeModule(
          std::move(llvmModule), std::move(llvmContext))))
    return error;
  auto address = (*jit)->lookup("run_packed");
  if (!address)
    return address.takeError();
  jits.push_back(std::move(*jit));
  return entries[text] = address->toPtr<Entry>();
}

/// A memref descriptor: two pointers, an offset, sizes and strides.
static std::vector<int64_t> describe(Buffer &buffer) {
  auto address = reinterpret_cast<int64_t>(buffer.bytes.data());
  std::vector<int64_t> words{address, address, 0};
  words.insert(words.end(), buffer.shape.begin(), buffer.shape.end());
  std::vector<int64_t> strides(buffer.shape.size(), 1);
  for (size_t d = strides.size(); d-- > 1;)
    strides[d - 1] = strides[d] * buffer.shape[d];
  words.insert(words.end(), strides.begin(), strides.end());
  return words;
}

void OpRunner::run() {
  llvm::Expected<Jit::Entry> entry = Jit::get().compile(module());
  if (!entry) {
    ADD_FAILURE() << llvm::toString(entry.takeError());
    return;
  }
  std::vector<std::vector<char>> before, whole;
  for (const Argument &argument : arguments)
    before.push_back(argument.buffer->bytes);
  for (bool cut : {false, true}) {
    cutRanges = cut;
    std::vector<std::vector<int64_t>> descriptors;
    std::vector<void *> pointers;
    for (size_t i = 0; i < arguments.size(); ++i) {
      arguments[i].buffer->bytes = before[i];
      descriptors.push_back(describe(*arguments[i].buffer));
    }
    for (std::vector<int64_t> &descriptor : descriptors)
      pointers.push_back(descriptor.data());
    (*entry)(pointers.data());
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Argument &argument = arguments[i];
      if (!argument.isResult)
        EXPECT_EQ(argument.buffer->bytes, before[i])
            << op << " writes its operand " << argument.name;
      if (!cut)
        whole.push_back(argument.buffer->bytes);
      else
        EXPECT_EQ(argument.buffer->bytes, whole[i])
            << op << ": pieces of parallel loops change " << argument.name;
    }
  }
}
