// A model that is a hash of everything it has seen: what it says next depends on each token before,
// through the KV that was stored for it, and where it has state, through that, too.
#pragma once

#include <cstdint>
#include <span>

#include "engine/step/sim_engine.h"

namespace tern {

class SimContext {
 public:
  explicit SimContext(bool has_state, std::span<const int32_t> token_ids = {})
      : has_state_(has_state) {
    for (const int32_t id : token_ids) push(id);
  }

  void push(int32_t token_id) {
    seen_ += kv(token_id, num_tokens_, seen_);
    if (has_state_) state_ = next_state(state_, token_id);
    ++num_tokens_;
  }

  /// What follows the tokens pushed, of which there must be one.
  int32_t next_token() const { return next_token(seen_ ^ state_, num_tokens_ - 1); }

  /// The state behind a token, which was 0 before the first.
  static uint64_t next_state(uint64_t state, int32_t token_id) {
    return mix(state, uint64_t(uint32_t(token_id)));
  }

  /// The KV of a token, which sees KV that sums up to `seen` before it.
  static uint64_t kv(int32_t token_id, int32_t position, uint64_t seen) {
    return mix(seen, uint64_t(uint32_t(token_id)) << 32 | uint32_t(position));
  }

  /// What follows a token at `position`, where its own KV and all before sums up to a number that
  /// is `seen` exclusive or the state.
  static int32_t next_token(uint64_t seen, int32_t position) {
    return SimRunner::next_token(static_cast<int32_t>(mix(seen, 1) >> 33), position);
  }

  static uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15u)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }

 private:
  bool has_state_;
  uint64_t seen_ = 0, state_ = 0;
  int32_t num_tokens_ = 0;
};

}  // namespace tern
