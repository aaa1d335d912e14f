#include "engine/text/jinja/interpreter.h"

#include <algorithm>

#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/lexer.h"
#include "engine/text/jinja/tests.h"

namespace tern::jinja {

Result<std::string> Interpreter::run(const Body& program) {
  std::string text;
  out_ = &text;
  TERN_ASSIGN(root_, new_scope(nullptr));
  scope_ = root_;
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

Status Interpreter::charge_string(size_t bytes) {
  return charge_growth(0, bytes);
}

Status Interpreter::charge_growth(size_t size, size_t added) {
  if (size + added > kMaxStringBytes)
    return invalid_argument("a string exceeds " + std::to_string(kMaxStringBytes) + " bytes");
  return charge(added);
}

Result<Value> Interpreter::string(std::string text) {
  return string(String{std::move(text)});
}

Result<Value> Interpreter::string(String text) {
  TERN_TRY(charge_string(text.text.size()));
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
  for (const Scope* scope = scope_; scope; scope = scope->parent)
    if (const Value* value = find_in(scope->variables)) return value;
  return find_in(globals_);
}

bool Interpreter::loop_changed(const Loop& loop, Value value) {
  const auto [it, is_new] = changed_.try_emplace(&loop, value);
  if (!is_new && equal(it->second, value)) return false;
  it->second = std::move(value);
  return true;
}

Result<Scope*> Interpreter::new_scope(Scope* parent) {
  Scope* scope = nullptr;
  if (free_scopes_.empty()) {
    TERN_TRY(charge(sizeof(Scope), 0));
    scope = &scopes_.emplace_back();
  } else {
    scope = free_scopes_.back();
    free_scopes_.pop_back();
  }
  scope->parent = parent;
  return scope;
}

void Interpreter::end_scope(Scope* scope) {
  scope_ = scope->parent;
  if (scope->captured) return;
  scope->variables.clear();
  free_scopes_.push_back(scope);
}

Result<Value> Interpreter::new_closure(const Macro& macro) {
  TERN_TRY(charge(sizeof(Closure)));
  for (Scope* scope = scope_; scope && !scope->captured; scope = scope->parent)
    scope->captured = true;
  return Value(&closures_.emplace_back(Closure{&macro, scope_}));
}

Status Interpreter::print(std::string_view text) {
  if (out_->size() + text.size() > kMaxStringBytes)
    return invalid_argument("the chat template prints more than " +
                            std::to_string(kMaxStringBytes) + " bytes");
  TERN_TRY(charge(text.size(), 0));
  *out_ += text;
  return {};
}

Status Interpreter::print(const Value& value, int line) {
  const auto text = to_text(value);
  return text.ok() ? print(*text) : located(text.status(), line);
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
      TERN_TRY(print(value, stmt.line));
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
    case Stmt::Kind::kWith:
      return run_with(stmt);
    case Stmt::Kind::kMacro: {
      TERN_ASSIGN(scope_->variables[stmt.macro->name], new_closure(*stmt.macro));
      return Flow::kNormal;
    }
    case Stmt::Kind::kCall:
      TERN_TRY(run_call_block(stmt));
      return Flow::kNormal;
    case Stmt::Kind::kBreak:
      return Flow::kBreak;
    case Stmt::Kind::kContinue:
      return Flow::kContinue;
    case Stmt::Kind::kFilterBlock:
      TERN_TRY(run_filter_block(stmt));
      return Flow::kNormal;
    case Stmt::Kind::kBlock: {
      Scope* outer = scope_;
      TERN_ASSIGN(Scope * scope, new_scope(root_));
      TERN_ASSIGN(const Flow flow, run_scope(stmt.body, scope));
      scope_ = outer;
      return flow;
    }
    case Stmt::Kind::kScope: {
      TERN_ASSIGN(Scope * scope, new_scope(scope_));
      return run_scope(stmt.body, scope);
    }
    case Stmt::Kind::kRefused:
      return Status(Code::kUnimplemented, at_line(stmt.line, stmt.text));
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::run_scope(const Body& body, Scope* scope) {
  scope_ = scope;
  TERN_ASSIGN(const Flow flow, run_body(body));
  end_scope(scope);
  return flow;
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

Result<Interpreter::Flow> Interpreter::run_with(const Stmt& stmt) {
  std::vector<Value> values;
  for (const auto& [target, value_expr] : stmt.assignments) {
    TERN_ASSIGN(Value value, evaluate(*value_expr));
    values.push_back(std::move(value));
  }
  TERN_ASSIGN(Scope * scope, new_scope(scope_));
  scope_ = scope;
  for (size_t i = 0; i < values.size(); ++i)
    TERN_TRY(assign(*stmt.assignments[i].first, values[i]));
  return run_scope(stmt.body, scope);
}

Result<Interpreter::Flow> Interpreter::run_for(const Stmt& stmt) {
  TERN_ASSIGN(const Value items, evaluate(*stmt.expr));
  return run_loop(stmt, items, 0);
}

/// Those of `items` for which the condition of the `for` holds, as they are asked for.
Result<Iterator> Interpreter::filtered(const Stmt& stmt, const Value& items) {
  TERN_ASSIGN(Iterator source, iterator_over(items));
  if (!stmt.condition) return source;
  Scope* outer = scope_;
  const auto next = [this, &stmt, outer, source]() mutable -> Result<std::optional<Value>> {
    Scope* caller = scope_;
    TERN_ASSIGN(Scope * scope, new_scope(outer));
    scope_ = scope;
    std::optional<Value> item;
    for (bool holds = false; !holds;) {
      TERN_TRY(charge(0));
      TERN_ASSIGN(item, source.next());
      if (!item) break;
      TERN_TRY(assign(*stmt.target, *item));
      TERN_ASSIGN(const Value condition, evaluate(*stmt.condition));
      holds = condition.truthy();
    }
    end_scope(scope);
    scope_ = caller;
    return item;
  };
  TERN_ASSIGN(Value generator, make_generator(next, {items}));
  return Iterator(std::move(generator));
}

Result<Interpreter::Flow> Interpreter::run_loop(const Stmt& stmt, const Value& items,
                                                int64_t depth0) {
  const auto source = filtered(stmt, items);
  if (!source.ok()) return located(source.status(), stmt.line);
  const auto loop = std::make_shared<Loop>();
  loop->source = *source;
  loop->length = source->length();
  loop->depth0 = depth0;
  loop->recursive = stmt.recursive ? &stmt : nullptr;
  loop->scope = scope_;
  loop->depth_of_items = items.depth();
  loop->weight_of_items = items.weight();
  TERN_ASSIGN(Scope * scope, new_scope(scope_));
  bool completed = false;  // Jinja's `else` is for loops of which no round came to its end
  while (true) {
    scope_ = scope->parent;
    TERN_ASSIGN(const bool more, advance(*loop));
    if (!more) break;
    TERN_TRY(charge(0));
    scope_ = scope;
    scope->variables.clear();  // what a round sets is gone in the next
    scope->variables["loop"] = Value(loop);
    TERN_TRY(assign(*stmt.target, *loop->current));
    TERN_ASSIGN(const Flow flow, run_body(stmt.body));
    if (flow == Flow::kBreak) break;
    completed |= flow == Flow::kNormal;
  }
  loop->source = {};  // a condition that it would ask for sees this place, which ends here
  changed_.erase(loop.get());
  end_scope(scope);
  if (completed) return Flow::kNormal;
  TERN_ASSIGN(Scope * otherwise, new_scope(scope_));
  return run_scope(stmt.otherwise, otherwise);
}

Result<Value> Interpreter::call_loop(const Loop& loop, const CallArgs& args) {
  TERN_ASSIGN(const Bound a, bind(args, {"iterable"}, 1));
  if (!loop.recursive)
    return invalid_argument("a loop that is called needs the word 'recursive' in its tag");
  std::string text;
  std::string* outer_text = std::exchange(out_, &text);
  Scope* outer = std::exchange(scope_, loop.scope);
  TERN_TRY(run_loop(*loop.recursive, *a[0], loop.depth0 + 1).status());
  scope_ = outer;
  out_ = outer_text;
  return string(std::move(text));
}

Status Interpreter::assign(const Expr& target, const Value& value) {
  if (target.kind == Expr::Kind::kName) {
    scope_->variables[target.name] = value;
    return {};
  }
  if (target.kind == Expr::Kind::kAttribute) return assign_attribute(target, value);
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

Status Interpreter::assign_attribute(const Expr& target, const Value& value) {
  const Value* owner = find_variable(target.children[0]->name);
  if (!owner || !owner->is(Value::Type::kNamespace))
    return invalid_argument(
        at_line(target.line, "cannot assign attribute on non-namespace object"));
  TERN_TRY(charge(sizeof(Value)));
  const Status status = set_member(owner->name_space(), target.name, value);
  return status.ok() ? status : located(status, target.line);
}

Result<Value> Interpreter::capture(const Body& body, Scope* scope) {
  std::string text;
  std::string* outer_text = std::exchange(out_, &text);
  TERN_TRY(run_scope(body, scope).status());
  out_ = outer_text;
  return string(std::move(text));
}

Status Interpreter::run_set_block(const Stmt& stmt) {
  TERN_ASSIGN(Scope * scope, new_scope(scope_));
  TERN_ASSIGN(Value value, capture(stmt.body, scope));
  if (stmt.expr) {
    block_text_ = value.string();
    TERN_ASSIGN(value, evaluate(*stmt.expr));
  }
  return assign(*stmt.target, value);
}

Status Interpreter::run_filter_block(const Stmt& stmt) {
  TERN_ASSIGN(Scope * scope, new_scope(scope_));
  TERN_ASSIGN(const Value printed, capture(stmt.body, scope));
  block_text_ = printed.string();
  TERN_ASSIGN(const Value value, evaluate(*stmt.expr));
  if (value.is_string()) return print(value.string());
  return invalid_argument(at_line(
      stmt.line, "the filters of a block give " + quoted_type(value) + " instead of a text"));
}

Status Interpreter::run_call_block(const Stmt& stmt) {
  TERN_ASSIGN(const Value caller, new_closure(*stmt.macro));
  TERN_ASSIGN(const Value value, evaluate_call(*stmt.expr, &caller));
  return print(value, stmt.line);
}

/// Arguments that no parameter takes.
Status Interpreter::bind_rest(const Macro& macro, CallArgs rest, Scope& scope) {
  const std::string name = "macro " + string_repr(macro.name);
  const auto caller = std::find_if(rest.named.begin(), rest.named.end(),
                                   [](const auto& argument) { return argument.first == "caller"; });
  if (macro.takes_caller) {
    const bool given = caller != rest.named.end();
    scope.variables["caller"] = given ? caller->second : Value::undefined("No caller defined");
    if (given) rest.named.erase(caller);
  }
  if (macro.takes_kwargs) {
    Dict dict;
    for (auto& [key, value] : rest.named) dict.set(key, value);
    TERN_TRY(charge(dict.items.size() * sizeof(Value)));
    TERN_ASSIGN(scope.variables["kwargs"], make_dict(std::move(dict)));
  } else if (!rest.named.empty()) {
    return invalid_argument(name + " takes no argument " + string_repr(rest.named[0].first));
  }
  if (macro.takes_varargs) {
    TERN_ASSIGN(scope.variables["varargs"], list(std::move(rest.positional), List::Kind::kTuple));
  } else if (!rest.positional.empty()) {
    return invalid_argument(name + " takes not more than " +
                            std::to_string(macro.parameters.size()) + " argument(s)");
  }
  return {};
}

Status Interpreter::bind_macro(const Macro& macro, const CallArgs& args, Scope& scope) {
  const auto& parameters = macro.parameters;
  const size_t num_positional = std::min(parameters.size(), args.positional.size());
  CallArgs rest;
  rest.positional.assign(args.positional.begin() + int64_t(num_positional), args.positional.end());
  rest.named = args.named;
  std::vector<const Macro::Parameter*> missing;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name;
    Value& value = scope.variables[name];
    const auto named = std::find_if(rest.named.begin(), rest.named.end(),
                                    [&](const auto& argument) { return argument.first == name; });
    if (i < num_positional) {
      value = args.positional[i];
    } else if (named != rest.named.end()) {
      value = std::move(named->second);
      rest.named.erase(named);
    } else {
      value = Value::undefined("parameter " + string_repr(name) + " was not provided");
      missing.push_back(&parameters[i]);
    }
  }
  TERN_TRY(bind_rest(macro, std::move(rest), scope));
  for (const Macro::Parameter* parameter : missing)
    if (parameter->otherwise) {
      TERN_ASSIGN(Value value, evaluate(*parameter->otherwise));
      scope.variables[parameter->name] = std::move(value);
    }
  return {};
}

Result<Value> Interpreter::call_macro(const Closure& closure, const CallArgs& args) {
  TERN_ASSIGN(Scope * scope, new_scope(closure.scope));
  Scope* outer = std::exchange(scope_, scope);
  TERN_TRY(bind_macro(*closure.macro, args, *scope));
  TERN_ASSIGN(Value text, capture(closure.macro->body, scope));
  scope_ = outer;
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
    case Value::Type::kLoop:
      return call_loop(callee.loop(), args);
    case Value::Type::kJoiner: {
      TERN_TRY(bind(args, {}).status());
      const bool used = std::exchange(callee.joiner().used, true);
      return used ? callee.joiner().separator : Value(std::string());
    }
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
  auto result = filter->run(*this, value, args);
  return result.ok() || raised_ ? result : result.status().with_context("filter " + name);
}

Result<bool> Interpreter::test(const std::string& name, const Value& value, const CallArgs& args) {
  const Test* test = find_test(name);
  if (!test)
    return Status(Code::kUnimplemented, "tern does not know the test " + string_repr(name));
  const auto bound = test->has_argument ? bind(args, {test->parameter}, 1) : bind(args, {});
  if (!bound.ok()) return bound.status().with_context(name);
  TERN_TRY(charge_walk(value));
  return test->run(*this, value, test->has_argument ? *(*bound)[0] : Value());
}

}  // namespace tern::jinja
