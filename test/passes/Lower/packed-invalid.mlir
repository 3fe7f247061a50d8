// RUN: quartet-opt %s -split-input-file -quartet-to-linalg -verify-diagnostics

// Panels are for the kernels of the step program.
func.func @linear(%x: tensor<?x8xf32>, %w: !quartet.packed<16x8, "bf16">) {
  // expected-error @+1 {{'quartet.linear' op has a packed matrix, '!quartet.packed<16x8, "bf16">': lower with the step program, or pack for the generic lowering}}
  %y = quartet.linear %x, %w
    : (tensor<?x8xf32>, !quartet.packed<16x8, "bf16">) -> tensor<?x16xf32>
  return
}

// -----

// In a phase, too.
func.func @phase(%x: tensor<?x8xf32>, %w: !quartet.packed<16x8, "bf16">) {
  quartet.phase @in {
    // expected-error @+1 {{'quartet.projections' op has a packed matrix}}
    %y = quartet.projections %x, %w rows [0]
      : (tensor<?x8xf32>, !quartet.packed<16x8, "bf16">) -> tensor<?x16xf32>
    quartet.yield
  }
  return
}
