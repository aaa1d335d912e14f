// The table of decode strategies: which exist, and one of each for an engine.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/decode/decode_strategy.h"

namespace tern {

/// A row of the table. `tokenizer` may be null (then there is no text) and outlives what make()
/// returns; `eos_token_ids` end an answer unless the request ignores them.
struct StrategyRow {
  std::string_view name;
  std::unique_ptr<DecodeStrategy> (*make)(const Tokenizer* tokenizer,
                                          const std::vector<int32_t>& eos_token_ids);
};

/// What a request that says nothing is decoded by.
inline constexpr std::string_view kDefaultStrategy = "autoregressive";

/// Immutable after construction; find() is for any thread.
class DecodeStrategies {
 public:
  /// One of each strategy of tern, and of each of `more`.
  DecodeStrategies(const Tokenizer* tokenizer, const std::vector<int32_t>& eos_token_ids,
                   std::span<const StrategyRow> more = {});

  /// Valid as long as the table. kInvalidArgument where none has that name; the message lists those
  /// that exist.
  Result<const DecodeStrategy*> find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string_view, std::unique_ptr<DecodeStrategy>>> strategies_;
};

}  // namespace tern
