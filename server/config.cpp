#include "server/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>

#include "base/closest_word.h"
#include "base/whole_file.h"
#include "server/api/listen_address.h"
#include "server/config_schema.h"
#include "server/http_address.h"

namespace tern {
namespace {

bool is_section(const std::string& path) {
  return std::ranges::any_of(config_keys(),
                             [&](const ConfigKey& k) { return k.path.starts_with(path + "."); });
}

Status unknown_key(const std::string& path) {
  std::vector<std::string> keys;
  for (const ConfigKey& key : config_keys()) keys.emplace_back(key.path);
  return invalid_argument("unknown key" + did_you_mean(path, keys));
}

Status read_list(const YAML::Node& node, const ConfigKey& key, std::vector<std::string>* out) {
  std::vector<std::string> items;
  for (const YAML::Node& item : node) {
    if (!item.IsScalar()) return invalid_argument("must be a list of strings");
    items.push_back(item.Scalar());
  }
  if (items.size() < key.min) return invalid_argument("must not be empty");
  *out = std::move(items);
  return {};
}

Status read_value(const YAML::Node& node, const ConfigKey& key, Config& config) {
  const ConfigSlot slot = key.slot(config);
  const bool is_text = std::holds_alternative<std::string*>(slot);
  const auto* list = std::get_if<std::vector<std::string>*>(&slot);
  if (node.IsSequence() && list) return read_list(node, key, *list);
  if (node.IsNull() || !node.IsDefined()) return invalid_argument("has no value");
  if (!node.IsScalar())
    return invalid_argument(node.IsMap() ? "must be a value, is a map"
                                         : "must be one value, is a list");
  if (node.Tag() == "!" && !is_text && !list)  // what yaml-cpp calls a quoted scalar
    return invalid_argument("must not be text, is \"" + node.Scalar() + "\"");
  return parse_value(key, node.Scalar(), slot);
}

// Walks a map; sections nest, keys end the walk.
class Reader {
 public:
  Reader(const std::string& source, Config& config) : source_(source), config_(config) {}

  /// All mistakes, a line each.
  Status read(const YAML::Node& document) {
    read(document, "");
    return mistakes_.empty() ? Status() : invalid_argument(mistakes_);
  }

 private:
  void read(const YAML::Node& map, const std::string& prefix) {
    for (const auto& entry : map) {
      if (entry.first.IsScalar())
        read_entry(entry.first, entry.second, prefix);
      else
        note(entry.first, prefix, invalid_argument("a key must be a word"));
    }
  }

  void read_entry(const YAML::Node& name, const YAML::Node& value, const std::string& prefix) {
    const std::string path = prefix.empty() ? name.Scalar() : prefix + "." + name.Scalar();
    const ConfigKey* key = find_config_key(path);  // also by a path of earlier versions
    if (!seen_.insert(key ? std::string(key->path) : path).second)
      return note(name, path, invalid_argument("duplicate key"));
    if (key) {
      config_.origins[std::string(key->path)] = place_of(name);
      return note(name, path, read_value(value, *key, config_));
    }
    if (!is_section(path)) return note(name, path, unknown_key(path));
    if (value.IsMap()) return read(value, path);
    if (!value.IsNull()) note(name, path, invalid_argument("must be a map of keys"));
  }

  void note(const YAML::Node& node, const std::string& path, const Status& status) {
    if (status.ok()) return;
    mistakes_ +=
        (mistakes_.empty() ? "" : "\n") + place_of(node) + ": " + path + ": " + status.message();
  }

  std::string place_of(const YAML::Node& node) const {
    return source_ + ":" + std::to_string(node.Mark().line + 1);
  }

  const std::string& source_;
  Config& config_;
  std::set<std::string> seen_;
  std::string mistakes_;
};

constexpr std::string_view kSet = "--set";  // the origin of what it assigns

// yaml-cpp throws; the failure as a Status.
template <class Work>
Status guarded(const std::string& source, Work&& work) {
  try {
    return work();
  } catch (const YAML::Exception& error) {
    return invalid_argument(source + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
}

}  // namespace

std::string without_key(const std::string& message, const std::string& key) {
  for (const std::string& said : {key, key.substr(key.rfind('.') + 1)})
    if (message.starts_with(said + ": ")) return message.substr(said.size() + 2);
  return message;
}

Status parse_config(std::string_view text, const std::string& source, Config& config) {
  return guarded(source, [&]() -> Status {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) return invalid_argument(source + ": more than one YAML document");
    if (documents.empty() || documents[0].IsNull()) return {};
    if (!documents[0].IsMap())
      return invalid_argument(source + ":1: must be a map of sections, as in configs/ternd.yaml");
    return Reader(source, config).read(documents[0]);
  });
}

Status load_config(const std::string& path, Config& config) {
  TERN_ASSIGN(const std::string text, read_whole_file(path));
  return parse_config(text, path, config);
}

Status set_config(const std::string& assignment, Config& config) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos)
    return invalid_argument("--set " + assignment + ": must be key.path=value");
  const std::string path = assignment.substr(0, equals);
  const std::string text = assignment.substr(equals + 1);
  const std::string where = std::string(kSet) + " " + path;
  const ConfigKey* key = find_config_key(path);
  if (!key) return unknown_key(path).with_context(where);
  config.origins[std::string(key->path)] = kSet;
  const ConfigSlot slot = key->slot(config);
  if (std::holds_alternative<std::string*>(slot))  // as it is: no YAML in a shell's argument
    return parse_value(*key, text, slot).with_context(where);
  return guarded(where,
                 [&] { return read_value(YAML::Load(text), *key, config).with_context(where); });
}

std::string locate(const Config& config, const std::string& key, const std::string& other) {
  for (const std::string& at : {key, other})
    if (const auto found = config.origins.find(at); found != config.origins.end())
      return found->second + (found->second == kSet ? " " : ": ") + key;
  return key;
}

std::vector<std::string> find_mistakes(const Config& config) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& key, const std::string& other, const std::string& why) {
    out.push_back(locate(config, key, other) + ": " + why);
  };
  if (config.engine.model_dir.empty() && !config.engine.simulate)
    add("model.path", "",
        "must be set: a model directory or the name of a bundled model (or --model)");
  for (const auto& [key, path] :
       {std::pair{"model.path", &config.engine.model_dir},
        std::pair{"model.config_file", &config.engine.hf_config_file},
        std::pair{"model.chat_template", &config.engine.chat_template_file}})
    if (*path == "~" || path->starts_with("~/"))
      add(key, "",
          "the ~ of a shell is not expanded here: write the whole path, not '" + *path + "'");
  if (const Status sizes = config.engine.scheduler.validate_settings(); !sizes.ok()) {
    const std::string key = sizes.detail()->metadata.at("key");
    // The other key of every such rule is the number of places.
    add(key, "scheduler.max_num_seqs", without_key(sizes.message(), key));
  }
  const QueueLimits& queue = config.engine.queue;
  const int64_t reserved = int64_t{queue.reserved_queue_system} + queue.reserved_queue_interactive;
  if (reserved >= queue.max_queued_requests)
    add("limits.reserved_queue_system + limits.reserved_queue_interactive",
        queue.reserved_queue_system > 0 ? "limits.reserved_queue_system"
                                        : "limits.reserved_queue_interactive",
        "must be below limits.max_queued_requests (" + std::to_string(queue.max_queued_requests) +
            "), are " + std::to_string(reserved));
  std::vector<NamedAddress> named;
  const auto add_address = [&](const char* key, const std::string& address) {
    named.push_back({key, address});
    Status status = check_address_form(address);
    if (status.ok()) status = check_named_once(named);
    if (!status.ok()) add(key, "", status.message());
  };
  for (const std::string& address : config.server.listen) add_address("server.listen", address);
  if (const HttpListen http = resolve_http_listen(config.server.http.listen); !http.is_default)
    for (const std::string& address : http.addresses) add_address("http.listen", address);
  const std::string& admin = config.server.admin_listen;
  if (!admin.empty() && admin != "auto") add_address("admin.listen", admin);
  return out;
}

Status check_config(const Config& config) {
  std::string mistakes;
  for (const std::string& mistake : find_mistakes(config))
    mistakes += (mistakes.empty() ? "" : "\n") + mistake;
  return mistakes.empty() ? Status() : invalid_argument(mistakes);
}

std::string print_config(const Config& config) {
  Config copy = config;
  std::ostringstream out;
  out << "# Configuration of ternd: every key, with its meaning and [what it allows].\n"
         "# Sizes: B K M G KiB MiB GiB. Durations: us ms s m h. `ternd --print-config` shows this "
         "with\n"
         "# the values in force; `ternd --set section.key=value` overrides one.\n";
  std::string_view section;
  for (const ConfigKey& key : config_keys()) {
    const size_t dot = key.path.find('.');
    if (section != key.path.substr(0, dot)) {
      section = key.path.substr(0, dot);
      out << "\n" << section << ":\n";
    }
    const ConfigSlot slot = key.slot(copy);
    const std::string range = print_range(key, slot);
    out << "  # " << key.doc << (range.empty() ? "" : " " + range) << "\n"
        << "  " << key.path.substr(dot + 1) << ": " << print_value(slot) << "\n";
  }
  return std::move(out).str();
}

std::map<std::string, std::string> summarize(const Config& config) {
  Config copy = config;
  std::map<std::string, std::string> out;
  for (const ConfigKey& key : config_keys())
    out[std::string(key.path)] = print_value(key.slot(copy));
  return out;
}

}  // namespace tern
