// tern generate: one request, its answer streamed to stdout.
#include <unistd.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/output.h"
#include "cli/support/sampling_options.h"

namespace tern {
namespace {

using nlohmann::json;

struct Options {
  std::string server, prompt, prompt_file;
  bool has_prompt = false, raw = false, as_json = false, unary = false;
  SamplingOptions sampling;
  SchedulingOptions scheduling;
  std::string request_id;
  std::optional<uint32_t> n, logprobs, prompt_logprobs, truncate_prompt_tokens;
};

struct ReceivedAnswer {
  std::string text;
  std::vector<uint32_t> token_ids;
  json logprobs = json::array();
  v1::Finished finished;
};

struct Received {
  v1::Accepted accepted;
  json prompt_logprobs = json::array();
  std::vector<ReceivedAnswer> answers;
};

v1::GenerateRequest to_request(const Options& options, const std::string& prompt) {
  v1::GenerateRequest request;
  if (options.raw) {
    request.set_text(prompt);
  } else {
    v1::ChatMessage& message = *request.mutable_chat()->add_messages();
    message.set_role("user");
    message.set_content(prompt);
  }
  set_sampling(options.sampling, request.mutable_sampling());
  if (options.n) request.mutable_sampling()->set_n(*options.n);
  if (options.truncate_prompt_tokens)
    request.set_truncate_prompt_tokens(*options.truncate_prompt_tokens);
  request.set_request_id(options.request_id);
  request.mutable_scheduling()->set_priority(priority_class(options.scheduling));
  v1::ResponseOptions& response = *request.mutable_response();
  if (options.as_json) response.set_token_ids(true);
  if (options.logprobs) response.set_logprobs(*options.logprobs);
  if (options.prompt_logprobs) response.set_prompt_logprobs(*options.prompt_logprobs);
  return request;
}

// The field's names, as in engine/decode/finish_reason.h.
const char* finish_reason(v1::FinishReason reason) {
  return reason == v1::FINISH_REASON_LENGTH ? "length" : "stop";
}

json to_document(const v1::TokenLogprob& token) {
  return {{"token_id", token.token_id()},
          {"token", token.token()},
          {"logprob", token.has_logprob() ? json(token.logprob()) : json()},
          {"rank", token.has_rank() ? json(token.rank()) : json()}};
}

void append(const google::protobuf::RepeatedPtrField<v1::Logprobs>& from, json* to) {
  for (const v1::Logprobs& logprobs : from) {
    json entry = to_document(logprobs.chosen());
    entry["top"] = json::array();
    for (const v1::TokenLogprob& other : logprobs.top()) entry["top"].push_back(to_document(other));
    to->push_back(std::move(entry));
  }
}

json to_document(const Options& options, const ReceivedAnswer& answer) {
  json document = {{"text", answer.text},
                   {"token_ids", answer.token_ids},
                   {"finish_reason", finish_reason(answer.finished.reason())}};
  if (options.logprobs) document["logprobs"] = answer.logprobs;
  if (answer.finished.matched_case() == v1::Finished::kStopString)
    document["matched_stop"] = answer.finished.stop_string();
  return document;
}

// The keys of one answer are the first one's; all of several are in `outputs`.
json to_document(const Options& options, const Received& received) {
  json document = to_document(options, received.answers.front());
  const v1::Finished& first = received.answers.front().finished;
  uint64_t completion_tokens = 0;
  double e2e_us = 0;
  for (const ReceivedAnswer& answer : received.answers) {
    completion_tokens += answer.finished.usage().completion_tokens();
    e2e_us = std::max(e2e_us, double(answer.finished.timings().e2e_us()));
  }
  document["request_id"] = received.accepted.request_id();
  document["model"] = received.accepted.model();
  document["seed"] = received.accepted.effective_sampling().seed();
  document["usage"] = {{"prompt_tokens", first.usage().prompt_tokens()},
                       {"completion_tokens", completion_tokens},
                       {"cached_tokens", first.usage().cached_tokens()}};
  document["timing"] = {{"queue_ms", first.timings().queue_us() / 1e3},
                        {"ttft_ms", first.timings().ttft_us() / 1e3},
                        {"e2e_ms", e2e_us / 1e3}};
  if (options.prompt_logprobs) document["prompt_logprobs"] = received.prompt_logprobs;
  if (received.answers.size() == 1) return document;
  for (const ReceivedAnswer& answer : received.answers)
    document["outputs"].push_back(to_document(options, answer));
  return document;
}

void receive(const v1::GenerateEvent& event, Received* received) {
  if (event.has_accepted()) received->accepted = event.accepted();
  if (event.has_prompt_logprobs())
    append(event.prompt_logprobs().logprobs(), &received->prompt_logprobs);
  if (event.has_finished())
    received->answers.at(event.finished().index()).finished = event.finished();
  if (!event.has_delta()) return;
  const v1::Delta& delta = event.delta();
  ReceivedAnswer& answer = received->answers.at(delta.index());
  answer.text += delta.text();
  answer.token_ids.insert(answer.token_ids.end(), delta.token_ids().begin(),
                          delta.token_ids().end());
  append(delta.logprobs(), &answer.logprobs);
}

void receive(const v1::GenerateResult& result, Received* received) {
  received->accepted = result.accepted();
  append(result.prompt_logprobs(), &received->prompt_logprobs);
  for (const v1::Output& output : result.outputs()) {
    ReceivedAnswer& answer = received->answers.at(output.index());
    answer.text = output.text();
    answer.token_ids.assign(output.token_ids().begin(), output.token_ids().end());
    append(output.logprobs(), &answer.logprobs);
    answer.finished = output.finished();
  }
}

void print_answers(const std::vector<ReceivedAnswer>& answers) {
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers.size() > 1) std::cout << "--- " << i << "\n";
    std::cout << answers[i].text << std::endl;
  }
}

std::string name_of(const std::string& file) {
  return file == "-" ? "stdin" : file;
}

// Takes the prompt from the argument, --prompt-file or stdin, which is no terminal then and whose
// last line feed is the shell's.
Result<std::string> read_prompt(const Options& options) {
  if (!options.prompt_file.empty()) {
    TERN_ASSIGN(std::string text, read_text(options.prompt_file));
    if (text.empty())
      return Status(Code::kInvalidArgument,
                    "no prompt: " + name_of(options.prompt_file) + " is empty");
    return text;
  }
  if (options.has_prompt && options.prompt.empty())
    return Status(Code::kInvalidArgument, "the prompt is empty");
  if (options.has_prompt && options.prompt != "-") return options.prompt;
  if (!options.has_prompt && isatty(STDIN_FILENO))
    return Status(Code::kInvalidArgument,
                  "no prompt: tern generate 'TEXT', --prompt-file FILE, or text on stdin");
  TERN_ASSIGN(std::string text, read_text("-"));
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return Status(Code::kInvalidArgument, "no prompt: stdin is empty");
  return text;
}

int run(const Options& options) {
  const Result<std::string> prompt = read_prompt(options);
  if (!prompt.ok()) {
    (void)fail(prompt.status());
    return prompt.status().code() == Code::kInvalidArgument ? kExitUsage : kExitFailed;
  }
  std::optional<Seconds> deadline;
  if (options.scheduling.deadline_seconds) deadline = Seconds(*options.scheduling.deadline_seconds);

  Client client(options.server);
  Received received;
  received.answers.resize(options.n.value_or(1));
  // Several answers come side by side: they are shown one after the other, at the end.
  const bool streams = !options.as_json && !options.unary && received.answers.size() == 1;
  const v1::GenerateRequest request = to_request(options, *prompt);
  CallStatus end;
  if (options.unary) {
    v1::GenerateResult result;
    end = client.generate_unary(request, deadline, &result);
    receive(result, &received);
  } else {
    end = client.generate(request, deadline, [&](const v1::GenerateEvent& event) {
      receive(event, &received);
      if (streams && event.has_delta()) std::cout << event.delta().text() << std::flush;
    });
  }
  if (streams && received.accepted.prompt_tokens() > 0) std::cout << std::endl;
  if (options.as_json && end.ok()) print_json(to_document(options, received));
  if (!options.as_json && !streams && end.ok()) print_answers(received.answers);
  return end.exit_code();
}

}  // namespace

void add_generate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("generate", "Answer one prompt, streamed to stdout");
  CLI::Option* prompt = command
                            ->add_option("prompt,--prompt", options->prompt,
                                         "The prompt; - or none: what stdin holds")
                            ->option_text("TEXT");
  command->add_option("--prompt-file", options->prompt_file, "File with the prompt; - is stdin")
      ->option_text("FILE")
      ->excludes(prompt);
  command->add_flag("--raw", options->raw, "Send the prompt as it is, without the chat template");
  command->add_option("--truncate-prompt-tokens", options->truncate_prompt_tokens,
                      "Keep the last tokens of too long a prompt [refuse it]");
  add_sampling_options(*command, options->sampling);
  command->add_option("--n", options->n, "Answers; number i draws with seed + i [1]")
      ->check(CLI::Range(1, 128));
  command->add_flag("--unary", options->unary, "Get the answer in one message, not as a stream");
  CLI::Option* as_json =
      command->add_flag("--json", options->as_json, "Print one JSON document at the end");
  command
      ->add_option("--logprobs", options->logprobs,
                   "Log-probabilities with so many alternatives a token, 0 to 20; with --json")
      ->needs(as_json);
  command
      ->add_option("--prompt-logprobs", options->prompt_logprobs,
                   "The same for the prompt; with --json")
      ->needs(as_json);
  add_scheduling_options(*command, options->scheduling);
  command->add_option("--request-id", options->request_id,
                      "Name of the request in logs and for `tern abort` [made by the server]");
  add_server_option(*command, options->server);
  command->footer(
      "Examples:\n  tern generate 'Tell me a story.' --max-tokens 100 --temperature 0\n"
      "  echo 'Tell me a story.' | tern generate");
  command->callback([options, prompt, &action] {
    options->has_prompt = prompt->count() > 0;
    action = [options] { return run(*options); };
  });
}

}  // namespace tern
