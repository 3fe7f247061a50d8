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
    bucket that runs any step through it. A function with `quartet.mtp` too goes
    into the buckets of multi-token prediction.

    Requires: buffers instead of tensors, a function with `quartet.entry`.
    Ensures: the only public symbols are `quartet_programs` and
    `quartet_num_programs`.

    Example: test/passes/Lower/lower-entry.mlir
  }];
  let options = [
    Option<"target", "target", "std::string", "\"any\"",
           "Name in the program table">,
    Option<"features", "features", "std::string", "\"\"",
           "What the machine must have, for the program table">,
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerModel : Pass<"quartet-lower-model", "::mlir::ModuleOp"> {
  let summary = "Turn the steps of a quartet.model into functions over buffers";
  let description = [{
    One function for each step: weights, states, inputs and outputs become arguments; `quartet.block` becomes
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

//===- passes/Quantize: how weights are stored ---------------------------===//

def Quantize : Pass<"quartet-quantize", "::mlir::ModuleOp"> {
  let summary = "Decide how each weight matrix is stored";
  let description = [{
    The type of every weight matrix becomes `!quartet.packed`, in the format that
    `formats` gives for its name, else with the values of its element type. A
    matrix that is also a table (tied embeddings) gets a packed twin `lm_head`
    made of its rows. Vectors, taps and tables stay tensors.

    Ensures: every operand that is a weight matrix is packed.

    Example: test/passes/Quantize/quantize.mlir
  }];
  let options = [
    ListOption<"formats", "formats", "std::string",
               "Formats of weights: l0.qkv=int4:64,lm_head=int8:64">];
}

def RecordActivations : Pass<"quartet-record-activations", "::mlir::ModuleOp"> {
  let summary = "Record the mean squared input of every weight matrix";
  let description = [{
    For each matrix `l0.qkv` there is a new state `l0.qkv.squares`, in f32, to
    which `quartet.accumulate_squares` adds the rows that the matrix is multiplied
    with: for the matrices of the routed experts, those of the tokens routed to
    them. The hidden rows in front of the second half of an MLP are computed once
    more by an op of their own, which CSE joins with the first after lowering.
    `lm_head` records all tokens of the step, wanted or not. A step with `mtp`
    stays as it is.

    The sums of a sequence and their counts, in the last column, are what
    `quartetc calibrate` makes statistics of.

    Requires: the model before quantization and fusion. Ensures: its values are
    what they were.

    Example: test/passes/Quantize/record-activations.mlir
  }];
}

//===- passes/Schedule: the order of work --------------------------------===//

def FormPhases : Pass<"quartet-form-phases", "::mlir::ModuleOp"> {
  let summary = "Group the ops of the step and of its block into phases";
  let description = [{
    Anchors decide the phases. A matrix (linear, projections, expert halves,
    lm_head) needs whole rows and makes columns of its result in pieces; heads
    (causal_conv, gated_delta, gated_attention) need whole heads over all tokens
    of a sequence; embed and sample are by themselves. Walking the ops in order,
    an anchor joins the phase before it if it reads the same rows (matrix), or
    only what the same heads made (heads). Otherwise it begins a new phase.

    All else is glue. Norms and the choice of experts are done on the way into
    the first phase that reads their rows; per-head norms, rotary embeddings,
    sums and slices on the way out of the phase that makes their operands.

    Requires: fused ops (`quartet-fuse-experts`). Ensures: every computation of
    the step is in a `quartet.phase`.

    Example: test/passes/Schedule/form-phases.mlir
  }];
  let options = [
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Remark why each phase begins and which phase took in what">];
}

//===- passes/Tile: the step's schedule ---------------------------------===//

def QuartetToTile : Pass<"quartet-to-tile", "::mlir::ModuleOp"> {
  let summary = "Turn the phases of a model into the schedule of its steps";
  let description = [{
    Each `quartet.phase` becomes a `tile.phase`: its ops become tasks on tiles,
    values between phases become buffers, the residual stream one buffer that is
    added to in place. There is one `tile.step` per bucket; buckets of more than
    16 tokens are of kind `many`. A `quartet.step mtp` becomes steps of its own.
    `gpu` cuts them into more and smaller tasks (passes/Tile/TaskSizes.h).

    Requires: quartet-quantize (all matrices packed), quartet-form-phases.
    Ensures: no quartet op remains.

    Example: test/passes/Tile/quartet-to-tile.mlir
  }];
  let options = [
    ListOption<"buckets", "buckets", "int64_t",
               "Most tokens of each specialisation of the step">,
    Option<"gpu", "gpu", "bool", /*default=*/"false",
           "Tasks for the blocks of a GPU instead of a CPU's threads">];
  let dependentDialects = ["::quartet::tile::TileDialect"];
}

def TilePipeline : Pass<"tile-pipeline"> {
  let summary = "Begin to read a phase's weights before it waits";
  let description = [{
    Weights do not depend on activations: a phase that waits for another reads
    the first `prefetch-bytes` of the first matrix that its tasks stream
    meanwhile. Experts' weights are left out: which of them are needed is known
    only after the wait.

    Ensures: each phase that waits and has a `tile.stream` begins with one
    `tile.prefetch`. A phase that has one already is left alone.

    Example: test/passes/Tile/tile-pipeline.mlir
  }];
  let options = [
    Option<"prefetchBytes", "prefetch-bytes", "int64_t", /*default=*/"65536",
           "Bytes that each worker reads ahead; 0: none">];
}

def TilePlanMemory : Pass<"tile-plan-memory"> {
  let summary = "Give each buffer its place in the step's scratch memory";
  let description = [{
    Two buffers may have the same place when no phase needs both and every phase
    that touches one has happened before those that touch the other: a worker that is late in
    one phase may meet one that is early in the next. Buffers are placed from the
    largest on, each in the tightest gap that fits, 64-byte aligned. A buffer
    whose contents one repetition of `tile.layers` leaves for the next is needed
    throughout the loop.

    Buffers in pieces, whose size grows with the longest sequence, lie behind the
    others; their offset is in bytes per piece (see `tile.buffer`). All buffers in
    pieces of a step have pieces of one size.

    Requires: a schedule that tile-verify-schedule accepts. Ensures: each buffer
    has an offset; each step says how much scratch memory it needs and how much
    local memory each worker needs for local values. Never takes more than all
    buffers' sizes together.

    Example: test/passes/Tile/tile-plan-memory.mlir
  }];
}

def TileVerifySchedule : Pass<"tile-verify-schedule"> {
  let summary = "Prove that a step's schedule cannot race, hang or miss a weight";
  let description = [{
    A schedule that fails is an error that names phases, ops and buffers. Proves
    for every step:

    - signals: each event has at most one phase that signals it, and one that is
      waited for has exactly one;
    - progress: workers run phases in program order, so every wait is for an
      earlier phase, or with `previous` for one of the repetition before;
    - no race: phase P happened before phase Q when Q waits for P, directly or
      through others. Phases, also of different repetitions, that are not
      ordered so never touch the same columns of a buffer or state if one of
      them writes. Within a phase, only the task that writes a piece touches it,
      and nothing that every worker does for itself writes. Repetitions have
      their own piece of a state with `repeat`; buffers they share;
    - defined: no phase reads columns of a buffer that no phase before it writes;
    - weights: each streamed tile has one use, and a matrix that a step uses has each
      row read once in each repetition, by grids that have just as many tasks as
      the rows have tiles. Stores have as many tasks as their columns have tiles;
    - memory: with offsets from tile-plan-memory, buffers at the same place are
      never needed at once, count as one buffer for races, and lie inside the
      scratch memory; local values and scratch memory are within the limits.

    It assumes what the lowering must keep: an event counts all tasks of its
    phase, of the repetition; a worker begins what it does for itself when it
    has a task, or is counted too (`tile.phase`); sequences of one step are in different slots and
    their tokens in different places of pages.

    Emits nothing and changes nothing when all is well.

    Example: test/passes/Tile/tile-verify-schedule.mlir
  }];
  let options = [
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Emit a remark for each wait: what it orders, or that others do">,
    Option<"localBytes", "local-bytes", "int64_t", /*default=*/"0",
           "Local memory of a worker in bytes; 0: any">,
    Option<"scratchBytes", "scratch-bytes", "int64_t", /*default=*/"0",
           "Scratch memory of a step in bytes, without buffers in pieces; 0: any">];
}

#endif
