#include "engine/serve/create.h"

#include <algorithm>
#include <thread>

#include "base/fail_point.h"
#include "base/log.h"
#include "base/math.h"
#include "engine/load/family_sampling.h"
#include "engine/load/resolve_model.h"
#include "engine/ranker/ranker_file.h"
#include "engine/serve/engine_thread.h"
#include "engine/serve/plan_engine.h"
#include "engine/step/sim_engine.h"
#include "engine/step/warm_up.h"
#include "kernels/registry.h"
#include "scheduler/policy.h"

namespace tern {
namespace {

EngineParts make_sim_parts(const EngineConfig& config) {
  if (config.kv_cache_bytes > 0)
    spdlog::warn(
        "engine.kv_cache_bytes is ignored: a simulated model has KV blocks without bytes, "
        "enough for max_num_seqs whole contexts");
  EngineParts parts;
  parts.scheduler = config.scheduler;
  SchedulerConfig& scheduler = parts.scheduler;
  scheduler.max_model_len = config.max_model_len > 0 ? config.max_model_len : 4096;
  const int64_t blocks_per_seq = ceil_div(scheduler.max_model_len, scheduler.block_size);
  scheduler.num_blocks =
      static_cast<int32_t>(std::min<int64_t>(blocks_per_seq * scheduler.max_num_seqs, INT32_MAX));
  parts.assets = make_sim_assets(scheduler.max_model_len);
  if (!config.served_name.empty()) parts.assets.info.name = config.served_name;
  parts.runner =
      std::make_unique<SimRunner>(config.simulated_step, scheduler.max_num_seqs,
                                  [](Seconds s) { std::this_thread::sleep_for(to_duration(s)); });
  return parts;
}

Result<int32_t> context_length(const EngineConfig& config, const ModelConfig& model) {
  if (config.max_model_len > model.max_position_embeddings)
    return with_key(invalid_argument("max_model_len " + std::to_string(config.max_model_len) +
                                     " is over the model's context of " +
                                     std::to_string(model.max_position_embeddings)),
                    "model.max_model_len");
  return config.max_model_len > 0 ? config.max_model_len : model.max_position_embeddings;
}

/// What counts where a request says nothing: the operator's word first, then that of the model's
/// files, or where these say nothing of sampling what is known of its family.
void set_default_sampling(const EngineConfig& config, ModelFiles& files) {
  ModelInfo& info = files.assets.info;
  FamilySampling family;
  if (!info.default_sampling.any())
    family = family_sampling(info.architecture, info.name + " " + files.assets.published_name,
                             info.has_chat_template);
  SamplingDefaults merged = config.sampling;
  merged.fill_from(info.default_sampling);
  merged.fill_from(family.defaults);
  info.default_sampling = merged;
  spdlog::info("default sampling: {}{}", describe(merged),
               family.family.empty() ? "" : " (family " + family.family + ")");
}

/// Such a model is served, to clients that send token ids and read them.
void warn_of_what_is_missing(const std::string& directory, const ModelAssets& assets) {
  if (assets.tokenizer) return;
  spdlog::warn(
      "{}: there is no tokenizer (tokenizer.json, tokenizer.model, vocab.json or tekken.json): "
      "only token ids are served, and requests with text or chat will be refused",
      directory);
}

/// What is known of a model before its weights are read.
struct ReadModel {
  std::string directory;
  ModelFiles files;
  SchedulerConfig scheduler;  ///< with the model's context; without blocks as yet
  ComputeOptions compute;
};

Result<Device> open_engine_device(const EngineConfig& config) {
  Result<Device> device = open_device(config.device);
  if (!device.ok()) return with_key(device.status(), "engine.device");
  return device;
}

Result<ReadModel> read_model(const EngineConfig& config, const ProgressFn& on_progress) {
  ReadModel model;
  const Result<Isa> isa = selected_isa();
  TERN_TRY(with_key(isa.status(), "TERN_CPU_ISA"));
  TERN_ASSIGN(const Device device, open_engine_device(config));
  TERN_ASSIGN(model.directory, resolve_model(config.model_dir));
  TERN_ASSIGN(model.files, read_model_files(model.directory, config.hf_config_file,
                                            config.chat_template_file, on_progress));
  model.scheduler = config.scheduler;
  TERN_ASSIGN(model.scheduler.max_model_len, context_length(config, model.files.config));
  model.compute = {config.compute, config.num_threads, *isa, device};
  set_default_sampling(config, model.files);
  if (!config.served_name.empty()) model.files.assets.info.name = config.served_name;
  return model;
}

}  // namespace

std::vector<Status> check_engine(const EngineConfig& config, ModelInfo* info) {
  std::vector<Status> problems;
  const auto failed = [&](const Status& status) {
    if (!status.ok()) problems.push_back(status);
    return !status.ok();
  };
  failed(load_ranker(config).status());
  if (config.simulate) {
    *info = make_sim_parts(config).assets.info;
    failed(config.scheduler.validate_settings());
    return problems;
  }
  const Result<std::string> directory = resolve_model(config.model_dir);
  if (failed(directory.status())) return problems;
  Result<ReadModel> read = read_model(config, {});
  const bool is_read = !failed(read.status());
  if (is_read) warn_of_what_is_missing(read->directory, read->files.assets);
  // The weights are looked at even where the tokenizer, say, is at fault.
  const Result<ModelConfig> shape = read_config(*directory, config.hf_config_file);
  if (!shape.ok()) return problems;
  ComputeOptions compute{config.compute, config.num_threads, cpu_info().best_isa};
  if (is_read) compute = read->compute;
  const auto planned = plan_weights(
      *directory, *shape, is_read ? read->scheduler.max_model_len : shape->max_position_embeddings,
      compute);
  if (failed(planned.status()) || !is_read) return problems;
  failed(plan_engine(config, **planned, read->compute, read->scheduler));
  *info = read->files.assets.info;
  info->max_model_len = read->scheduler.max_model_len;
  info->num_parameters = (*planned)->num_parameters();
  info->weight_format = (*planned)->weight_format();
  return problems;
}

Result<EngineParts> load_engine_parts(const EngineConfig& config, const ProgressFn& on_progress) {
  if (config.simulate) return make_sim_parts(config);
  TERN_ASSIGN(ReadModel read, read_model(config, on_progress));
  ModelFiles& files = read.files;
  SchedulerConfig& scheduler = read.scheduler;
  const auto check = [&](const Model& planned) {
    return plan_engine(config, planned, read.compute, scheduler);
  };
  TERN_ASSIGN(LoadedModel loaded,
              load_weights(read.directory, files.config, scheduler.max_model_len, read.compute,
                           {check, on_progress}));
  if (on_progress) on_progress({.stage = "memory"});
  TERN_ASSIGN(std::unique_ptr<ForwardRunner> runner,
              ForwardRunner::create(loaded.model, loaded.pool,
                                    runner_options(config, scheduler, read.compute)));

  ModelInfo& info = files.assets.info;
  info.max_model_len = scheduler.max_model_len;
  info.num_parameters = loaded.model->num_parameters();
  info.weight_bytes = loaded.model->weight_bytes();
  info.weight_format = loaded.model->weight_format();
  info.kv_bytes_per_token =
      bytes_per_block(*loaded.model, read.compute, scheduler) / uint64_t(scheduler.block_size);
  info.compute = config.compute;
  info.isa = read.compute.device == Device::kCpu ? isa_name(read.compute.isa)
                                                 : device_name(read.compute.device);
  info.num_threads = loaded.pool->num_threads();
  spdlog::info("{}: {} parameters as {}, {} threads, {} on {}", info.name, info.num_parameters,
               info.weight_format, info.num_threads, info.isa, cpu_info().model_name);
  return EngineParts{std::move(files.assets), scheduler, std::move(runner)};
}

Result<std::shared_ptr<const Ranker>> load_ranker(const EngineConfig& config) {
  const auto policy =
      std::ranges::find(policies(), config.scheduler.policy.name, &PolicyInfo::name);
  const bool reads_scores = policy != policies().end() && policy->reads_scores;
  if (config.scheduler.policy.name == "oracle")
    spdlog::warn("policy oracle believes whatever length a client says: for benchmarks alone");
  if (reads_scores && config.ranker.empty())
    spdlog::warn(
        "scheduler.ranker is empty: policy {} takes every answer to be as long as the "
        "median, but for what max_tokens and hints say",
        config.scheduler.policy.name);
  if (config.ranker.empty() || !reads_scores) return std::shared_ptr<const Ranker>();
  const Result<std::string> path = resolve_ranker(config.ranker);
  TERN_TRY(with_key(path.status(), "scheduler.ranker"));
  Result<std::unique_ptr<Ranker>> ranker = open_ranker(*path);
  TERN_TRY(with_key(ranker.status(), "scheduler.ranker"));
  spdlog::info("ranker {}: {}, version {:016x}", *path, (*ranker)->name(), (*ranker)->version());
  return std::shared_ptr<const Ranker>(*std::move(ranker));
}

Result<std::unique_ptr<Engine>> create_engine(const EngineConfig& config,
                                              const ProgressFn& on_progress) {
  if (const auto failure = fail_point("engine.load")) return *failure;
  TERN_ASSIGN(std::shared_ptr<const Ranker> ranker, load_ranker(config));
  TERN_ASSIGN(EngineParts parts, load_engine_parts(config, on_progress));
  warn_of_what_is_missing(config.model_dir, parts.assets);
  if (on_progress) on_progress({.stage = "warm-up"});
  TERN_TRY(warm_up(parts.assets, parts.scheduler, steady_clock(), *parts.runner));
  TERN_ASSIGN(std::unique_ptr<Engine> engine,
              EngineThread::start(std::move(parts.assets), parts.scheduler, config.queue,
                                  steady_clock(), std::move(parts.runner)));
  engine->use_ranker(std::move(ranker));
  return engine;
}

}  // namespace tern
