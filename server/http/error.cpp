#include "server/http/error.h"

#include <cmath>
#include <string_view>

namespace tern::http {
namespace {

constexpr int kClientClosedRequest = 499;  // nginx's; nobody reads it but logs

struct Name {
  std::string_view field, json;
};

// What a path of tern.v1 begins with, and what stands for it in the JSON. The first that fits.
constexpr Name kNames[] = {
    {"sampling.random.", ""},
    {"sampling.penalties.", ""},
    {"sampling.stopping.", ""},
    {"sampling.constraints.", ""},
    {"sampling.", ""},
    {"response.", ""},
    {"scheduling.", ""},
    {"text_options.", ""},
    {"token_ids.ids", "prompt"},
    {"text", "prompt"},
    {"chat.template_variables.reasoning_effort", "reasoning_effort"},
    {"chat.template_variables.documents", "documents"},
    {"chat.template_variables", "chat_template_kwargs"},
    {"chat.", ""},
    {"chat", "messages"},
};

std::string json_name(const std::string& field) {
  for (const Name& name : kNames) {
    if (!field.starts_with(name.field)) continue;
    std::string out = std::string(name.json).append(field.substr(name.field.size()));
    // Tools and their calls have all but the id in a member "function".
    const size_t member = out.rfind("].");
    if (out.find("tool") != std::string::npos && member != std::string::npos)
      out.insert(member + 2, "function.");
    if (out.ends_with("_json")) out.resize(out.size() - 5);
    return out;
  }
  return field;
}

std::string_view type_of(Code code) {
  const int status = http_status(code);
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

std::string code_of(const ApiError& error) {
  if (error.reason == "CONTEXT_EXCEEDED") return "context_length_exceeded";
  if (error.reason == "MODEL_NOT_FOUND") return "model_not_found";
  if (error.code == Code::kResourceExhausted) return "rate_limit_exceeded";
  return error.reason;
}

}  // namespace

int http_status(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
    case Code::kFailedPrecondition:
      return 400;
    case Code::kUnauthenticated:
      return 401;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kAborted:
      return 409;
    case Code::kResourceExhausted:
      return 429;
    case Code::kCancelled:
      return kClientClosedRequest;
    case Code::kUnimplemented:
      return 501;
    case Code::kUnavailable:
      return 503;
    case Code::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

Json error_json(const ApiError& error) {
  Json inner{{"message", error.message},
             {"type", type_of(error.code)},
             {"param", nullptr},
             {"code", code_of(error)},
             {"reason", error.reason}};
  if (!error.field.empty()) inner["param"] = error.field;
  if (!error.metadata.empty()) inner["metadata"] = error.metadata;
  return Json{{"error", std::move(inner)}};
}

Response error_response(const ApiError& error) {
  Response response{.status = http_status(error.code), .refusal = error};
  response.body = dump(error_json(error));
  if (error.retry_after) {
    const double seconds = error.retry_after->count();
    response.headers.emplace_back("Retry-After", std::to_string(std::lround(std::ceil(seconds))));
    response.headers.emplace_back("Retry-After-Ms",
                                  std::to_string(std::lround(std::ceil(seconds * 1e3))));
  }
  return response;
}

ApiError with_json_names(ApiError error) {
  const std::string name = json_name(error.field);
  if (name != error.field && error.message.starts_with(error.field))
    error.message = name + error.message.substr(error.field.size());
  error.field = name;
  return error;
}

}  // namespace tern::http
