#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "cli/eval/eval.h"
#include "cli/eval/input_file.h"
#include "cli/support/load_bar.h"
#include "engine/decode/logprobs.h"
#include "engine/io/mapped_file.h"
#include "engine/load/resolve_model.h"
#include "engine/step/score.h"
#include "kernels/registry.h"

namespace tern {
namespace {

using nlohmann::json;
using Tokens = std::vector<int32_t>;

// Text files are read as other tools read them: CR LF and CR end a line as LF does.
std::string with_line_feeds(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i] == '\r' ? '\n' : text[i];
  }
  return out;
}

// The first `count` characters; 0 = all.
std::string first_characters(std::string text, int64_t count) {
  if (count == 0) return text;
  int64_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts_character = (uint8_t(text[i]) & 0xc0) != 0x80;
    if (starts_character && seen++ == count) return text.substr(0, i);
  }
  return text;
}

// Lines of ids, each a window of its own, cut at the context.
Result<std::vector<Tokens>> windows_of_ids(const std::string& path, int32_t context,
                                           int32_t vocab_size) {
  TERN_ASSIGN(const std::string text, read_input(path));
  std::istringstream lines(text);
  std::vector<Tokens> windows;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream fields(line);
    Tokens ids;
    for (int64_t id; fields >> id;) {
      if (id < 0 || id >= vocab_size)
        return invalid_argument(path + ":" + std::to_string(number) + ": id " + std::to_string(id) +
                                " is outside the vocabulary of " + std::to_string(vocab_size));
      if (int64_t(ids.size()) < context) ids.push_back(static_cast<int32_t>(id));
    }
    if (!fields.eof())
      return invalid_argument(path + ":" + std::to_string(number) + ": must be token ids");
    if (ids.size() >= 2) windows.push_back(std::move(ids));
  }
  return windows;
}

Result<std::vector<Tokens>> windows_of_text(const EvalPerplexityOptions& options,
                                            const ModelFiles& files, int32_t context) {
  if (files.assets.tokenizer == nullptr)
    return invalid_argument(options.common.model + ": has no tokenizer; use --ids");
  TERN_ASSIGN(const std::string file, read_input(options.text_file));
  const std::string text = first_characters(with_line_feeds(file), options.limit_chars);
  TERN_ASSIGN(Tokens ids, files.assets.tokenizer->encode(
                              text, {.add_special_tokens = false, .parse_special_tokens = false}));
  if (options.limit_tokens > 0 && int64_t(ids.size()) > options.limit_tokens)
    ids.resize(options.limit_tokens);

  const int32_t body = context - (options.bos ? 1 : 0);
  const int32_t stride = options.stride > 0 ? options.stride : body;
  std::vector<Tokens> windows;
  for (size_t begin = 0; begin + body <= ids.size(); begin += stride) {
    Tokens& w = windows.emplace_back(ids.begin() + begin, ids.begin() + begin + body);
    if (options.bos) w.insert(w.begin(), *files.config.bos_token_id);
  }
  if (windows.empty())
    return invalid_argument(options.text_file + ": " + std::to_string(ids.size()) +
                            " tokens do not fill one window of " + std::to_string(context));
  return windows;
}

Result<std::vector<Tokens>> make_windows(const EvalPerplexityOptions& options,
                                         const ModelFiles& files, int32_t context) {
  if (options.text_file.empty() == options.ids_file.empty())
    return invalid_argument("exactly one of --text and --ids must be given");
  if (context < 2 || context > files.config.max_position_embeddings)
    return invalid_argument("--context " + std::to_string(context) + ": must be from 2 to " +
                            std::to_string(files.config.max_position_embeddings));
  if (options.bos && !files.config.bos_token_id)
    return invalid_argument("--bos: " + files.config.source + " has no bos_token_id");
  if (!options.ids_file.empty())
    return windows_of_ids(options.ids_file, context, files.config.vocab_size);
  return windows_of_text(options, files, context);
}

}  // namespace

Result<json> eval_perplexity(const EvalPerplexityOptions& options, const EvalProgress& progress) {
  TERN_ASSIGN(const Isa isa, selected_isa());
  TERN_ASSIGN(const Device device, open_device(options.common.device));
  TERN_ASSIGN(const std::string directory, resolve_model(options.common.model));
  TERN_ASSIGN(const ModelFiles files, read_model_files(directory));
  const int32_t context =
      options.context > 0 ? options.context : files.config.max_position_embeddings;
  TERN_ASSIGN(const std::vector<Tokens> windows, make_windows(options, files, context));
  TERN_ASSIGN(
      const std::unique_ptr<Scorer> scorer,
      Scorer::load(
          directory, files.config,
          {options.common.compute, options.common.num_threads, isa, device},
          {.max_len = context, .chunk = std::min(context, 512), .on_progress = show_loading()}));

  double total = 0;
  int64_t tokens = 0, bytes = 0;
  json means = json::array();
  for (const Tokens& window : windows) {
    double sum = 0;
    TERN_TRY(scorer->run(window, [&](int32_t position, std::span<const float> logits) {
      if (position + 1 == int32_t(window.size())) return;
      sum += log_sum_exp(logits) - logits[window[position + 1]];
      if (files.assets.tokenizer)
        bytes += files.assets.tokenizer->token_bytes(window[position + 1]).size();
    }));
    total += sum;
    tokens += int64_t(window.size()) - 1;
    means.push_back(sum / double(window.size() - 1));
    progress(double(means.size()) / double(windows.size()));
  }
  return json{{"perplexity", std::exp(total / double(tokens))},
              {"nll_per_token", total / double(tokens)},
              {"nll_per_byte", bytes > 0 ? json(total / double(bytes)) : json()},
              {"tokens", tokens},
              {"windows", means},
              {"isa", isa_name(isa)}};
}

}  // namespace tern
