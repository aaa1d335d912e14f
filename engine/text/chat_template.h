// Chat templates: the Jinja program in a model's tokenizer_config.json that turns messages into a
// prompt.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/text/template_traits.h"

namespace tern {

/// A parsed template. Immutable; any thread. Rendering is bounded in steps, output bytes and
/// recursion: a template is an untrusted program.
class ChatTemplate {
 public:
  /// kInvalidArgument with the line of the mistake; kUnimplemented naming a construct that tern
  /// does not know.
  static Result<ChatTemplate> parse(std::string_view source);

  /// `messages`: array of objects with `role` and `content`. `variables`: object whose members
  /// become global variables (bos_token, eos_token, tools, …). kInvalidArgument where the template
  /// raises (raise_exception; the message is the template's own) or meets a value it cannot handle.
  /// An integer `now` among the variables, in seconds since 1970, is the time (UTC) that
  /// strftime_now tells; without it that is the machine's local time.
  Result<std::string> render(const nlohmann::json& messages, bool add_generation_prompt,
                             const nlohmann::json& variables) const;

  /// Renders JSON whose members keep the order of the text that they were parsed from: a template
  /// that prints tools prints them in that order, as the model was trained to see them.
  Result<std::string> render(const nlohmann::ordered_json& messages, bool add_generation_prompt,
                             const nlohmann::ordered_json& variables) const;

  /// Whether `name` stands anywhere in the template's text: a variable of that name may have an
  /// effect only if it does.
  bool mentions(std::string_view name) const;

  const TemplateTraits& traits() const;

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace tern
