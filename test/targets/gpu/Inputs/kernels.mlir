// Small kernels with everything that all vendors share: places, loops, shared memory,
// shuffles, atomic operations, arithmetic that must not be a library's.
module {
  llvm.mlir.global external @quartet_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>

  // args[thread, thread + threads, ... < layer] = f(args) through shared memory.
  func.func @rows(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel, quartet.shared_bytes = 1024 : i64} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %blocks = gpu.grid_dim x
    %t = arith.index_cast %thread : index to i64
    %b = arith.index_cast %block : index to i64
    %n = arith.index_cast %blocks : index to i64
    %shared = llvm.mlir.addressof @quartet_shared : !llvm.ptr<3>
    %four = arith.constant 4 : i64
    %at = arith.muli %t, %four : i64
    %place = llvm.getelementptr %shared[%at] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
    scf.for %row = %b to %layer step %n : i64 {
      %first = arith.muli %row, %four : i64
      %sum = arith.addi %first, %at : i64
      %from = llvm.getelementptr %args[%sum] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
      %x = llvm.load %from : !llvm.ptr<1> -> f32
      llvm.store %x, %place : f32, !llvm.ptr<3>
      gpu.barrier
      %y = llvm.load %shared : !llvm.ptr<3> -> f32
      %product = arith.mulf %x, %y : f32
      %total = arith.addf %product, %x : f32
      %fused = math.fma %total, %y, %x : f32
      %root = math.sqrt %fused : f32
      %even = math.roundeven %root : f32
      %size = math.absf %even : f32
      %most = arith.maxnumf %size, %x : f32
      %ratio = arith.divf %most, %y : f32
      llvm.store %ratio, %from : f32, !llvm.ptr<1>
      gpu.barrier
    }
    return
  }

  // Sums over a warp.
  func.func @warp(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel, quartet.shared_bytes = 0 : i64} {
    %thread = gpu.thread_id x
    %t = arith.index_cast %thread : index to i64
    %from = llvm.getelementptr %args[%t] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %x0 = llvm.load %from : !llvm.ptr<1> -> f32
    %c16 = arith.constant 16 : i32
    %c8 = arith.constant 8 : i32
    %c1 = arith.constant 1 : i32
    %lanes = arith.constant LANES : i32
    %y16, %v16 = gpu.shuffle xor %x0, %c16, %lanes : f32
    %x1 = arith.addf %x0, %y16 : f32
    %y8, %v8 = gpu.shuffle xor %x1, %c8, %lanes : f32
    %x2 = arith.addf %x1, %y8 : f32
    %y1, %v1 = gpu.shuffle xor %x2, %c1, %lanes : f32
    %x3 = arith.addf %x2, %y1 : f32
    %lane = arith.trunci %layer : i64 to i32
    %bits = arith.bitcast %x3 : f32 to i32
    %z, %vz = gpu.shuffle idx %bits, %lane, %lanes : i32
    llvm.store %z, %from : i32, !llvm.ptr<1>
    return
  }

  // Counts itself, and waits for the others.
  func.func @wait(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel, quartet.shared_bytes = 0 : i64} {
    %one = arith.constant 1 : i32
    %old = llvm.atomicrmw add %args, %one syncscope("device") release : !llvm.ptr<1>, i32
    %wanted = arith.trunci %layer : i64 to i32
    scf.while : () -> () {
      %seen = llvm.load %args atomic syncscope("device") acquire {alignment = 4 : i64} : !llvm.ptr<1> -> i32
      %go = arith.cmpi slt, %seen, %wanted : i32
      scf.condition(%go)
    } do {
      scf.yield
    }
    return
  }

  // The same between barriers that say what for.
  func.func @tell(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel, quartet.shared_bytes = 0 : i64} {
    %one = arith.constant 1 : i32
    gpu.barrier {quartet.barrier_order = "release"}
    %old = llvm.atomicrmw add %args, %one syncscope("device") acq_rel {quartet.by_barriers} : !llvm.ptr<1>, i32
    %seen = llvm.load %args atomic syncscope("device") acquire {alignment = 4 : i64, quartet.by_barriers} : !llvm.ptr<1> -> i32
    gpu.barrier {quartet.barrier_order = "acquire"}
    llvm.store %seen, %args : i32, !llvm.ptr<1>
    return
  }
}
