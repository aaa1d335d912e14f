#include "engine/decode/strategies.h"

#include <string>

namespace tern {
namespace {

constexpr StrategyRow kRows[] = {{kDefaultStrategy, make_autoregressive}};

}  // namespace

DecodeStrategies::DecodeStrategies(const Tokenizer* tokenizer,
                                   const std::vector<int32_t>& eos_token_ids,
                                   std::span<const StrategyRow> more) {
  for (const std::span<const StrategyRow> rows : {std::span<const StrategyRow>(kRows), more})
    for (const StrategyRow& row : rows)
      strategies_.emplace_back(row.name, row.make(tokenizer, eos_token_ids));
}

Result<const DecodeStrategy*> DecodeStrategies::find(std::string_view name) const {
  std::string names;
  for (const auto& [known, strategy] : strategies_) {
    if (known == name) return strategy.get();
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  return invalid_argument("strategy: '" + std::string(name) + "' is none of " + names);
}

}  // namespace tern
