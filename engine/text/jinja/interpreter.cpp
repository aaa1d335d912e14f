#include "engine/text/jinja/interpreter.h"

#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/lexer.h"
#include "engine/text/jinja/tests.h"

namespace tern::jinja {

Result<std::string> Interpreter::run(const Body& program) {
  std::string text;
  out_ = &text;
  scopes_.assign(1, {});
  base_ = 0;
  TERN_TRY(run_body(program).status());
  return text;
}

Status Interpreter::charge(size_t bytes, int64_t steps) {
  // Copying costs time too: a step for every few kilobytes.
  steps_ += steps + int64_t(bytes >> 12);
  bytes_ += bytes;
  if (steps_ > kMaxSteps)
    return invalid_argument("the chat template exceeds " + std::to_string(kMaxSteps) + " steps");
  if (bytes_ > kMaxTotalBytes)
    return invalid_argument("the chat template makes more than " + std::to_string(kMaxTotalBytes) +
                            " bytes");
  return {};
}

Status Interpreter::located(const Status& status, int line) const {
  const bool has_place = raised_ || status.message().starts_with("line ");
  return has_place ? status : Status(status.code(), at_line(line, status.message()));
}

Status Interpreter::enter() {
  if (++recursion_ > kMaxRecursion)
    return invalid_argument("the chat template recurses deeper than " +
                            std::to_string(kMaxRecursion));
  return charge(0);
}

Result<Value> Interpreter::string(std::string text) {
  if (text.size() > kMaxStringBytes)
    return invalid_argument("a string exceeds " + std::to_string(kMaxStringBytes) + " bytes");
  TERN_TRY(charge(text.size()));
  return Value(std::move(text));
}

Result<Value> Interpreter::list(std::vector<Value> items, List::Kind kind) {
  TERN_TRY(charge(items.size() * sizeof(Value), int64_t(items.size())));
  return make_list(std::move(items), kind);
}

const Value* Interpreter::find_variable(const std::string& name) const {
  const auto find_in = [&](const Variables& variables) -> const Value* {
    const auto it = variables.find(name);
    return it == variables.end() ? nullptr : &it->second;
  };
  for (size_t i = scopes_.size(); i > base_; --i)
    if (const Value* value = find_in(scopes_[i - 1])) return value;
  if (base_ > 0)
    if (const Value* value = find_in(scopes_[0])) return value;
  return find_in(globals_);
}

Status Interpreter::print(std::string_view text) {
  if (out_->size() + text.size() > kMaxStringBytes)
    return invalid_argument("the chat template prints more than " +
                            std::to_string(kMaxStringBytes) + " bytes");
  TERN_TRY(charge(text.size(), 0));
  *out_ += text;
  return {};
}

Result<Interpreter::Flow> Interpreter::run_body(const Body& body) {
  TERN_TRY(enter());
  Flow flow = Flow::kNormal;
  for (size_t i = 0; i < body.size() && flow == Flow::kNormal; ++i) {
    TERN_ASSIGN(flow, run_statement(*body[i]));
  }
  leave();
  return flow;
}

Result<Interpreter::Flow> Interpreter::run_statement(const Stmt& stmt) {
  TERN_TRY(charge(0));
  switch (stmt.kind) {
    case Stmt::Kind::kText:
      TERN_TRY(print(stmt.text));
      return Flow::kNormal;
    case Stmt::Kind::kPrint: {
      TERN_ASSIGN(const Value value, evaluate(*stmt.expr));
      const auto text = to_text(value);
      if (!text.ok()) return located(text.status(), stmt.line);
      TERN_TRY(print(*text));
      return Flow::kNormal;
    }
    case Stmt::Kind::kIf:
      return run_if(stmt);
    case Stmt::Kind::kFor:
      return run_for(stmt);
    case Stmt::Kind::kSet: {
      TERN_ASSIGN(const Value value, evaluate(*stmt.expr));
      TERN_TRY(assign(*stmt.target, value));
      return Flow::kNormal;
    }
    case Stmt::Kind::kSetBlock:
      TERN_TRY(run_set_block(stmt));
      return Flow::kNormal;
    case Stmt::Kind::kMacro:
      scopes_.back()[stmt.macro->name] = Value(stmt.macro.get());
      return Flow::kNormal;
    case Stmt::Kind::kBreak:
      return Flow::kBreak;
    case Stmt::Kind::kContinue:
      return Flow::kContinue;
    case Stmt::Kind::kFilterBlock:
      TERN_TRY(run_filter_block(stmt));
      return Flow::kNormal;
    case Stmt::Kind::kScope: {
      scopes_.emplace_back();
      TERN_ASSIGN(const Flow flow, run_body(stmt.body));
      scopes_.pop_back();
      return flow;
    }
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::run_if(const Stmt& stmt) {
  for (const Stmt::Branch& branch : stmt.branches) {
    bool taken = true;
    if (branch.condition) {
      TERN_ASSIGN(const Value condition, evaluate(*branch.condition));
      taken = condition.truthy();
    }
    if (taken) return run_body(branch.body);
  }
  return Flow::kNormal;
}

Result<std::vector<Value>> Interpreter::loop_items(const Stmt& stmt) {
  TERN_ASSIGN(const Value value, evaluate(*stmt.expr));
  auto items = iterate(value);
  if (!items.ok()) return located(items.status(), stmt.line);
  TERN_TRY(charge((*items)->items.size() * sizeof(Value)));
  if (!stmt.condition) return (*items)->items;
  std::vector<Value> kept;
  scopes_.emplace_back();
  for (const Value& item : (*items)->items) {
    TERN_TRY(assign(*stmt.target, item));
    TERN_ASSIGN(const Value condition, evaluate(*stmt.condition));
    if (condition.truthy()) kept.push_back(item);
  }
  scopes_.pop_back();
  return kept;
}

Result<Interpreter::Flow> Interpreter::run_for(const Stmt& stmt) {
  TERN_ASSIGN(std::vector<Value> items, loop_items(stmt));
  TERN_ASSIGN(const Value list, make_list(std::move(items)));
  const size_t size = list.list().items.size();
  scopes_.emplace_back();
  for (size_t i = 0; i < size; ++i) {
    TERN_TRY(charge(0));
    Variables& variables = scopes_.back();
    variables.clear();  // what an iteration sets is gone in the next
    variables["loop"] = Value(std::make_shared<const Loop>(Loop{list.shared_list(), i}));
    TERN_TRY(assign(*stmt.target, list.list().items[i]));
    TERN_ASSIGN(const Flow flow, run_body(stmt.body));
    if (flow == Flow::kBreak) break;
  }
  Flow flow = Flow::kNormal;
  if (size == 0) {
    TERN_ASSIGN(flow, run_body(stmt.otherwise));
  }
  scopes_.pop_back();
  return flow;
}

Status Interpreter::assign(const Expr& target, const Value& value) {
  if (target.kind == Expr::Kind::kName) {
    scopes_.back()[target.name] = value;
    return {};
  }
  if (target.kind == Expr::Kind::kAttribute) {
    const Value* owner = find_variable(target.children[0]->name);
    if (!owner || !owner->is(Value::Type::kNamespace))
      return invalid_argument(
          at_line(target.line, "cannot assign attribute on non-namespace object"));
    owner->name_space().members[target.name] = value;
    return {};
  }
  const auto items = iterate(value);
  if (!items.ok()) return located(items.status(), target.line);
  if ((*items)->items.size() != target.children.size())
    return invalid_argument(
        at_line(target.line, "cannot unpack " + std::to_string((*items)->items.size()) +
                                 " values into " + std::to_string(target.children.size())));
  for (size_t i = 0; i < target.children.size(); ++i)
    TERN_TRY(assign(*target.children[i], (*items)->items[i]));
  return {};
}

Result<Value> Interpreter::capture(const Body& body, Variables variables) {
  std::string text;
  std::string* outer = std::exchange(out_, &text);
  scopes_.push_back(std::move(variables));
  TERN_TRY(run_body(body).status());
  scopes_.pop_back();
  out_ = outer;
  return string(std::move(text));
}

Status Interpreter::run_set_block(const Stmt& stmt) {
  TERN_ASSIGN(Value value, capture(stmt.body, {}));
  if (stmt.expr) {
    block_text_ = value.string();
    TERN_ASSIGN(value, evaluate(*stmt.expr));
  }
  return assign(*stmt.target, value);
}

Status Interpreter::run_filter_block(const Stmt& stmt) {
  TERN_ASSIGN(const Value printed, capture(stmt.body, {}));
  block_text_ = printed.string();
  TERN_ASSIGN(const Value value, evaluate(*stmt.expr));
  TERN_ASSIGN(const std::string text, to_text(value));
  return print(text);
}

Result<Variables> Interpreter::bind_macro(const Macro& macro, const CallArgs& args) {
  const auto& parameters = macro.parameters;
  Variables variables;
  if (args.positional.size() > parameters.size())
    return invalid_argument("macro " + string_repr(macro.name) + " takes not more than " +
                            std::to_string(parameters.size()) + " argument(s)");
  for (size_t i = 0; i < args.positional.size(); ++i)
    variables[parameters[i].name] = args.positional[i];
  for (const auto& [name, value] : args.named) {
    bool known = false;
    for (const Macro::Parameter& parameter : parameters) known |= parameter.name == name;
    if (!known || !variables.emplace(name, value).second)
      return invalid_argument("macro " + string_repr(macro.name) +
                              (known ? " got two values for " : " takes no argument ") +
                              string_repr(name));
  }
  return variables;
}

Result<Value> Interpreter::call_macro(const Macro& macro, const CallArgs& args) {
  TERN_ASSIGN(Variables variables, bind_macro(macro, args));
  const size_t outer_base = std::exchange(base_, scopes_.size());
  scopes_.push_back(std::move(variables));
  for (const Macro::Parameter& parameter : macro.parameters) {
    if (scopes_.back().contains(parameter.name)) continue;
    Value value =
        Value::undefined("parameter " + string_repr(parameter.name) + " was not provided");
    if (parameter.otherwise) {
      TERN_ASSIGN(value, evaluate(*parameter.otherwise));
    }
    scopes_.back()[parameter.name] = std::move(value);
  }
  TERN_ASSIGN(Value text, capture(macro.body, {}));
  scopes_.pop_back();
  base_ = outer_base;
  return text;
}

Result<Value> Interpreter::call(const Value& callee, const CallArgs& args) {
  TERN_TRY(charge_walk(callee));
  switch (callee.type()) {
    case Value::Type::kMacro:
      return call_macro(callee.macro(), args);
    case Value::Type::kFunction:
      return callee.function().run(*this, args);
    case Value::Type::kMethod:
      return call_method(*this, callee.method().self, callee.method().name, args);
    case Value::Type::kUndefined:
      return invalid_argument(callee.undefined_reason());
    default:
      return invalid_argument(quoted_type(callee) + " object is not callable");
  }
}

Result<Value> Interpreter::filter(const std::string& name, const Value& value,
                                  const CallArgs& args) {
  const Filter* filter = find_filter(name);
  if (!filter)
    return Status(Code::kUnimplemented, "tern does not know the filter " + string_repr(name));
  TERN_TRY(charge_walk(value));
  return filter->run(*this, value, args);
}

Result<bool> Interpreter::test(const std::string& name, const Value& value, const CallArgs& args) {
  const Test* test = find_test(name);
  if (!test)
    return Status(Code::kUnimplemented, "tern does not know the test " + string_repr(name));
  if (!args.named.empty() || args.positional.size() != test->num_args)
    return invalid_argument("the test " + string_repr(name) + " takes " +
                            std::to_string(test->num_args) + " argument(s)");
  TERN_TRY(charge_walk(value));
  return test->run(value, args);
}

}  // namespace tern::jinja
