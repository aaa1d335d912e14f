#include "bench/serve/workload.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/whole_file.h"
#include "bench/support/lines.h"
#include "bench/support/random.h"

namespace tern::bench {
namespace {

// Each one token in the vocabularies of most models, with the space in front.
constexpr std::string_view kWords[] = {
    "the",   "of",    "and",     "in",    "to",    "was",  "is",   "for",   "on",   "as",
    "with",  "by",    "he",      "that",  "at",    "from", "his",  "it",    "an",   "were",
    "are",   "which", "this",    "also",  "be",    "has",  "had",  "her",   "one",  "first",
    "their", "not",   "after",   "who",   "they",  "its",  "two",  "new",   "been", "other",
    "when",  "time",  "she",     "there", "years", "into", "more", "year",  "over", "can",
    "up",    "out",   "would",   "about", "some",  "only", "most", "world", "may",  "made",
    "where", "all",   "between", "people"};

Result<ChatTurn> read_turn(const nlohmann::json& message) {
  const auto text = [&](const char* key) {
    return message.is_object() && message.contains(key) && message[key].is_string()
               ? message[key].get<std::string>()
               : std::string();
  };
  ChatTurn turn{text("role"), text("content")};
  if (turn.role.empty()) return invalid_argument("messages must be objects with role and content");
  return turn;
}

Result<DatasetRow> read_row(std::string_view line) {
  TERN_ASSIGN(const nlohmann::json object, parse_object(line));
  DatasetRow row;
  const auto prompt = object.find("prompt");
  const auto messages = object.find("messages");
  if (prompt != object.end()) {
    if (!prompt->is_string() || prompt->get_ref<const std::string&>().empty())
      return invalid_argument("prompt must be text that is not empty");
    row.prompt = prompt->get<std::string>();
  } else if (messages != object.end()) {
    if (!messages->is_array() || messages->empty())
      return invalid_argument("messages must be a list that is not empty");
    for (const nlohmann::json& message : *messages) {
      TERN_ASSIGN(ChatTurn turn, read_turn(message));
      row.messages.push_back(std::move(turn));
    }
  } else {
    return invalid_argument("has neither 'prompt' nor 'messages'");
  }
  if (object.contains("max_tokens")) {
    TERN_ASSIGN(const int64_t most, whole_number(object, "max_tokens", 1, INT32_MAX));
    row.max_tokens = int32_t(most);
  }
  return row;
}

}  // namespace

Result<std::vector<DatasetRow>> parse_dataset(std::string_view text, const std::string& source) {
  std::vector<DatasetRow> rows;
  TERN_TRY(for_each_line(text, source, [&](std::string_view line) -> Status {
    TERN_ASSIGN(DatasetRow row, read_row(line));
    rows.push_back(std::move(row));
    return {};
  }));
  if (rows.empty()) return invalid_argument(source + ": holds no requests");
  return rows;
}

Result<std::vector<DatasetRow>> read_dataset(const std::string& path) {
  TERN_ASSIGN(const std::string text, read_whole_file(path));
  return parse_dataset(text, path);
}

Result<Workload> Workload::create(WorkloadOptions options, const ServerFacts& server) {
  if (server.max_model_len == 1)
    return invalid_argument("max_model_len of 1 token leaves no room for an answer");
  if (options.dataset.empty() && !options.as_text &&
      server.vocab_size <= int32_t(server.eos_token_ids.size()))
    return invalid_argument(
        "random token ids need a vocabulary: the server does not tell its size; give --vocab-size "
        "or send words (--prompt-as text)");
  return Workload(std::move(options), server);
}

const TraceRow* Workload::trace_row(uint64_t index) const {
  return options_.trace.empty() ? nullptr : &options_.trace[index % options_.trace.size()];
}

Workload::Lengths Workload::wanted_lengths(uint64_t index) const {
  if (const TraceRow* row = trace_row(index)) return {row->input_tokens, row->output_tokens};
  return {draw_length(options_.input_len, options_.range_ratio, options_.seed, 2 * index),
          draw_length(options_.output_len, options_.range_ratio, options_.seed, 2 * index + 1)};
}

Workload::Lengths Workload::clip(Lengths lengths) const {
  const int32_t context = server_.max_model_len;
  if (context == 0 || int64_t(lengths.input) + lengths.output <= context) return lengths;
  const int32_t output =
      std::min(lengths.output, std::max(context / 2, context - std::min(lengths.input, context)));
  return {std::min(lengths.input, context - output), output};
}

bool Workload::is_clipped(uint64_t index) const {
  if (!options_.dataset.empty()) return false;
  const Lengths wanted = wanted_lengths(index), given = clip(wanted);
  return wanted.input != given.input || wanted.output != given.output;
}

uint64_t Workload::prompt_bits(uint64_t index, int32_t position) const {
  const TraceRow* row = trace_row(index);
  const size_t block = size_t(position) / kTraceBlockTokens;
  if (row && block < row->blocks.size())
    return random_bits(seed_of(options_.seed, Draw::kBlock) ^ row->blocks[block],
                       RngStream::kSimulation, uint64_t(position) % kTraceBlockTokens);
  return random_bits(seed_of(options_.seed, Draw::kPrompt) ^ index, RngStream::kSimulation,
                     uint64_t(position));
}

void Workload::fill_random(uint64_t index, int32_t num_tokens, PlannedRequest* out) const {
  if (options_.as_text) {
    for (int32_t i = 0; i < num_tokens; ++i)
      (out->text += i ? " " : "") += kWords[prompt_bits(index, i) % std::size(kWords)];
    return;
  }
  out->token_ids.reserve(size_t(num_tokens));
  for (int32_t i = 0; i < num_tokens; ++i) {
    uint32_t id = uint32_t(prompt_bits(index, i) % uint64_t(server_.vocab_size));
    while (std::ranges::count(server_.eos_token_ids, id))
      id = (id + 1) % uint32_t(server_.vocab_size);
    out->token_ids.push_back(id);
  }
}

PlannedRequest Workload::request(uint64_t index) const {
  PlannedRequest out;
  out.seed = random_bits(seed_of(options_.seed, Draw::kSampling), RngStream::kSimulation, index);
  if (uniform(options_.seed, Draw::kCancel, index) < options_.cancel_rate)
    out.cancel_after_s = options_.cancel_after_s;
  if (!options_.dataset.empty()) {
    const DatasetRow& row = options_.dataset[index % options_.dataset.size()];
    out.text = row.prompt;
    out.messages = row.messages;
    out.max_tokens = row.max_tokens.value_or(options_.output_len);
    return out;
  }
  const Lengths lengths = clip(wanted_lengths(index));
  out.max_tokens = lengths.output;
  fill_random(index, lengths.input, &out);
  return out;
}

}  // namespace tern::bench
