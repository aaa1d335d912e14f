#include "base/fail_point.h"

#include <charconv>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace tern {
namespace {

struct Action {
  enum class Kind { kDelay, kHang, kFail } kind = Kind::kDelay;
  int delay_ms = 0;
  Status failure;
  int skip = 0;    // hits to come before it acts
  int times = -1;  // that it still acts; below 0: always
};

Mutex mutex;
std::map<std::string, Action, std::less<>> actions TERN_GUARDED_BY(mutex);

Status wrong(std::string_view part, const std::string& why) {
  return invalid_argument("fail point '" + std::string(part) + "': " + why);
}

bool parse_number(std::string_view text, int low, int high, int* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= low && *out <= high;
}

// Cuts "SEPARATOR number" off the end of `text`, where it is there.
bool take_suffix(std::string_view& text, char separator, int* out) {
  const size_t at = text.rfind(separator);
  if (at == std::string_view::npos) return true;
  if (!parse_number(text.substr(at + 1), 0, 1'000'000'000, out)) return false;
  text = text.substr(0, at);
  return true;
}

Status parse_action(std::string_view part, std::string_view text, Action* action) {
  if (!take_suffix(text, '*', &action->times) || !take_suffix(text, '@', &action->skip))
    return wrong(part, "*N and @N need a whole number");
  const size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (kind == "hang" && rest.empty()) {
    action->kind = Action::Kind::kHang;
    return {};
  }
  if (kind == "delay") {
    if (parse_number(rest, 0, 3'600'000, &action->delay_ms)) return {};
    return wrong(part, "delay needs milliseconds, 0 to 3600000");
  }
  if (kind == "fail") {
    const size_t second = rest.find(':');
    int code = 0;
    if (second == std::string_view::npos || !parse_number(rest.substr(0, second), 1, 16, &code))
      return wrong(part, "fail needs CODE:REASON with a code of 1 to 16");
    action->kind = Action::Kind::kFail;
    const std::string reason(rest.substr(second + 1));
    action->failure = Status(static_cast<Code>(code), "fail point: " + reason, {.reason = reason});
    return {};
  }
  return wrong(part, "must be delay:MS, hang or fail:CODE:REASON");
}

using Armed = std::pair<std::string, Action>;  // name and what it does

Result<std::vector<Armed>> parse(std::string_view spec) {
  std::vector<Armed> out;
  while (!spec.empty()) {
    const size_t comma = spec.find(',');
    const std::string_view part = spec.substr(0, comma);
    spec = comma == std::string_view::npos ? std::string_view() : spec.substr(comma + 1);
    const size_t equals = part.find('=');
    if (equals == 0 || equals == std::string_view::npos) return wrong(part, "must be NAME=ACTION");
    Action action;
    TERN_TRY(parse_action(part, part.substr(equals + 1), &action));
    out.emplace_back(part.substr(0, equals), std::move(action));
  }
  return out;
}

}  // namespace

Status arm_fail_points(std::string_view spec) {
  TERN_ASSIGN(std::vector<Armed> all, parse(spec));
  const MutexLock lock(mutex);
  for (auto& [name, action] : all) {
    actions[name] = std::move(action);
    fail_point_detail::armed = true;
  }
  return {};
}

Status check_fail_points(std::string_view spec) {
  return parse(spec).status();
}

std::optional<Status> fail_point_detail::hit(std::string_view name) {
  Action action;
  {
    const MutexLock lock(mutex);
    const auto found = actions.find(name);
    if (found == actions.end() || found->second.times == 0) return {};
    if (found->second.skip > 0) {
      --found->second.skip;
      return {};
    }
    if (found->second.times > 0) --found->second.times;
    action = found->second;
  }
  switch (action.kind) {
    case Action::Kind::kFail:
      return action.failure;
    case Action::Kind::kHang:
      while (true) std::this_thread::sleep_for(std::chrono::hours(1));
    case Action::Kind::kDelay:
      std::this_thread::sleep_for(std::chrono::milliseconds(action.delay_ms));
  }
  return {};
}

}  // namespace tern
