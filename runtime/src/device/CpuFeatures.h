// What this CPU can do, under the names of /proc/cpuinfo (x86) or of HWCAP
// (Arm): what a compiled program's list of needs is compared with.
#ifndef QUARTET_RUNTIME_DEVICE_CPUFEATURES_H
#define QUARTET_RUNTIME_DEVICE_CPUFEATURES_H
#include <set>
#include <string>
#include <string_view>

namespace quartet::rt {

class CpuFeatures {
public:
  /// Asks the CPU and the system: a feature counts when both support it.
  static CpuFeatures detect();
  /// A CPU with the features in \p names, separated by commas.
  static CpuFeatures of(std::string_view names);

  /// \p name in any usual spelling: "avx512_vnni" and "avx512vnni" are the
  /// same, so are LLVM's "dotprod" and HWCAP's "asimddp". An unknown name is a
  /// feature that no CPU has.
  bool has(std::string_view name) const;
  /// Those of \p needed, separated by commas, that are not there: the same
  /// way; empty when all are.
  std::string missing(std::string_view needed) const;

private:
  std::set<std::string> known; ///< normalised names
};

/// Asks the system to let this process use the tile registers of AMX, which it
/// keeps from processes that don't ask. Before threads are started that use
/// them. \returns true where it does, and where there is nothing to ask for.
bool requestTileData();

} // namespace quartet::rt
#endif
