#include "engine/runtime/create.h"

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/log.h"
#include "base/math.h"
#include "engine/runtime/engine_thread.h"
#include "engine/runtime/model_runner.h"
#include "engine/runtime/sim_engine.h"

namespace tern {
namespace {

const Clock& steady_clock() {
  static const SteadyClock clock;
  return clock;
}

uint64_t available_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string key; file >> key;) {
    uint64_t kib = 0;
    if (key == "MemAvailable:" && file >> kib) return kib * 1024;
    file.ignore(1024, '\n');
  }
  return uint64_t(1) << 30;
}

// Blocks of the KV pool, and a context that fits them.
Status plan_memory(const EngineConfig& config, const KvLayout& layout, SchedulerConfig& scheduler) {
  const uint64_t block_bytes = layout.bytes_per_token() * scheduler.block_size;
  const uint64_t blocks_per_seq = ceil_div(scheduler.max_model_len, scheduler.block_size);
  const uint64_t wanted = blocks_per_seq * scheduler.max_num_seqs * block_bytes;
  const uint64_t budget = config.kv_cache_bytes > 0
                              ? config.kv_cache_bytes
                              : std::min(wanted, available_memory_bytes() / 2);
  const uint64_t num_blocks = std::min<uint64_t>(budget / block_bytes, INT32_MAX);
  scheduler.num_blocks = static_cast<int32_t>(num_blocks);
  if (num_blocks >= blocks_per_seq) return {};
  const uint64_t fitting = num_blocks * scheduler.block_size;
  if (config.max_model_len > 0 || fitting < 2)
    return Status(Code::kResourceExhausted,
                  "kv_cache_bytes " + std::to_string(budget) + " holds " + std::to_string(fitting) +
                      " tokens, but one sequence of max_model_len " +
                      std::to_string(scheduler.max_model_len) + " needs " +
                      std::to_string(blocks_per_seq * block_bytes) +
                      " bytes: raise kv_cache_bytes or lower max_model_len");
  spdlog::warn("max_model_len lowered from {} to {}: that is what the KV cache of {} bytes holds",
               scheduler.max_model_len, fitting, budget);
  scheduler.max_model_len = static_cast<int32_t>(fitting);
  return {};
}

EngineParts make_sim_parts(const EngineConfig& config) {
  EngineParts parts;
  parts.scheduler = config.scheduler;
  SchedulerConfig& scheduler = parts.scheduler;
  scheduler.max_model_len = config.max_model_len > 0 ? config.max_model_len : 4096;
  scheduler.num_blocks = static_cast<int32_t>(
      ceil_div(scheduler.max_model_len, scheduler.block_size) * scheduler.max_num_seqs);
  parts.assets = make_sim_assets(scheduler.max_model_len);
  if (!config.served_name.empty()) parts.assets.info.name = config.served_name;
  parts.runner = std::make_unique<SimRunner>(SimStepCost{}, scheduler.max_num_seqs, [](Seconds s) {
    std::this_thread::sleep_for(to_duration(s));
  });
  return parts;
}

Result<int32_t> context_length(const EngineConfig& config, const ModelConfig& model) {
  if (config.max_model_len > model.max_position_embeddings)
    return invalid_argument("max_model_len " + std::to_string(config.max_model_len) +
                            " is over the model's context of " +
                            std::to_string(model.max_position_embeddings));
  return config.max_model_len > 0 ? config.max_model_len : model.max_position_embeddings;
}

}  // namespace

Result<EngineParts> load_engine_parts(const EngineConfig& config, const ProgressFn& on_progress) {
  const auto report = [&](const char* stage, double fraction) {
    if (on_progress) on_progress({stage, fraction});
  };
  if (config.simulate) return make_sim_parts(config);
  TERN_ASSIGN(const Isa isa, selected_isa());
  TERN_ASSIGN(const std::string directory, resolve_model(config.model_dir));
  report("config", 0);
  TERN_ASSIGN(ModelFiles files,
              read_model_files(directory, config.hf_config_file, config.chat_template_file));

  SchedulerConfig scheduler = config.scheduler;
  TERN_ASSIGN(scheduler.max_model_len, context_length(config, files.config));
  TERN_ASSIGN(LoadedModel loaded,
              load_weights(directory, files.config, scheduler.max_model_len,
                           {config.compute, config.num_threads, isa},
                           [&](double fraction) { report("weights", fraction); }));

  report("memory", 0);
  TERN_TRY(plan_memory(config, loaded.model->kv_layout(), scheduler));
  TERN_TRY(scheduler.validate());
  const RunnerOptions options{
      .isa = isa,
      .limits = {.max_tokens = scheduler.max_num_batched_tokens,
                 .max_logits_rows = scheduler.max_num_seqs,
                 .max_context_len = round_up(scheduler.max_model_len, scheduler.block_size),
                 .num_threads = loaded.pool->num_threads()},
      .num_blocks = scheduler.num_blocks,
      .block_size = scheduler.block_size,
      .log = config.kernel_log};
  TERN_ASSIGN(std::unique_ptr<ForwardRunner> runner,
              ForwardRunner::create(loaded.model, loaded.pool, options));

  ModelInfo& info = files.assets.info;
  if (!config.served_name.empty()) info.name = config.served_name;
  info.max_model_len = scheduler.max_model_len;
  info.num_parameters = loaded.model->num_parameters();
  info.weight_bytes = loaded.model->weight_bytes();
  info.weight_format = loaded.model->weight_format();
  info.kv_bytes_per_token = loaded.model->kv_layout().bytes_per_token();
  spdlog::info(
      "{}: {} parameters as {} in {} bytes, KV cache {} blocks of {} tokens in {} bytes, "
      "workspace {} bytes, {} threads, {} on {}",
      info.name, info.num_parameters, info.weight_format, info.weight_bytes, scheduler.num_blocks,
      scheduler.block_size, runner->kv_bytes(), runner->workspace_bytes(),
      loaded.pool->num_threads(), isa_name(isa), cpu_info().model_name);
  report("memory", 1);
  return EngineParts{std::move(files.assets), scheduler, std::move(runner)};
}

Result<std::unique_ptr<Engine>> create_engine(const EngineConfig& config,
                                              const ProgressFn& on_progress) {
  TERN_ASSIGN(EngineParts parts, load_engine_parts(config, on_progress));
  return EngineThread::start(std::move(parts.assets), parts.scheduler,
                             {config.max_queued_requests, config.max_queued_tokens}, steady_clock(),
                             std::move(parts.runner));
}

}  // namespace tern
