#include "scheduler/config.h"

#include "scheduler/policy.h"

namespace tern {
namespace {

// `why` is what is wrong with `key` of the section `scheduler`.
Status wrong(const std::string& key, const std::string& why) {
  return {Code::kInvalidArgument, why, {.reason = "", .metadata = {{"key", "scheduler." + key}}}};
}

Status check_at_least(const std::string& key, int32_t value, int32_t limit) {
  if (value >= limit) return {};
  return wrong(
      key, key + ": must be at least " + std::to_string(limit) + ", is " + std::to_string(value));
}

}  // namespace

Status SchedulerConfig::validate() const {
  TERN_TRY(check_at_least("num_blocks", num_blocks, 1));
  TERN_TRY(check_at_least("max_model_len", max_model_len, 1));
  return validate_settings();
}

Status SchedulerConfig::validate_settings() const {
  TERN_TRY(check_at_least("max_num_seqs", max_num_seqs, 1));
  TERN_TRY(check_at_least("max_num_batched_tokens", max_num_batched_tokens, 1));
  TERN_TRY(check_at_least("block_size", block_size, 1));
  TERN_TRY(check_at_least("max_preemptions", max_preemptions, 0));
  if (max_num_batched_tokens < max_num_seqs) {
    return wrong("max_num_batched_tokens",
                 "max_num_batched_tokens: must be at least max_num_seqs (" +
                     std::to_string(max_num_seqs) +
                     "), or some decodes would never get their token; is " +
                     std::to_string(max_num_batched_tokens));
  }
  if (num_state_slots != 0)
    TERN_TRY(check_at_least("num_state_slots", num_state_slots, max_num_seqs));
  if (max_logits_rows != 0)
    TERN_TRY(check_at_least("max_logits_rows", max_logits_rows, max_num_seqs));
  return make_policy(*this).status();
}

}  // namespace tern
