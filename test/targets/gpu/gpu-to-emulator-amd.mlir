// RUN: quartet-opt %s -gpu-to-emulator -split-input-file | FileCheck %s

// Waves of 64: a dialect's op and a call of the intrinsic are the same.
// CHECK-LABEL: llvm.func @mfma
llvm.func @mfma(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(7 : i32) : i32
  %zero = llvm.mlir.constant(0 : i32) : i32
  %c = llvm.mlir.constant(dense<0> : vector<4xi32>) : vector<4xi32>
  %f = llvm.mlir.constant(dense<0.0> : vector<4xf32>) : vector<4xf32>
  %h = llvm.mlir.constant(dense<0> : vector<4xi16>) : vector<4xi16>
  // CHECK: llvm.store %{{.*}} {alignment = 4 : i64} : i32
  // CHECK: llvm.mlir.constant(16 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  // CHECK: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr -> vector<4xi32>
  %0 = rocdl.mfma.i32.16x16x16i8 %w, %w, %c, %zero, %zero, %zero : (i32, i32, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
  // CHECK: llvm.mlir.constant(17 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %1 = rocdl.mfma.i32.16x16x32.i8 %layer, %layer, %c, %zero, %zero, %zero : (i64, i64, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
  // CHECK: llvm.mlir.constant(17 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %2 = llvm.call_intrinsic "llvm.amdgcn.mfma.i32.16x16x32.i8"(%layer, %layer, %c, %zero, %zero, %zero) : (i64, i64, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
  // CHECK: llvm.mlir.constant(18 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %3 = rocdl.mfma.i32.16x16x64.i8 %c, %c, %c, %zero, %zero, %zero : (vector<4xi32>, vector<4xi32>, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
  // CHECK: llvm.mlir.constant(19 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %4 = rocdl.mfma.f32.16x16x16bf16.1k %h, %h, %f, %zero, %zero, %zero : (vector<4xi16>, vector<4xi16>, vector<4xf32>, i32, i32, i32) -> vector<4xf32>
  llvm.return
}

// -----

// Waves of 32: the words of A tell the families apart, the signs are operands.
// CHECK-LABEL: llvm.func @wmma
llvm.func @wmma(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %i2 = llvm.mlir.constant(dense<0> : vector<2xi32>) : vector<2xi32>
  %i4 = llvm.mlir.constant(dense<0> : vector<4xi32>) : vector<4xi32>
  %i8 = llvm.mlir.constant(dense<0> : vector<8xi32>) : vector<8xi32>
  %h8 = llvm.mlir.constant(dense<0> : vector<8xi16>) : vector<8xi16>
  %h16 = llvm.mlir.constant(dense<0> : vector<16xi16>) : vector<16xi16>
  %f8 = llvm.mlir.constant(dense<0.0> : vector<8xf32>) : vector<8xf32>
  %no = llvm.mlir.constant(false) : i1
  %yes = llvm.mlir.constant(true) : i1
  // CHECK: llvm.mlir.constant(32 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %0 = rocdl.wmma.f32.16x16x16.bf16 %h16, %h16, %f8 : (vector<16xi16>, vector<16xi16>, vector<8xf32>) -> vector<8xf32>
  // CHECK: llvm.mlir.constant(33 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %1 = rocdl.wmma.i32.16x16x16.iu8 %i4, %i4, %i8 {signA = true, signB = true} : (vector<4xi32>, vector<4xi32>, vector<8xi32>) -> vector<8xi32>
  // CHECK: llvm.mlir.constant(34 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %2 = rocdl.wmma.f32.16x16x16.bf16 %h8, %h8, %f8 : (vector<8xi16>, vector<8xi16>, vector<8xf32>) -> vector<8xf32>
  // CHECK: llvm.mlir.constant(35 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %3 = llvm.call_intrinsic "llvm.amdgcn.wmma.i32.16x16x16.iu8.v8i32.v2i32"(%yes, %i2, %yes, %i2, %i8, %no) : (i1, vector<2xi32>, i1, vector<2xi32>, vector<8xi32>, i1) -> vector<8xi32>
  // CHECK: llvm.mlir.constant(36 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %4 = rocdl.wmma.i32.16x16x16.iu8 %i4, %i4, %i8 {signB = true} : (vector<4xi32>, vector<4xi32>, vector<8xi32>) -> vector<8xi32>
  llvm.return
}

// -----

// Lanes. ds_bpermute counts in bytes.
// CHECK-LABEL: llvm.func @waves
llvm.func @waves(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(8 : i32) : i32
  %yes = llvm.mlir.constant(true) : i1
  // CHECK: %[[LANE:.*]] = llvm.lshr
  // CHECK: llvm.call @quartet_emu_shuffle_index(%{{.*}}, %[[LANE]], %{{.*}})
  %0 = rocdl.ds_bpermute %w, %w : (i32, i32) -> i32
  // CHECK: llvm.call @quartet_emu_shuffle_index(
  %1 = rocdl.readlane %w, %w : (i32, i32) -> i32
  // CHECK: llvm.call @quartet_emu_shuffle_index(
  %2 = rocdl.readfirstlane %w : i32
  // CHECK: llvm.call @quartet_emu_ballot(
  %3 = rocdl.ballot %yes : i64
  // CHECK: llvm.call @quartet_emu_warp_barrier(
  llvm.call_intrinsic "llvm.amdgcn.wave.barrier"() : () -> ()
  // CHECK: llvm.call @quartet_emu_barrier(
  rocdl.barrier
  // CHECK-NOT: rocdl
  // CHECK-NOT: amdgcn
  rocdl.s.sleep 1
  // CHECK: llvm.zext %{{.*}} : vector<4xi8> to vector<4xi32>
  // CHECK: llvm.intr.vector.reduce.add
  %no = llvm.mlir.constant(false) : i1
  %4 = llvm.call_intrinsic "llvm.amdgcn.sudot4"(%no, %w, %yes, %w, %w, %no) : (i1, i32, i1, i32, i32, i1) -> i32
  // CHECK: return
  llvm.return
}

// -----

// Bytes picked from two words are plain arithmetic.
// CHECK-LABEL: llvm.func @permutes
llvm.func @permutes(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(7 : i32) : i32
  // CHECK-NOT: llvm.amdgcn.perm
  // CHECK-COUNT-4: llvm.select
  // CHECK: llvm.trunc
  %0 = llvm.call_intrinsic "llvm.amdgcn.perm"(%w, %w, %w) : (i32, i32, i32) -> i32
  llvm.return
}
