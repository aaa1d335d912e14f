// The files of a model directory that hold its chat templates and special tokens.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "engine/text/chat_renderer.h"

namespace tern {

/// The templates of `directory`, as transformers finds them: chat_template.jinja and
/// additional_chat_templates/*.jinja; where there is neither, chat_template of
/// tokenizer_config.json, a text or a list of {name, template}; else that of chat_template.json.
/// `file` is read in place of them all where not empty. Special tokens are those of
/// read_special_tokens(). Null where there is no template. Fails where
/// one of these files cannot be read; a template that cannot be compiled is one of the renderer's
/// problems().
Result<std::unique_ptr<ChatRenderer>> read_chat_templates(const std::string& directory,
                                                          const std::string& file);

/// The text of a template file.
Result<ChatTemplateSource> read_chat_template_file(std::string name, const std::string& path);

}  // namespace tern
