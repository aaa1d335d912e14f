// From a configuration to a running engine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/load/loader.h"
#include "engine/serve/engine.h"
#include "engine/step/model_runner.h"
#include "engine/step/sim_step_cost.h"
#include "scheduler/config.h"

namespace tern {

struct EngineConfig {
  std::string model_dir;            ///< a directory, a GGUF file, or the name of a bundled model
  std::string hf_config_file;       ///< empty = the directory's config.json
  std::string served_name;          ///< empty = the directory's name, or the GGUF file's stem
  std::string chat_template_file;   ///< empty = the model's own
  std::string compute = "default";  ///< or "fast", "f32": arithmetic of the linear layers
  int32_t num_threads = 0;          ///< 0 = every CPU this process may use
  std::string device = "cpu";       ///< what computes the model: open_device()
  uint64_t kv_cache_bytes = 0;      ///< 0 = as needed, at most half of what is free
  int32_t max_model_len = 0;        ///< 0 = the model's
  SamplingDefaults sampling;        ///< before what the model's files and its family propose
  QueueLimits queue;
  std::string ranker = "tern-stories";  ///< a bundled ranker or a file; empty: none
  SchedulerConfig scheduler;  ///< num_blocks, num_state_slots and max_model_len are filled in here
  bool simulate = false;      ///< no model: steps take the time that `simulated_step` says
  SimStepCost simulated_step;
  KernelLog* kernel_log = nullptr;  ///< if not null, times every kernel; must outlive the engine
};

/// Everything an engine is made of, before it has a thread.
struct EngineParts {
  ModelAssets assets;
  SchedulerConfig scheduler;
  std::unique_ptr<ModelRunner> runner;
};

/// Loads the model and sizes its memory. Errors name file, key, limit and value.
Result<EngineParts> load_engine_parts(const EngineConfig& config, const ProgressFn& on_progress);

/// Goes as far as load_engine_parts() does before it reads weights: resolves the model, reads its
/// configuration, tokenizer and template, the headers of its weights, and plans its memory. What is
/// wrong; `info` is what is known where nothing is.
std::vector<Status> check_engine(const EngineConfig& config, ModelInfo* info);

/// The ranker that `config` names, where its policy reads scores; else null. Errors name the key.
Result<std::shared_ptr<const Ranker>> load_ranker(const EngineConfig& config);

/// load_engine_parts(), and starts the engine thread. `on_progress` may be empty; called on this
/// thread.
Result<std::unique_ptr<Engine>> create_engine(const EngineConfig& config,
                                              const ProgressFn& on_progress);

}  // namespace tern
