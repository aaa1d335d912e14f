// What a chat template expects of a conversation, read from its program: nothing is rendered for
// it.
#pragma once

#include "engine/text/jinja/ast.h"

namespace tern {

struct TemplateTraits {
  bool uses_tools = false;        ///< reads the variable `tools`
  bool asks_for_string = false;   ///< whether a message's content is a string
  bool reads_parts = false;       ///< loops over the parts of a content, or takes one of them
  bool prints_arguments = false;  ///< those of a tool call, as text: puts them between other text
  bool reads_arguments = false;   ///< those of a tool call, as an object: their members, or as JSON

  /// Content is a list of parts for it and nothing else.
  bool wants_parts() const { return reads_parts && !asks_for_string; }

  /// The arguments of a tool call are text for it and nothing else.
  bool wants_argument_text() const { return prints_arguments && !reads_arguments; }
};

/// Follows messages, their content and the arguments of tool calls through loops, assignments,
/// filters and the parameters of macros. What a template does with them in ways that this does not
/// follow counts as not done.
TemplateTraits find_template_traits(const jinja::Body& program);

}  // namespace tern
