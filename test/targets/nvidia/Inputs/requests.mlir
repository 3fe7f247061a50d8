// Copies and requests that NVIDIA's dialect has.
module {
  llvm.mlir.global external @quartet_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>
  func.func @requests(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %shared = llvm.mlir.addressof @quartet_shared : !llvm.ptr<3>
    %next = llvm.getelementptr %args[%layer] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    nvvm.prefetch level = L2, %next : !llvm.ptr<1>
    nvvm.prefetch level = L1, %args : !llvm.ptr<1>
    nvvm.cp.async.shared.global %shared, %args, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 0
    gpu.barrier
    %x = llvm.load %shared : !llvm.ptr<3> -> i32
    llvm.store %x, %next : i32, !llvm.ptr<1>
    return
  }
}
