#include "cli/files/score_text.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/support/load_bar.h"
#include "engine/decode/logprobs.h"
#include "engine/load/resolve_model.h"
#include "engine/step/score.h"
#include "kernels/registry.h"

namespace tern {

using nlohmann::json;

Result<json> score_text(const ScoreTextOptions& options) {
  TERN_ASSIGN(const Isa isa, selected_isa());
  TERN_ASSIGN(const Device device, open_device(options.device));
  TERN_ASSIGN(const std::string path, resolve_model(options.model));
  TERN_ASSIGN(const ModelFiles files, read_model_files(path));
  const Tokenizer* tokenizer = files.assets.tokenizer.get();
  if (!tokenizer) return Status(Code::kFailedPrecondition, path + ": has no tokenizer");
  TERN_ASSIGN(const std::vector<int32_t> ids,
              tokenizer->encode(options.text, {.add_special_tokens = options.add_special_tokens}));
  const int32_t context = files.config.max_position_embeddings;
  const auto length = static_cast<int32_t>(ids.size());
  if (ids.empty()) return invalid_argument("the text has no token");
  if (length > context)
    return invalid_argument("the text has " + std::to_string(length) +
                            " tokens, the model's context is " + std::to_string(context));

  TERN_ASSIGN(
      const std::unique_ptr<Scorer> scorer,
      Scorer::load(
          path, files.config, {options.compute, options.num_threads, isa, device},
          {.max_len = length, .chunk = std::min(length, 512), .on_progress = show_loading()}));
  json logprobs = json::array({nullptr});
  double sum = 0;
  TERN_TRY(scorer->run(ids, [&](int32_t position, std::span<const float> logits) {
    if (position + 1 == length) return;
    const double logprob = logits[ids[position + 1]] - log_sum_exp(logits);
    sum += logprob;
    logprobs.push_back(logprob);
  }));
  if (!std::isfinite(sum))
    return Status(Code::kInternal, "numeric fault: the model's logits are not finite");
  std::vector<std::string> pieces;
  for (const int32_t id : ids) pieces.emplace_back(tokenizer->token_piece(id));
  return json{{"token_ids", ids}, {"pieces", pieces}, {"logprobs", logprobs}, {"sum", sum}};
}

}  // namespace tern
