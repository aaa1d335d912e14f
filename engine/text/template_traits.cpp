#include "engine/text/template_traits.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tern {
namespace {

using jinja::Expr;
using jinja::Macro;
using jinja::Stmt;
using Kind = Expr::Kind;

// What a name or an expression can stand for: a set of these. kOneMessage is messages[0], or
// another one that stands alone.
constexpr unsigned kMessages = 1, kMessage = 2, kContent = 4, kOneMessage = 8, kOneContent = 16,
                   kArguments = 32, kContents = 64;

constexpr int kMaxPasses = 8;  // each follows values one assignment further back in the text

template <size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// x and "content" of x.content, x["content"] and x.get("content"). The key is empty where it is no
// text, `of` null where the expression is no such access.
struct Member {
  const Expr* of = nullptr;
  std::string_view key;
};

std::string_view text_of(const Expr& expr) {
  const bool is_text = expr.kind == Kind::kLiteral && expr.literal.is_string();
  return is_text ? std::string_view(expr.literal.string()) : std::string_view();
}

Member member_of(const Expr& expr) {
  if (expr.kind == Kind::kAttribute) return {expr.children[0].get(), expr.name};
  if (expr.kind == Kind::kItem) return {expr.children[0].get(), text_of(*expr.children[1])};
  if (expr.kind != Kind::kCall || expr.children.size() < 2) return {};
  const Expr& method = *expr.children[0];
  const std::string_view key = text_of(*expr.children[1]);
  if (method.kind != Kind::kAttribute || method.name != "get" || key.empty()) return {};
  return {method.children[0].get(), key};
}

class Finder {
 public:
  explicit Finder(const jinja::Body& program) : program_(program) {}

  TemplateTraits find() {
    for (int pass = 0; pass < kMaxPasses; ++pass) {
      changed_ = false;
      visit(program_);
      if (!changed_) break;
    }
    // What a template does with the system message alone says nothing of the others.
    const Content& content = each_.is_read ? each_ : one_;
    traits_.asks_for_string = content.asks_for_string;
    traits_.reads_parts = content.reads_parts;
    return traits_;
  }

 private:
  // What is done with the content of messages.
  struct Content {
    bool is_read = false, asks_for_string = false, reads_parts = false;
  };

  // ---- what stands for what ----

  // A variable's name, or "namespace.member"; empty for anything else.
  static std::string name_of(const Expr& expr) {
    if (expr.kind == Kind::kName) return expr.name;
    const bool member = expr.kind == Kind::kAttribute && expr.children[0]->kind == Kind::kName;
    return member ? expr.children[0]->name + "." + expr.name : std::string();
  }

  void assign(const std::string& name, unsigned kinds) {
    if (name.empty() || (kinds & ~kinds_[name]) == 0) return;
    kinds_[name] |= kinds;
    changed_ = true;
  }

  unsigned of_name(const Expr& expr) const {
    const auto found = kinds_.find(name_of(expr));
    return found == kinds_.end() ? 0 : found->second;
  }

  unsigned of_member(const Expr& expr) const {
    const auto [of, key] = member_of(expr);
    if (!of) return 0;
    if (key == "arguments") return kArguments;
    const unsigned base = kinds(*of);
    if (key == "content")
      return of_name(expr) | (base & kMessage ? kContent : 0) |
             (base & kOneMessage ? kOneContent : 0);
    if (!key.empty()) return of_name(expr);
    if (!(base & kMessages)) return 0;
    return expr.children[1]->kind == Kind::kLiteral ? kOneMessage : kMessage;
  }

  unsigned of_filter(const Expr& expr) const {
    const unsigned in = kinds(*expr.children[0]);
    if (expr.name == "map" && in & kMessages && expr.named.size() == 1 &&
        text_of(*expr.named[0].second) == "content")
      return kContents;
    if (expr.name == "first" || expr.name == "last") return in & kMessages ? kOneMessage : 0;
    constexpr std::array<std::string_view, 6> kOther = {"length", "count",    "tojson",
                                                        "items",  "dictsort", "map"};
    return is_one_of(expr.name, kOther) ? 0 : in;
  }

  unsigned of_children(const Expr& expr, size_t first) const {
    unsigned all = 0;
    for (size_t i = first; i < expr.children.size(); ++i)
      if (expr.children[i]) all |= kinds(*expr.children[i]);
    return all;
  }

  unsigned kinds(const Expr& expr) const {
    switch (expr.kind) {
      case Kind::kName:
        return of_name(expr);
      case Kind::kAttribute:
      case Kind::kItem:
      case Kind::kCall:
        return of_member(expr);
      case Kind::kSlice:
        return kinds(*expr.children[0]);
      case Kind::kFilter:
        return of_filter(expr);
      case Kind::kConditional:
        return of_children(expr, 1);
      case Kind::kBinary:
        if (expr.name == "or" || expr.name == "and") return of_children(expr, 0);
        return expr.name == "+" ? of_children(expr, 0) & kMessages : 0;
      case Kind::kList:
        return of_children(expr, 0) & (kMessage | kOneMessage) ? kMessages : 0;
      default:
        return 0;
    }
  }

  // Where `expr` is a content: it is so.
  void note(const Expr& expr, bool Content::*fact) {
    const unsigned all = kinds(expr);
    if (all & kContent) each_.*fact = true;
    if (all & kOneContent) one_.*fact = true;
  }

  // ---- what the template does with it ----

  void visit(const jinja::Body& body) {
    for (const auto& stmt : body) visit(*stmt);
  }

  void visit(const Stmt& stmt) {
    if (stmt.expr) visit(*stmt.expr);
    if (stmt.condition) visit(*stmt.condition);
    for (const Stmt::Branch& branch : stmt.branches) {
      if (branch.condition) visit(*branch.condition);
      visit(branch.body);
    }
    if (stmt.kind == Stmt::Kind::kFor) visit_loop(stmt);
    if (stmt.kind == Stmt::Kind::kSet) visit_assignment(*stmt.target, *stmt.expr);
    for (const auto& [target, value] : stmt.assignments) {
      visit(*value);
      visit_assignment(*target, *value);
    }
    if (stmt.kind == Stmt::Kind::kPrint) print(*stmt.expr);
    if (stmt.macro) visit(*stmt.macro);
    visit(stmt.body);
    visit(stmt.otherwise);
  }

  void visit_loop(const Stmt& stmt) {
    const unsigned in = kinds(*stmt.expr);
    if (in & kMessages && stmt.target) assign(name_of(*stmt.target), kMessage);
    if (in & kContents && stmt.target) {
      assign(name_of(*stmt.target), kContent);
      each_.is_read = true;
    }
    note(*stmt.expr, &Content::reads_parts);
    if (in & kArguments) traits_.reads_arguments = true;
  }

  void visit_assignment(const Expr& target, const Expr& value) {
    const size_t size = target.children.size();
    if (target.kind == Kind::kTuple && value.kind == Kind::kTuple && value.children.size() == size)
      for (size_t i = 0; i < size; ++i)
        visit_assignment(*target.children[i], *value.children[i]);
    assign(name_of(target), kinds(value));
    // namespace(messages=messages)
    if (value.kind != Kind::kCall || name_of(*value.children[0]) != "namespace") return;
    for (const auto& [name, member] : value.named)
      assign(name_of(target) + "." + name, kinds(*member));
  }

  void visit(const Macro& macro) {
    macros_[macro.name] = &macro;
    for (const Macro::Parameter& parameter : macro.parameters)
      if (parameter.otherwise) visit(*parameter.otherwise);
    visit(macro.body);
  }

  void print(const Expr& expr) {
    if (kinds(expr) & kArguments) traits_.prints_arguments = true;
  }

  void visit(const Expr& expr) {
    for (const auto& child : expr.children)
      if (child) visit(*child);
    for (const auto& [name, value] : expr.named) visit(*value);
    for (const Expr* unpacked : {expr.star.get(), expr.double_star.get()})
      if (unpacked) visit(*unpacked);
    switch (expr.kind) {
      case Kind::kName:
        traits_.uses_tools |= expr.name == "tools";
        break;
      case Kind::kAttribute:
      case Kind::kItem:
        visit_member(expr);
        break;
      case Kind::kCall:
        visit_member(expr);
        visit_call(expr);
        break;
      case Kind::kFilter:
        visit_filter(expr);
        break;
      case Kind::kTest:
        visit_test(expr);
        break;
      case Kind::kBinary:
        if (expr.name == "+" || expr.name == "~")
          for (const auto& child : expr.children) print(*child);
        break;
      default:
        break;
    }
  }

  // content[0].text, (content | first)["type"], arguments.items, arguments["city"]
  void visit_member(const Expr& expr) {
    constexpr std::array<std::string_view, 6> kOfStrings = {"strip", "lstrip",     "rstrip",
                                                            "split", "startswith", "replace"};
    note(expr, &Content::is_read);
    const auto [of, key] = member_of(expr);
    if (!of) return;
    const Expr& base = *of;
    if (kinds(base) & kArguments)
      (is_one_of(key, kOfStrings) ? traits_.prints_arguments : traits_.reads_arguments) = true;
    if (key != "text" && key != "type") return;
    const bool takes_one =
        (base.kind == Kind::kItem && member_of(base).key.empty()) ||
        (base.kind == Kind::kFilter && (base.name == "first" || base.name == "last"));
    if (takes_one) note(*base.children[0], &Content::reads_parts);
  }

  void visit_call(const Expr& call) {
    const auto found = macros_.find(name_of(*call.children[0]));
    if (found == macros_.end()) return;
    const auto& parameters = found->second->parameters;
    for (size_t i = 1; i < call.children.size() && i <= parameters.size(); ++i)
      assign(parameters[i - 1].name, kinds(*call.children[i]));
    for (const auto& [name, value] : call.named) assign(name, kinds(*value));
  }

  void visit_filter(const Expr& expr) {
    constexpr std::array<std::string_view, 5> kOfLists = {"selectattr", "rejectattr", "map",
                                                          "groupby", "sum"};
    constexpr std::array<std::string_view, 5> kOfObjects = {"tojson", "items", "dictsort", "length",
                                                            "count"};
    const bool by_attribute =
        std::any_of(expr.named.begin(), expr.named.end(),
                    [](const auto& argument) { return argument.first == "attribute"; });
    if (by_attribute || is_one_of(expr.name, kOfLists))
      note(*expr.children[0], &Content::reads_parts);
    if (kinds(*expr.children[0]) & kArguments && is_one_of(expr.name, kOfObjects))
      traits_.reads_arguments = true;
  }

  void visit_test(const Expr& expr) {
    if (expr.name == "string" || expr.name == "mapping")
      note(*expr.children[0], &Content::asks_for_string);
  }

  const jinja::Body& program_;
  std::unordered_map<std::string, unsigned> kinds_ = {{"messages", kMessages}};
  std::unordered_map<std::string, const Macro*> macros_;
  TemplateTraits traits_;
  Content each_, one_;
  bool changed_ = false;
};

}  // namespace

TemplateTraits find_template_traits(const jinja::Body& program) {
  return Finder(program).find();
}

}  // namespace tern
