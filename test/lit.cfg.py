# How lit runs the tests of this tree: text in, FileCheck or a diagnostic out.
# Values of the build (paths, targets) come from lit.site.cfg.py.
import os

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

# lit --param slow=1 runs the slow tests too. A GPU test names the GPU it needs.
if lit_config.params.get("slow", "0") != "0":
    config.available_features.add("slow")
if os.path.exists("/dev/nvidiactl"):
    config.available_features.add("nvidia-gpu")
if os.path.exists("/dev/kfd"):
    config.available_features.add("amd-gpu")
if config.quartet_sanitize:
    config.available_features.add("sanitize")
    # MLIR keeps its contexts' storage to the end of the process.
    config.environment["ASAN_OPTIONS"] = "detect_leaks=0"
