// One negative test for each numbered constraint of the op descriptions, named
// for it: the model or function, or the declaration in a model of that name.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// A function among the declarations.
quartet.model @model_c1 {
  // expected-error @+1 {{expected only quartet.weight, quartet.state and quartet.step in a quartet.model}}
  func.func private @f()
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Nothing to run.
// expected-error @+1 {{expected exactly one quartet.step, found none}}
quartet.model @model_c2 {
  quartet.weight @w : tensor<8xf32>
}

// -----

// Two steps.
quartet.model @model_c2_two {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
  // expected-error @+1 {{expected exactly one quartet.step in quartet.model @model_c2_two, found a second one}}
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A weight of dynamic shape.
quartet.model @weight_c1 {
  // expected-error @+1 {{expected a static tensor of f32, f16 or bf16, found 'tensor<?x8xf32>'}}
  quartet.weight @w : tensor<?x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A weight of integers.
quartet.model @weight_c1_element {
  // expected-error @+1 {{expected a static tensor of f32, f16 or bf16, found 'tensor<8xi8>'}}
  quartet.weight @w : tensor<8xi8>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A weight of no repetition.
quartet.model @weight_c2 {
  // expected-error @+1 {{expected repeat >= 1, found 0}}
  quartet.weight @w repeat 0 : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A weight outside a model.
// expected-error @+1 {{expects parent op 'quartet.model'}}
quartet.weight @weight_parent : tensor<8xf32>

// -----

// A state whose slots are fixed.
quartet.model @state_c1 {
  // expected-error @+1 {{expected a tensor of f32, f16, bf16 or i8 whose first dimension alone is dynamic, found 'tensor<4x8xf32>'}}
  quartet.state @s slots : tensor<4x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A state with two dynamic dimensions.
quartet.model @state_c1_inner {
  // expected-error @+1 {{expected a tensor of f32, f16, bf16 or i8 whose first dimension alone is dynamic, found 'tensor<?x?xf32>'}}
  quartet.state @s slots : tensor<?x?xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A state of f64.
quartet.model @state_c1_element {
  // expected-error @+1 {{expected a tensor of f32, f16, bf16 or i8 whose first dimension alone is dynamic, found 'tensor<?x8xf64>'}}
  quartet.state @s slots : tensor<?x8xf64>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A state without dimensions.
quartet.model @state_c1_scalar {
  // expected-error @+1 {{expected a tensor of f32, f16, bf16 or i8 whose first dimension alone is dynamic, found 'tensor<f32>'}}
  quartet.state @s slots : tensor<f32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A state of negative repetition.
quartet.model @state_c2 {
  // expected-error @+1 {{expected repeat >= 1, found -1}}
  quartet.state @s pages repeat -1 : tensor<?x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A step without its other inputs.
quartet.model @step_c1_count {
  // expected-error @+1 {{expected 13 arguments, found 1}}
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// An input of another type.
quartet.model @step_c1_type {
  // expected-error @+1 {{expected argument 1 (positions) to be 'tensor<3x?xi32>', found 'tensor<?xi32>'}}
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A step that ends elsewhere.
quartet.model @step_c2 {
  // expected-error @+1 {{expected the body to end in quartet.return, found llvm.unreachable}}
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    llvm.unreachable
  }
}

// -----

// More tokens than rows of logits.
quartet.model @return_c1 {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<3x8xf32>
    %sampled = ub.poison : tensor<4xi32>
    // expected-error @+1 {{expected 'sampled' to be [R] with R = 3 as in 'logits', found 'tensor<4xi32>'}}
    quartet.return %logits, %sampled : tensor<3x8xf32>, tensor<4xi32>
  }
}

// -----

// No repetition.
func.func @block_c1(%x: tensor<?x8xf32>, %z: tensor<?x4xf32>) {
  // expected-error @+1 {{expected repeat >= 1, found 0}}
  %y = quartet.block repeat 0 init(%x) {
  ^bb0(%h: tensor<?x8xf32>):
    quartet.yield %h : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return
}

// -----

// A body with an induction variable.
func.func @block_c2_count(%x: tensor<?x8xf32>, %z: tensor<?x4xf32>) {
  // expected-error @+1 {{expected a body with 1 argument, found 2}}
  %y = quartet.block repeat 2 init(%x) {
  ^bb0(%h: tensor<?x8xf32>, %i: index):
    quartet.yield %h : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return
}

// -----

// A body that takes another type.
func.func @block_c2_argument(%x: tensor<?x8xf32>, %z: tensor<?x4xf32>) {
  // expected-error @+1 {{expected the body's argument to have the type of init, 'tensor<?x8xf32>', found 'tensor<?x4xf32>'}}
  %y = quartet.block repeat 2 init(%x) {
  ^bb0(%h: tensor<?x4xf32>):
    quartet.yield %x : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return
}

// -----

// A body that ends elsewhere.
func.func @block_c2_end(%x: tensor<?x8xf32>, %z: tensor<?x4xf32>) {
  // expected-error @+1 {{expected the body to end in quartet.yield, found llvm.unreachable}}
  %y = quartet.block repeat 2 init(%x) {
  ^bb0(%h: tensor<?x8xf32>):
    llvm.unreachable
  } : tensor<?x8xf32>
  return
}

// -----

// A body that yields another type.
func.func @block_c2_yield(%x: tensor<?x8xf32>, %z: tensor<?x4xf32>) {
  // expected-error @+1 {{expected the body to yield the type of init, 'tensor<?x8xf32>', found 'tensor<?x4xf32>'}}
  %y = quartet.block repeat 2 init(%x) {
  ^bb0(%h: tensor<?x8xf32>):
    quartet.yield %z : tensor<?x4xf32>
  } : tensor<?x8xf32>
  return
}

// -----

// A block in a block.
func.func @block_c3(%x: tensor<?x8xf32>) {
  %y = quartet.block repeat 2 init(%x) {
  ^bb0(%h: tensor<?x8xf32>):
    // expected-error @+1 {{expected no enclosing quartet.block, found one}}
    %z = quartet.block repeat 3 init(%h) {
    ^bb0(%i: tensor<?x8xf32>):
      quartet.yield %i : tensor<?x8xf32>
    } : tensor<?x8xf32>
    quartet.yield %z : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return
}

// -----

// No such symbol.
quartet.model @load_weight_c1 {
  quartet.weight @a : tensor<8xf32>
  quartet.weight @r repeat 3 : tensor<8xf32>
  quartet.state @other slots : tensor<?x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    // expected-error @+1 {{expected @missing to name a quartet.weight of the model, found no such symbol}}
    %l = quartet.load_weight @missing : tensor<8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A declaration of the other kind.
quartet.model @load_weight_c1_kind {
  quartet.weight @a : tensor<8xf32>
  quartet.weight @r repeat 3 : tensor<8xf32>
  quartet.state @other slots : tensor<?x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    // expected-error @+1 {{expected @other to name a quartet.weight of the model, found a quartet.state}}
    %l = quartet.load_weight @other : tensor<8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Outside a model.
func.func @load_weight_c1_model() {
  // expected-error @+1 {{expected to be inside a quartet.model, which @a is looked up in, found none}}
  %l = quartet.load_weight @a : tensor<8xf32>
  return
}
