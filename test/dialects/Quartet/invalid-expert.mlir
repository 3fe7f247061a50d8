// One negative test for each numbered constraint of the op descriptions, and
// more where a constraint says several things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// A vocabulary of unknown size.
func.func @embed_c1(%tokens: tensor<?xi32>, %table: tensor<?x8xf32>) {
  // expected-error @+1 {{expected 'table' to be [V, H] with static V >= 1, found 'tensor<?x8xf32>'}}
  %0 = quartet.embed %tokens, %table
    : (tensor<?xi32>, tensor<?x8xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// The result is narrower.
func.func @embed_c2(%tokens: tensor<?xi32>, %table: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'y' to be [N, H] with H = 8 as in 'table', found 'tensor<?x4xf32>'}}
  %0 = quartet.embed %tokens, %table
    : (tensor<?xi32>, tensor<32x8xf32>)
    -> tensor<?x4xf32>
  return
}

// -----

// More rows than tokens.
func.func @embed_c2_rows(%tokens: tensor<3xi32>, %table: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'y' to be [N, H] with N = 3 as in 'tokens', found 'tensor<4x8xf32>'}}
  %0 = quartet.embed %tokens, %table
    : (tensor<3xi32>, tensor<32x8xf32>)
    -> tensor<4x8xf32>
  return
}

// -----

// x is of another width.
func.func @route_c1(%x: tensor<?x4xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, H] with H = 8 as in 'w', found 'tensor<?x4xf32>'}}
  %0:2 = quartet.route %x, %w top_k 2
    : (tensor<?x4xf32>, tensor<16x8xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

// An unknown number of experts.
func.func @route_c1_static(%x: tensor<?x8xf32>, %w: tensor<?x8xf32>) {
  // expected-error @+1 {{expected 'w' to be [E, H] with static E >= 1, found 'tensor<?x8xf32>'}}
  %0:2 = quartet.route %x, %w top_k 2
    : (tensor<?x8xf32>, tensor<?x8xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

// No expert at all.
func.func @route_c2(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 1 <= top_k <= E = 16, found 0}}
  %0:2 = quartet.route %x, %w top_k 0
    : (tensor<?x8xf32>, tensor<16x8xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

// More experts than there are.
func.func @route_c2_many(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 1 <= top_k <= E = 16, found 17}}
  %0:2 = quartet.route %x, %w top_k 17
    : (tensor<?x8xf32>, tensor<16x8xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

// One id too many.
func.func @route_c3(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 'ids' to be [N, top_k] with top_k = 2 as in 'top_k', found 'tensor<?x3xi32>'}}
  %0:2 = quartet.route %x, %w top_k 2
    : (tensor<?x8xf32>, tensor<16x8xf32>)
    -> (tensor<?x2xf32>, tensor<?x3xi32>)
  return
}

// -----

// gate_up has the rows of one matrix.
func.func @experts_c1(%x: tensor<?x8xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                      %gate_up: tensor<16x6x8xf32>, %down: tensor<16x8x6xf32>) {
  // expected-error @+1 {{expected 'gate_up' to be [E, 2I, H] with 2I = 12 as in 'down', found 'tensor<16x6x8xf32>'}}
  %0 = quartet.experts %x, %p, %ids, %gate_up, %down
    : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<16x6x8xf32>,
       tensor<16x8x6xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// down belongs to fewer experts.
func.func @experts_c1_count(%x: tensor<?x8xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                            %gate_up: tensor<16x12x8xf32>, %down: tensor<8x8x6xf32>) {
  // expected-error @+1 {{expected 'gate_up' to be [E, 2I, H] with E = 8 as in 'down', found 'tensor<16x12x8xf32>'}}
  %0 = quartet.experts %x, %p, %ids, %gate_up, %down
    : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<16x12x8xf32>,
       tensor<8x8x6xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// An unknown intermediate size.
func.func @experts_c1_static(%x: tensor<?x8xf32>, %p: tensor<?x2xf32>, %ids:
                             tensor<?x2xi32>, %gate_up: tensor<16x12x8xf32>, %down:
                             tensor<16x8x?xf32>) {
  // expected-error @+1 {{expected 'down' to be [E, H, I] with static I >= 1, found 'tensor<16x8x?xf32>'}}
  %0 = quartet.experts %x, %p, %ids, %gate_up, %down
    : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<16x12x8xf32>,
       tensor<16x8x?xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// x is of another width.
func.func @experts_c2(%x: tensor<?x4xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                      %gate_up: tensor<16x12x8xf32>, %down: tensor<16x8x6xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, H] with H = 8 as in 'down', found 'tensor<?x4xf32>'}}
  %0 = quartet.experts %x, %p, %ids, %gate_up, %down
    : (tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<16x12x8xf32>,
       tensor<16x8x6xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// More ids than weights.
func.func @experts_c3(%x: tensor<?x8xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x3xi32>,
                      %gate_up: tensor<16x12x8xf32>, %down: tensor<16x8x6xf32>) {
  // expected-error @+1 {{expected 'ids' to be [N, K] with K = 2 as in 'weights', found 'tensor<?x3xi32>'}}
  %0 = quartet.experts %x, %p, %ids, %gate_up, %down
    : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x3xi32>, tensor<16x12x8xf32>,
       tensor<16x8x6xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// An unknown number of experts per token.
func.func @experts_c3_static(%x: tensor<?x8xf32>, %p: tensor<?x?xf32>, %ids:
                             tensor<?x?xi32>, %gate_up: tensor<16x12x8xf32>, %down:
                             tensor<16x8x6xf32>) {
  // expected-error @+1 {{expected 'weights' to be [N, K] with static K >= 1, found 'tensor<?x?xf32>'}}
  %0 = quartet.experts %x, %p, %ids, %gate_up, %down
    : (tensor<?x8xf32>, tensor<?x?xf32>, tensor<?x?xi32>, tensor<16x12x8xf32>,
       tensor<16x8x6xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// gate_up has the rows of one matrix.
func.func @mlp_c1(%x: tensor<?x8xf32>, %gate_up: tensor<6x8xf32>, %down: tensor<8x6xf32>) {
  // expected-error @+1 {{expected 'gate_up' to be [2I, H] with 2I = 12 as in 'down', found 'tensor<6x8xf32>'}}
  %0 = quartet.mlp %x, %gate_up, %down
    : (tensor<?x8xf32>, tensor<6x8xf32>, tensor<8x6xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// The result is narrower.
func.func @mlp_c2(%x: tensor<?x8xf32>, %gate_up: tensor<12x8xf32>, %down: tensor<8x6xf32>) {
  // expected-error @+1 {{expected 'y' to be [N, H] with H = 8 as in 'down', found 'tensor<?x4xf32>'}}
  %0 = quartet.mlp %x, %gate_up, %down
    : (tensor<?x8xf32>, tensor<12x8xf32>, tensor<8x6xf32>)
    -> tensor<?x4xf32>
  return
}

// -----

// gate_up has an odd number of rows.
func.func @shared_expert_c1(%x: tensor<?x8xf32>, %gate_up: tensor<13x8xf32>, %down:
                            tensor<8x6xf32>, %gate: tensor<1x8xf32>) {
  // expected-error @+1 {{expected 'gate_up' to be [2I, H] with 2I = 12 as in 'down', found 'tensor<13x8xf32>'}}
  %0 = quartet.shared_expert %x, %gate_up, %down, %gate
    : (tensor<?x8xf32>, tensor<13x8xf32>, tensor<8x6xf32>, tensor<1x8xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// x is of another width.
func.func @shared_expert_c2(%x: tensor<?x4xf32>, %gate_up: tensor<12x8xf32>, %down:
                            tensor<8x6xf32>, %gate: tensor<1x8xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, H] with H = 8 as in 'down', found 'tensor<?x4xf32>'}}
  %0 = quartet.shared_expert %x, %gate_up, %down, %gate
    : (tensor<?x4xf32>, tensor<12x8xf32>, tensor<8x6xf32>, tensor<1x8xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// A gate per channel, not one.
func.func @shared_expert_c3(%x: tensor<?x8xf32>, %gate_up: tensor<12x8xf32>, %down:
                            tensor<8x6xf32>, %gate: tensor<8x8xf32>) {
  // expected-error @+1 {{expected 'gate' to be [1, H], found 'tensor<8x8xf32>'}}
  %0 = quartet.shared_expert %x, %gate_up, %down, %gate
    : (tensor<?x8xf32>, tensor<12x8xf32>, tensor<8x6xf32>, tensor<8x8xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// x is of another width.
func.func @lm_head_c1(%x: tensor<?x4xf32>, %rows: tensor<?xi32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, H] with H = 8 as in 'w', found 'tensor<?x4xf32>'}}
  %0 = quartet.lm_head %x, %rows, %w
    : (tensor<?x4xf32>, tensor<?xi32>, tensor<32x8xf32>)
    -> tensor<?x32xf32>
  return
}

// -----

// Logits of another vocabulary.
func.func @lm_head_c2(%x: tensor<?x8xf32>, %rows: tensor<?xi32>, %w: tensor<32x8xf32>) {
  // expected-error @+1 {{expected 'logits' to be [R, V] with V = 32 as in 'w', found 'tensor<?x31xf32>'}}
  %0 = quartet.lm_head %x, %rows, %w
    : (tensor<?x8xf32>, tensor<?xi32>, tensor<32x8xf32>)
    -> tensor<?x31xf32>
  return
}

// -----

// More rows than asked for.
func.func @lm_head_c2_rows(%x: tensor<?x8xf32>, %rows: tensor<3xi32>, %w: tensor<32x8xf32>)
                           {
  // expected-error @+1 {{expected 'logits' to be [R, V] with R = 3 as in 'rows', found 'tensor<4x32xf32>'}}
  %0 = quartet.lm_head %x, %rows, %w
    : (tensor<?x8xf32>, tensor<3xi32>, tensor<32x8xf32>)
    -> tensor<4x32xf32>
  return
}

// -----

// A vocabulary of unknown size.
func.func @sample_c1(%logits: tensor<?x?xf32>, %t: tensor<?xf32>, %k: tensor<?xi32>, %p:
                     tensor<?xf32>, %m: tensor<?xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected 'logits' to be [R, V] with static V >= 1, found 'tensor<?x?xf32>'}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 16
    : (tensor<?x?xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}

// -----

// temperature has fewer rows than the logits.
func.func @sample_c2_temperature(%logits: tensor<4x32xf32>, %t: tensor<3xf32>, %k:
                                 tensor<?xi32>, %p: tensor<?xf32>, %m: tensor<?xf32>, %u:
                                 tensor<?xf32>) {
  // expected-error @+1 {{expected 'temperature' to be [R] with R = 4 as in 'logits', found 'tensor<3xf32>'}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 16
    : (tensor<4x32xf32>, tensor<3xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}

// -----

// top_k has fewer rows than the logits.
func.func @sample_c2_top_k(%logits: tensor<4x32xf32>, %t: tensor<?xf32>, %k: tensor<3xi32>,
                           %p: tensor<?xf32>, %m: tensor<?xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected 'top_k' to be [R] with R = 4 as in 'logits', found 'tensor<3xi32>'}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 16
    : (tensor<4x32xf32>, tensor<?xf32>, tensor<3xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}

// -----

// top_p has fewer rows than the logits.
func.func @sample_c2_top_p(%logits: tensor<4x32xf32>, %t: tensor<?xf32>, %k: tensor<?xi32>,
                           %p: tensor<3xf32>, %m: tensor<?xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected 'top_p' to be [R] with R = 4 as in 'logits', found 'tensor<3xf32>'}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 16
    : (tensor<4x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<3xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}

// -----

// min_p has fewer rows than the logits.
func.func @sample_c2_min_p(%logits: tensor<4x32xf32>, %t: tensor<?xf32>, %k: tensor<?xi32>,
                           %p: tensor<?xf32>, %m: tensor<3xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected 'min_p' to be [R] with R = 4 as in 'logits', found 'tensor<3xf32>'}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 16
    : (tensor<4x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<3xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}

// -----

// uniform has fewer rows than the logits.
func.func @sample_c2_uniform(%logits: tensor<4x32xf32>, %t: tensor<?xf32>, %k:
                             tensor<?xi32>, %p: tensor<?xf32>, %m: tensor<?xf32>, %u:
                             tensor<3xf32>) {
  // expected-error @+1 {{expected 'uniform' to be [R] with R = 4 as in 'logits', found 'tensor<3xf32>'}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 16
    : (tensor<4x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<3xf32>)
    -> tensor<?xi32>
  return
}

// -----

// More tokens than rows.
func.func @sample_c2_ids(%logits: tensor<4x32xf32>, %t: tensor<?xf32>, %k: tensor<?xi32>,
                         %p: tensor<?xf32>, %m: tensor<?xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected 'ids' to be [R] with R = 4 as in 'logits', found 'tensor<5xi32>'}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 16
    : (tensor<4x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<5xi32>
  return
}

// -----

// No token may be drawn.
func.func @sample_c3(%logits: tensor<?x32xf32>, %t: tensor<?xf32>, %k: tensor<?xi32>, %p:
                     tensor<?xf32>, %m: tensor<?xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected 1 <= token_limit <= V = 32, found 0}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 0 candidates 16
    : (tensor<?x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}

// -----

// More tokens than logits.
func.func @sample_c3_many(%logits: tensor<?x32xf32>, %t: tensor<?xf32>, %k: tensor<?xi32>,
                          %p: tensor<?xf32>, %m: tensor<?xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected 1 <= token_limit <= V = 32, found 33}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 33 candidates 16
    : (tensor<?x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}

// -----

// No candidates.
func.func @sample_c4(%logits: tensor<?x32xf32>, %t: tensor<?xf32>, %k: tensor<?xi32>, %p:
                     tensor<?xf32>, %m: tensor<?xf32>, %u: tensor<?xf32>) {
  // expected-error @+1 {{expected candidates >= 1, found 0}}
  %0 = quartet.sample %logits, %t, %k, %p, %m, %u
      token_limit 30 candidates 0
    : (tensor<?x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>,
       tensor<?xf32>)
    -> tensor<?xi32>
  return
}
