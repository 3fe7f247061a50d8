// Registers are a scheduler's, threads and shared memory the whole unit's.
#include "targets/gpu/KernelReport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace quartet;
using namespace quartet::gpu;

int64_t gpu::residentBlocks(const GpuFacts &facts, const KernelReport &report) {
  int64_t blocks = facts.unitThreads / facts.threads;
  if (report.registers > 0) {
    int64_t perWarp = int64_t(llvm::alignTo(uint64_t(report.registers),
                                            uint64_t(facts.registerGranule))) *
                      facts.lanes;
    int64_t warps =
        facts.unitRegisters / facts.schedulers / perWarp * facts.schedulers;
    blocks = std::min(blocks, warps / facts.warps());
  }
  int64_t shared =
      report.staticShared + report.dynamicShared + facts.sharedReserved;
  if (shared > 0)
    blocks = std::min(blocks, facts.unitSharedBytes / shared);
  return blocks;
}

std::vector<std::string>
gpu::kernelWarnings(const GpuFacts &facts,
                    llvm::ArrayRef<KernelReport> reports) {
  std::vector<std::string> warnings;
  for (const KernelReport &report : reports) {
    std::string kernel = "kernel '" + report.kernel + "' ";
    if (report.spillBytes > 0)
      warnings.push_back(
          llvm::formatv("{0}spills {1} bytes per thread with {2} "
                        "registers",
                        kernel, report.spillBytes, report.registers));
    for (const KernelReport::Phase &phase : report.phases)
      if (phase.spillBytes > 0)
        warnings.push_back(llvm::formatv(
            "{0}spills {1} bytes per thread in its phase '{2}' with {3} "
            "registers",
            kernel, phase.spillBytes, phase.name, report.registers));
    if (!report.advice.empty())
      warnings.push_back(kernel + "may be slow: " + report.advice);
    int64_t blocks = residentBlocks(facts, report);
    int64_t planned =
        report.plannedBlocks ? report.plannedBlocks : facts.blocksPerUnit;
    if (blocks < planned)
      warnings.push_back(llvm::formatv(
          "{0}fits {1} times in a unit of {2}, the program counts on {3}: {4} "
          "registers per thread, {5} bytes of shared memory",
          kernel, blocks, facts.name, planned, report.registers,
          report.staticShared + report.dynamicShared));
  }
  return warnings;
}

/// With those of the phases.
static int64_t spillsOf(const KernelReport &report) {
  int64_t bytes = report.spillBytes;
  for (const KernelReport::Phase &phase : report.phases)
    bytes += phase.spillBytes;
  return bytes;
}

void gpu::printKernels(const GpuFacts &facts,
                       llvm::ArrayRef<KernelReport> reports,
                       llvm::raw_ostream &out) {
  size_t width = 6;
  for (const KernelReport &report : reports)
    width = std::max(width, report.kernel.size());
  out << llvm::left_justify("kernel", unsigned(width))
      << "  registers  shared  stack  spills    code  blocks per unit\n";
  for (const KernelReport &report : reports)
    out << llvm::left_justify(report.kernel, unsigned(width))
        << llvm::formatv("  {0,9}  {1,6}  {2,5}  {3,6}  {4,6}  {5,15}\n",
                         report.registers,
                         report.staticShared + report.dynamicShared,
                         report.stackBytes, spillsOf(report), report.codeBytes,
                         residentBlocks(facts, report));
}
