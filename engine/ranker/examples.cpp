#include "engine/ranker/examples.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "engine/io/json_parse.h"
#include "engine/ranker/length_curve.h"

namespace tern {
namespace {

Result<RankExample> parse_example(std::string_view line, const std::string& where) {
  TERN_ASSIGN(const nlohmann::json object, parse_json(line, where));
  if (!object.is_object())
    return invalid_argument(where + ": must be an object {\"prompt\", \"length\"}");
  const auto prompt = object.find("prompt");
  if (prompt == object.end() || !prompt->is_string())
    return invalid_argument(where + ": prompt: must be a string");
  const auto length = object.find("length");
  const double value =
      length != object.end() && length->is_number() ? length->get<double>() : std::nan("");
  if (!(value >= 0 && value <= double(kMaxLength)))
    return invalid_argument(where + ": length: must be a number from 0 to " +
                            std::to_string(int64_t(kMaxLength)) +
                            (length == object.end() ? ", is missing" : ", is " + length->dump()));
  return RankExample{prompt->get<std::string>(), value};
}

}  // namespace

Result<std::vector<RankExample>> parse_rank_examples(std::string_view text,
                                                     const std::string& source) {
  std::vector<RankExample> examples;
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    TERN_ASSIGN(RankExample example, parse_example(line, source + ":" + std::to_string(number)));
    examples.push_back(std::move(example));
  }
  if (examples.empty()) return invalid_argument(source + ": has no examples");
  return examples;
}

RankSet make_rank_set(std::span<const RankExample> examples) {
  RankSet set;
  std::unordered_map<std::string_view, uint32_t> groups;
  FeatureList features;
  for (const RankExample& example : examples) {
    extract_features({example.prompt, 1}, features);
    set.features.emplace_back(features.view().begin(), features.view().end());
    set.lengths.push_back(example.length);
    set.groups.push_back(groups.try_emplace(example.prompt, uint32_t(groups.size())).first->second);
  }
  return set;
}

}  // namespace tern
