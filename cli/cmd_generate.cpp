// tern generate: one request, its answer streamed to stdout.
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/output.h"

namespace tern {
namespace {

const std::map<std::string, v1::PriorityClass> kPriorities = {
    {"system", v1::PRIORITY_CLASS_SYSTEM},
    {"interactive", v1::PRIORITY_CLASS_INTERACTIVE},
    {"default", v1::PRIORITY_CLASS_DEFAULT},
    {"bulk", v1::PRIORITY_CLASS_BULK},
};

struct Options {
  std::string server, prompt, prompt_file;
  bool raw = false, json = false, ignore_eos = false;
  std::optional<uint32_t> max_tokens, top_k;
  std::optional<float> temperature, top_p, min_p;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  std::string priority = "default";
  std::optional<double> deadline_seconds;
};

struct Answer {
  std::string text;
  std::vector<uint32_t> token_ids;
  v1::Accepted accepted;
  v1::Finished finished;
};

// Unset flags stay unset: the model's defaults are the server's business.
v1::GenerateRequest to_request(const Options& options, const std::string& prompt) {
  v1::GenerateRequest request;
  if (options.raw) {
    request.set_text(prompt);
  } else {
    v1::ChatMessage& message = *request.mutable_chat()->add_messages();
    message.set_role("user");
    message.set_content(prompt);
  }
  v1::RandomSampling& random = *request.mutable_sampling()->mutable_random();
  if (options.temperature) random.set_temperature(*options.temperature);
  if (options.top_k) random.set_top_k(*options.top_k);
  if (options.top_p) random.set_top_p(*options.top_p);
  if (options.min_p) random.set_min_p(*options.min_p);
  if (options.seed) random.set_seed(*options.seed);
  v1::Stopping& stopping = *request.mutable_sampling()->mutable_stopping();
  if (options.max_tokens) stopping.set_max_tokens(*options.max_tokens);
  if (options.ignore_eos) stopping.set_ignore_eos(true);
  for (const std::string& stop : options.stop) stopping.add_stop(stop);
  request.mutable_scheduling()->set_priority(kPriorities.at(options.priority));
  if (options.json) request.mutable_response()->set_token_ids(true);
  return request;
}

// The field's names, as in engine/runtime/token_sink.h.
const char* finish_reason(v1::FinishReason reason) {
  return reason == v1::FINISH_REASON_LENGTH ? "length" : "stop";
}

nlohmann::json to_document(const Answer& answer) {
  const v1::Usage& usage = answer.finished.usage();
  const v1::Timings& timings = answer.finished.timings();
  nlohmann::json document = {
      {"request_id", answer.accepted.request_id()},
      {"model", answer.accepted.model()},
      {"text", answer.text},
      {"token_ids", answer.token_ids},
      {"finish_reason", finish_reason(answer.finished.reason())},
      {"seed", answer.accepted.effective_sampling().seed()},
      {"usage",
       {{"prompt_tokens", usage.prompt_tokens()},
        {"completion_tokens", usage.completion_tokens()},
        {"cached_tokens", usage.cached_tokens()}}},
      {"timing",
       {{"queue_ms", timings.queue_us() / 1e3},
        {"ttft_ms", timings.ttft_us() / 1e3},
        {"e2e_ms", timings.e2e_us() / 1e3}}},
  };
  if (answer.finished.matched_case() == v1::Finished::kStopString)
    document["matched_stop"] = answer.finished.stop_string();
  return document;
}

int run(const Options& options) {
  std::string prompt = options.prompt;
  if (!options.prompt_file.empty()) {
    Result<std::string> file = read_text(options.prompt_file);
    if (!file.ok()) return fail(file.status());
    prompt = *std::move(file);
  }
  std::optional<Seconds> deadline;
  if (options.deadline_seconds) deadline = Seconds(*options.deadline_seconds);

  Client client(options.server);
  Answer answer;
  const CallStatus end =
      client.generate(to_request(options, prompt), deadline, [&](const v1::GenerateEvent& event) {
        if (event.has_accepted()) answer.accepted = event.accepted();
        if (event.has_finished()) answer.finished = event.finished();
        if (!event.has_delta()) return;
        if (!options.json) {
          std::cout << event.delta().text() << std::flush;
          return;
        }
        answer.text += event.delta().text();
        answer.token_ids.insert(answer.token_ids.end(), event.delta().token_ids().begin(),
                                event.delta().token_ids().end());
      });
  if (!options.json && answer.accepted.prompt_tokens() > 0) std::cout << std::endl;
  if (options.json && end.ok()) print_json(to_document(answer));
  return end.exit_code();
}

}  // namespace

void add_generate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("generate", "Answer one prompt, streamed to stdout");
  CLI::Option_group* input = command->add_option_group("prompt", "Where the prompt comes from");
  input->add_option("--prompt", options->prompt, "The prompt");
  input->add_option("--prompt-file", options->prompt_file, "File with the prompt; - is stdin");
  input->require_option(1);
  command->add_flag("--raw", options->raw, "Send the prompt as it is, without the chat template");
  command->add_option("--max-tokens", options->max_tokens,
                      "Most tokens of the answer [what the context leaves]");
  command->add_option("--temperature", options->temperature, "0 = greedy [the model's default]");
  command->add_option("--top-p", options->top_p, "Nucleus mass in (0, 1] [the model's default]");
  command->add_option("--top-k", options->top_k, "0 = off [the model's default]");
  command->add_option("--min-p", options->min_p, "In [0, 1] [the model's default]");
  command->add_option("--seed", options->seed, "Seed of the draws [the server chooses]");
  command->add_option("--stop", options->stop, "End the answer where this text begins; repeatable")
      ->expected(1)
      ->take_all();
  command->add_flag("--ignore-eos", options->ignore_eos, "Go on after end-of-sequence tokens");
  command->add_option("--priority", options->priority, "system, interactive, default or bulk")
      ->check(CLI::IsMember({"system", "interactive", "default", "bulk"}))
      ->option_text("CLASS");
  command
      ->add_option("--deadline", options->deadline_seconds,
                   "Give up after this time: 500ms, 10s, 2m")
      ->option_text("TIME")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, double>{{"ms", 1e-3}, {"s", 1.0}, {"m", 60.0}},
          CLI::AsNumberWithUnit::UNIT_REQUIRED));
  add_server_option(*command, options->server);
  command->add_flag("--json", options->json, "Print one JSON document at the end");
  command->footer(
      "Example:\n  tern generate --prompt 'Tell me a story.' --max-tokens 100 --temperature 0");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
