// One negative test for each numbered constraint of the op descriptions, named
// for it: the model or function, or the declaration in a model of that name.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// Another type than declared.
quartet.model @load_weight_c2 {
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
    // expected-error @+1 {{expected the type that @a is declared with, 'tensor<8xf32>', found 'tensor<4xf32>'}}
    %l = quartet.load_weight @a : tensor<4xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A repeated declaration outside a block.
quartet.model @load_weight_c3 {
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
    // expected-error @+1 {{expected @r, which has repeat 3, to be used in a quartet.block with that repeat, found no block}}
    %l = quartet.load_weight @r : tensor<8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A block with another repeat.
quartet.model @load_weight_c3_repeat {
  quartet.weight @a : tensor<8xf32>
  quartet.weight @r repeat 3 : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      // expected-error @+1 {{expected @r, which has repeat 3, to be used in a quartet.block with that repeat, found repeat 2}}
      %l = quartet.load_weight @r : tensor<8xf32>
      quartet.yield %h : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// No such symbol.
quartet.model @load_state_c1 {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    // expected-error @+1 {{expected @missing to name a quartet.state of the model, found no such symbol}}
    %l = quartet.load_state @missing : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A declaration of the other kind.
quartet.model @load_state_c1_kind {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    // expected-error @+1 {{expected @other to name a quartet.state of the model, found a quartet.weight}}
    %l = quartet.load_state @other : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Outside a model.
func.func @load_state_c1_model() {
  // expected-error @+1 {{expected to be inside a quartet.model, which @a is looked up in, found none}}
  %l = quartet.load_state @a : tensor<?x8xf32>
  return
}

// -----

// Another type than declared.
quartet.model @load_state_c2 {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    // expected-error @+1 {{expected the type that @a is declared with, 'tensor<?x8xf32>', found 'tensor<?x4xf32>'}}
    %l = quartet.load_state @a : tensor<?x4xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A repeated declaration outside a block.
quartet.model @load_state_c3 {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    // expected-error @+1 {{expected @r, which has repeat 3, to be used in a quartet.block with that repeat, found no block}}
    %l = quartet.load_state @r : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A block with another repeat.
quartet.model @load_state_c3_repeat {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      // expected-error @+1 {{expected @r, which has repeat 3, to be used in a quartet.block with that repeat, found repeat 2}}
      %l = quartet.load_state @r : tensor<?x8xf32>
      quartet.yield %h : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// No such symbol.
quartet.model @store_state_c1 {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %v = ub.poison : tensor<?x8xf32>
    // expected-error @+1 {{expected @missing to name a quartet.state of the model, found no such symbol}}
    quartet.store_state @missing, %v : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A declaration of the other kind.
quartet.model @store_state_c1_kind {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %v = ub.poison : tensor<?x8xf32>
    // expected-error @+1 {{expected @other to name a quartet.state of the model, found a quartet.weight}}
    quartet.store_state @other, %v : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Outside a model.
func.func @store_state_c1_model(%v: tensor<?x8xf32>) {
  // expected-error @+1 {{expected to be inside a quartet.model, which @a is looked up in, found none}}
  quartet.store_state @a, %v : tensor<?x8xf32>
  return
}

// -----

// Another type than declared.
quartet.model @store_state_c2 {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %v = ub.poison : tensor<?x4xf32>
    // expected-error @+1 {{expected the type that @a is declared with, 'tensor<?x8xf32>', found 'tensor<?x4xf32>'}}
    quartet.store_state @a, %v : tensor<?x4xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A repeated declaration outside a block.
quartet.model @store_state_c3 {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.weight @other : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %v = ub.poison : tensor<?x8xf32>
    // expected-error @+1 {{expected @r, which has repeat 3, to be used in a quartet.block with that repeat, found no block}}
    quartet.store_state @r, %v : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A block with another repeat.
quartet.model @store_state_c3_repeat {
  quartet.state @a slots : tensor<?x8xf32>
  quartet.state @r slots repeat 3 : tensor<?x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      %v = ub.poison : tensor<?x8xf32>
      // expected-error @+1 {{expected @r, which has repeat 3, to be used in a quartet.block with that repeat, found repeat 2}}
      quartet.store_state @r, %v : tensor<?x8xf32>
      quartet.yield %h : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// No part at all.
quartet.model @weight_c3_none {
  // expected-error @+1 {{expected at least one part, of a matrix of rank 2 or 3, found 0 parts of 'tensor<16x8xf32>'}}
  quartet.weight @w parts [] : tensor<16x8xf32>
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

// Parts of a vector.
quartet.model @weight_c3_vector {
  // expected-error @+1 {{expected at least one part, of a matrix of rank 2 or 3, found 1 parts of 'tensor<8xf32>'}}
  quartet.weight @w parts [#quartet.part<@a rows 1 columns 8>] : tensor<8xf32>
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

// The last row is one too far.
quartet.model @weight_c3_rows {
  // expected-error @+1 {{expected every part within [1, 16, 8], found #quartet.part<@a rows 4 to 13 columns 8>}}
  quartet.weight @w parts [#quartet.part<@a rows 4 to 13 columns 8>] : tensor<16x8xf32>
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

// A wider source.
quartet.model @weight_c3_columns {
  // expected-error @+1 {{expected every part within [1, 16, 8], found #quartet.part<@a rows 4 columns 9>}}
  quartet.weight @w parts [#quartet.part<@a rows 4 columns 9>] : !quartet.packed<16x8, "int4:16">
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

// One expert too many.
quartet.model @weight_c3_experts {
  // expected-error @+1 {{expected every part within [3, 16, 8], found #quartet.part<@a rows 4 columns 8 experts 3 to 1>}}
  quartet.weight @w parts [#quartet.part<@a rows 4 columns 8 experts 3 to 1>] : !quartet.packed<3x16x8, "bf16">
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

// Two sources for row 3.
quartet.model @weight_c4 {
  // expected-error @+1 {{expected parts without common rows, found #quartet.part<@a rows 4 columns 8> and #quartet.part<@b rows 2 to 3 columns 8>}}
  quartet.weight @w parts [#quartet.part<@a rows 4 columns 8>, #quartet.part<@b rows 2 to 3 columns 8>] : tensor<16x8xf32>
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

// Two sources for expert 1.
quartet.model @weight_c4_experts {
  // expected-error @+1 {{expected parts without common rows}}
  quartet.weight @w parts [#quartet.part<@a rows 4 columns 8 experts 2>, #quartet.part<@b rows 4 columns 8 to 1>] : tensor<3x16x8xf32>
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
