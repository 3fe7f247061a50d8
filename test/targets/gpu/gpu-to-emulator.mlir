// RUN: quartet-opt %s -gpu-to-emulator -split-input-file | FileCheck %s

// Spaces become one, each access has a check in front with its bytes, what its
// address is a multiple of and its place in the schedule; equal places share a text.
// CHECK-DAG: llvm.mlir.global internal constant @[[SITE:quartet_site[0-9]+]]("l0.in / matmul\00")
// CHECK-DAG: llvm.func @quartet_emu_read(!llvm.ptr, i64, i64, !llvm.ptr)
// CHECK-DAG: llvm.func @quartet_emu_write(!llvm.ptr, i64, i64, !llvm.ptr)
// CHECK-NOT: quartet_site1
// CHECK-LABEL: llvm.func @accesses(%arg0: !llvm.ptr, %arg1: i64) {
llvm.func @accesses(%args: !llvm.ptr<1>, %layer: i64)
    attributes {quartet.kernel, quartet.shared_bytes = 64 : i64} {
  // CHECK: %[[BYTES:.*]] = llvm.mlir.constant(16 : i64)
  // CHECK: %[[ALIGN:.*]] = llvm.mlir.constant(8 : i64)
  // CHECK: %[[TEXT:.*]] = llvm.mlir.addressof @[[SITE]]
  // CHECK: llvm.call @quartet_emu_read(%arg0, %[[BYTES]], %[[ALIGN]], %[[TEXT]])
  // CHECK-NEXT: llvm.load %arg0 {alignment = 8 : i64} : !llvm.ptr -> vector<4xi32>
  %0 = llvm.load %args {alignment = 8 : i64} : !llvm.ptr<1> -> vector<4xi32> loc("l0.in / matmul")
  // CHECK: llvm.getelementptr %arg0[%arg1] : (!llvm.ptr, i64) -> !llvm.ptr, i8
  %1 = llvm.getelementptr %args[%layer] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %2 = llvm.extractelement %0[%layer : i64] : vector<4xi32>
  %3 = llvm.trunc %2 : i32 to i16
  // CHECK: %[[TWO:.*]] = llvm.mlir.constant(2 : i64)
  // CHECK: %[[ITS:.*]] = llvm.mlir.constant(2 : i64)
  // CHECK: llvm.call @quartet_emu_write(%{{.*}}, %[[TWO]], %[[ITS]], %{{.*}})
  // CHECK-NEXT: llvm.store
  llvm.store %3, %1 : i16, !llvm.ptr<1> loc("l0.in / matmul")
  llvm.return
}

// -----

// A pointer in memory is a pointer of the host, wherever it points.
// CHECK-LABEL: llvm.func @pointers
llvm.func @pointers(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  // CHECK: llvm.call @quartet_emu_read
  // CHECK: llvm.load %arg0 : !llvm.ptr -> !llvm.ptr
  %0 = llvm.load %args : !llvm.ptr<1> -> !llvm.ptr<1>
  // CHECK-NOT: addrspacecast
  // CHECK: llvm.call @quartet_emu_read
  %1 = llvm.addrspacecast %0 : !llvm.ptr<1> to !llvm.ptr
  %2 = llvm.load %1 : !llvm.ptr -> f32
  // CHECK: llvm.call @quartet_emu_write
  llvm.store %2, %0 : f32, !llvm.ptr<1>
  llvm.return
}

// -----

// The stack needs no check, the shared memory is the block's.
// CHECK-NOT: @quartet_shared
// CHECK-LABEL: llvm.func @spaces
llvm.mlir.global external @quartet_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>
llvm.func @spaces(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %one = llvm.mlir.constant(1 : i64) : i64
  // CHECK: llvm.alloca %{{.*}} x i64 : (i64) -> !llvm.ptr
  %0 = llvm.alloca %one x i64 : (i64) -> !llvm.ptr<5>
  %1 = llvm.getelementptr %0[4] : (!llvm.ptr<5>) -> !llvm.ptr<5>, i8
  // CHECK-NOT: quartet_emu
  // CHECK: llvm.store %arg1
  llvm.store %layer, %1 : i64, !llvm.ptr<5>
  // CHECK: %[[SHARED:.*]] = llvm.call @quartet_emu_shared() : () -> !llvm.ptr
  %2 = llvm.mlir.addressof @quartet_shared : !llvm.ptr<3>
  // CHECK: llvm.call @quartet_emu_write(%[[SHARED]]
  // CHECK: llvm.store %arg1, %[[SHARED]]
  llvm.store %layer, %2 : i64, !llvm.ptr<3>
  // CHECK: llvm.call @quartet_emu_read(%arg0, %arg1
  // CHECK: llvm.call @quartet_emu_write(%[[SHARED]], %arg1
  // CHECK: llvm.intr.memcpy
  "llvm.intr.memcpy"(%2, %args, %layer) <{isVolatile = false}> : (!llvm.ptr<3>, !llvm.ptr<1>, i64) -> ()
  // CHECK: llvm.call @quartet_emu_write(%[[SHARED]], %arg1
  // CHECK: llvm.intr.memset
  %zero = llvm.mlir.constant(0 : i8) : i8
  "llvm.intr.memset"(%2, %zero, %layer) <{isVolatile = false}> : (!llvm.ptr<3>, i8, i64) -> ()
  // CHECK-NOT: prefetch
  "llvm.intr.prefetch"(%args) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}> : (!llvm.ptr<1>) -> ()
  // CHECK: return
  llvm.return
}

// -----

// Threads, and what a block or a warp does together.
// CHECK-LABEL: llvm.func @together
llvm.func @together(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  // CHECK: llvm.call @quartet_emu_thread() : () -> i64
  // CHECK: llvm.call @quartet_emu_block() : () -> i64
  // CHECK: llvm.call @quartet_emu_blocks() : () -> i64
  %t = gpu.thread_id x
  %w = gpu.block_id x
  %n = gpu.grid_dim x
  // CHECK: llvm.call @quartet_emu_barrier(%{{.*}}) : (!llvm.ptr) -> ()
  gpu.barrier
  %mask = llvm.mlir.constant(16 : i32) : i32
  %width = llvm.mlir.constant(32 : i32) : i32
  %f = llvm.mlir.constant(1.0 : f32) : f32
  // CHECK: %[[WORD:.*]] = llvm.bitcast %{{.*}} : f32 to i32
  // CHECK: %[[GOT:.*]] = llvm.call @quartet_emu_shuffle_xor(%[[WORD]], %{{.*}}, %{{.*}}) : (i32, i32, !llvm.ptr) -> i32
  // CHECK: llvm.bitcast %[[GOT]] : i32 to f32
  %0, %v0 = gpu.shuffle xor %f, %mask, %width : f32
  // CHECK: llvm.call @quartet_emu_shuffle_index(
  %1, %v1 = gpu.shuffle idx %mask, %mask, %width : i32
  llvm.return
}

// -----

// Atomic operations say how they order memory; fences are the device's.
// CHECK-LABEL: llvm.func @atomics
llvm.func @atomics(%p: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %one = llvm.mlir.constant(1 : i32) : i32
  // CHECK: %[[RELEASE:.*]] = llvm.mlir.constant(2 : i32)
  // CHECK: llvm.call @quartet_emu_atomic_add(%arg0, %{{.*}}, %[[RELEASE]], %{{.*}})
  %0 = llvm.atomicrmw add %p, %one syncscope("agent") release : !llvm.ptr<1>, i32
  // CHECK: %[[ACQUIRE:.*]] = llvm.mlir.constant(1 : i32)
  // CHECK: llvm.call @quartet_emu_atomic_load(%arg0, %[[ACQUIRE]], %{{.*}})
  %1 = llvm.load %p atomic syncscope("device") acquire {alignment = 4 : i64} : !llvm.ptr<1> -> i32
  // CHECK: %[[RELAXED:.*]] = llvm.mlir.constant(0 : i32)
  // CHECK: llvm.call @quartet_emu_atomic_store(%arg0, %{{.*}}, %[[RELAXED]], %{{.*}})
  llvm.store %one, %p atomic monotonic {alignment = 4 : i64} : i32, !llvm.ptr<1>
  // CHECK-COUNT-2: llvm.call @quartet_emu_fence
  llvm.fence seq_cst
  nvvm.memory.barrier <gpu>
  llvm.return
}
