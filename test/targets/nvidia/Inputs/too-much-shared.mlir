// A kernel whose own shared memory is larger than what a block may have.
module {
  llvm.mlir.global internal @table() {addr_space = 3 : i32} : !llvm.array<400000 x i8> {
    %0 = llvm.mlir.undef : !llvm.array<400000 x i8>
    llvm.return %0 : !llvm.array<400000 x i8>
  }
  func.func @big(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %table = llvm.mlir.addressof @table : !llvm.ptr<3>
    %place = llvm.getelementptr %table[%layer] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
    %thread = gpu.thread_id x
    %t = arith.index_cast %thread : index to i8
    llvm.store %t, %place : i8, !llvm.ptr<3>
    gpu.barrier
    %x = llvm.load %table : !llvm.ptr<3> -> i8
    llvm.store %x, %args : i8, !llvm.ptr<1>
    return
  }
}
