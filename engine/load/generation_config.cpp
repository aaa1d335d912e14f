#include "engine/load/generation_config.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/decode/param_ranges.h"
#include "engine/io/checkpoint.h"

namespace tern {
namespace {

using nlohmann::json;

class Reader {
 public:
  Reader(const std::string& path, const json& object, std::vector<std::string>& warnings)
      : path_(path), object_(object), warnings_(warnings) {}

  /// Null where the key is not there, or null.
  const json* find(const char* key) const {
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  template <class T>
  std::optional<T> number(const ParamRange& range) const {
    const char* key = range.name.data();
    const T low = static_cast<T>(range.lowest), high = static_cast<T>(range.highest);
    const json* value = find(key);
    if (!value) return {};
    const double given = value->is_number() ? value->get<double>() : 0;
    const bool is_usable = value->is_number() && (std::is_floating_point_v<T> || is_whole(given));
    if (!is_usable) {
      warn(key, *value, std::is_integral_v<T> ? "a whole number" : "a number", "is ignored");
      return {};
    }
    if (given >= low && given <= high) return static_cast<T>(given);
    const T nearest = given < low ? low : high;
    warn(key, *value, "in [" + json(low).dump() + ", " + json(high).dump() + "]",
         "becomes " + json(nearest).dump());
    return nearest;
  }

  std::optional<bool> boolean(const char* key) const {
    const json* value = find(key);
    if (!value) return {};
    if (value->is_boolean()) return value->get<bool>();
    warn(key, *value, "true or false", "is ignored");
    return {};
  }

  /// One id, or a list of them.
  std::vector<int32_t> ids(const char* key, int32_t vocab_size) const {
    const json* value = find(key);
    std::vector<int32_t> out;
    if (!value) return out;
    for (const json& id : value->is_array() ? *value : json::array({*value})) {
      const double number = id.is_number() ? id.get<double>() : -1;
      if (is_whole(number) && number >= 0 && number < vocab_size)
        out.push_back(static_cast<int32_t>(number));
      else
        warn(key, id, "token ids below " + std::to_string(vocab_size), "is ignored");
    }
    return out;
  }

 private:
  static bool is_whole(double number) { return number == std::trunc(number); }

  void warn(const char* key, const json& value, const std::string& allowed,
            const std::string& what_happens) const {
    constexpr size_t kShown = 60;
    const std::string shown = value.dump(-1, ' ', false, json::error_handler_t::replace);
    warnings_.push_back(path_ + ": " + key + ": must be " + allowed + "; " +
                        shown.substr(0, kShown) + " " + what_happens);
  }

  const std::string& path_;
  const json& object_;
  std::vector<std::string>& warnings_;
};

}  // namespace

std::vector<std::string> read_generation_config(const std::string& path, ModelInfo& info) {
  std::error_code ignored;
  // A link to nothing is there, and what it should have held is missed.
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return {};
  const Result<json> object = read_json_file(path);
  if (!object.ok()) return {object.status().message() + "; the file is ignored"};
  if (!object->is_object()) return {path + ": must be a JSON object; the file is ignored"};
  std::vector<std::string> warnings;
  const Reader reader(path, *object, warnings);
  // This file's list replaces config.json's, as transformers does.
  std::vector<int32_t> eos = reader.ids("eos_token_id", info.vocab_size);
  if (!eos.empty()) info.eos_token_ids = std::move(eos);
  using namespace param_range;
  SamplingDefaults& defaults = info.default_sampling;
  if (!reader.boolean("do_sample").value_or(true)) {
    defaults.temperature = 0.0f;
    return warnings;
  }
  defaults.temperature = reader.number<float>(kTemperature);
  defaults.top_k = reader.number<int32_t>(kTopK.from(-1));
  if (defaults.top_k == -1) defaults.top_k = 0;  // others write "off" as -1
  defaults.top_p = reader.number<float>(kTopP);
  defaults.min_p = reader.number<float>(kMinP);
  defaults.repetition_penalty =
      reader.number<float>(kRepetitionPenalty.from(kLeastDefaultRepetitionPenalty));
  return warnings;
}

}  // namespace tern
