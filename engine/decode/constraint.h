// What an answer may look like: the seam of structured output.
#pragma once

#include <cstdint>
#include <span>

namespace tern {

/// Follows one answer token by token and says which tokens may come next. Engine thread.
class Constraint {
 public:
  virtual ~Constraint() = default;

  /// Sets exactly the tokens that may follow what was accepted; `bits` [mask_words(vocab_size)],
  /// every word is written (token_mask.h). Where none may, the request ends with kInvalidArgument.
  /// Allocates nothing.
  virtual void fill(std::span<uint32_t> bits) = 0;

  /// The answer goes on by `token_id`, which the last fill() allowed.
  virtual void accept(int32_t token_id) = 0;

  /// Takes back the last `num_tokens` that were accepted: drafts that did not stay.
  virtual void rollback(int32_t num_tokens) = 0;
};

}  // namespace tern
