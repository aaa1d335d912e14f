#include "engine/step/score.h"

#include "base/math.h"
#include "engine/step/memory_plan.h"

namespace tern {

namespace {

SchedulerConfig scheduler_config(const Model& model, const ScoreOptions& options) {
  SchedulerConfig config;
  config.max_num_seqs = 1;
  config.max_num_batched_tokens = options.chunk;
  config.block_size = options.block_size;
  config.max_model_len = options.max_len;
  config.num_blocks = ceil_div(config.max_model_len, config.block_size);
  config.max_logits_rows = options.chunk;
  config.enable_prefix_caching = false;
  config.num_state_slots = model.cache_layout().num_state_slots(1);
  return config;
}

RunnerOptions runner_options(const Model& model, const ScoreOptions& options,
                             const ComputeOptions& compute) {
  const SchedulerConfig config = scheduler_config(model, options);
  return {.device = compute.device,
          .isa = compute.isa,
          .limits = {.max_tokens = options.chunk,
                     .max_logits_rows = options.chunk,
                     .max_context_len = round_up(options.max_len, options.block_size),
                     .num_threads = compute.num_pool_threads()},
          .num_blocks = config.num_blocks,
          .block_size = config.block_size,
          .num_state_slots = config.num_state_slots,
          .log = options.log};
}

}  // namespace

Result<std::unique_ptr<Scorer>> Scorer::load(const std::string& model, const ModelConfig& config,
                                             const ComputeOptions& compute,
                                             const ScoreOptions& options) {
  const auto check = [&](const Model& planned) {
    const RunnerOptions runner = runner_options(planned, options, compute);
    return check_fits(plan_memory(planned, runner, read_memory_info()), planned, runner);
  };
  TERN_ASSIGN(const LoadedModel loaded,
              load_weights(model, config, options.max_len, compute, {check, options.on_progress}));
  return create(loaded, compute, options);
}

Result<std::unique_ptr<Scorer>> Scorer::create(const LoadedModel& model,
                                               const ComputeOptions& compute,
                                               const ScoreOptions& options) {
  TERN_ASSIGN(std::unique_ptr<Scheduler> scheduler,
              Scheduler::create(scheduler_config(*model.model, options)));
  TERN_ASSIGN(std::unique_ptr<ForwardRunner> runner,
              ForwardRunner::create(model.model, model.pool,
                                    runner_options(*model.model, options, compute)));
  return std::unique_ptr<Scorer>(new Scorer(std::move(scheduler), std::move(runner)));
}

Scorer::Scorer(std::unique_ptr<Scheduler> scheduler, std::unique_ptr<ForwardRunner> runner)
    : scheduler_(std::move(scheduler)),
      runner_(std::move(runner)),
      builder_(scheduler_->config()) {}

Status Scorer::run(std::span<const int32_t> token_ids,
                   const std::function<void(int32_t, std::span<const float>)>& on_logits) {
  auto seq = std::make_unique<Sequence>();
  seq->id = 1;
  seq->token_ids.assign(token_ids.begin(), token_ids.end());
  seq->num_prompt_tokens = seq->num_tokens();
  seq->rope_variant = runner_->rope_variant(seq->max_computed_tokens());
  seq->demand.num_outputs = seq->num_tokens();
  Demand& demand = seq->demand;
  TERN_TRY(scheduler_->add(std::move(seq)));
  while (scheduler_->has_work()) {
    const StepPlan& plan = scheduler_->schedule({});
    const ScheduledSequence& scheduled = plan.sequences.front();
    const int32_t first = scheduled.sequence->num_computed_tokens;
    const MatView<const float> logits = runner_->execute(builder_.build(plan));
    const int32_t num_tokens = scheduled.num_tokens;
    for (int32_t i = 0; i < num_tokens; ++i)
      on_logits(first + i, {logits.row(i), size_t(logits.cols)});
    const bool done = scheduled.produces_token();
    (void)scheduler_->commit(
        {{{.id = 1, .num_kept = num_tokens, .token_ids = {}, .finished = done}}});
    if (!done) demand.num_outputs = int32_t(token_ids.size());
  }
  return {};
}

}  // namespace tern
