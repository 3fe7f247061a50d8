// RUN: quartet-opt %s -gpu-to-emulator -split-input-file -verify-diagnostics

// expected-error @+1 {{kernel is a func.func; expected an llvm.func: lower it to the LLVM dialect first}}
func.func @high(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  return
}

// -----

llvm.func @unknown_op(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  // expected-error @+1 {{the emulator has no 'nvvm.read.ptx.sreg.clock' yet}}
  %0 = nvvm.read.ptx.sreg.clock : i32
  // expected-error @+1 {{the emulator has no 'rocdl.s.barrier' yet}}
  rocdl.s.barrier
  // expected-error @+1 {{the emulator has no 'llvm.nvvm.barrier0'}}
  llvm.call_intrinsic "llvm.nvvm.barrier0"() : () -> ()
  // expected-error @+1 {{the emulator has no 'gpu.thread_id' yet}}
  %1 = gpu.thread_id y
  llvm.return
}

// -----

llvm.func @other_groups(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(7 : i32) : i32
  %shared = llvm.inttoptr %layer : i64 to !llvm.ptr<3>
  %yes = llvm.mlir.constant(true) : i1
  // expected-error @+1 {{the emulator has no 'llvm.inline_asm' yet}}
  llvm.inline_asm has_side_effects "bar.sync 0;", "" : () -> ()
  // expected-error @+1 {{the emulator has no 'llvm.inline_asm' with such an attribute quartet.warp_group}}
  %0 = llvm.inline_asm has_side_effects {quartet.warp_group = {columns = 8 : i64}} "wgmma", "=r,r" %w : (i32) -> i32
  // expected-error @+1 {{the emulator has no 'nvvm.fence.proxy' of other proxies than that of shared memory}}
  nvvm.fence.proxy {kind = #nvvm.proxy_kind<alias>}
  // expected-error @+1 {{the emulator has no 'nvvm.mbarrier.init' with a predicate}}
  nvvm.mbarrier.init %shared, %w, predicate = %yes : !llvm.ptr<3>, i32, i1
  llvm.return
}

// -----

llvm.func @other_matrices(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(7 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %c = llvm.mlir.constant(dense<0> : vector<4xi32>) : vector<4xi32>
  %f = llvm.mlir.constant(dense<0.0> : vector<4xf32>) : vector<4xf32>
  %h = llvm.mlir.constant(dense<0.0> : vector<4xf16>) : vector<4xf16>
  // expected-error @+1 {{the emulator has no 'nvvm.mma.sync' of this shape and these types; it knows m16n8k32 of s8 or u8 by s8, and m16n8k16 of bf16 or f16 to f32}}
  %0 = nvvm.mma.sync A[%w, %w] B[%w] C[%w, %w, %w, %w]
      {intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>,
       layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
       multiplicandAPtxType = #nvvm.mma_type<s8>,
       multiplicandBPtxType = #nvvm.mma_type<s8>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
      : (i32, i32, i32) -> !llvm.struct<(i32, i32, i32, i32)>
  // expected-error @+1 {{the emulator has no 'mfma.f32.16x16x16f16' with 2 words of A}}
  %1 = rocdl.mfma.f32.16x16x16f16 %h, %h, %f, %w, %w, %w : (vector<4xf16>, vector<4xf16>, vector<4xf32>, i32, i32, i32) -> vector<4xf32>
  // expected-error @+1 {{the emulator has no 'mfma.i32.16x16x16i8' with broadcasts, clamping or an unsigned B}}
  %2 = rocdl.mfma.i32.16x16x16i8 %w, %w, %c, %one, %one, %one : (i32, i32, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
  llvm.return
}

// -----

llvm.func @parts_of_warps(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(8 : i32) : i32
  %yes = llvm.mlir.constant(true) : i1
  %d = llvm.mlir.constant(0.0 : f64) : f64
  %width = llvm.mlir.constant(32 : i32) : i32
  // expected-error @+1 {{the emulator has no 'gpu.shuffle' of parts of a warp; expected a width of all lanes}}
  %0, %v0 = gpu.shuffle xor %w, %w, %w : i32
  // expected-error @+1 {{the emulator has no 'gpu.shuffle' of modes other than 'xor' and 'idx'}}
  %1, %v1 = gpu.shuffle up %w, %w, %width : i32
  // expected-error @+1 {{the emulator has no 'gpu.shuffle' of values other than 32 bits}}
  %2, %v2 = gpu.shuffle xor %d, %w, %width : f64
  // expected-error @+1 {{the emulator has no 'nvvm.vote.sync' of parts of a warp; expected the mask -1}}
  %3 = nvvm.vote.sync ballot %w, %yes -> i32
  llvm.return
}

// -----

llvm.func @atomics(%p: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(8 : i32) : i32
  %f = llvm.mlir.constant(0.0 : f32) : f32
  // expected-error @+1 {{the emulator has no 'llvm.atomicrmw' of a type other than 32-bit words}}
  %0 = llvm.atomicrmw add %p, %layer monotonic : !llvm.ptr<1>, i64
  // expected-error @+1 {{the emulator has no 'llvm.atomicrmw' of operations other than 'add'}}
  %1 = llvm.atomicrmw max %p, %w monotonic : !llvm.ptr<1>, i32
  // expected-error @+1 {{the emulator has no 'llvm.atomicrmw' that orders memory in scope 'workgroup'; expected the device's}}
  %2 = llvm.atomicrmw add %p, %w syncscope("workgroup") acq_rel : !llvm.ptr<1>, i32
  // expected-error @+1 {{the emulator has no 'llvm.fence' of scope 'workgroup'; expected the device's, or a barrier}}
  llvm.fence syncscope("workgroup") release
  // expected-error @+1 {{the emulator has no 'nvvm.memory.barrier' of scope 'cta'; expected the device's, or a barrier}}
  nvvm.memory.barrier <cta>
  llvm.return
}
