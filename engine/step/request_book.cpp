#include "engine/step/request_book.h"

#include <algorithm>

#include "base/check.h"

namespace tern {

LiveRequest& RequestBook::add(Submission submission) {
  const uint64_t id = submission.id;
  auto request = std::make_unique<LiveRequest>();
  request->submission = std::move(submission);
  if (const auto& deadline = request->submission.request.deadline)
    deadlines_.insert({*deadline, id});
  return *requests_.emplace(id, std::move(request)).first->second;
}

LiveAnswer& RequestBook::add_answer(LiveRequest& request, int32_t index) {
  auto answer = std::make_unique<LiveAnswer>();
  answer->id = request.submission.id + uint64_t(index);
  answer->request = &request;
  answer->index = index;
  ++request.num_live;
  const uint64_t id = answer->id;
  return *answers_.emplace(id, std::move(answer)).first->second;
}

LiveRequest* RequestBook::find(uint64_t request_id) const {
  const auto found = requests_.find(request_id);
  return found == requests_.end() ? nullptr : found->second.get();
}

LiveAnswer* RequestBook::find_answer(uint64_t answer_id) const {
  const auto found = answers_.find(answer_id);
  return found == answers_.end() ? nullptr : found->second.get();
}

std::unique_ptr<LiveAnswer> RequestBook::close_answer(uint64_t answer_id) {
  std::unique_ptr<LiveAnswer> answer = std::move(answers_.extract(answer_id).mapped());
  LiveRequest& request = *answer->request;
  if (--request.num_live > 0) return answer;
  const Submission& submission = request.submission;
  if (submission.request.deadline) deadlines_.erase({*submission.request.deadline, submission.id});
  if (request.paused_until) pauses_.erase({*request.paused_until, submission.id});
  return answer;
}

void RequestBook::erase(LiveRequest& request) {
  const uint64_t id = request.submission.id;
  requests_.erase(id);
}

void RequestBook::pause(LiveRequest& request, TimePoint until) {
  request.paused_until = until;
  pauses_.insert({until, request.submission.id});
}

void RequestBook::resume(LiveRequest& request) {
  pauses_.erase({*request.paused_until, request.submission.id});
  request.paused_until.reset();
}

LiveRequest* RequestBook::first_of(const Watched& watched, TimePoint until) const {
  if (watched.empty() || watched.begin()->first > until) return nullptr;
  return requests_.at(watched.begin()->second).get();
}

std::vector<uint64_t> RequestBook::request_ids() const {
  std::vector<uint64_t> ids;
  for (const auto& [id, request] : requests_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

size_t RequestBook::num_scheduled_answers() const {
  return static_cast<size_t>(std::count_if(answers_.begin(), answers_.end(), [](const auto& entry) {
    const LiveAnswer& answer = *entry.second;
    return answer.index == 0 || !answer.request->holds_answers;
  }));
}

void RequestBook::check_invariants() const {
  size_t num_deadlines = 0, num_pauses = 0, num_answers = 0;
  for (const auto& [id, request] : requests_) {
    const std::optional<TimePoint>& deadline = request->submission.request.deadline;
    num_deadlines += deadline.has_value();
    TERN_CHECK(!deadline || deadlines_.contains({*deadline, id}), "a deadline is watched");
    const std::optional<TimePoint>& pause = request->paused_until;
    num_pauses += pause.has_value();
    TERN_CHECK(!pause || pauses_.contains({*pause, id}), "the end of a pause is watched");
    int32_t num_live = 0;
    for (int32_t i = 0; i < request->num_answers(); ++i) num_live += answers_.contains(id + i);
    TERN_CHECK(num_live > 0 && num_live == request->num_live, "a request's answers are counted");
    num_answers += num_live;
  }
  TERN_CHECK(deadlines_.size() == num_deadlines, "no deadline is left of what has ended");
  TERN_CHECK(pauses_.size() == num_pauses, "no pause is left of what has ended or goes on");
  TERN_CHECK(answers_.size() == num_answers, "an answer belongs to a live request");
}

}  // namespace tern
