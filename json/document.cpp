#include "json/document.hpp"

#include <cassert>

#include "json/grammar.hpp"
#include "json/index.hpp"

namespace json {

Document::Document() : index_(std::make_unique<Index>()) {}
Document::~Document() = default;

std::optional<Problem> Document::parse(std::string_view text) {
  std::optional<Problem> problem = index_->scanner.scan(text, index_->tokens);
  if (!problem) problem = check_grammar(index_->tokens);
  if (problem) index_->tokens = {};
  return problem;
}

Value Document::root() const {
  assert(index_->tokens.count > 0);
  return Value(&index_->tokens, 0);
}

std::size_t Document::tokens() const { return index_->tokens.count; }

void Document::shrink(std::size_t bytes_max) {
  index_->tokens = {};
  index_->scanner.shrink(bytes_max);
}

}  // namespace json
