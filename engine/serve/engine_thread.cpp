#include "engine/serve/engine_thread.h"

namespace tern {

Result<std::unique_ptr<Engine>> EngineThread::start(ModelAssets assets,
                                                    const SchedulerConfig& scheduler_config,
                                                    const QueueLimits& limits, const Clock& clock,
                                                    std::unique_ptr<ModelRunner> runner) {
  TERN_ASSIGN(std::unique_ptr<Scheduler> scheduler, Scheduler::create(scheduler_config));
  std::unique_ptr<EngineThread> engine(
      new EngineThread(std::move(assets), limits, clock, std::move(scheduler), std::move(runner)));
  engine->thread_ = std::thread([e = engine.get()] { e->run(); });
  return std::unique_ptr<Engine>(std::move(engine));
}

void EngineThread::shutdown() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void EngineThread::run() {
  runner().bind_thread();
  do wait();
  while (turn());
}

}  // namespace tern
