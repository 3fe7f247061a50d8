// Writes the manifest that the executable carries (docs/manifest.md).
#ifndef QUARTET_COMPILER_MANIFEST_H
#define QUARTET_COMPILER_MANIFEST_H
#include "compiler/import/Pack.h"
#include "mlir/IR/BuiltinOps.h"
#include "targets/Target.h"

namespace quartet {

struct ManifestFacts {
  const ModelConfig &config;
  const WeightLayout &layout;
  const Capabilities &target;
  std::string name;        ///< of the executable
  std::string weightsId;   ///< empty for a build without weights
  std::string weightsFile; ///< file name beside the executable
  int64_t tokenLimit = 0;
  Dtype matrixDtype = Dtype::BF16;
  KvType kvType = KvType::BF16;
  std::string quantization = {}; ///< "int4:64"; empty: none, the matrices' type
  std::string plan = {}; ///< JSON object, see docs/manifest.md; empty: none
  bool mtp = false;      ///< with a step of multi-token prediction
  std::vector<std::string> devices = {}; ///< "sm_90a": GPUs with a program
  std::string activations = {};          ///< "bf16"; empty: as by default
};

/// JSON text; the states come from the quartet.state ops of \p model.
std::string writeManifest(const ManifestFacts &facts, mlir::ModuleOp model);

} // namespace quartet
#endif
