// One negative test for each numbered constraint of the ops that fusion makes,
// of packed matrices and of parts, and more where a constraint says several
// things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// A vector is no matrix.
// expected-error @+1 {{expected a packed matrix to have rank 2 or 3, found 1}}
func.func private @packed_c1(!quartet.packed<16, "bf16">)

// -----

// No rows.
// expected-error @+1 {{expected extents of at least 1 in a packed matrix, found 0}}
func.func private @packed_c1_empty(!quartet.packed<0x16, "bf16">)

// -----

// A dimension that is not known.
// expected-error @+1 {{expected static shape}}
func.func private @packed_c1_dynamic(!quartet.packed<?x16, "bf16">)

// -----

// int4 without a group.
// expected-error @+1 {{expected the format of a packed matrix, such as "int4:64" or "bf16", found "int4"}}
func.func private @packed_c2(!quartet.packed<16x16, "int4">)

// -----

// expected-error @+1 {{expected a part with at least 1 row, column and expert, found 0, 8 and 1}}
func.func private @part_c1() attributes {p = #quartet.part<@w rows 0 columns 8>}

// -----

// expected-error @+1 {{expected a part to begin at 0 or later}}
func.func private @part_c1_begin() attributes {p = #quartet.part<@w rows 1 to -1 columns 8>}

// -----

// expected-error @+1 {{expected a part to name its source}}
func.func private @part_c2() attributes {p = #quartet.part<@"" rows 1 columns 8>}

// -----

// Experts are no matrix of one linear map.
func.func @matrix_rank(%x: tensor<?x8xf32>, %w: !quartet.packed<2x16x8, "bf16">) {
  // expected-error @+1 {{operand #1 must be}}
  %y = quartet.linear %x, %w
    : (tensor<?x8xf32>, !quartet.packed<2x16x8, "bf16">) -> tensor<?x16xf32>
  return
}

// -----

// Shapes of packed matrices are checked like those of tensors.
func.func @matrix_shape(%x: tensor<?x8xf32>, %w: !quartet.packed<16x8, "bf16">) {
  // expected-error @+1 {{expected 'y' to be [N, O] with O = 16 as in 'w', found 'tensor<?x15xf32>'}}
  %y = quartet.linear %x, %w
    : (tensor<?x8xf32>, !quartet.packed<16x8, "bf16">) -> tensor<?x15xf32>
  return
}

// -----

// The residual has another width.
func.func @linear_c3(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 'residual' to be [N, O] with O = 16 as in 'w', found 'tensor<?x8xf32>'}}
  %y = quartet.linear %x, %w residual(%x)
    : (tensor<?x8xf32>, tensor<16x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @projections_c1(%x: tensor<?x4xf32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, I] with I = 8 as in 'w', found 'tensor<?x4xf32>'}}
  %y = quartet.projections %x, %w rows [0]
    : (tensor<?x4xf32>, tensor<32x8xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @projections_c2(%x: tensor<?x8xf32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'y' to be [N, O] with static O >= 1, found 'tensor<?x?xf32>'}}
  %y = quartet.projections %x, %w rows [0]
    : (tensor<?x8xf32>, tensor<32x8xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @projections_c3_count(%x: tensor<?x8xf32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected one of 'rows' for each result and at least one, found 2 for 1 results}}
  %y = quartet.projections %x, %w rows [0, 16]
    : (tensor<?x8xf32>, tensor<32x8xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @projections_c3_panel(%x: tensor<?x8xf32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected each of 'rows' to be a multiple of 16 at or after the end of the result before, 4, found 8}}
  %y:2 = quartet.projections %x, %w rows [0, 8]
    : (tensor<?x8xf32>, tensor<32x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @projections_c3_overlap(%x: tensor<?x8xf32>, %w: tensor<48x8xf32>) {
  // expected-error @+1 {{expected each of 'rows' to be a multiple of 16 at or after the end of the result before, 17, found 16}}
  %y:2 = quartet.projections %x, %w rows [0, 16]
    : (tensor<?x8xf32>, tensor<48x8xf32>) -> (tensor<?x17xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @projections_c3_end(%x: tensor<?x8xf32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected the results to end within the R = 32 rows of 'w', found 33}}
  %y:2 = quartet.projections %x, %w rows [0, 16]
    : (tensor<?x8xf32>, tensor<32x8xf32>) -> (tensor<?x16xf32>, tensor<?x17xf32>)
  return
}

// -----

func.func @select_c1(%l: tensor<?x?xf32>) {
  // expected-error @+1 {{expected 'logits' to be [N, E] with static E >= 1, found 'tensor<?x?xf32>'}}
  %p, %ids = quartet.select_experts %l top_k 2
    : (tensor<?x?xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @select_c2(%l: tensor<?x4xf32>) {
  // expected-error @+1 {{expected 1 <= top_k <= E = 4, found 5}}
  %p, %ids = quartet.select_experts %l top_k 5
    : (tensor<?x4xf32>) -> (tensor<?x5xf32>, tensor<?x5xi32>)
  return
}

// -----

// A shared expert without its gate.
func.func @select_c3(%l: tensor<?x4xf32>) {
  // expected-error @+1 {{expected 'gate' if and only if shared >= 1, found shared = 1 without it}}
  %p, %ids = quartet.select_experts %l top_k 2 shared 1
    : (tensor<?x4xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return
}

// -----

// A gate for nothing.
func.func @select_c3_gate(%l: tensor<?x4xf32>, %g: tensor<?x1xf32>) {
  // expected-error @+1 {{expected 'gate' if and only if shared >= 1, found shared = 0 with it}}
  %p, %ids = quartet.select_experts %l top_k 2 gate(%g)
    : (tensor<?x4xf32>, tensor<?x1xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @select_c3_shape(%l: tensor<?x4xf32>, %g: tensor<?x2xf32>) {
  // expected-error @+1 {{expected 'gate' to be [N, 1], found 'tensor<?x2xf32>'}}
  %p, %ids = quartet.select_experts %l top_k 2 shared 1 gate(%g)
    : (tensor<?x4xf32>, tensor<?x2xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return
}

// -----

// No place for the shared expert.
func.func @select_c4(%l: tensor<?x4xf32>, %g: tensor<?x1xf32>) {
  // expected-error @+1 {{expected 'ids' to be [N, top_k+S] with top_k+S = 3 as in 'top_k', found 'tensor<?x2xi32>'}}
  %p, %ids = quartet.select_experts %l top_k 2 shared 1 gate(%g)
    : (tensor<?x4xf32>, tensor<?x1xf32>) -> (tensor<?x3xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @up_c1(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<4x32x8xf32>) {
  // expected-error @+1 {{expected 'h' to be [N, K, I] with static K >= 1, found 'tensor<?x?x16xf32>'}}
  %h = quartet.expert_up %x, %ids, %w
    : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<4x32x8xf32>) -> tensor<?x?x16xf32>
  return
}

// -----

// The up rows begin at a panel: 20 becomes 32.
func.func @up_c2(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: !quartet.packed<4x40x8, "bf16">) {
  // expected-error @+1 {{expected 'gate_up' to be [E, 2P, H] with 2P = 64 as in 'h', found '!quartet.packed<4x40x8, "bf16">'}}
  %h = quartet.expert_up %x, %ids, %w
    : (tensor<?x8xf32>, tensor<?x2xi32>, !quartet.packed<4x40x8, "bf16">) -> tensor<?x2x20xf32>
  return
}

// -----

// In a tensor they may also begin right after the gate rows, but nowhere else.
func.func @up_c2_tensor(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<4x42x8xf32>) {
  // expected-error @+1 {{expected 'gate_up' to be [E, 2P, H] with 2P = 64 as in 'h', found 'tensor<4x42x8xf32>'}}
  %h = quartet.expert_up %x, %ids, %w
    : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<4x42x8xf32>) -> tensor<?x2x20xf32>
  return
}

// -----

func.func @up_c3(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %w: tensor<4x32x8xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, H] with H = 8 as in 'gate_up', found 'tensor<?x4xf32>'}}
  %h = quartet.expert_up %x, %ids, %w
    : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<4x32x8xf32>) -> tensor<?x2x16xf32>
  return
}

// -----

func.func @up_c4(%x: tensor<?x8xf32>, %ids: tensor<?x3xi32>, %w: tensor<4x32x8xf32>) {
  // expected-error @+1 {{expected 'ids' to be [N, K] with K = 2 as in 'h', found 'tensor<?x3xi32>'}}
  %h = quartet.expert_up %x, %ids, %w
    : (tensor<?x8xf32>, tensor<?x3xi32>, tensor<4x32x8xf32>) -> tensor<?x2x16xf32>
  return
}

// -----

func.func @down_c1(%h: tensor<?x2x16xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                   %w: tensor<4x?x16xf32>) {
  // expected-error @+1 {{expected 'down' to be [E, H, I] with static H >= 1, found 'tensor<4x?x16xf32>'}}
  %y = quartet.expert_down %h, %p, %ids, %w
    : (tensor<?x2x16xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x?x16xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

func.func @down_c2(%h: tensor<?x2x20xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                   %w: tensor<4x8x16xf32>) {
  // expected-error @+1 {{expected 'h' to be [N, K, I] with I = 16 as in 'down', found 'tensor<?x2x20xf32>'}}
  %y = quartet.expert_down %h, %p, %ids, %w
    : (tensor<?x2x20xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x8x16xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

func.func @down_c3(%h: tensor<?x2x16xf32>, %p: tensor<?x3xf32>, %ids: tensor<?x2xi32>,
                   %w: tensor<4x8x16xf32>) {
  // expected-error @+1 {{expected 'weights' to be [N, K] with K = 2 as in 'h', found 'tensor<?x3xf32>'}}
  %y = quartet.expert_down %h, %p, %ids, %w
    : (tensor<?x2x16xf32>, tensor<?x3xf32>, tensor<?x2xi32>, tensor<4x8x16xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

func.func @down_c4(%h: tensor<?x2x16xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                   %w: tensor<4x8x16xf32>, %r: tensor<?x4xf32>) {
  // expected-error @+1 {{expected 'residual' to be [N, H] with H = 8 as in 'down', found 'tensor<?x4xf32>'}}
  %y = quartet.expert_down %h, %p, %ids, %w residual(%r)
    : (tensor<?x2x16xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x8x16xf32>,
       tensor<?x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @mlp_up_c1(%x: tensor<?x8xf32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'h' to be [N, I] with static I >= 1, found 'tensor<?x?xf32>'}}
  %h = quartet.mlp_up %x, %w : (tensor<?x8xf32>, tensor<32x8xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @mlp_up_c2(%x: tensor<?x8xf32>, %w: !quartet.packed<34x8, "bf16">) {
  // expected-error @+1 {{expected 'gate_up' to be [2P, H] with 2P = 64 as in 'h', found '!quartet.packed<34x8, "bf16">'}}
  %h = quartet.mlp_up %x, %w : (tensor<?x8xf32>, !quartet.packed<34x8, "bf16">) -> tensor<?x17xf32>
  return
}

// -----

func.func @mlp_up_c3(%x: tensor<?x4xf32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, H] with H = 8 as in 'gate_up', found 'tensor<?x4xf32>'}}
  %h = quartet.mlp_up %x, %w : (tensor<?x4xf32>, tensor<32x8xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @phase_c1(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expected the body to yield the types of the results, ('tensor<?x4xf32>'), found ('tensor<?x8xf32>')}}
  %y = quartet.phase @p {
    quartet.yield %x : tensor<?x8xf32>
  } : tensor<?x4xf32>
  return
}

// -----

func.func @phase_c1_end(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expected the body to end in quartet.yield, found llvm.unreachable}}
  quartet.phase @p {
    llvm.unreachable
  }
  return
}

// -----

func.func @phase_c2(%x: tensor<?x8xf32>) {
  quartet.phase @outer {
    // expected-error @+1 {{expected no enclosing quartet.phase, found one}}
    quartet.phase @inner {
      quartet.yield
    }
    quartet.yield
  }
  return
}
