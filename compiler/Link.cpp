// Runs lld in process on the model's objects and the runtime kit.
#include "compiler/Link.h"
#include "targets/llvm/Linker.h"
#include "targets/llvm/TemporaryFiles.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/TargetParser/Triple.h"

using namespace quartet;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

static llvm::StringRef archName(const Capabilities &facts) {
  return llvm::StringRef(facts.triple).split('-').first;
}

static constexpr llvm::StringLiteral kRuntime = "libquartet_runtime.a",
                                     kEmulator = "libquartet_emulator.a";

llvm::Expected<std::string> quartet::findRuntimeKit(const Capabilities &facts,
                                                    bool emulator) {
  static int anchor;
  llvm::SmallString<256> kit(
      path::parent_path(fs::getMainExecutable("quartetc", &anchor)));
  path::append(kit, "..", "lib", "quartet", archName(facts) + "-linux-gnu");
  path::remove_dots(kit, /*remove_dot_dot=*/true);
  bool runtime = fs::exists(kit + "/" + kRuntime);
  if (runtime && (!emulator || fs::exists(kit + "/" + kEmulator)))
    return std::string(kit);
  return llvm::createStringError(
      (runtime ? "no emulator for " : "no runtime for ") +
      llvm::Twine(facts.triple) + ": '" + kit + "' has no " +
      (runtime ? kEmulator : kRuntime) +
      "; build the target QuartetRuntimeKit" +
      (archName(facts) == "aarch64" ? " with -DQUARTET_AARCH64_RUNTIME=ON"
                                    : "") +
      ", or use --emit=obj and link it yourself");
}

llvm::Error quartet::linkExecutable(const LinkInput &input,
                                    llvm::StringRef output) {
  TemporaryFiles objectFiles, unfinished;
  for (auto [number, bytes] : llvm::enumerate(input.objects))
    if (auto name = objectFiles.create(llvm::Twine(number), "o", bytes); !name)
      return name.takeError();

  bool arm = archName(input.facts) == "aarch64";
  std::string loader = arm ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2";
  std::string temporary =
      (output + ".tmp-" + llvm::Twine(llvm::sys::Process::getProcessId()))
          .str();
  unfinished.add(temporary);
  std::vector<std::string> words{"-pie",
                                 "--eh-frame-hdr",
                                 "--gc-sections",
                                 "--strip-all",
                                 "--build-id=none",
                                 "--hash-style=gnu",
                                 "-z",
                                 "relro",
                                 "-z",
                                 "now",
                                 "-z",
                                 "noexecstack",
                                 "-m",
                                 arm ? "aarch64linux" : "elf_x86_64",
                                 "-dynamic-linker",
                                 (arm ? "/lib/" : "/lib64/") + loader,
                                 "-o",
                                 temporary};
  auto kitFile = [&](llvm::StringRef name) {
    words.push_back((input.kit + "/" + name).str());
  };
  for (llvm::StringRef name : {"Scrt1.o", "crti.o", "crtbeginS.o"})
    kitFile(name);
  llvm::append_range(words, objectFiles.all());
  // The runtime's reference is weak, and by itself takes nothing out of an
  // archive.
  if (input.emulator)
    words.insert(words.end(), {"-u", "quartet_emulator_device"});
  words.push_back("--start-group");
  if (input.emulator)
    kitFile(kEmulator);
  for (llvm::StringRef name : std::initializer_list<llvm::StringRef>{
           kRuntime, "libpcre2-8.a", "libutf8proc.a", "libstdc++.a",
           "libclang_rt.builtins.a", "libgcc.a", "libgcc_eh.a",
           "libc_nonshared.a"})
    kitFile(name);
  words.push_back("--end-group");
  kitFile("libc.so.6");
  kitFile("libm.so.6");
  words.push_back("--as-needed");
  kitFile(loader);
  words.push_back("--no-as-needed");
  for (llvm::StringRef name : {"crtendS.o", "crtn.o"})
    kitFile(name);

  if (llvm::Error error = runLinker(words))
    return llvm::createStringError("linking '" + output + "' failed:\n" +
                                   llvm::toString(std::move(error)));
  if (std::error_code ec = fs::setPermissions(temporary, fs::perms(0755)))
    return llvm::createStringError(ec, "cannot make '" + temporary +
                                           "' executable: " + ec.message());
  if (std::error_code ec = fs::rename(temporary, output))
    return llvm::createStringError(ec, "cannot rename '" + temporary +
                                           "' to '" + output +
                                           "': " + ec.message());
  return llvm::Error::success();
}
