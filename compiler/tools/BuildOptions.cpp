// Options of `quartetc build`; the work is in compiler/Driver.h.
#include "compiler/tools/BuildOptions.h"
#include "targets/Target.h"

using namespace quartet;

/// An option that takes one of a few words.
template <typename T>
static CLI::Option *addChoice(CLI::App *app, const char *name,
                              std::map<std::string, T> choices,
                              std::function<void(T)> store, const char *about) {
  CLI::IsMember known(choices);
  return app
      ->add_option_function<std::string>(
          name,
          [=](const std::string &word) { store(choices.find(word)->second); },
          about)
      ->check(known)
      ->type_name("WORD");
}

static std::string targetHelp() {
  std::string text =
      "Machine to compile for, or several, separated by commas: of CPUs one "
      "executable for all, of GPUs one for each (see --fat). 'emulator:CHIP' "
      "is a GPU's program on this CPU, checked as it runs ('emulator': " +
      std::string("sm_90a). Known:");
  for (const auto &[name, about] : targetNames())
    text += " " + name + " (" + about + "),";
  text.back() = '.';
  return text;
}

void quartet::addBuild(CLI::App &app, BuildCommand &command,
                       CalibrateFirst &calibrate, std::string &scratch) {
  auto *build = app.add_subcommand(
      "build", "Compile a model into an executable and a weight file");
  build
      ->add_option("MODEL", command.model,
                   "Hugging Face directory: config.json, *.safetensors, "
                   "tokenizer.json, generation_config.json; or a GGUF file")
      ->required();
  build->add_option("-o,--output", command.output,
                    "File to write (default: the model's name, here; "
                    "weights go to FILE.safetensors). Of several executables "
                    "each is FILE.TARGET; they share the weights");
  build->add_option("--target", command.target, targetHelp())
      ->capture_default_str();
  build->add_flag("--fat", command.fat,
                  "One executable with a program for each of the GPUs, which "
                  "may have CPUs beside them; it takes the first that fits");
  addChoice<gpu::LaunchMode>(
      build, "--launch",
      {{"graph", gpu::LaunchMode::Graph},
       {"persistent", gpu::LaunchMode::Persistent}},
      [&](gpu::LaunchMode launch) { command.launch = launch; },
      "How a GPU runs a step: graph (a kernel per phase) or persistent (one "
      "kernel, whose blocks wait for each other); default: what was measured "
      "to be faster ('quartetc targets TARGET'), graph where nothing was");
  addChoice<int>(
      build, "--activations", {{"bf16x2", 2}, {"bf16", 1}},
      [&](int parts) { command.activationParts = parts; },
      "What activations are for a GPU's matrix units when it reads a prompt, "
      "in "
      "front of weights of floats, in attention and in the delta rule: bf16x2 "
      "(sums of two bf16, 16 bits; the default) or bf16 (one, as in most "
      "engines: half of the work, with errors like those of Transformers in "
      "bf16)");
  // For tests, where small models take less time to run than to compile.
  build
      ->add_flag("--quick", command.quick,
                 "Compile in less time, to slower code")
      ->group("");
  build->add_flag(
      "--report", command.report,
      "Print what each kernel of a GPU takes: registers, shared "
      "memory, spills, size of the code, blocks that fit in a unit");
  build->add_option(
      "--mcpu", command.cpu,
      "LLVM's name of the CPU, e.g. znver5 (default: the target's), and "
      "features that it has besides: x86-64-v3+avxvnni; "
      "'quartetc targets TARGET' lists them");
  addChoice<Dtype>(
      build, "--dtype",
      {{"f32", Dtype::F32}, {"bf16", Dtype::BF16}, {"f16", Dtype::F16}},
      [&](Dtype dtype) { command.dtype = dtype; },
      "Element type of the matrices and the KV cache: f32, bf16 or f16 "
      "(default: "
      "as in the checkpoint)");
  addChoice<KvType>(
      build, "--kv-cache",
      {{"f32", KvType::F32},
       {"bf16", KvType::BF16},
       {"f16", KvType::F16},
       {"int8", KvType::Int8}},
      [&](KvType type) { command.kvType = type; },
      "Element type of the KV cache: f32, bf16, f16, or int8 with a scale for "
      "each token and head (default: that of the matrices)");
  build->add_option(
      "--quant", command.quant,
      "Format of the weight matrices: bf16, f16, fp8, int8, int6, int4 (all of "
      "them), w4 (int4, the head int8), w8, or a recipe file in JSON "
      "(default: as in the checkpoint)");
  build
      ->add_option("--quant-group", command.quantGroup,
                   "Columns that share a scale: 32, 64 or 128 (default 64)")
      ->check(CLI::IsMember({32, 64, 128}));
  addCalibrateFirst(build, calibrate, command);
  build
      ->add_option("--scratch", scratch,
                   "Folder with room for a build with unquantized weights, "
                   "for --calibrate (default: the system's temporary folder)")
      ->type_name("DIR");
  build
      ->add_option("--buckets", command.buckets,
                   "Specialise the step for up to these numbers of tokens, "
                   "e.g. 1,16,512 (default: the target's choice)")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  addChoice<Lowering>(
      build, "--lowering",
      {{"auto", Lowering::Auto},
       {"step", Lowering::Step},
       {"generic", Lowering::Generic}},
      [&](Lowering lowering) { command.lowering = lowering; },
      "step: the scheduled program with packed weights; generic: the "
      "reference (default: step where the CPU has fused multiply-add)");
  build->add_option(
      "--synthetic", command.syntheticSeed,
      "Use random weights from this seed instead of a checkpoint");
  build
      ->add_option("--layers", command.config.layers,
                   "Compile the first N layers only")
      ->check(CLI::PositiveNumber);
  build->add_flag(
      "--no-weights", command.withoutWeights,
      "Write the executable only; it accepts any weight file of the "
      "same layout");
  build->add_flag("--ptx", command.withPtx,
                  "Put PTX beside the cubin of an NVIDIA GPU, for drivers that "
                  "are older than the ptxas of this build (some 2.5 MB)");
  build->add_flag("--embed-weights", command.embedWeights,
                  "Put the weights into the executable (small models)");
  build->add_flag("--mtp", command.mtp,
                  "Compile the checkpoint's layer of multi-token prediction, "
                  "too: a second step beside the model's, which drafts the "
                  "token after the next. 'run' does not use it yet; 'logits "
                  "--mtp' does");
  build->add_option("--rope-yarn-factor", command.config.ropeYarnFactor,
                    "Extend the context by this factor with YaRN, up to "
                    "1,010,000 positions; e.g. 4");
  build->add_option("--dump-stages", command.dumpStages,
                    "Write the IR after each stage into this folder; "
                    "quartet-opt reads the files back");
  addChoice<Emit>(
      build, "--emit",
      {{"exe", Emit::Executable},
       {"quartet", Emit::Quartet},
       {"phases", Emit::Phases},
       {"tile", Emit::Tile},
       {"kernels", Emit::Kernels},
       {"isa", Emit::Isa},
       {"ptx", Emit::Isa},
       {"linalg", Emit::Linalg},
       {"llvm", Emit::Llvm},
       {"obj", Emit::Object}},
      [&](Emit emit) { command.emit = emit; },
      "Stop early and write quartet (model IR), phases, tile (the schedule), "
      "kernels (of a GPU), isa (its PTX, also called ptx, or assembly), linalg "
      "(generic lowering), llvm (optimised LLVM IR), obj; or exe");
  build->add_flag("-q,--quiet", command.quiet, "No progress on standard error");
  build->footer(
      "Examples:\n"
      "  quartetc build models/tiny -o tiny && ./tiny run -p 'In the "
      "beginning'\n"
      "  quartetc build ~/Qwen3.6-35B-A3B -o qwen\n"
      "  quartetc build ~/Qwen3.6-35B-A3B --quant w4 -o qwen-w4\n"
      "  quartetc build Qwen3.6-35B-A3B-Q4_K_M.gguf -o qwen\n"
      "  quartetc build ~/Qwen3.6-35B-A3B --quant w4 --target sm_89,gfx942 -o "
      "qwen   # qwen.sm_89, qwen.gfx942\n"
      "  quartetc build models/tiny --target emulator -o tiny-gpu && "
      "./tiny-gpu run -p 'In the beginning'\n"
      "  quartetc build models/Qwen3.6-35B-A3B --synthetic 1 --layers 4\n"
      "  quartetc build models/tiny --emit=quartet -o -");
}
