// Options of `quartetc plan`; the work is in compiler/plan/Plan.h.
#include "compiler/tools/PlanCommand.h"

using namespace quartet;

void quartet::addPlan(CLI::App &app, PlanCommand &command) {
  auto *plan = app.add_subcommand(
      "plan", "Show what the steps of a model read and compute, and how fast "
              "they can be");
  plan->add_option("MODEL", command.model,
                   "Directory with config.json, or a GGUF file; no weights "
                   "are needed")
      ->required();
  plan->add_option("--target", command.target,
                   "Machine to plan for; 'quartetc targets' lists them")
      ->capture_default_str();
  plan->add_option("--mcpu", command.cpu,
                   "LLVM's name of the CPU (default: the target's)");
  plan->add_option_function<std::string>(
          "--dtype",
          [&](const std::string &word) {
            command.dtype = word == "f32"   ? Dtype::F32
                            : word == "f16" ? Dtype::F16
                                            : Dtype::BF16;
          },
          "Element type of the matrices and the KV cache (default: as in the "
          "checkpoint)")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->type_name("WORD");
  plan->add_option_function<std::string>(
          "--kv-cache",
          [&](const std::string &word) {
            command.kvType = word == "f32"    ? KvType::F32
                             : word == "f16"  ? KvType::F16
                             : word == "bf16" ? KvType::BF16
                                              : KvType::Int8;
          },
          "Element type of the KV cache (default: that of the matrices)")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8"}))
      ->type_name("WORD");
  plan->add_option("--quant", command.quant,
                   "Format of the weight matrices, as for 'quartetc build'");
  plan->add_option("--quant-group", command.quantGroup,
                   "Columns that share a scale: 32, 64 or 128 (default 64)")
      ->check(CLI::IsMember({32, 64, 128}));
  plan->add_option("--layers", command.config.layers,
                   "Plan the first N layers only")
      ->check(CLI::PositiveNumber);
  plan->add_option("--buckets", command.buckets,
                   "Numbers of tokens that the step is specialised for "
                   "(default: the target's choice)")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  plan->add_option("--context", command.contexts,
                   "Positions before a decoded token")
      ->delimiter(',')
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  plan->add_option("--batch", command.batches, "Sequences that decode together")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  plan->add_option("--tokens", command.prompts, "Tokens of a prompt")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  plan->add_option("--workers", command.workers,
                   "Threads, of a GPU blocks, that share the work (default: "
                   "the target's)")
      ->check(CLI::Range(1, 65536));
  plan->add_option("--bandwidth", command.readGBs,
                   "GB/s that all workers together read from memory (default: "
                   "the target's)")
      ->check(CLI::PositiveNumber);
  plan->add_option(
          "--f32-gflops", command.f32Gflops,
          "Peak of one worker in f32; a multiply-add counts as two "
          "(default: the target's; of a GPU its matrix units' in bf16)")
      ->check(CLI::PositiveNumber);
  plan->add_option("--int8-gops", command.int8Gops,
                   "Peak of one worker in products of int8 (default: the "
                   "target's)")
      ->check(CLI::PositiveNumber);
  plan->add_flag("--json", command.json, "Machine-readable output");
  plan->footer(
      "Times are lower bounds: bytes at the bandwidth or multiply-adds at the "
      "peaks, whichever takes longer. 'balance' is what the busiest worker "
      "reads, in parts of the mean.\n"
      "Examples:\n"
      "  quartetc plan models/Qwen3.6-35B-A3B --quant w4\n"
      "  quartetc plan models/Qwen3.6-35B-A3B --quant w4 --target aarch64 "
      "--workers 64 --bandwidth 300\n"
      "  quartetc plan models/Qwen3.6-35B-A3B --quant w4 --target sm_90a\n"
      "  quartetc plan Qwen3.6-35B-A3B-Q4_K_M.gguf --batch 1,4,16 --context "
      "4096,32768\n"
      "  quartetc plan models/tiny --json");
}
