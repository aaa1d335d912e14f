#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/eval/eval.h"
#include "cli/eval/input_file.h"
#include "cli/support/load_bar.h"
#include "engine/io/checkpoint.h"
#include "engine/serve/generate_all.h"
#include "engine/text/chat_renderer.h"

namespace tern {
namespace {

using nlohmann::json;

struct Item {
  std::string task, prompt, answer, check;
  std::optional<std::string> reference;
};

Result<Item> parse_item(const json& line, const std::string& where) {
  Item item;
  for (const auto& [key, field] :
       {std::pair{"task", &Item::task}, std::pair{"prompt", &Item::prompt},
        std::pair{"answer", &Item::answer}, std::pair{"check", &Item::check}}) {
    const auto it = line.is_object() ? line.find(key) : line.end();
    if (it == line.end() || !it->is_string())
      return invalid_argument(where + ": " + key + ": must be a string");
    item.*field = it->get<std::string>();
  }
  if (item.check != "exact" && item.check != "json")
    return invalid_argument(where + ": check: must be exact or json, is '" + item.check + "'");
  const auto reference = line.find("reference");
  if (reference != line.end() && reference->is_string())
    item.reference = reference->get<std::string>();
  return item;
}

Result<std::vector<Item>> read_items(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_input(path));
  std::istringstream lines(text);
  std::vector<Item> items;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    const std::string where = path + ":" + std::to_string(number);
    const json parsed = json::parse(line, nullptr, false);
    if (parsed.is_discarded()) return invalid_argument(where + ": is not JSON");
    TERN_ASSIGN(Item item, parse_item(parsed, where));
    items.push_back(std::move(item));
  }
  if (items.empty()) return invalid_argument(path + ": has no items");
  return items;
}

bool is_right(const Item& item, const std::string& text) {
  if (item.check == "exact") return text == item.answer;
  const json got = json::parse(text, nullptr, false);
  return !got.is_discarded() && got == json::parse(item.answer, nullptr, false);
}

Result<Request> to_request(const Engine& engine, const Item& item, int32_t max_tokens) {
  Conversation conversation;
  conversation.messages.push_back({{"role", "user"}, {"content", item.prompt}});
  TERN_ASSIGN(const std::string prompt, engine.chat_renderer()->render(conversation));
  Request request;
  TERN_ASSIGN(request.prompt_token_ids,
              engine.tokenizer()->encode(prompt, {.add_special_tokens = false}));
  request.sampling.temperature = 0;
  request.sampling.max_tokens = max_tokens;
  return request;
}

}  // namespace

Result<json> eval_tasks(const EvalTasksOptions& options, const EvalProgress& progress) {
  TERN_ASSIGN(const std::vector<Item> items, read_items(options.file));
  EngineConfig config;
  config.model_dir = options.common.model;
  config.compute = options.common.compute;
  config.num_threads = options.common.num_threads;
  config.device = options.common.device;
  config.queue.max_queued_requests = static_cast<int32_t>(items.size());
  config.queue.max_queued_tokens = INT64_MAX;
  TERN_ASSIGN(const std::unique_ptr<Engine> engine, create_engine(config, show_loading()));
  if (engine->tokenizer() == nullptr || engine->chat_renderer() == nullptr)
    return invalid_argument(options.common.model + ": has no tokenizer or no chat template");

  std::vector<Request> requests;
  for (const Item& item : items) {
    TERN_ASSIGN(Request request, to_request(*engine, item, options.max_tokens));
    requests.push_back(std::move(request));
  }
  TERN_ASSIGN(const std::vector<GeneratedAnswer> answers,
              generate_all(*engine, std::move(requests),
                           [&](size_t done) { progress(double(done) / double(items.size())); }));

  std::map<std::string, std::pair<int, int>> accuracy;
  json listed = json::array(), mismatches = json::array();
  int right = 0, with_reference = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const bool ok = is_right(items[i], answers[i].text);
    right += ok;
    accuracy[items[i].task].first += ok;
    ++accuracy[items[i].task].second;
    with_reference += items[i].reference.has_value();
    if (items[i].reference && *items[i].reference != answers[i].text) mismatches.push_back(i);
    listed.push_back({{"task", items[i].task}, {"text", answers[i].text}, {"right", ok}});
  }
  json result{{"accuracy", accuracy}, {"all", double(right) / double(items.size())}};
  if (with_reference > 0) result["reference_mismatches"] = mismatches;
  if (options.items) result["items"] = listed;
  return result;
}

}  // namespace tern
