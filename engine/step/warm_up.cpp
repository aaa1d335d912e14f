#include "engine/step/warm_up.h"

#include <algorithm>

#include "engine/step/engine_loop.h"

namespace tern {
namespace {

constexpr int32_t kPromptTokens = 8;  // a prefill, and on a large model no long wait
constexpr int32_t kAnswerTokens = 2;  // the second is a decode

class LastEvent final : public TokenSink {
 public:
  void on_event(TokenEvent event) override {
    if (event.finished) status = event.finished->status;
  }
  Status status;
};

}  // namespace

Status warm_up(const ModelAssets& assets, const SchedulerConfig& config, const Clock& clock,
               ModelRunner& runner) {
  TERN_ASSIGN(std::unique_ptr<Scheduler> scheduler, Scheduler::create(config));
  const DecodeStrategies strategies(assets.tokenizer.get(), assets.info.eos_token_ids);
  EngineLoop loop(std::move(scheduler), runner, strategies, assets.info.vocab_size, clock, nullptr);
  const int32_t num_prompt = std::min(kPromptTokens, config.max_model_len - 1);
  Submission submission{.id = 1, .sink = std::make_shared<LastEvent>(), .arrival = clock.now()};
  const auto end = std::static_pointer_cast<LastEvent>(submission.sink);
  Request& request = submission.request;
  for (int32_t i = 0; i < num_prompt; ++i)
    request.prompt_token_ids.push_back(i % assets.info.vocab_size);
  request.sampling.temperature = 0;
  request.sampling.ignore_eos = true;
  request.sampling.max_tokens = std::min(kAnswerTokens, config.max_model_len - num_prompt);
  loop.add(std::move(submission));
  while (loop.has_work()) loop.step();
  return end->status.with_context("warm-up");
}

}  // namespace tern
