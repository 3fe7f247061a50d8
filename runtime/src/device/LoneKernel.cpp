// A step of one launch, whose arguments are not a quartet_step_args.
#include "runtime/src/device/LoneKernel.h"

namespace quartet::rt {

bool LoneKernel::prepare(const quartet_launch &kernel, const std::string &name,
                         uint64_t bytes, std::string *error) {
  argumentBytes = bytes;
  if (!device.allocate(name, bytes, DeviceAccess::ReadOnly, args.address,
                       error))
    return false;
  DeviceStep what;
  what.launches = &kernel;
  what.count = 1;
  what.workers = device.workers();
  what.args = args.address;
  step = device.prepare(what, error);
  return step >= 0;
}

} // namespace quartet::rt
