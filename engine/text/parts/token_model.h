// The part of a tokenizer that turns pieces into ids: BPE and its siblings.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "engine/text/parts/pre_tokenizer.h"
#include "engine/text/parts/vocabulary.h"

namespace tern {

/// Immutable; any thread.
class TokenModel {
 public:
  virtual ~TokenModel() = default;

  /// Appends the ids of `pieces` to `ids`. kInvalidArgument where a piece cannot be spelled.
  virtual Status encode(const Pieces& pieces, std::vector<int32_t>& ids) const = 0;

  virtual const Vocabulary& vocabulary() const = 0;
};

}  // namespace tern
