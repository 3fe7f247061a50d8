// The metadata are MessagePack in an ELF note; the keys are those of the AMDGPU
// ABI, code object version 5.
#include "targets/amd/CodeObject.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/BinaryFormat/MsgPackDocument.h"
#include "llvm/Object/ELF.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::StringRef;
using Elf = llvm::object::ELFFile<llvm::object::ELF64LE>;

/// The contents of the metadata note.
static llvm::Expected<StringRef> findMetadata(const Elf &file) {
  auto sections = file.sections();
  if (!sections)
    return sections.takeError();
  StringRef metadata;
  for (const auto &section : *sections) {
    if (section.sh_type != llvm::ELF::SHT_NOTE)
      continue;
    llvm::Error error = llvm::Error::success();
    for (const auto &note : file.notes(section, error))
      if (note.getName() == "AMDGPU" &&
          note.getType() == llvm::ELF::NT_AMDGPU_METADATA)
        metadata = note.getDescAsStringRef(section.sh_addralign);
    if (error)
      return std::move(error);
  }
  if (metadata.empty())
    return llvm::createStringError("it has no metadata note");
  return metadata;
}

static int64_t field(llvm::msgpack::MapDocNode &map, StringRef key) {
  auto found = map.find(key);
  if (found == map.end())
    return 0;
  switch (found->second.getKind()) {
  case llvm::msgpack::Type::UInt:
    return int64_t(found->second.getUInt());
  case llvm::msgpack::Type::Int:
    return found->second.getInt();
  default:
    return 0;
  }
}

static KernelReport reportOf(llvm::msgpack::MapDocNode &map) {
  constexpr int64_t kRegisterBytes = 4;
  KernelReport report;
  auto name = map.find(".name");
  if (name != map.end() && name->second.isString())
    report.kernel = name->second.getString().str();
  report.registers = field(map, ".vgpr_count");
  report.staticShared = field(map, ".group_segment_fixed_size");
  report.stackBytes = field(map, ".private_segment_fixed_size");
  report.spillBytes = field(map, ".vgpr_spill_count") * kRegisterBytes;
  return report;
}

/// Whether \p name is a function that \p kernel calls: it begins like it, and
/// is no kernel.
static bool isPhase(StringRef name, StringRef kernel,
                    ArrayRef<KernelReport> kernels) {
  return name.starts_with((kernel + "_").str()) &&
         llvm::none_of(kernels, [&](const KernelReport &report) {
           return name == report.kernel;
         });
}

static llvm::Error readCodeSizes(const Elf &file,
                                 std::vector<KernelReport> &kernels) {
  auto sections = file.sections();
  if (!sections)
    return sections.takeError();
  for (const auto &section : *sections) {
    if (section.sh_type != llvm::ELF::SHT_SYMTAB)
      continue;
    auto symbols = file.symbols(&section);
    auto names = file.getStringTableForSymtab(section);
    if (!symbols)
      return llvm::joinErrors(symbols.takeError(), names
                                                       ? llvm::Error::success()
                                                       : names.takeError());
    if (!names)
      return names.takeError();
    for (const auto &symbol : *symbols) {
      auto name = symbol.getName(*names);
      if (!name)
        return name.takeError();
      if (symbol.getType() != llvm::ELF::STT_FUNC)
        continue;
      for (KernelReport &report : kernels)
        if (*name == report.kernel || isPhase(*name, report.kernel, kernels))
          report.codeBytes += int64_t(symbol.st_size);
    }
  }
  return llvm::Error::success();
}

llvm::Expected<std::vector<KernelReport>> gpu::readCodeObject(StringRef hsaco) {
  auto file = Elf::create(hsaco);
  if (!file)
    return file.takeError();
  auto metadata = findMetadata(*file);
  if (!metadata)
    return metadata.takeError();
  llvm::msgpack::Document document;
  if (!document.readFromBlob(*metadata, /*Multi=*/false) ||
      !document.getRoot().isMap())
    return llvm::createStringError("its metadata are damaged");
  auto &root = document.getRoot().getMap();
  auto list = root.find("amdhsa.kernels");
  if (list == root.end() || !list->second.isArray())
    return llvm::createStringError("its metadata name no kernels");
  std::vector<KernelReport> kernels;
  for (llvm::msgpack::DocNode &entry : list->second.getArray())
    if (entry.isMap())
      kernels.push_back(reportOf(entry.getMap()));
  if (llvm::Error error = readCodeSizes(*file, kernels))
    return std::move(error);
  return kernels;
}
