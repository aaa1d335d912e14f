// The engine with its own thread.
#pragma once

#include <thread>

#include "engine/serve/engine_core.h"

namespace tern {

class EngineThread final : public EngineCore {
 public:
  /// Starts the thread. `clock` must outlive the engine. kInvalidArgument where the scheduler's
  /// config is.
  static Result<std::unique_ptr<Engine>> start(ModelAssets assets, const SchedulerConfig& scheduler,
                                               const QueueLimits& limits, const Clock& clock,
                                               std::unique_ptr<ModelRunner> runner);
  ~EngineThread() override { shutdown(); }

  void shutdown() override;

 private:
  using EngineCore::EngineCore;
  void run();

  std::thread thread_;
};

}  // namespace tern
