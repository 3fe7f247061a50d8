// Lists devices without opening them.
#include "runtime/src/app/DevicesInfo.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/engine/DeviceMemory.h"

namespace quartet::rt {

using Ordered = nlohmann::ordered_json;

std::string deviceText(const quartet_device &device) {
  return std::string("for ") +
         (device.kind == QUARTET_DEVICE_EMULATOR ? "an " : "") +
         deviceKindName(device.kind) + " " + device.arch;
}

static const char *imageName(int64_t kind) {
  return kind == QUARTET_IMAGE_CUBIN ? "cubin"
         : kind == QUARTET_IMAGE_PTX ? "ptx"
                                     : "hsaco";
}

Ordered deviceJson(const quartet_device &device) {
  Ordered images = Ordered::array();
  for (int64_t i = 0; i != device.num_images; ++i)
    images.push_back({{"kind", imageName(device.images[i].kind)},
                      {"bytes", device.images[i].size}});
  return {{"kind", deviceKindName(device.kind)},
          {"arch", device.arch},
          {"threads", device.threads},
          {"lanes", device.lanes},
          {"blocks_per_unit", device.blocks_per_unit},
          {"images", images}};
}

std::string launchesText(const quartet_bucket &bucket) {
  if (bucket.num_launches == 0)
    return "";
  return ", " + std::to_string(bucket.num_launches) +
         (bucket.num_launches == 1 ? " launch" : " launches");
}

std::string needText(const Session &session, const quartet_program &program,
                     const DeviceInfo &device, int64_t context) {
  EngineOptions options;
  options.context = context;
  int64_t workers = session.line.global.blocks
                        ? session.line.global.blocks
                        : device.units * program.device->blocks_per_unit;
  DeviceNeed need = deviceNeed(session.manifest, program, options, workers);
  return gigabytes(need.total()) + " of " + gigabytes(device.bytes) +
         ": weights " + gigabytes(need.weights) + ", a full context " +
         gigabytes(need.slots + need.pages) + ", steps " +
         gigabytes(need.steps + need.logits);
}

/// Targets of the programs that run on \p device, or what none of them fits.
static std::string whatRuns(const Session &session, const DeviceInfo &device) {
  std::string targets, others;
  for (int64_t i = 0; i != session.image.numPrograms; ++i) {
    const quartet_program &program = session.image.programs[i];
    if (!program.device || program.device->kind != device.kind)
      continue;
    std::string &list = runsOn(*program.device, device) ? targets : others;
    list += (list.empty() ? "'" : ", '") + std::string(program.target) + "'";
  }
  if (!targets.empty())
    return "runs " + targets;
  return others.empty() ? "this executable has no program for such a device"
                        : "does not run " + others;
}

int printDevices(const Session &session) {
  bool emulated = false;
  for (int64_t i = 0; i != session.image.numPrograms; ++i) {
    const quartet_device *device = session.image.programs[i].device;
    emulated |= device && device->kind == QUARTET_DEVICE_EMULATOR;
  }
  Ordered json = Ordered::array();
  std::string text;
  for (int64_t kind :
       {QUARTET_DEVICE_CUDA, QUARTET_DEVICE_HIP, QUARTET_DEVICE_EMULATOR}) {
    if (kind == QUARTET_DEVICE_EMULATOR && !emulated)
      continue;
    std::vector<DeviceInfo> devices;
    std::string why;
    if (!listDevices(kind, devices, &why)) {
      text += std::string(deviceKindName(kind)) + ": " + why + "\n";
      json.push_back({{"kind", deviceKindName(kind)}, {"missing", why}});
    }
    for (const DeviceInfo &device : devices) {
      std::string runs = whatRuns(session, device);
      text += std::string(deviceKindName(kind)) + " " +
              std::to_string(device.index) + ": " + device.name +
              (device.arch.empty() ? "" : ", " + device.arch) + ", " +
              std::to_string(device.units) + " units, " +
              gigabytes(device.bytes) + ", " + device.driver + "; " + runs +
              "\n";
      json.push_back({{"kind", deviceKindName(kind)},
                      {"index", device.index},
                      {"name", device.name},
                      {"arch", device.arch},
                      {"units", device.units},
                      {"bytes", device.bytes},
                      {"driver", device.driver},
                      {"runs", runs}});
    }
  }
  Output output;
  output.write(
      session.line.infoJson
          ? json.dump(2, ' ', false, Ordered::error_handler_t::replace) + "\n"
          : text);
  return session.finish(output);
}

} // namespace quartet::rt
