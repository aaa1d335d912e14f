// Which form of its messages a chat template understands.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/text/jinja/value.h"

namespace tern {

/// The object that the arguments of a tool call, given as text, are. kInvalidArgument saying what
/// they are instead, with the word or number that JSON does not know.
Result<nlohmann::ordered_json> parse_arguments(const std::string& text);

/// Messages of which some members may stand in one of two forms: a content as a string or as text
/// parts, the arguments of a tool call as an object or as its JSON. A template that was written for
/// one of them loses or mangles the other without a word. Its program is not analysed for that, but
/// run with short marks in place of the texts: the form that was sent is changed only where its
/// mark does not come out and that of the other form does.
class MessageForms {
 public:
  using Json = nlohmann::ordered_json;
  using Render = std::function<Result<std::string>(const jinja::Value& messages)>;

  /// `messages`: an array; every content and all arguments in the form in which they were sent, but
  /// for arguments as text, which are parsed. kInvalidArgument where a value is none of the
  /// template language.
  static Result<MessageForms> create(const Json& messages);

  /// Changes the forms to those that the template which `render` runs understands.
  /// kInvalidArgument where it wants the arguments of a tool call as an object and they are none.
  Status choose(const Render& render);

  /// Whether a form is another one than that of create().
  bool is_changed() const;

  /// The messages. A content that is null prints as nothing, since no model was taught the word
  /// "None" there; parts and arguments print as their text where the template takes no notice of
  /// their form.
  Result<jinja::Value> values() const;
  Result<jinja::Value> values_as_sent() const;

 private:
  // What may stand in one of two forms.
  struct Item {
    size_t message = 0;
    std::optional<size_t> call;  // the arguments of this call; none: the content
    std::string group;           // what templates treat alike: contents by their role, or arguments
    bool is_string = false;      // as it was sent: a content
    std::vector<jinja::Dict> parts;      // of a content that was sent as parts
    std::vector<std::string> texts;      // of the parts; else one
    std::optional<jinja::Value> object;  // the arguments; none: the text is no object
    std::string no_object;               // why
    size_t first_mark = 0;               // of as many as there are texts

    bool is_content() const { return !call; }
    bool are_parts() const { return !call && !is_string; }
  };

  // What came of a rendering with marks, by item.
  struct Trial {
    bool ok = false;
    std::vector<char> is_shown;  // all of its marks were printed
    std::vector<char> is_read;   // the template looked into it as parts or as an object
  };

  enum class Texts { kOwn, kMarks };
  using Choice = std::vector<char>;  // for each item: whether its other form is taken

  Status add_message(const Json& message);
  Status add_content(const Json& content, const std::string& role);
  Status add_arguments(const Json& call, size_t index);
  Result<jinja::Value> value_of(size_t index, Texts texts, bool other, bool* is_read) const;
  Result<jinja::Value> make(Texts texts, const Choice& choice, bool* are_read) const;
  Trial run(const Render& render, const Choice& choice) const;
  std::vector<std::string> groups() const;
  Choice towards(bool parts, const std::string& group) const;
  std::optional<Choice> find_working(const Render& render, Trial& trial) const;
  bool is_candidate(size_t index, const Trial& trial) const;
  void improve(const Render& render, const Trial& trial, const std::string& group);
  Status check_arguments(const Trial& trial);

  std::vector<jinja::Value> messages_;  // as values; `items_` stand in place of their members
  std::vector<Item> items_;
  Choice choice_;
};

}  // namespace tern
