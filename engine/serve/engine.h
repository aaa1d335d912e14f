// The engine as everything above it sees it: requests in, events out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/load/model_assets.h"
#include "engine/serve/ranking.h"
#include "engine/step/request.h"
#include "engine/step/step_histograms.h"
#include "engine/step/token_sink.h"
#include "scheduler/config.h"
#include "scheduler/stats.h"

namespace tern {

/// How much may wait in front of the engine.
struct QueueLimits {
  int32_t max_queued_requests = 1024;
  int64_t max_queued_tokens = 1 << 20;  ///< prompt tokens of requests that are not admitted yet
  /// How many of max_queued_requests only the class itself and those before it may take.
  int32_t reserved_queue_system = 0;
  int32_t reserved_queue_interactive = 0;
};

struct EngineStats {
  SchedulerStats scheduler;
  uint64_t num_requests_submitted = 0;
  uint64_t num_requests_finished = 0;  ///< whatever the end
  uint64_t num_prompt_tokens = 0;      ///< of admitted requests, cached ones too
  uint64_t num_generated_tokens = 0;
  int32_t num_live_requests = 0;  ///< queued, waiting or running; each counts once, whatever its n
  int32_t num_queued_requests = 0;  ///< of these, not admitted to the batch yet
  int64_t num_queued_tokens = 0;    ///< of their prompts
  int32_t max_queued_requests = 0;  ///< as configured
  int32_t max_step_seqs = 0;        ///< most sequences that one forward held since start
  Seconds last_step_age{0};
  /// How long nothing has happened though there was something to do; 0 while idle.
  Seconds silent{0};
  Seconds expected_step{0};      ///< of the step in progress, predicted from earlier ones
  Seconds predicted_queue{0};    ///< that a request would wait which came now
  double tokens_per_second = 0;  ///< generated, over the last seconds
  StepHistograms steps;
  std::string policy;  ///< who is admitted first
  RankerStats ranker;
};

/// What became of a request that was to be aborted.
enum class AbortOutcome : uint8_t {
  kAborted,
  kFinished,  ///< had ended by itself before
  kUnknown,   ///< never seen, or ended long ago
};

/// One live request as of the last step. For status pages and reports.
struct RequestState {
  std::string request_id;
  PriorityClass priority = PriorityClass::kDefault;
  bool is_queued = true;  ///< not admitted to the batch yet
  int32_t n = 1;
  int32_t prompt_tokens = 0;
  int32_t computed_tokens = 0;    ///< of the answer furthest on; 0 while it waits
  int32_t completion_tokens = 0;  ///< the same
  Seconds age{0};                 ///< since its arrival
  std::string peer;               ///< as in Request
  bool is_preempted = false;      ///< gave its memory to others, and is not back yet
  std::optional<Seconds> ttft;    ///< from its arrival to the first token of any answer; none yet
};

/// Any thread, unless said otherwise.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Checks the request and queues it. The id is for cancel(). kInvalidArgument, kOutOfRange
  /// (prompt + max_tokens over the context), kResourceExhausted (queue full, or the deadline cannot
  /// be met), kAlreadyExists, kUnavailable (draining): then `sink` never hears of it. A max_tokens
  /// of 0 becomes what the context leaves. Of n answers the second and later ones begin when the
  /// prompt is computed, and take it from the prefix cache.
  virtual Result<uint64_t> submit(Request request, std::shared_ptr<TokenSink> sink) = 0;

  /// Ends all answers of the request as kCancelled at the next step boundary. Unknown and ended ids
  /// are ignored.
  virtual void cancel(uint64_t id) = 0;

  /// Takes all answers of a request out of the batch, as its reader does not keep up; after
  /// `at_most` it ends as kResourceExhausted (SLOW_CONSUMER) unless resume() came. Others get its
  /// place; its KV stays as long as nobody needs the memory. Unknown and ended ids are ignored.
  virtual void pause(uint64_t id, Seconds at_most) = 0;
  virtual void resume(uint64_t id) = 0;

  /// Ends live requests by their request_id, as cancel() does; `reason` is for their message.
  /// `done` gets an outcome for each id, in order, when the scheduler has let go of them: on the
  /// engine thread, where it must not block and not call the engine, or here after shutdown().
  virtual void abort(std::vector<std::string> request_ids, std::string reason,
                     std::function<void(std::vector<AbortOutcome>)> done) = 0;

  /// Forgets all cached prefixes that no running sequence uses. `done` gets the number of blocks;
  /// called like that of abort().
  virtual void flush_prefix_cache(std::function<void(int32_t num_blocks)> done) = 0;

  /// Goes on by another configuration: `done` gets kInvalidArgument, and nothing has changed, where
  /// it cannot be. Of `scheduler` the sizes that memory was taken for stay
  /// (EngineLoop::reconfigure). `done` is called like that of abort().
  virtual void reconfigure(const SchedulerConfig& scheduler, const QueueLimits& queue,
                           std::function<void(Status)> done) = 0;

  /// Asks this ranker from now on (null: none), of what waits too.
  virtual void use_ranker(std::shared_ptr<const Ranker> ranker) = 0;

  /// New requests get kUnavailable; live ones go on.
  virtual void start_draining() = 0;

  /// Ends every live request as kUnavailable and stops the engine thread. Idempotent.
  virtual void shutdown() = 0;

  virtual EngineStats stats() const = 0;

  /// Oldest first. Never waits for a step.
  virtual std::vector<RequestState> live_requests() const = 0;
  virtual const ModelInfo& model_info() const = 0;

  /// Null where the model directory has none: only token ids go in and out then.
  virtual const Tokenizer* tokenizer() const = 0;
  virtual const ChatRenderer* chat_renderer() const = 0;
};

}  // namespace tern
