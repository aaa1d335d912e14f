#include "scheduler/config.h"

#include "scheduler/policy.h"

namespace tern {
namespace {

Status check_at_least(const char* key, int32_t value, int32_t limit) {
  if (value >= limit) return {};
  return invalid_argument(std::string(key) + ": must be at least " + std::to_string(limit) +
                          ", is " + std::to_string(value));
}

}  // namespace

Status SchedulerConfig::validate() const {
  TERN_TRY(check_at_least("max_num_seqs", max_num_seqs, 1));
  TERN_TRY(check_at_least("max_num_batched_tokens", max_num_batched_tokens, 1));
  TERN_TRY(check_at_least("num_blocks", num_blocks, 1));
  TERN_TRY(check_at_least("block_size", block_size, 1));
  TERN_TRY(check_at_least("max_model_len", max_model_len, 1));
  TERN_TRY(check_at_least("max_preemptions", max_preemptions, 0));
  TERN_TRY(check_at_least("reserved_seqs_system", reserved_seqs_system, 0));
  TERN_TRY(check_at_least("reserved_seqs_interactive", reserved_seqs_interactive, 0));
  const int64_t reserved = int64_t{reserved_seqs_system} + reserved_seqs_interactive;
  if (reserved >= max_num_seqs)
    return invalid_argument(
        "reserved_seqs_system + reserved_seqs_interactive: must be below "
        "max_num_seqs (" +
        std::to_string(max_num_seqs) + "), or other classes would never run; " + "are " +
        std::to_string(reserved));
  if (reserved > 0 && policy.name != "priority")
    return invalid_argument(
        "reserved_seqs_system, reserved_seqs_interactive: need policy "
        "'priority', is '" +
        policy.name + "'");
  if (max_num_batched_tokens < max_num_seqs) {
    return invalid_argument("max_num_batched_tokens: must be at least max_num_seqs (" +
                            std::to_string(max_num_seqs) +
                            "), or some decodes would never get their token; is " +
                            std::to_string(max_num_batched_tokens));
  }
  if (num_state_slots != 0)
    TERN_TRY(check_at_least("num_state_slots", num_state_slots, max_num_seqs));
  if (max_logits_rows != 0)
    TERN_TRY(check_at_least("max_logits_rows", max_logits_rows, max_num_seqs));
  return make_policy(policy).status();
}

}  // namespace tern
