#include "objects/trigger.hpp"

#include <optional>
#include <string>
#include <vector>

namespace objects {
namespace {

bool word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

/// A token: a word, a quoted text (first byte of its quote), or one byte of punctuation.
using Token = std::string_view;

/// Splits into tokens without comments and white space; nothing where a quote or comment never
/// ends.
std::optional<std::vector<Token>> tokenize(std::string_view source) {
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < source.size();) {
    const char c = source[i];
    const std::string_view rest = source.substr(i);
    std::size_t bytes = 1;
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      ++i;
      continue;
    }
    if (rest.starts_with("//")) {
      i += std::min(rest.find('\n'), rest.size());
      continue;
    }
    if (rest.starts_with("/*")) {
      const std::size_t end = rest.find("*/", 2);
      if (end == std::string_view::npos) return std::nullopt;
      i += end + 2;
      continue;
    }
    if (c == '"' || c == '\'' || c == '`') {
      while (bytes < rest.size() && rest[bytes] != c) bytes += rest[bytes] == '\\' ? 2 : 1;
      if (bytes >= rest.size()) return std::nullopt;
      ++bytes;
    } else if (word_byte(c)) {
      while (bytes < rest.size() && word_byte(rest[bytes])) ++bytes;
    }
    tokens.push_back(rest.substr(0, bytes));
    i += bytes;
  }
  return tokens;
}

bool brackets_close(const std::vector<Token>& tokens) {
  std::string open;
  for (const Token token : tokens) {
    const char c = token.front();
    if (c == '(' || c == '[' || c == '{') {
      open += c;
    } else if (c == ')' || c == ']' || c == '}') {
      const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (open.empty() || open.back() != wanted) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

bool operator_word(Token token) {
  static constexpr std::string_view kOperators[] = {
      "async", "await", "class",  "delete", "function", "in",   "instanceof",
      "new",   "of",    "return", "throw",  "typeof",   "void", "yield"};
  for (const std::string_view word : kOperators)
    if (token == word) return true;
  return false;
}

/// Two names side by side, before any bracket: no expression.
bool words_side_by_side(const std::vector<Token>& tokens) {
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (!word_byte(tokens[i].front())) return false;
    if (word_byte(tokens[i + 1].front()) && !operator_word(tokens[i]) &&
        !operator_word(tokens[i + 1]))
      return true;
  }
  return false;
}

/// `function …`, `async …`, `(…) =>` or `name =>`, perhaps in parentheses.
bool begins_as_function(const std::vector<Token>& tokens) {
  std::size_t at = 0;
  while (at < tokens.size() && tokens[at] == "(") ++at;
  if (at < tokens.size() && tokens[at] == "async") ++at;
  if (at < tokens.size() && tokens[at] == "function") return true;
  for (std::size_t i = 0; i + 1 < tokens.size() && tokens[i] != "{"; ++i)
    if (tokens[i] == "=" && tokens[i + 1] == ">") return true;
  return false;
}

/// The name after `function`, if the source is a named function.
std::string_view function_name(const std::vector<Token>& tokens) {
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i)
    if (tokens[i] == "function")
      return word_byte(tokens[i + 1].front()) ? tokens[i + 1] : std::string_view();
  return {};
}

/// `function … }`: whatever lies between, where a regular expression might look like a quote.
bool plainly_function(std::string_view source) {
  const std::size_t first = source.find_first_not_of(" \t\r\n(");
  const std::size_t last = source.find_last_not_of(" \t\r\n);");
  if (first == std::string_view::npos || last == std::string_view::npos || source[last] != '}')
    return false;
  source.remove_prefix(first);
  return source.starts_with("function") && source.size() > 8 && !word_byte(source[8]) &&
         source.find('(') != std::string_view::npos;
}

/// What a name alone stands for where a moray evaluates it: nearly none stands for anything.
std::optional<Source> known_name(Token name) {
  static constexpr std::string_view kValues[] = {
      "undefined", "null", "true",    "false",   "NaN",    "Infinity", "this",
      "Math",      "JSON", "console", "process", "global", "module",   "exports"};
  static constexpr std::string_view kFunctions[] = {
      "Array",  "Boolean",  "Buffer",     "Date",  "Error",   "Function", "Number",
      "Object", "parseInt", "parseFloat", "isNaN", "require", "RegExp",   "String"};
  for (const std::string_view value : kValues)
    if (name == value) return Source::other;
  for (const std::string_view function : kFunctions)
    if (name == function) return Source::function;
  return std::nullopt;
}

bool is_name(Token token) {
  return word_byte(token.front()) && (token.front() < '0' || token.front() > '9');
}

bool records_delete_log(const JsValue& source) {
  const std::string text = to_text(source);
  const auto tokens = tokenize(text);
  return tokens && function_name(*tokens) == "recordDeleteLog";
}

}  // namespace

Source classify_source(std::string_view source) {
  if (plainly_function(source)) return Source::function;
  const auto tokens = tokenize(source);
  if (!tokens || tokens->empty() || !brackets_close(*tokens) || words_side_by_side(*tokens))
    return Source::broken;
  // To take a name that stands for nothing is an error, as is what does not parse.
  if (is_name(tokens->front()) && !operator_word(tokens->front())) {
    const auto known = known_name(tokens->front());
    if (tokens->size() == 1) return known.value_or(Source::broken);
    const std::string_view next = (*tokens)[1];
    if (!known && (next == "." || next == "(" || next == "[")) return Source::broken;
  }
  return begins_as_function(*tokens) ? Source::function : Source::other;
}

Triggers classify_triggers(const JsArray& pre, const JsArray& post) {
  if (pre.empty() && post.empty()) return Triggers::none;
  const bool known = pre.empty() && post.size() == 1 && records_delete_log(post.front());
  return known ? Triggers::record_delete_log : Triggers::unknown;
}

}  // namespace objects
