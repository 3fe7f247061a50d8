// All passes, grouped by folder, alphabetical within a group.
#ifndef QUARTET_PASSES
#define QUARTET_PASSES

include "mlir/Pass/PassBase.td"

//===- passes/Fuse: fewer, larger ops ------------------------------------===//

def FuseElementwise : Pass<"quartet-fuse-elementwise"> {
  let summary = "Fold residual sums into the maps before them";
  let description = [{
    `x + linear(h, w)` and `x + expert_down(...)` in f32 become the op with
    `residual(x)`: the same bits, and no pass over memory of its own. Norms,
    rotary embeddings and slices stay ops: `quartet-form-phases` puts them into
    the phases that read or make their rows.

    Example: test/passes/Fuse/fuse-elementwise.mlir
  }];
}

def FuseExperts : Pass<"quartet-fuse-experts", "::mlir::ModuleOp"> {
  let summary = "Feed-forward layers in the form of the step program";
  let description = [{
    `quartet.route` becomes a linear map and `quartet.select_experts`; every
    SwiGLU is split into its halves (`expert_up` and `expert_down`, `mlp_up` and
    `linear`), each one phase. The shared expert of width Is becomes
    ceil(Is / I) routed experts after the E others, which every token uses, with
    the sigmoid of its gate as weight. Its rows go into the same matrices: gate
    rows at 0, up rows at I rounded up to 16, zero elsewhere.

    Requires: routed and shared experts stored alike, else an error. Ensures: a
    mixture of experts reads one matrix per phase.

    Example: test/passes/Fuse/fuse-experts.mlir
  }];
}

def FuseProjections : Pass<"quartet-fuse-projections", "::mlir::ModuleOp"> {
  let summary = "Make linear maps of the same rows one matrix";
  let description = [{
    All `quartet.linear` without residual that take the same value, and whose
    weights are stored alike (packed format or element type), become one
    `quartet.projections` of a new weight with parts, each beginning at a
    multiple of 16 rows. Weights that nothing else loads are removed.

    Requires: run after `quartet-quantize`, which decides the formats.

    Example: test/passes/Fuse/fuse-projections.mlir
  }];
}

//===- passes/Lower: one level down -------------------------------------===//

def LowerEntry : Pass<"quartet-lower-entry", "::mlir::ModuleOp"> {
  let summary = "Give the step function the C entry of the runtime's ABI";
  let description = [{
    `quartet-lower-model` leaves a function whose arguments are buffers. This
    pass adds a function that reads addresses and extents from the struct of
    `runtime/include/quartet/abi.h` and calls it, and `quartet_programs` with one
    bucket that runs any step through it.

    Requires: buffers instead of tensors, a function with `quartet.entry`.
    Ensures: the only public symbols are `quartet_programs` and
    `quartet_num_programs`.

    Example: test/passes/Lower/lower-entry.mlir
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerModel : Pass<"quartet-lower-model", "::mlir::ModuleOp"> {
  let summary = "Turn a quartet.model into a function over buffers";
  let description = [{
    Weights, states, inputs and outputs become arguments; `quartet.block` becomes
    a loop that carries the activations; `load_weight`, `load_state` and
    `store_state` become views of the arguments. A state is updated in place:
    bufferization must find no reason to copy it.

    Requires: one quartet.model whose ops are decomposed. Ensures: no quartet op
    remains.

    Example: test/passes/Lower/lower-model.mlir
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::bufferization::BufferizationDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def LowerParallel : Pass<"quartet-lower-parallel", "::mlir::ModuleOp"> {
  let summary = "Outline outermost parallel loops for the runtime's workers";
  let description = [{
    An outermost `scf.parallel` becomes a function over a range of its
    iterations, called through `quartet_parallel_for`. Loops whose body has no
    loop keep their last dimension as an ordinary inner loop, so that it
    vectorizes; the others are flattened completely. Small buffers that an
    iteration allocates move to the function's stack frame. Iterations per range
    are at least `grain` divided by the body's estimated work.

    Requires: buffers instead of tensors. Ensures: no scf.parallel remains.

    Example: test/passes/Lower/lower-parallel.mlir
  }];
  let options = [
    Option<"grain", "grain", "int64_t", /*default=*/"16384",
           "Least work of one range, in scalar operations">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def QuartetToLinalg : Pass<"quartet-to-linalg"> {
  let summary = "Replace every quartet computation by its executable meaning";
  let description = [{
    Decomposes each op that computes into `linalg`, `scf`, `arith` and `math` on
    tensors, in f32, as its formula says. The structure ops stay. This is the
    oracle in tests and the lowering that brings up a new target.

    Ensures: of the quartet dialect only model, weight, state, step, block,
    yield, return and the loads and stores remain.

    Example: test/passes/Lower/decompose-linear.mlir
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

//===- passes/Tile: the step's schedule ---------------------------------===//

def QuartetToTile : Pass<"quartet-to-tile", "::mlir::ModuleOp"> {
  let summary = "Turn the phases of a model into the schedule of its steps";
  let description = [{
    Each `quartet.phase` becomes a `tile.phase`: its ops become tasks on tiles,
    values between phases become buffers, the residual stream one buffer that is
    added to in place. There is one `tile.step` per bucket; buckets of more than
    16 tokens are of kind `many`.

    Requires: quartet-quantize (all matrices packed), quartet-form-phases.
    Ensures: no quartet op remains.

    Example: test/passes/Tile/quartet-to-tile.mlir
  }];
  let options = [
    ListOption<"buckets", "buckets", "int64_t",
               "Most tokens of each specialisation of the step">];
  let dependentDialects = ["::quartet::tile::TileDialect"];
}

#endif