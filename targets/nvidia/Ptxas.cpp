// Its files are temporary; what it prints is read with the words that it has
// used since CUDA 11.
#include "targets/nvidia/Ptxas.h"
#include "targets/llvm/TemporaryFiles.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::StringRef;

llvm::Expected<std::string> gpu::findPtxas(StringRef wanted) {
  if (wanted == "none")
    return std::string();
  if (wanted.empty()) {
    if (auto found = llvm::sys::findProgramByName("ptxas"))
      return *found;
    if (auto found =
            llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"}))
      return *found;
    return std::string();
  }
  if (llvm::sys::fs::can_execute(wanted))
    return wanted.str();
  return llvm::createStringError("'" + wanted +
                                 "' is no program; expected the path of ptxas");
}

StringRef gpu::kernelOfLine(StringRef ptx, size_t number) {
  constexpr StringRef entry = ".entry ";
  StringRef kernel, line;
  for (; number > 0 && !ptx.empty(); --number) {
    std::tie(line, ptx) = ptx.split('\n');
    if (size_t at = line.find(entry); at != StringRef::npos)
      kernel = line.drop_front(at + entry.size()).take_until([](char c) {
        return c == '(' || c == ' ';
      });
    else if (line == "}" && number > 1)
      kernel = "";
  }
  return kernel;
}

/// The number that \p expression finds first; 0 when it does not match.
static int64_t numberOf(llvm::Regex &expression, StringRef line) {
  llvm::SmallVector<StringRef> groups;
  int64_t number = 0;
  if (expression.match(line, &groups))
    (void)groups[1].getAsInteger(10, number);
  return number;
}

/// What it says of the speed of functions, by their names.
static llvm::StringMap<std::string> adviceOf(ArrayRef<StringRef> lines) {
  llvm::Regex loss("Potential Performance Loss: (.*) (for|in) the function "
                   "'([^']+)'");
  llvm::StringMap<std::string> advice;
  for (StringRef line : lines) {
    llvm::SmallVector<StringRef> groups;
    if (loss.match(line, &groups))
      advice[groups[3]] = groups[1].str();
  }
  return advice;
}

std::vector<KernelReport> gpu::parsePtxasReport(StringRef text) {
  llvm::Regex entry("Compiling entry function '([^']+)'");
  llvm::Regex function("Function properties for ([^ ]+)");
  llvm::Regex registers("Used ([0-9]+) registers"),
      shared("([0-9]+) bytes smem"), stack("([0-9]+) bytes stack frame"),
      stores("([0-9]+) bytes spill stores");
  std::vector<KernelReport> kernels;
  llvm::SmallVector<StringRef> lines;
  text.split(lines, '\n');
  llvm::StringMap<std::string> advice = adviceOf(lines);
  std::string current; // the kernel, or a function that it calls
  for (StringRef line : lines) {
    llvm::SmallVector<StringRef> groups;
    if (entry.match(line, &groups)) {
      current = groups[1].str();
      kernels.emplace_back().kernel = current;
      kernels.back().advice = advice.lookup(current);
      continue;
    }
    if (kernels.empty())
      continue;
    KernelReport &report = kernels.back();
    if (function.match(line, &groups)) {
      current = groups[1].str();
      if (current != report.kernel && report.advice.empty())
        report.advice = advice.lookup(current);
    } else if (line.contains(" bytes stack frame")) {
      if (current != report.kernel) {
        report.phases.push_back({current, numberOf(stores, line)});
        continue;
      }
      report.stackBytes = numberOf(stack, line);
      report.spillBytes = numberOf(stores, line);
    } else if (line.contains("Used ")) {
      report.registers = numberOf(registers, line);
      report.staticShared = numberOf(shared, line);
    }
  }
  return kernels;
}

/// Sets the sizes of the sections .text.KERNEL.
static llvm::Error readCodeSizes(StringRef cubin,
                                 std::vector<KernelReport> &kernels) {
  auto file = llvm::object::ELFFile<llvm::object::ELF64LE>::create(cubin);
  if (!file)
    return file.takeError();
  auto sections = file->sections();
  if (!sections)
    return sections.takeError();
  for (const auto &section : *sections) {
    auto name = file->getSectionName(section);
    if (!name)
      return name.takeError();
    for (KernelReport &report : kernels)
      if (*name == ".text." + report.kernel)
        report.codeBytes = int64_t(section.sh_size);
  }
  return llvm::Error::success();
}

/// What \p said has besides the report, with the kernel of the first error in
/// front where that tells one.
static std::string complaint(StringRef said, StringRef ptx) {
  llvm::Regex place("line ([0-9]+)"), function("[Ff]unction '([^']+)'");
  llvm::SmallVector<StringRef> lines, groups;
  said.split(lines, '\n', -1, /*KeepEmpty=*/false);
  std::string words;
  StringRef kernel;
  for (StringRef line : lines) {
    if (line.contains("ptxas info") || line.contains(" bytes stack frame"))
      continue;
    words += (words.empty() ? "" : "\n") + line.str();
    if (!kernel.empty())
      continue;
    if (function.match(line, &groups))
      kernel = groups[1];
    else if (int64_t number = numberOf(place, line))
      kernel = kernelOfLine(ptx, size_t(number));
  }
  return (kernel.empty() ? "" : "kernel '" + kernel.str() + "': ") + words;
}

llvm::Expected<Assembled> gpu::runPtxas(const std::string &program,
                                        StringRef ptx, StringRef chip) {
  TemporaryFiles files;
  auto source = files.create(chip, "ptx", ptx);
  if (!source)
    return source.takeError();
  auto output = files.create(chip, "cubin");
  if (!output)
    return output.takeError();
  auto said = files.create(chip, "txt");
  if (!said)
    return said.takeError();
  // Products and sums of the PTX say themselves how they round; what does not
  // shall not be fused either.
  std::string arch = ("-arch=" + chip).str();
  StringRef words[] = {program, arch, "-O3",   "--fmad=false",
                       "-v",    "-o", *output, *source};
  std::string why;
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(*said),
                                          StringRef(*said)};
  int status = llvm::sys::ExecuteAndWait(program, words, std::nullopt,
                                         redirects, 0, 0, &why);
  auto text = readWhole(*said);
  if (!text)
    return text.takeError();
  if (status != 0) {
    std::string message = complaint(*text, ptx);
    for (size_t at; (at = message.find(*source)) != std::string::npos;)
      message.replace(at, source->size(), "the PTX");
    return llvm::createStringError("'" + program + "' failed for " + chip +
                                   ": " + (why.empty() ? "" : why + "; ") +
                                   message);
  }
  Assembled assembled;
  auto cubin = readWhole(*output);
  if (!cubin)
    return cubin.takeError();
  assembled.cubin = std::move(*cubin);
  assembled.kernels = parsePtxasReport(*text);
  if (llvm::Error error = readCodeSizes(assembled.cubin, assembled.kernels))
    return llvm::createStringError(
        "the cubin of '" + program +
        "' cannot be read: " + llvm::toString(std::move(error)));
  return assembled;
}
