// A model directory, brought up: weights, tokenizer, chat template, defaults.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "engine/arch/registry.h"
#include "engine/runtime/engine_thread.h"

namespace tern {

struct LoadProgress {
  std::string stage;    ///< "config", "weights", "memory"
  double fraction = 0;  ///< of the stage, 0 to 1
};
using ProgressFn = std::function<void(const LoadProgress&)>;

/// The parts of a model directory that are not weights.
struct ModelFiles {
  ModelConfig config;
  ModelAssets assets;  ///< info lacks what only weights and memory tell
};

/// Reads config.json, tokenizer.json, tokenizer_config.json (or chat_template.jinja) and
/// generation_config.json of `directory`. Only config.json must be there. `config_file` overrides
/// the path of config.json where not empty, `chat_template_file` the template.
Result<ModelFiles> read_model_files(const std::string& directory,
                                    const std::string& config_file = "",
                                    const std::string& chat_template_file = "");

/// A model and the threads that run it.
struct LoadedModel {
  std::shared_ptr<const Model> model;
  std::shared_ptr<ThreadPool> pool;
};

/// Opens `directory`'s weights and packs them for `max_model_len` positions on `num_threads`
/// threads (0 = every CPU this process may use). Errors name file, tensor and what is wrong.
Result<LoadedModel> load_weights(const std::string& directory, const ModelConfig& config,
                                 int32_t max_model_len, int32_t num_threads, Isa isa,
                                 const LoadFraction& on_progress);

/// The directory of a model by what an operator wrote: a path, or the name of a bundled model
/// (below $TERN_MODELS, the installed share/tern/models or the source tree's models/). kNotFound
/// naming all places that were tried.
Result<std::string> resolve_model(const std::string& name_or_path);

}  // namespace tern
