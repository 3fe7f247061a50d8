// The names of the tensors that quantized matrices are made of. Internal to
// this folder.
#ifndef QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTNAMES_H
#define QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTNAMES_H
#include "llvm/ADT/StringRef.h"
#include <string>
#include <utility>

namespace quartet::quantnames {

/// The tensors around one matrix, by the ends of their names.
enum Part : unsigned {
  Itself,
  QWeight,
  QZeros,
  Scales,
  GIdx,
  Packed,
  Scale,
  ScaleInv,
  Scale2,
  GlobalScale,
  ShapeOf,
  ZeroPoint,
  WeightGIdx,
  partCount
};

/// The matrix ("X.weight") that the tensor \p name belongs to, and as what.
std::pair<std::string, Part> matrixOf(llvm::StringRef name);

/// The name of a part of \p matrix; the inverse of matrixOf.
std::string partName(llvm::StringRef matrix, Part part);

/// Scales of activations and of the KV cache.
bool isActivationScale(llvm::StringRef name);

} // namespace quartet::quantnames
#endif
