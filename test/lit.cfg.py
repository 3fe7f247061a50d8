# How lit runs the tests of this tree: text in, FileCheck or a diagnostic out.
# Values of the build (paths, targets) come from lit.site.cfg.py.
import os
import platform
import shutil

import lit.formats

config.name = "quartet"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "golden", "fuzz"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.quartet_test_dir

# quartet-opt, quartetc and the runtime's programs; then FileCheck, not, split-file.
config.environment["PATH"] = os.pathsep.join(
    [config.quartet_tools_dir, config.llvm_tools_dir, os.environ["PATH"]]
)
config.substitutions.append(("%quartet_src", config.quartet_source_dir))
config.substitutions.append(("%python", f'"{config.python}"'))
config.substitutions.append(
    ("%amx_emulator", os.path.join(config.quartet_tools_dir, "..", "lib", "libQuartetAmxPreload.so")))

# lit --param slow=1 runs the slow tests too. A GPU test names the GPU it needs.
if lit_config.params.get("slow", "0") != "0":
    config.available_features.add("slow")
if os.path.exists("/dev/nvidiactl"):
    config.available_features.add("nvidia-gpu")
if os.path.exists("/dev/kfd"):
    config.available_features.add("amd-gpu")
for tool in ("ptxas", "nvdisasm"):
    found = shutil.which(tool, path=os.environ["PATH"] + ":/usr/local/cuda/bin")
    if found:
        config.available_features.add(tool)
        config.substitutions.append((f"%{tool}", found))
if config.quartet_sanitize:
    config.available_features.add("sanitize")
    # MLIR keeps its contexts' storage to the end of the process.
    config.environment["ASAN_OPTIONS"] = "detect_leaks=0"

if platform.machine() == "x86_64":
    config.available_features.add("x86-host")

# Executables for AArch64 need their kit, and an emulator to run on a known CPU.
kit = os.path.join(config.quartet_tools_dir, "..", "lib", "quartet", "aarch64-linux-gnu")
qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
if qemu and os.path.exists(os.path.join(kit, "libquartet_runtime.a")):
    config.available_features.add("aarch64-kit")
    sysroot = config.quartet_aarch64_sysroot or "/"
    # The oldest CPU of the architecture, and one that has everything.
    for name, cpu in (("%run_aarch64_max", "max"), ("%run_aarch64", "cortex-a53")):
        emulate = f"{qemu} -cpu {cpu} -L {sysroot}"
        config.substitutions.append((name + r"\b", emulate))
