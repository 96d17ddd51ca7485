#include "objects/filter.hpp"

namespace objects {
namespace {

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '(' || c == ')' || c == '*' || c == '\\' || c == '=') out += '\\';
    out += c;
  }
}

void append_substring(std::string& out, const Filter& filter) {
  append_escaped(out, filter.initial);
  for (const std::string& part : filter.any) {
    out += '*';
    append_escaped(out, part);
  }
  out += '*';
  append_escaped(out, filter.final);
}

/// The value as it is: moray does not escape it there.
void append_extensible(std::string& out, const Filter& filter) {
  out += filter.attribute;
  if (filter.dn_attributes) out += ":dn";
  if (filter.rule && !filter.rule->empty()) out += ":" + *filter.rule;
  out += ":=" + filter.value;
}

void append(std::string& out, const Filter& filter) {
  using FilterKind = Filter::Kind;
  out += '(';
  switch (filter.kind) {
    case FilterKind::conjunction: out += '&'; break;
    case FilterKind::disjunction: out += '|'; break;
    case FilterKind::negation: out += '!'; break;
    case FilterKind::present: out += filter.attribute + "=*"; break;
    case FilterKind::substring:
      out += filter.attribute + "=";
      append_substring(out, filter);
      break;
    case FilterKind::extensible: append_extensible(out, filter); break;
    case FilterKind::equal:
    case FilterKind::greater_or_equal:
    case FilterKind::less_or_equal:
    case FilterKind::approximate:
      out += filter.attribute;
      out += filter.kind == FilterKind::equal              ? "="
             : filter.kind == FilterKind::greater_or_equal ? ">="
             : filter.kind == FilterKind::less_or_equal    ? "<="
                                                           : "~=";
      append_escaped(out, filter.value);
      break;
  }
  for (const Filter& child : filter.children) append(out, child);
  out += ')';
}

}  // namespace

std::string to_string(const Filter& filter) {
  std::string out;
  append(out, filter);
  return out;
}

}  // namespace objects
