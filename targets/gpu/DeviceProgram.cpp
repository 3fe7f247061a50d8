// The attribute is a dictionary that mirrors the structs of ProgramTable.h.
#include "targets/gpu/DeviceProgram.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace quartet;

static constexpr llvm::StringLiteral kProgramAttr = "quartet.program";

static Attribute write(Builder &b, const ProgramLaunch &launch) {
  SmallVector<NamedAttribute> fields = {
      b.getNamedAttr("kernel", b.getStringAttr(launch.kernel)),
      b.getNamedAttr("numbers", b.getDenseI64ArrayAttr(
                                    {launch.layer, launch.sharedBytes,
                                     launch.overlap, launch.cooperative}))};
  SmallVector<StringRef> phases;
  SmallVector<int64_t> layers;
  for (const ProgramSpan &span : launch.spans) {
    phases.push_back(span.phase);
    layers.push_back(span.layer);
  }
  if (!phases.empty()) {
    fields.push_back(b.getNamedAttr("phases", b.getStrArrayAttr(phases)));
    fields.push_back(b.getNamedAttr("layers", b.getDenseI64ArrayAttr(layers)));
  }
  return b.getDictionaryAttr(fields);
}

static Attribute write(Builder &b, const std::vector<ProgramBucket> &buckets) {
  SmallVector<Attribute> list;
  for (const ProgramBucket &bucket : buckets) {
    SmallVector<Attribute> launches;
    for (const ProgramLaunch &launch : bucket.launches)
      launches.push_back(write(b, launch));
    list.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("numbers",
                        b.getDenseI64ArrayAttr(
                            {bucket.tokens, bucket.sequences,
                             bucket.scratchBytes, bucket.scratchPageBytes,
                             bucket.localBytes, bucket.syncCounters})),
         b.getNamedAttr("launches", b.getArrayAttr(launches))}));
  }
  return b.getArrayAttr(list);
}

void quartet::gpu::setProgram(ModuleOp module, const Program &program) {
  Builder b(module.getContext());
  const ProgramDevice &device = *program.device;
  SmallVector<NamedAttribute> fields = {
      b.getNamedAttr("target", b.getStringAttr(program.target)),
      b.getNamedAttr("arch", b.getStringAttr(device.arch)),
      b.getNamedAttr("device", b.getDenseI64ArrayAttr(
                                   {device.kind, device.threads, device.lanes,
                                    device.blocksPerUnit, device.clockHertz})),
      b.getNamedAttr("buckets", write(b, program.buckets)),
      b.getNamedAttr("mtp", write(b, program.mtpBuckets))};
  if (device.fill)
    fields.push_back(b.getNamedAttr("fill", write(b, *device.fill)));
  SmallVector<Attribute> peaks;
  for (const ProgramLaunch &launch : device.peaks)
    peaks.push_back(write(b, launch));
  if (!peaks.empty())
    fields.push_back(b.getNamedAttr("peaks", b.getArrayAttr(peaks)));
  module->setAttr(kProgramAttr, b.getDictionaryAttr(fields));
}

/// The \p count integers of the field; nothing when it has others.
static std::optional<ArrayRef<int64_t>>
numbers(DictionaryAttr from, llvm::StringRef name, size_t count) {
  auto list = from.getAs<DenseI64ArrayAttr>(name);
  if (!list || size_t(list.size()) != count)
    return std::nullopt;
  return list.asArrayRef();
}

static bool read(Attribute from, ProgramLaunch &launch) {
  auto fields = dyn_cast<DictionaryAttr>(from);
  auto kernel = fields ? fields.getAs<StringAttr>("kernel") : StringAttr();
  auto values = fields ? numbers(fields, "numbers", 4) : std::nullopt;
  if (!kernel || !values)
    return false;
  launch.kernel = kernel.str();
  launch.layer = (*values)[0];
  launch.sharedBytes = (*values)[1];
  launch.overlap = (*values)[2] != 0;
  launch.cooperative = (*values)[3] != 0;
  auto phases = fields.getAs<ArrayAttr>("phases");
  if (!phases) // none
    return true;
  auto layers = numbers(fields, "layers", phases.size());
  for (auto [i, phase] : llvm::enumerate(phases)) {
    auto text = dyn_cast<StringAttr>(phase);
    if (!layers || !text)
      return false;
    launch.spans.push_back({text.str(), (*layers)[i]});
  }
  return true;
}

static bool read(Attribute from, std::vector<ProgramBucket> &buckets) {
  auto list = dyn_cast_or_null<ArrayAttr>(from);
  if (!list)
    return false;
  for (Attribute entry : list) {
    auto fields = dyn_cast<DictionaryAttr>(entry);
    auto sizes = fields ? numbers(fields, "numbers", 6) : std::nullopt;
    auto launches = fields ? fields.getAs<ArrayAttr>("launches") : ArrayAttr();
    if (!sizes || !launches)
      return false;
    ProgramBucket bucket;
    bucket.tokens = (*sizes)[0];
    bucket.sequences = (*sizes)[1];
    bucket.scratchBytes = (*sizes)[2];
    bucket.scratchPageBytes = (*sizes)[3];
    bucket.localBytes = (*sizes)[4];
    bucket.syncCounters = (*sizes)[5];
    for (Attribute each : launches) {
      ProgramLaunch launch;
      if (!read(each, launch))
        return false;
      bucket.launches.push_back(launch);
    }
    buckets.push_back(std::move(bucket));
  }
  return true;
}

/// None, or those of int8 and bf16.
static bool readPeaks(Attribute from, std::vector<ProgramLaunch> &peaks) {
  if (!from)
    return true;
  auto list = dyn_cast<ArrayAttr>(from);
  if (!list || list.size() != 2)
    return false;
  for (Attribute each : list)
    if (!read(each, peaks.emplace_back()))
      return false;
  return true;
}

llvm::Expected<Program> quartet::gpu::programOf(ModuleOp module) {
  auto fields = module->getAttrOfType<DictionaryAttr>(kProgramAttr);
  if (!fields)
    return llvm::createStringError(
        "the module has no attribute 'quartet.program'; run tile-to-gpu first");
  Program program;
  ProgramDevice device;
  auto target = fields.getAs<StringAttr>("target");
  auto arch = fields.getAs<StringAttr>("arch");
  auto sizes = numbers(fields, "device", 5);
  Attribute fill = fields.get("fill");
  if (!target || !arch || !sizes ||
      (fill && !read(fill, device.fill.emplace())) ||
      !readPeaks(fields.get("peaks"), device.peaks) ||
      !read(fields.get("buckets"), program.buckets) ||
      !read(fields.get("mtp"), program.mtpBuckets))
    return llvm::createStringError(
        "the module's attribute 'quartet.program' is damaged");
  program.target = target.str();
  device.arch = arch.str();
  device.kind = (*sizes)[0];
  device.threads = (*sizes)[1];
  device.lanes = (*sizes)[2];
  device.blocksPerUnit = (*sizes)[3];
  device.clockHertz = (*sizes)[4];
  program.device = std::move(device);
  return program;
}

void quartet::gpu::clearProgram(ModuleOp module) {
  module->removeAttr(kProgramAttr);
}
