// The engine as everything above it sees it: requests in, events out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/decode/sampling_params.h"
#include "engine/runtime/token_sink.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"
#include "scheduler/sequence.h"
#include "scheduler/stats.h"

namespace tern {

/// A request whose text is already token ids: the engine thread never tokenises.
struct Request {
  std::string request_id;                 ///< for logs; unique among live requests
  std::vector<int32_t> prompt_token_ids;  ///< 1 … max_model_len - 1, each in [0, vocab_size)
  SamplingParams sampling;
  PriorityClass priority = PriorityClass::kDefault;
  std::string tenant;  ///< separates prefix caches; empty = the common one
  bool bypass_prefix_cache = false;
  std::optional<TimePoint> deadline;  ///< ended as kDeadlineExceeded at the first step after it
};

struct ModelInfo {
  std::string name;          ///< the directory's name, or as configured
  std::string architecture;  ///< "LlamaForCausalLM"
  uint64_t num_parameters = 0;
  uint64_t weight_bytes = 0;  ///< as packed in memory
  std::string weight_format;  ///< "bf16"
  int32_t vocab_size = 0;
  int32_t max_model_len = 0;
  uint64_t kv_bytes_per_token = 0;
  std::vector<int32_t> eos_token_ids;
  SamplingDefaults default_sampling;  ///< of the model's generation_config.json
  bool has_chat_template = false;
};

struct EngineStats {
  SchedulerStats scheduler;
  uint64_t num_requests_submitted = 0;
  uint64_t num_requests_finished = 0;  ///< whatever the end
  uint64_t num_generated_tokens = 0;
  int32_t num_live_requests = 0;  ///< queued, waiting or running; each counts once, whatever its n
  int32_t max_step_seqs = 0;      ///< most sequences that one forward held since start
  Seconds last_step_age{0};
};

/// Any thread, unless said otherwise.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Checks the request and queues it. The id is for cancel(). kInvalidArgument, kOutOfRange
  /// (prompt + max_tokens over the context), kResourceExhausted (queue full), kAlreadyExists,
  /// kUnavailable (draining): then `sink` never hears of it. A max_tokens of 0 becomes what the
  /// context leaves. Of n answers the second and later ones begin when the prompt is computed, and
  /// take it from the prefix cache.
  virtual Result<uint64_t> submit(Request request, std::shared_ptr<TokenSink> sink) = 0;

  /// Ends all answers of the request as kCancelled at the next step boundary. Unknown and ended ids
  /// are ignored.
  virtual void cancel(uint64_t id) = 0;

  /// New requests get kUnavailable; live ones go on.
  virtual void start_draining() = 0;

  /// Ends every live request as kUnavailable and stops the engine thread. Idempotent.
  virtual void shutdown() = 0;

  virtual EngineStats stats() const = 0;
  virtual const ModelInfo& model_info() const = 0;

  /// Null where the model directory has none: only token ids go in and out then.
  virtual const Tokenizer* tokenizer() const = 0;
  virtual const ChatTemplate* chat_template() const = 0;
  /// JSON object of the template's global variables (bos_token, eos_token, …).
  virtual const std::string& chat_template_variables() const = 0;
};

}  // namespace tern
