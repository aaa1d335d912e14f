#include "engine/text/message_forms.h"

#include <algorithm>

#include "base/big_integers.h"
#include "engine/text/jinja/json.h"

namespace tern {
namespace {

using jinja::Value;
using Json = MessageForms::Json;

constexpr size_t kMaxArgumentBytes = size_t(64) << 20;

// What stands for a text in a trial: digits, which no filter changes, with the number of the text
// behind. All are equally long, so that none is part of another.
constexpr std::string_view kMark = "7402918365";
constexpr size_t kMarkDigits = 7;

std::string mark(size_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, kMarkDigits - std::min(kMarkDigits, digits.size()), '0');
  return std::string(kMark) + digits;
}

// For each of `count` marks, whether it stands in `text`.
std::vector<char> find_marks(std::string_view text, size_t count) {
  std::vector<char> found(count, false);
  for (size_t at = text.find(kMark); at != text.npos; at = text.find(kMark, at + kMark.size())) {
    size_t number = 0;
    const std::string_view digits = text.substr(at + kMark.size(), kMarkDigits);
    for (const char c : digits) number = number * 10 + size_t(c - '0');
    const bool is_number = digits.find_first_not_of("0123456789") == digits.npos;
    if (is_number && digits.size() == kMarkDigits && number < count) found[number] = true;
  }
  return found;
}

bool is_text_part(const Json& part) {
  return part.is_object() && part.contains("text") && part["text"].is_string();
}

Result<Value> make_part(jinja::Dict part, std::string text, bool* is_read) {
  part.set(std::string("text"), Value(std::move(text)));
  part.is_read = is_read;
  return jinja::make_dict(std::move(part));
}

// The first number in `text` that JSON has no place for; empty where there is none.
std::string_view foreign_number(std::string_view text) {
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
        if (text.substr(i).starts_with(word)) return word;
    }
  }
  return {};
}

}  // namespace

Result<Json> parse_arguments(const std::string& text) {
  const std::string wanted = "must be a JSON object, or one as text";
  try {
    Json object = Json::parse(quote_big_integers(text));
    if (object.is_object()) return object;
    return invalid_argument(wanted + ": this is " + std::string(object.type_name()));
  } catch (const Json::out_of_range& error) {  // "[…] number overflow parsing '1e400'"
    const std::string_view what = error.what();
    const std::string_view number = what.substr(std::min(what.find('\''), what.size()));
    return invalid_argument(wanted + ": a double cannot hold the number " + std::string(number));
  } catch (const Json::exception& error) {
    if (const std::string_view number = foreign_number(text); !number.empty())
      return invalid_argument(wanted + ": " + std::string(number) + " is no number of JSON");
    const std::string_view what = error.what();
    const size_t why = what.find("] ");
    return invalid_argument(wanted + ": " +
                            std::string(what.substr(why == what.npos ? 0 : why + 2)));
  }
}

Result<MessageForms> MessageForms::create(const Json& messages) {
  if (!messages.is_array()) return invalid_argument("the messages are not an array");
  MessageForms forms;
  for (const Json& message : messages)
    TERN_TRY(forms.add_message(message).with_context("messages[" +
                                                     std::to_string(forms.messages_.size()) + "]"));
  forms.choice_.assign(forms.items_.size(), false);
  size_t num_marks = 0;
  for (Item& item : forms.items_) {
    item.first_mark = num_marks;
    num_marks += item.texts.size();
  }
  return forms;
}

Status MessageForms::add_message(const Json& message) {
  TERN_ASSIGN(Value value, jinja::from_json(message));
  if (message.is_object()) {
    const std::string role = message.value("role", Json()).is_string()
                                 ? message["role"].get<std::string>()
                                 : std::string();
    if (message.contains("content")) TERN_TRY(add_content(message["content"], role));
    const Json calls = message.value("tool_calls", Json());
    for (size_t i = 0; calls.is_array() && i < calls.size(); ++i)
      TERN_TRY(add_arguments(calls[i], i));
    if (message.value("content", Json("")).is_null()) {
      jinja::Dict dict = value.dict();
      dict.set(std::string("content"), Value::blank_none());
      TERN_ASSIGN(value, jinja::make_dict(std::move(dict)));
    }
  }
  messages_.push_back(std::move(value));
  return {};
}

Status MessageForms::add_content(const Json& content, const std::string& role) {
  Item item{.message = messages_.size(), .group = "content of " + role};
  if (content.is_string()) {
    if (content == "") return {};  // the same in either form
    item.is_string = true;
    item.texts.push_back(content.get<std::string>());
  } else {
    if (!content.is_array() || !std::all_of(content.begin(), content.end(), is_text_part))
      return {};
    for (const Json& part : content) {
      TERN_ASSIGN(const Value value, jinja::from_json(part));
      item.parts.push_back(value.dict());
      item.texts.push_back(part["text"].get<std::string>());
    }
  }
  items_.push_back(std::move(item));
  return {};
}

Status MessageForms::add_arguments(const Json& call, size_t index) {
  if (!call.is_object() || !call.contains("function")) return {};
  const Json& function = call["function"];
  if (!function.is_object() || !function.contains("arguments")) return {};
  const Json& arguments = function["arguments"];
  if (!arguments.is_string() && !arguments.is_object()) return {};
  Item item{.message = messages_.size(), .call = index, .group = "arguments"};
  if (arguments.is_string()) {
    item.texts.push_back(arguments.get<std::string>());
    const Result<Json> object = parse_arguments(item.texts[0]);
    if (object.ok()) {
      TERN_ASSIGN(item.object, jinja::from_json(*object));
    } else {
      item.no_object = object.status().message();
    }
  } else {
    TERN_ASSIGN(item.object, jinja::from_json(arguments));
    TERN_ASSIGN(std::string text, jinja::to_json(*item.object, {}, kMaxArgumentBytes));
    item.texts.push_back(std::move(text));
  }
  items_.push_back(std::move(item));
  return {};
}

// Item `index` in its other form where `other`.
Result<Value> MessageForms::value_of(size_t index, Texts texts, bool other, bool* is_read) const {
  const Item& item = items_[index];
  std::vector<std::string> own = item.texts;
  if (texts == Texts::kMarks)
    for (size_t i = 0; i < own.size(); ++i)
      if (!own[i].empty()) own[i] = mark(item.first_mark + i);
  std::string whole;
  for (size_t i = 0; i < own.size(); ++i) whole += (i > 0 ? "\n" : "") + own[i];
  const bool as_text = item.is_string != other;
  if (as_text) return Value(std::move(whole));
  if (!item.is_content()) {
    jinja::Dict dict = item.object ? item.object->dict() : jinja::Dict();
    dict.text = std::move(whole);
    dict.is_read = is_read;
    return jinja::make_dict(std::move(dict));
  }
  jinja::List list;
  list.text = whole;
  for (size_t i = 0; i < own.size(); ++i) {
    jinja::Dict part;
    if (item.is_string)
      part.set(std::string("type"), Value(std::string("text")));
    else
      part = item.parts[i];
    TERN_ASSIGN(Value made, make_part(std::move(part), std::move(own[i]), is_read));
    list.items.push_back(std::move(made));
  }
  return jinja::make_list(std::move(list));
}

namespace {

// `value` with `member` in it at `path` of keys and indices.
Result<Value> with_member(const Value& value, const std::vector<Value>& path, size_t depth,
                          const Value& member) {
  if (depth == path.size()) return member;
  if (value.is_dict()) {
    jinja::Dict dict = value.dict();
    TERN_ASSIGN(const Value* old, dict.find(path[depth]));
    TERN_ASSIGN(Value made, with_member(*old, path, depth + 1, member));
    TERN_TRY(dict.set(path[depth], std::move(made)));
    return jinja::make_dict(std::move(dict));
  }
  jinja::List list = value.list();
  Value& element = list.items[size_t(path[depth].integer())];
  TERN_ASSIGN(element, with_member(element, path, depth + 1, member));
  return jinja::make_list(std::move(list));
}

const std::vector<Value>& content_path() {
  static const std::vector<Value> path{Value(std::string("content"))};
  return path;
}

std::vector<Value> arguments_path(size_t call) {
  return {Value(std::string("tool_calls")), Value(int64_t(call)), Value(std::string("function")),
          Value(std::string("arguments"))};
}

}  // namespace

// `are_read`: for each item, or null.
Result<Value> MessageForms::make(Texts texts, const Choice& choice, bool* are_read) const {
  std::vector<Value> messages = messages_;
  for (size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    TERN_ASSIGN(const Value member,
                value_of(i, texts, choice[i], are_read ? are_read + i : nullptr));
    Value& message = messages[item.message];
    TERN_ASSIGN(
        message,
        with_member(message, item.call ? arguments_path(*item.call) : content_path(), 0, member));
  }
  return jinja::make_list(std::move(messages));
}

Result<Value> MessageForms::values() const {
  return make(Texts::kOwn, choice_, nullptr);
}

Result<Value> MessageForms::values_as_sent() const {
  return make(Texts::kOwn, Choice(items_.size(), false), nullptr);
}

bool MessageForms::is_changed() const {
  return std::find(choice_.begin(), choice_.end(), true) != choice_.end();
}

MessageForms::Trial MessageForms::run(const Render& render, const Choice& choice) const {
  Trial trial;
  const auto are_read = std::make_unique<bool[]>(items_.size());
  const auto values = make(Texts::kMarks, choice, are_read.get());
  const auto text = values.ok() ? render(*values) : values.status();
  trial.ok = text.ok();
  trial.is_read.assign(are_read.get(), are_read.get() + items_.size());
  const Item& last = items_.back();
  const std::vector<char> found =
      find_marks(text.ok() ? std::string_view(*text) : "", last.first_mark + last.texts.size());
  for (const Item& item : items_) {
    bool is_shown = trial.ok;
    for (size_t i = 0; i < item.texts.size(); ++i)
      is_shown &= item.texts[i].empty() || found[item.first_mark + i];
    trial.is_shown.push_back(is_shown);
  }
  return trial;
}

std::vector<std::string> MessageForms::groups() const {
  std::vector<std::string> out;
  for (const Item& item : items_)
    if (std::find(out.begin(), out.end(), item.group) == out.end()) out.push_back(item.group);
  constexpr size_t kMaxGroups = 8;  // each may cost a trial
  out.resize(std::min(out.size(), kMaxGroups));
  return out;
}

// The forms as they were sent, but for those of `group` (empty: of all) that become parts, or
// texts.
MessageForms::Choice MessageForms::towards(bool parts, const std::string& group) const {
  Choice choice(items_.size(), false);
  for (size_t i = 0; i < items_.size(); ++i)
    choice[i] = (group.empty() || items_[i].group == group) && items_[i].is_string == parts;
  return choice;
}

// Where the template refuses what was sent: the forms of one group, or of all, that it takes.
std::optional<MessageForms::Choice> MessageForms::find_working(const Render& render,
                                                               Trial& trial) const {
  std::vector<std::string> all = groups();
  all.emplace_back();
  for (const std::string& group : all)
    for (const bool parts : {true, false}) {
      Choice choice = towards(parts, group);
      if (std::find(choice.begin(), choice.end(), true) == choice.end()) continue;
      trial = run(render, choice);
      if (trial.ok) return choice;
    }
  return std::nullopt;
}

// Whether the other form of item `index` is worth a trial: `trial` lost the text, or nobody looked
// at the parts as parts.
bool MessageForms::is_candidate(size_t index, const Trial& trial) const {
  if (choice_[index]) return false;
  const bool is_shown = trial.is_shown[index], is_read = trial.is_read[index];
  return items_[index].are_parts() ? !is_shown || !is_read : !is_shown && !is_read;
}

// Takes the other form of the candidates in `group` where that shows them.
void MessageForms::improve(const Render& render, const Trial& trial, const std::string& group) {
  Choice changed = choice_;
  bool any = false;
  for (size_t i = 0; i < items_.size(); ++i)
    if (items_[i].group == group && is_candidate(i, trial)) changed[i] = any = true;
  if (!any) return;
  const Trial other = run(render, changed);
  if (!other.ok) return;
  for (size_t i = 0; i < items_.size(); ++i) {
    if (changed[i] == choice_[i]) continue;
    // Parts that come out in no form and at which nobody looked are compared as a text, if at all.
    const bool is_text = items_[i].are_parts() && !trial.is_shown[i] && !trial.is_read[i];
    changed[i] = other.is_shown[i] || is_text;
  }
  choice_ = std::move(changed);
}

Status MessageForms::choose(const Render& render) {
  if (items_.empty()) return {};
  Trial trial = run(render, choice_);
  if (!trial.ok) {
    auto working = find_working(render, trial);
    if (!working) return check_arguments(run(render, choice_));
    choice_ = *std::move(working);
  }
  for (const std::string& group : groups()) improve(render, trial, group);
  return check_arguments(trial);
}

// Arguments that are no object are a text for a template that prints them.
Status MessageForms::check_arguments(const Trial& trial) {
  for (size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    if (item.is_content() || item.object || choice_[i]) continue;
    if (trial.is_read[i])
      return invalid_argument("messages[" + std::to_string(item.message) +
                              "]: arguments of a tool call " + item.no_object);
    choice_[i] = true;
  }
  return {};
}

}  // namespace tern
