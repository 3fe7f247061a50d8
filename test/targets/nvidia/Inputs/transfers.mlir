// A bulk copy and its barrier, as NVIDIA's dialect has them.
module {
  llvm.mlir.global external @quartet_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
  func.func @transfers(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel, quartet.blocks_per_unit = 1 : i64} {
    %shared = llvm.mlir.addressof @quartet_shared : !llvm.ptr<3>
    %barrier = llvm.getelementptr %shared[1024] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %one = llvm.mlir.constant(1 : i32) : i32
    %parity = llvm.mlir.constant(0 : i32) : i32
    %bytes = llvm.mlir.constant(1024 : i32) : i32
    nvvm.mbarrier.init %barrier, %one : !llvm.ptr<3>, i32
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    nvvm.mbarrier.arrive.expect_tx %barrier, %bytes : !llvm.ptr<3>, i32
    nvvm.cp.async.bulk.shared.cluster.global %shared, %args, %barrier, %bytes : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.mbarrier.try_wait.parity %barrier, %parity, %bytes : !llvm.ptr<3>, i32, i32
    %x = llvm.load %shared : !llvm.ptr<3> -> i32
    llvm.store %x, %args : i32, !llvm.ptr<1>
    nvvm.mbarrier.inval %barrier : !llvm.ptr<3>
    return
  }
}
