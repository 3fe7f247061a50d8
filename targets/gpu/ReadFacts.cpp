// The file says what the hardware has; what a block and a thread may take of it
// follows from how many blocks shall share a unit.
#include "targets/gpu/ReadFacts.h"
#include <cmath>

using namespace quartet;
using namespace quartet::gpu;
using llvm::StringRef;

/// The columns of the matrix instruction for \p type.
static int64_t columnsOf(ChipFields &fields, const Chip &chip, StringRef type) {
  for (const MatrixUnit &unit : chip.matrixUnits)
    if (unit.a == type)
      return unit.k;
  fields.fail("matrix_units", "has none for " + type.str());
  return 0;
}

static void readShared(ChipFields &fields, GpuFacts &facts) {
  fields.group("shared_memory", [&](ChipFields &shared) {
    facts.sharedBytes = shared.integer("block_bytes", 1024, 1 << 20);
    facts.unitSharedBytes = shared.integer("unit_bytes", 1024, 1 << 20);
    facts.sharedReserved = shared.integer("reserved_bytes", 0, 65536);
  });
  auto share = [&](int64_t blocks) {
    int64_t bytes = facts.unitSharedBytes / blocks - facts.sharedReserved;
    return std::min(facts.sharedBytes, bytes);
  };
  facts.loneSharedBytes = share(1);
  facts.sharedBytes = share(facts.blocksPerUnit);
}

static void readRegisters(ChipFields &fields, GpuFacts &facts) {
  fields.group("registers", [&](ChipFields &registers) {
    facts.registers = registers.integer("thread", 32, 1024);
    facts.unitRegisters = registers.integer("unit", 1024, 1 << 24);
    facts.registerGranule = registers.integer("granule", 1, 64);
  });
  auto share = [&](int64_t blocks) {
    int64_t warps =
        blocks * std::max<int64_t>(1, facts.warps() / facts.schedulers);
    int64_t each =
        facts.unitRegisters / facts.schedulers / (warps * facts.lanes);
    return std::min(facts.registers, each - each % facts.registerGranule);
  };
  facts.loneRegisters = share(1);
  facts.registers = share(facts.blocksPerUnit);
}

static void readRecords(ChipFields &fields, GpuFacts &facts) {
  fields.list("launch_records", [&](ChipFields &entry) {
    LaunchRecord record;
    record.model = entry.text("model");
    record.tokens = entry.integer("tokens", 1, 65536);
    record.graphUs = entry.rate("graph_us");
    record.persistentUs = entry.rate("persistent_us");
    facts.launchRecords.push_back(std::move(record));
  });
}

LaunchMode GpuFacts::fasterLaunch() const {
  double gain = 0; // of persistent kernels
  for (const LaunchRecord &record : launchRecords)
    gain += std::log(record.graphUs / record.persistentUs);
  return gain > 0 ? LaunchMode::Persistent : LaunchMode::Graph;
}

void gpu::readFacts(ChipFields &fields, Vendor vendor, Chip &chip) {
  static constexpr StringRef families[] = {"mma", "mfma", "wmma11", "wmma12"};
  GpuFacts facts;
  facts.vendor = vendor;
  facts.name = chip.name;
  facts.card = fields.text("card");
  facts.triple = fields.text("triple");
  facts.features = fields.features("features");
  facts.lanes = fields.integer("lanes", 32, 64);
  if (facts.lanes != 32 && facts.lanes != 64)
    fields.expected("lanes", facts.lanes, "32 or 64");
  facts.threads = fields.integer("threads", 64, 1024);
  if (facts.threads % facts.lanes != 0)
    fields.expected("threads", facts.threads, "a multiple of the lanes");
  facts.units = fields.integer("units", 1, 4096);
  facts.dies = fields.integer("dies", 1, 64);
  facts.blocksPerUnit = fields.integer("blocks_per_unit", 1, 32);
  readShared(fields, facts);
  readRegisters(fields, facts);
  facts.unitThreads = fields.integer("threads_per_unit", 64, 8192);
  facts.matrix = MatrixFamily(fields.word("matrix_family", families));
  chip.matrixUnits = fields.matrixUnits("matrix_units");
  facts.int8K = columnsOf(fields, chip, "int8");
  facts.bf16K = columnsOf(fields, chip, "bf16");
  facts.copy = CopyEngine(fields.word("copy_engine", kCopyEngines));
  facts.wgmma = fields.flag("warp_group_matrix");
  facts.dependentLaunch = fields.flag("dependent_launch");
  facts.clockHertz = fields.integer("clock_hertz", 1000000, 10000000000);
  readRecords(fields, facts);
  fields.group("peak", [&](ChipFields &rates) {
    facts.readGBs = rates.rate("read_gb_s");
    facts.f32Gflops = rates.rate("f32_gflop_s");
    facts.bf16Gflops = rates.rate("bf16_gflop_s");
    facts.int8Gops = rates.rate("int8_gop_s");
  });
  chip.capabilities.triple = facts.triple;
  chip.capabilities.cpu = facts.name;
  chip.capabilities.features = facts.features;
  chip.gpu = std::move(facts);
}
