// tern ps: the live requests of a server.
#include <cstdio>
#include <memory>

#include "cli/admin_call.h"
#include "cli/commands.h"

namespace tern {
namespace {

// "REQUEST_PHASE_DECODE" as "decode".
std::string lower_tail(const std::string& name, size_t prefix) {
  std::string out = name.substr(std::min(prefix, name.size()));
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string milliseconds(double seconds) {
  return fixed(seconds * 1e3, seconds < 1 ? 1 : 0);
}

void print(const v1::ListRequestsResult& result) {
  Table table({"id", "state", "class", "prompt", "generated", "age_s", "ttft_ms", "peer"});
  for (const v1::LiveRequest& r : result.requests()) {
    const std::string answers = r.num_answers() > 1 ? " x" + std::to_string(r.num_answers()) : "";
    table.add({r.request_id() + answers,
               lower_tail(v1::RequestPhase_Name(r.phase()), sizeof "REQUEST_PHASE_" - 1),
               lower_tail(v1::PriorityClass_Name(r.priority()), sizeof "PRIORITY_CLASS_" - 1),
               std::to_string(r.prompt_tokens()), std::to_string(r.generated_tokens()),
               fixed(r.age_seconds(), 1),
               r.has_ttft_seconds() ? milliseconds(r.ttft_seconds()) : "-",
               r.peer().empty() ? "-" : r.peer()});
  }
  table.print();
}

int run(const AdminOptions& options) {
  return ask_admin<v1::ListRequestsResult>(
      options, [](Client& client, auto* result) { return client.list_requests(result); }, print);
}

}  // namespace

void add_ps(CLI::App& app, Action& action) {
  auto options = std::make_shared<AdminOptions>();
  CLI::App* command = app.add_subcommand("ps", "List a server's live requests, oldest first");
  add_admin_options(*command, *options);
  command->footer(
      "state: waiting (in the queue, or preempted), prefill, decode. What was said is not "
      "shown.\n\n"
      "Example:\n  tern ps");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
