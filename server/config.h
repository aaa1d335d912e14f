// What an operator can set: YAML files and --set, checked key by key.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/serve/create.h"
#include "server/server.h"

namespace tern {

/// Defaults are those of its parts.
struct Config {
  EngineConfig engine;
  ServerOptions server{.http = {.listen = {"auto"}}};  ///< config_summary is not a key
  Seconds drain_notice{0};
  Seconds drain_timeout{30};
  std::string log_level = "info";
  std::string log_format = "text";
  /// Where the keys that were set stand: "FILE:LINE" or "--set", by key path.
  std::map<std::string, std::string> origins;
};

/// Reads the YAML file `path` over what `config` holds. Every mistake (unknown key, duplicate key,
/// wrong type, value out of range) is kInvalidArgument: "FILE:LINE: key.path: why", a line each.
Status load_config(const std::string& path, Config& config);

/// Reads YAML text; `source` names it in errors.
Status parse_config(std::string_view text, const std::string& source, Config& config);

/// One "key.path=value", the value as in YAML.
Status set_config(const std::string& assignment, Config& config);

/// `key` with what is known of where it stands: "FILE:LINE: key", "--set key" or "key". Where it
/// was left to its default, that of `other`, which it does not go with, is told.
std::string locate(const Config& config, const std::string& key, const std::string& other = "");

/// `message` less the key that it begins with, whole ("scheduler.policy: ") or without its section.
std::string without_key(const std::string& message, const std::string& key);

/// What no single key tells: a model must be named, sizes must go together, addresses be addresses
/// and each be named once. Looks at nothing but the configuration. A line each, as load_config().
std::vector<std::string> find_mistakes(const Config& config);

/// find_mistakes() as kInvalidArgument.
Status check_config(const Config& config);

/// YAML of every key with its meaning, unit and range: parse_config() of it gives `config` again.
std::string print_config(const Config& config);

/// The values by key path, as print_config writes them.
std::map<std::string, std::string> summarize(const Config& config);

}  // namespace tern
