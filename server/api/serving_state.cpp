#include "server/api/serving_state.h"

namespace tern {
namespace {

constexpr Seconds kRetryWhileLoading{1.0};

ApiError is_draining() {
  return {.code = Code::kUnavailable,
          .reason = "DRAINING",
          .message = "the server is shutting down and takes no new requests",
          .retry_after = kRetryWhileLoading};
}

}  // namespace

std::optional<ApiError> ServingState::check_loaded() const {
  if (engine()) return {};
  const MutexLock lock(mutex_);
  const int percent = static_cast<int>(fraction_ * 100);
  return ApiError{
      .code = Code::kUnavailable,
      .reason = "LOADING",
      .message = "the model is being loaded: " + stage_ + ", " + std::to_string(percent) + " %",
      .metadata = {{"stage", stage_}, {"percent", std::to_string(percent)}},
      .retry_after = kRetryWhileLoading};
}

std::optional<ApiError> ServingState::check_serving() const {
  if (draining_) return is_draining();
  return check_loaded();
}

std::optional<ApiError> ServingState::check_ready() const {
  if (announced_) return is_draining();
  return check_loaded();
}

v1::ServerState ServingState::phase() const {
  if (announced_) return v1::SERVER_STATE_DRAINING;
  return engine() ? v1::SERVER_STATE_SERVING : v1::SERVER_STATE_LOADING;
}

void ServingState::set_load_progress(const std::string& stage, double fraction) {
  const MutexLock lock(mutex_);
  stage_ = stage;
  fraction_ = fraction;
}

void ServingState::set_listen(std::vector<std::string> listen,
                              std::vector<std::string> admin_listen) {
  const MutexLock lock(mutex_);
  listen_ = std::move(listen);
  admin_listen_ = std::move(admin_listen);
}

void ServingState::describe(v1::ServerInfo* info) const {
  info->set_version(TERN_VERSION);
  info->set_state(phase());
  info->set_uptime_seconds(to_seconds(clock.now() - started_));
  const uint64_t released = num_calls_released;  // first, so that it is never the larger one
  info->set_num_calls_released(released);
  info->set_num_calls_created(num_calls_created);
  if (const Engine* loaded = engine()) {
    info->set_model(loaded->model_info().name);
    *info->mutable_stats() = to_wire(loaded->stats());
  }
  const MutexLock lock(mutex_);
  info->mutable_listen()->Assign(listen_.begin(), listen_.end());
  info->mutable_admin_listen()->Assign(admin_listen_.begin(), admin_listen_.end());
  if (engine()) return;
  info->set_load_stage(stage_);
  info->set_load_fraction(fraction_);
}

}  // namespace tern
