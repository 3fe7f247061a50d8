// What the passes refuse.
// RUN: quartet-opt %s -gpu-to-nvvm=chip=sm_80 -split-input-file -verify-diagnostics
// RUN: not quartet-opt %s -gpu-to-nvvm=chip=gfx942 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not quartet-opt %s -gpu-to-rocdl=chip=sm_80 2>&1 | FileCheck %s --check-prefix=OTHER2
// RUN: not quartet-opt %s -quartet-device-pipeline=chip=x86-64 2>&1 | FileCheck %s --check-prefix=NOGPU
// OTHER:  'gfx942' is of another vendor than gpu-to-nvvm is for
// OTHER2: 'sm_80' is of another vendor than gpu-to-rocdl is for
// NOGPU:  target 'x86-64' is no GPU; known GPUs: sm_80

func.func @dimension() {
  // expected-error @+1 {{is for y; expected x, the only dimension of blocks}}
  %y = gpu.thread_id y
  return
}

// -----

func.func @width(%x: i32) {
  %one = llvm.mlir.constant(1 : i32) : i32
  %half = llvm.mlir.constant(16 : i32) : i32
  // expected-error @+1 {{has another width than the 32 lanes of a warp}}
  %y, %valid = gpu.shuffle xor %x, %one, %half : i32
  return
}

// -----

func.func @mask(%x: i32) {
  %lanes = llvm.mlir.constant(32 : i32) : i32
  // expected-error @+1 {{takes a constant below 32 as mask}}
  %y, %valid = gpu.shuffle xor %x, %x, %lanes : i32
  return
}

// -----

func.func @mode(%x: i32) {
  %lanes = llvm.mlir.constant(32 : i32) : i32
  // expected-error @+1 {{has mode up; expected xor or idx}}
  %y, %valid = gpu.shuffle up %x, %x, %lanes : i32
  return
}

// -----

func.func @barrier() {
  // expected-error @+1 {{has quartet.barrier_order "both"; expected "release" or "acquire"}}
  gpu.barrier {quartet.barrier_order = "both"}
  return
}

// -----

func.func @unknown() {
  // expected-error @+1 {{has no lowering for kernels}}
  %lane = gpu.lane_id
  return
}

// -----

// expected-error @+1 {{is a kernel whose name PTX does not allow; expected letters, digits, '_' and '$'}}
llvm.func @l0.in(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  llvm.return
}
