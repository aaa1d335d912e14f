#include "server/check.h"

#include <algorithm>
#include <cstdlib>

#include "base/fail_point.h"
#include "server/admin_address.h"
#include "server/api/listen_address.h"
#include "server/http/bound_socket.h"
#include "server/http_address.h"

namespace tern {
namespace {

constexpr std::string_view kUnix = "unix:";

/// A line each: where the key stands, the key, and why.
class Problems {
 public:
  explicit Problems(const Config& config) : config_(config), found_(find_mistakes(config)) {}

  void add(const std::string& key, const Status& status) {
    if (status.ok()) return;
    const std::string line = locate(config_, key) + ": " + without_key(status.message(), key);
    if (std::ranges::find(found_, line) == found_.end()) found_.push_back(line);
  }

  std::vector<std::string> take() { return std::move(found_); }

 private:
  const Config& config_;
  std::vector<std::string> found_;
};

/// Binds as serving would, all at once, so that two listeners on one port are found.
class Listeners {
 public:
  explicit Listeners(Problems& problems) : problems_(problems) {}

  void bind(const std::string& key, const std::string& address) {
    named_.push_back({key, address});
    if (const Status form = check_address_form(address); !form.ok())
      return problems_.add(key, form);
    if (const Status once = check_named_once(named_); !once.ok()) return problems_.add(key, once);
    // A unix socket is not made: that would take the place of one which nobody serves yet.
    if (address.starts_with(kUnix)) return problems_.add(key, check_socket_folder(address));
    Result<http::BoundSocket> socket = http::BoundSocket::bind(address);
    problems_.add(key, socket.status());
    if (socket.ok()) bound_.push_back(*std::move(socket));
  }

 private:
  Problems& problems_;
  std::vector<NamedAddress> named_;
  std::vector<http::BoundSocket> bound_;
};

void check_addresses(const ServerOptions& options, Problems& problems) {
  Listeners listeners(problems);
  for (const std::string& address : options.listen) listeners.bind("server.listen", address);
  const HttpListen http = resolve_http_listen(options.http.listen);
  if (!http.is_default)  // a start does without the default address where that is taken
    for (const std::string& address : http.addresses) listeners.bind("http.listen", address);
  const Result<std::string> admin = resolve_admin_address(options.admin_listen, options.listen);
  problems.add("admin.listen", admin.status());
  if (admin.ok() && !admin->empty()) listeners.bind("admin.listen", *admin);
}

/// The key that a problem of the model is about.
std::string key_of(const Status& problem) {
  const FailureDetail* detail = problem.detail();
  if (!detail || detail->metadata.count("key") == 0) return "model.path";
  return detail->metadata.at("key");
}

/// Files of the operator's own are looked at by themselves, so that one mistake does not hide
/// another.
void check_model(EngineConfig config, Problems& problems, std::string* model) {
  if (config.model_dir.empty() && !config.simulate) return;  // is among the mistakes
  if (!config.hf_config_file.empty()) {
    const Status status = read_config("", config.hf_config_file).status();
    problems.add("model.config_file", status);
    if (!status.ok()) config.hf_config_file.clear();
  }
  if (!config.chat_template_file.empty()) {
    const Status status = check_chat_template_file(config.chat_template_file);
    problems.add("model.chat_template", status);
    if (!status.ok()) config.chat_template_file.clear();
  }
  ModelInfo info;
  for (const Status& problem : check_engine(config, &info)) problems.add(key_of(problem), problem);
  *model = "model " + info.name + ": " + info.architecture + ", " +
           std::to_string(info.num_parameters) + " parameters (" + info.weight_format +
           "), context " + std::to_string(info.max_model_len) +
           " tokens, default sampling: " + describe(info.default_sampling);
}

void check_fail_points_of_environment(Problems& problems) {
  if (const char* spec = std::getenv(kFailPointsVariable))
    problems.add(kFailPointsVariable, check_fail_points(spec));
}

}  // namespace

std::vector<std::string> find_problems(const Config& config, std::string* model) {
  Problems problems(config);
  check_fail_points_of_environment(problems);
  check_model(config.engine, problems, model);
  check_addresses(config.server, problems);
  return problems.take();
}

}  // namespace tern
