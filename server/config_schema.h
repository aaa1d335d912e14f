// The table of configuration keys.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/config.h"

namespace tern {

/// Where a value lives; the type says how it is written. uint64_t is a size in bytes ("16MiB"),
/// Seconds a duration ("500ms"), int64_t and int32_t are counts; an optional number that is not set
/// is "auto".
using ConfigSlot =
    std::variant<bool*, int32_t*, int64_t*, double*, uint64_t*, Seconds*, std::string*,
                 std::vector<std::string>*, std::optional<float>*, std::optional<int32_t>*>;

/// One key: everything that parsing, checking and printing need.
struct ConfigKey {
  std::string_view path;  ///< "section.key"
  ConfigSlot (*find)(Config&, const ConfigKey&);
  bool reloadable;          ///< a reload changes it; else it counts at start only
  std::string_view doc;     ///< one sentence
  double min = 0, max = 0;  ///< of numbers, sizes (bytes), durations (seconds); of lists: items
  std::string_view choices = {};  ///< of strings: "a|b"; empty = any
  double fallback = 0;            ///< of a policy's key
  bool is_integer = false;        ///< of a policy's key

  /// The field of `config` that the key sets.
  ConfigSlot slot(Config& config) const { return find(config, *this); }
};

/// Keys of one section stand together. Those of the section "policy" are what the scheduler's
/// policies declare (PolicyInfo::keys).
std::span<const ConfigKey> config_keys();

/// The key that `path` names, by the path of today or by an earlier one. Null where there is none.
const ConfigKey* find_config_key(std::string_view path);

/// Reads a scalar as YAML writes it. kInvalidArgument: why, with limit and value.
Status parse_value(const ConfigKey& key, const std::string& text, ConfigSlot slot);

/// `from` and `to` are of one key.
void copy_value(ConfigSlot from, ConfigSlot to);

/// Writes a value as parse_value() reads it, strings and lists in quotes.
std::string print_value(ConfigSlot slot);

/// "[1, 4096]", "a, b" or "": what the key allows.
std::string print_range(const ConfigKey& key, ConfigSlot slot);

}  // namespace tern
