// Chat templates: the Jinja program in a model's tokenizer_config.json that turns messages into a
// prompt.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/text/jinja/value.h"

namespace tern {

/// The members of an object as variables. kInvalidArgument naming the one that is no value of the
/// template language.
Result<jinja::Variables> make_variables(const nlohmann::ordered_json& variables);

/// A parsed template. Immutable; any thread. Rendering is bounded in steps, output bytes and
/// recursion: a template is an untrusted program.
class ChatTemplate {
 public:
  /// kInvalidArgument with the line of the mistake; kUnimplemented naming a construct that tern
  /// does not know.
  static Result<ChatTemplate> parse(std::string_view source);

  /// `messages`: a list. `variables` become global (bos_token, eos_token, tools, …).
  /// kInvalidArgument where the template raises (raise_exception; the message is the template's
  /// own) or meets a value it cannot handle. An integer `now` among the variables, in seconds since
  /// 1970, is the time (UTC) that strftime_now tells; without it that is the machine's local time.
  Result<std::string> render(const jinja::Value& messages, bool add_generation_prompt,
                             jinja::Variables variables) const;

  /// The same for an array of messages as JSON, every member of them in the form that it has there,
  /// and an object of variables.
  Result<std::string> render(const nlohmann::ordered_json& messages, bool add_generation_prompt,
                             const nlohmann::ordered_json& variables) const;

  /// Whether `name` stands anywhere in the template's text: a variable of that name may have an
  /// effect only if it does.
  bool mentions(std::string_view name) const;

  /// Whether it reads the variable `tools`.
  bool uses_tools() const;

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace tern
