// An accelerator: its memory, the code of a program on it, and one queue in
// which copies and steps run in the order in which they were given. What
// differs between makers is behind this interface; nothing here needs a driver
// at link time, so that an executable starts everywhere and says what is
// missing.
#ifndef QUARTET_RUNTIME_DEVICE_DEVICE_H
#define QUARTET_RUNTIME_DEVICE_DEVICE_H
#include "quartet/abi.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quartet::rt {

/// One device of this machine, as its driver describes it.
struct DeviceInfo {
  int64_t kind = 0;  ///< QUARTET_DEVICE_*
  int64_t index = 0; ///< among those of its kind
  std::string name;  ///< "NVIDIA H100 80GB HBM3"
  std::string arch;  ///< "sm_90", "gfx942"
  int64_t units = 0; ///< multiprocessors (compute units)
  uint64_t bytes = 0;
  std::string driver; ///< "CUDA 13.0"
};

/// What the user asks for.
struct DeviceWish {
  int64_t index =
      -1; ///< among the devices of its kind; -1: the first that fits
  int64_t blocks = 0; ///< workers; 0: as many as the device runs at once
  uint64_t seed = 0;  ///< of the order in which an emulator runs threads
  // To find out what is wrong, or what these give.
  bool graph = true;   ///< a step is a graph, where the driver has them
  bool overlap = true; ///< launches may start before the one before has ended
};

/// What kernels may do with a piece of memory; only the emulator enforces it.
enum class DeviceAccess {
  ReadOnly,  ///< only the host writes it
  ReadWrite, ///< keeps what was written
  Scratch    ///< undefined when a step begins
};

/// A place in the device's memory.
using DeviceAddress = uint64_t;
/// The same as structures of abi.h have it; only kernels may follow it.
inline void *asPointer(DeviceAddress address) {
  return reinterpret_cast<void *>(uintptr_t(address));
}

/// What one step launches: see quartet_bucket.launches.
struct DeviceStep {
  const quartet_launch *launches = nullptr;
  int64_t count = 0;
  int64_t workers = 0;    ///< blocks of each launch
  DeviceAddress args = 0; ///< of the quartet_step_args, or the quartet_fill
  /// Where stamps go, those of a launch behind those of the one before; 0:
  /// nowhere.
  DeviceAddress stamps = 0;
  uint64_t spanBytes = 0; ///< of the stamps of all workers in a span

  /// Where those of launch \p index go.
  DeviceAddress stampsOf(int64_t index) const {
    DeviceAddress at = stamps;
    for (int64_t i = 0; stamps && i != index; ++i)
      at += uint64_t(launches[i].num_spans) * spanBytes;
    return at;
  }
};

/// Functions that can fail return false (null, -1) and set \p error, which is
/// never null. Everything that says "queued" returns at once and happens after
/// what was queued before; memory of the host that it reads or writes must stay
/// until then. Used by one thread.
class Device {
public:
  virtual ~Device() = default;

  const DeviceInfo &info() const { return facts; }
  /// Workers that run at once; \p count replaces the device's own number.
  int64_t workers() const { return workerCount; }
  void setWorkers(int64_t count) { workerCount = count; }

  /// \p bytes (0 counts as 1) for \p name, which stands in messages; what they
  /// hold is undefined.
  virtual bool allocate(const std::string &name, uint64_t bytes,
                        DeviceAccess access, DeviceAddress &address,
                        std::string *error) = 0;
  /// Waits for what is queued; 0 is allowed.
  virtual void release(DeviceAddress address) = 0;
  /// From now on kernels only read it; the caller has waited for those that
  /// wrote it.
  virtual void seal(DeviceAddress) {}
  /// Bytes that can still be allocated.
  virtual uint64_t freeBytes() = 0;

  /// Memory of the host that the device copies from and to at full speed.
  virtual void *allocateStaging(uint64_t bytes, std::string *error) = 0;
  virtual void releaseStaging(void *memory) = 0;

  // Queued.
  virtual bool upload(DeviceAddress to, const void *from, uint64_t bytes,
                      std::string *error) = 0;
  virtual bool download(void *to, DeviceAddress from, uint64_t bytes,
                        std::string *error) = 0;
  virtual bool copy(DeviceAddress to, DeviceAddress from, uint64_t bytes,
                    std::string *error) = 0;
  virtual bool fillZero(DeviceAddress address, uint64_t bytes,
                        std::string *error) = 0;

  /// Waits until everything queued is done; reports what went wrong in it.
  virtual bool synchronize(std::string *error) = 0;

  // Events are marks in the queue, numbered by the caller from 0.
  virtual bool record(size_t event, std::string *error) = 0;
  /// Waits until the queue has passed \p event.
  virtual bool await(size_t event, std::string *error) = 0;
  /// Time of the device between two events that it has passed.
  virtual bool seconds(size_t from, size_t to, double &result,
                       std::string *error) = 0;

  /// Makes a step ready to run: finds its kernels, checks that a block fits,
  /// and builds a graph where the device has graphs. \returns a number for the
  /// functions below, -1 on failure. \p step.launches must outlive the device.
  virtual int64_t prepare(const DeviceStep &step, std::string *error) = 0;
  /// Queued: the whole step.
  virtual bool run(int64_t step, std::string *error) = 0;
  /// Queued: launch \p index of the step alone.
  virtual bool launch(int64_t step, int64_t index, std::string *error) = 0;

protected:
  DeviceInfo facts;
  int64_t workerCount = 0;
};

/// "NVIDIA", "AMD" or "emulated", for messages.
const char *deviceKindName(int64_t kind);

/// All devices of \p kind that this machine has. False, and why in \p error,
/// when it has none: no library, no driver, no device.
bool listDevices(int64_t kind, std::vector<DeviceInfo> &devices,
                 std::string *error);

/// The first device, or the one that \p wish names, that runs the images of
/// \p program. False, and in \p error what each lacks, when there is none.
bool findDevice(const quartet_device &program, const DeviceWish &wish,
                DeviceInfo &found, std::string *error);

/// Opens \p info, which findDevice gave for \p program, and loads its images.
std::unique_ptr<Device> openDevice(const quartet_device &program,
                                   const DeviceInfo &info,
                                   const DeviceWish &wish, std::string *error);

/// Whether a device of \p arch runs \p image of \p program.
bool runsOn(const quartet_device &program, const quartet_image &image,
            const std::string &arch);
/// Whether \p info, a device of the same kind, runs any of its images.
bool runsOn(const quartet_device &program, const DeviceInfo &info);

/// Kernels were found to be wrong, not only slow or out of memory: the program
/// ends with a code of its own.
bool kernelsAreFaulty();
void setKernelsFaulty();

} // namespace quartet::rt
#endif
