#include "server/api/event_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tern {
namespace {

template <class T>
void move_behind(std::vector<T>& to, std::vector<T>&& from) {
  if (to.empty())
    to = std::move(from);
  else
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void EventQueue::start_with_accepted() {
  events_.emplace_front(RequestAccepted());
  start();
}

void EventQueue::add_progress(int32_t cached_tokens) {
  if (is_dropped_ || !call_.request().want_prefill_progress) return;
  events_.emplace_back(PrefillStarted{cached_tokens});
}

void EventQueue::add_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs) {
  if (is_dropped_) return;
  events_.emplace_back(PromptTokens{first, std::move(logprobs)});
}

void EventQueue::add(TokenEvent event) {
  if (is_dropped_) return;
  append(event);
  if (event.finished && event.finished->status.ok())
    events_.emplace_back(AnswerFinished{event.index, *std::move(event.finished)});
}

void EventQueue::append(TokenEvent& event) {
  const bool shows_text = call_.request().want_text && !event.text.empty();
  if (!shows_text && event.token_ids.empty()) return;
  AnswerDelta& delta = waiting_delta(event.index);
  if (shows_text) delta.text += event.text;
  num_buffered_ += std::ssize(event.token_ids);
  move_behind(delta.token_ids, std::move(event.token_ids));
  move_behind(delta.logprobs, std::move(event.logprobs));
  if (is_started_ && !event.finished && !is_paused_ && num_buffered_ > max_buffered()) {
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

AnswerDelta& EventQueue::waiting_delta(int32_t index) {
  for (StreamEvent& event : events_) {
    AnswerDelta* delta = std::get_if<AnswerDelta>(&event);
    if (!delta || delta->index != index) continue;
    counters_.num_coalesced.fetch_add(1, std::memory_order_relaxed);
    return *delta;
  }
  return std::get<AnswerDelta>(events_.emplace_back(AnswerDelta{.index = index}));
}

void EventQueue::drop() {
  is_dropped_ = true;
  events_.clear();
}

std::optional<StreamEvent> EventQueue::take(bool ended) {
  const auto next = std::find_if(events_.begin(), events_.end(),
                                 [&](const StreamEvent& event) { return ended || is_due(event); });
  if (next == events_.end()) return {};
  StreamEvent event = std::move(*next);
  events_.erase(next);
  if (const auto* delta = std::get_if<AnswerDelta>(&event))
    num_buffered_ -= std::ssize(delta->token_ids);
  if (is_paused_ && num_buffered_ <= max_buffered() / 2) {
    is_paused_ = false;
    call_.resume();
  }
  return event;
}

bool EventQueue::has_due() const {
  return std::any_of(events_.begin(), events_.end(),
                     [&](const StreamEvent& event) { return is_due(event); });
}

bool EventQueue::is_due(const StreamEvent& event) const {
  const auto* delta = std::get_if<AnswerDelta>(&event);
  if (!delta) return true;
  const GenerateCall& request = call_.request();
  const bool shows_something = !delta->text.empty() ||
                               (request.want_token_ids && !delta->token_ids.empty()) ||
                               !delta->logprobs.empty() || !request.want_text;
  if (shows_something && std::ssize(delta->token_ids) >= request.stream_interval) return true;
  return std::any_of(events_.begin(), events_.end(), [&](const StreamEvent& other) {
    const auto* finished = std::get_if<AnswerFinished>(&other);
    return finished && finished->index == delta->index;
  });
}

}  // namespace tern
