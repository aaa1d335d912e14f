#include "server/api/event_queue.h"

#include <algorithm>

namespace tern {

void EventQueue::start() {
  *events_.emplace_front().mutable_accepted() = call_.request().accepted;
  is_started_ = true;
}

void EventQueue::add_progress(int32_t cached_tokens) {
  if (is_dropped_ || !call_.request().want_prefill_progress) return;
  v1::PrefillProgress& progress = *events_.emplace_back().mutable_prefill_progress();
  progress.set_processed_tokens(cached_tokens);
  progress.set_cached_tokens(cached_tokens);
  progress.set_total_tokens(call_.request().accepted.prompt_tokens());
}

void EventQueue::add_prompt_logprobs(int32_t first, const std::vector<TokenLogprobs>& logprobs) {
  if (is_dropped_) return;
  v1::PromptLogprobs& out = *events_.emplace_back().mutable_prompt_logprobs();
  out.set_first(static_cast<uint32_t>(first));
  to_wire(logprobs, call_.tokenizer(), out.mutable_logprobs());
}

void EventQueue::add(const TokenEvent& event) {
  if (is_dropped_) return;
  append(event);
  if (event.finished && event.finished->status.ok())
    *events_.emplace_back().mutable_finished() = to_wire(*event.finished, event.index);
}

void EventQueue::append(const TokenEvent& event) {
  const bool shows_text = call_.request().want_text && !event.text.empty();
  if (!shows_text && event.token_ids.empty()) return;
  v1::Delta& delta = waiting_delta(static_cast<uint32_t>(event.index));
  if (shows_text) delta.mutable_text()->append(event.text);
  delta.set_num_tokens(delta.num_tokens() + static_cast<uint32_t>(event.token_ids.size()));
  if (call_.request().want_token_ids)
    delta.mutable_token_ids()->Add(event.token_ids.begin(), event.token_ids.end());
  to_wire(event.logprobs, call_.tokenizer(), delta.mutable_logprobs());
  num_buffered_ += static_cast<int64_t>(event.token_ids.size());
  if (is_started_ && !is_paused_ && num_buffered_ > max_buffered()) {
    is_paused_ = true;
    call_.pause();
  }
}

// What waits for its stream_interval waits for no reader.
int64_t EventQueue::max_buffered() const {
  const GenerateCall& request = call_.request();
  return std::max<int64_t>(limits_.max_buffered_tokens,
                           int64_t{2} * request.stream_interval * request.n);
}

v1::Delta& EventQueue::waiting_delta(uint32_t index) {
  for (v1::GenerateEvent& event : events_)
    if (event.has_delta() && event.delta().index() == index) {
      counters_.num_coalesced.fetch_add(1, std::memory_order_relaxed);
      return *event.mutable_delta();
    }
  v1::Delta& delta = *events_.emplace_back().mutable_delta();
  delta.set_index(index);
  return delta;
}

void EventQueue::drop() {
  is_dropped_ = true;
  events_.clear();
}

std::optional<v1::GenerateEvent> EventQueue::take(bool ended) {
  const auto next =
      std::find_if(events_.begin(), events_.end(),
                   [&](const v1::GenerateEvent& event) { return ended || is_due(event); });
  if (next == events_.end()) return {};
  v1::GenerateEvent event = std::move(*next);
  events_.erase(next);
  num_buffered_ -= event.delta().num_tokens();
  if (is_paused_ && num_buffered_ <= max_buffered() / 2) {
    is_paused_ = false;
    call_.resume();
  }
  return event;
}

bool EventQueue::has_due() const {
  return std::any_of(events_.begin(), events_.end(),
                     [&](const v1::GenerateEvent& event) { return is_due(event); });
}

bool EventQueue::is_due(const v1::GenerateEvent& event) const {
  if (!event.has_delta()) return true;
  const GenerateCall& request = call_.request();
  const v1::Delta& delta = event.delta();
  if (static_cast<int32_t>(delta.num_tokens()) >= request.stream_interval &&
      (!delta.text().empty() || delta.token_ids_size() > 0 || delta.logprobs_size() > 0 ||
       !request.want_text))
    return true;
  return std::any_of(events_.begin(), events_.end(), [&](const v1::GenerateEvent& other) {
    return other.has_finished() && other.finished().index() == delta.index();
  });
}

}  // namespace tern
