// A kernel that keeps more values over a barrier than a thread has registers.
module {
  func.func @wide(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %thread = gpu.thread_id x
    %t = arith.index_cast %thread : index to i64
    %place = llvm.getelementptr %args[%t] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, !llvm.array<256 x f32>
    %x = llvm.load %place {alignment = 16 : i64} : !llvm.ptr<1> -> vector<256xf32>
    gpu.barrier
    %y = llvm.load %args {alignment = 16 : i64} : !llvm.ptr<1> -> vector<256xf32>
    gpu.barrier
    %z = arith.divf %x, %y : vector<256xf32>
    llvm.store %z, %place {alignment = 16 : i64} : vector<256xf32>, !llvm.ptr<1>
    return
  }
}
