// Which experts a token goes to, and the tokens sorted by expert.
#ifndef QUARTET_TARGETS_CPU_KERNELS_ROUTE_H
#define QUARTET_TARGETS_CPU_KERNELS_ROUTE_H
#include "targets/codegen/GroupsLayout.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

using quartet::GroupsLayout;
using quartet::kBlockPairs;

/// void(ptr logits f32, i64 logitsStride, i64 gateColumn, i64 tokens,
///      ptr groups)
/// quartet.route for all tokens, then a counting sort. Row t of logits has
/// `experts` logits and, when there are shared experts, their gate in column
/// gateColumn.
mlir::func::FuncOp routeKernel(KernelBuilder &k, const GroupsLayout &layout,
                               bool renormalize);

} // namespace quartet::cpu
#endif
