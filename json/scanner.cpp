#include "json/scanner.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include <simdjson.h>

namespace json {
namespace {

constexpr std::size_t kTextCapacityMin = 16 * 1024;
constexpr std::size_t kEndsCapacityMin = 1024;
constexpr std::size_t kSimdjsonDepth = 1;  // its second stage, the only user, is not run

std::size_t capacity_for(std::size_t bytes) {
  return std::bit_ceil(std::max(bytes, kTextCapacityMin));
}

/// The first control character inside a string; the text's size when there is none.
std::size_t control_character_offset(std::string_view text) {
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"')
      in_string = !in_string;
    else if (in_string && text[at] == '\\')
      ++at;
    else if (in_string && static_cast<unsigned char>(text[at]) < 0x20)
      return at;
  }
  return text.size();
}

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

/// Where invalid UTF-8 begins, give or take a character: the longest valid prefix, by halving.
std::size_t invalid_utf8_offset(std::string_view text) {
  std::size_t valid = 0;
  std::size_t invalid = text.size();
  while (valid + 1 < invalid) {
    std::size_t middle = valid + (invalid - valid) / 2;
    while (middle > valid && !starts_character(text[middle])) --middle;
    if (middle == valid) break;
    (simdjson::validate_utf8(text.data(), middle) ? valid : invalid) = middle;
  }
  return valid;
}

Problem problem_of(simdjson::error_code code, std::string_view text) {
  switch (code) {
    case simdjson::MEMALLOC: throw std::bad_alloc();
    case simdjson::UTF8_ERROR: return {Fault::not_json, invalid_utf8_offset(text)};
    case simdjson::UNESCAPED_CHARS: return {Fault::not_json, control_character_offset(text)};
    default: return {Fault::not_json, text.size()};  // a string not closed, or no token at all
  }
}

}  // namespace

struct Scanner::Parser {
  simdjson::dom::parser simd;
};

Scanner::Scanner() = default;
Scanner::~Scanner() = default;

std::optional<Problem> Scanner::scan(std::string_view text, Tokens& tokens) {
  tokens = {};
  if (text.empty()) return Problem{};
  if (text.size() > kTextBytesMax) return Problem{Fault::not_json, kTextBytesMax};
  reserve_text(text.size());
  auto& stages = *parser_->simd.implementation;
  const auto code = stages.stage1(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                  simdjson::stage1_mode::regular);
  if (code != simdjson::SUCCESS) return problem_of(code, text);
  const std::uint32_t count = stages.n_structural_indexes;
  reserve_ends(count);
  stages.structural_indexes[count] = static_cast<std::uint32_t>(text.size());
  tokens = {text, count, stages.structural_indexes.get(), ends_.get()};
  return std::nullopt;
}

void Scanner::reserve_text(std::size_t bytes) {
  if (bytes <= text_capacity_) return;
  text_capacity_ = 0;
  if (!parser_) parser_ = std::make_unique<Parser>();
  const std::size_t capacity = capacity_for(bytes);
  if (parser_->simd.allocate(capacity, kSimdjsonDepth) != simdjson::SUCCESS) throw std::bad_alloc();
  text_capacity_ = capacity;
}

void Scanner::reserve_ends(std::size_t count) {
  if (count <= ends_capacity_) return;
  const std::size_t capacity = std::bit_ceil(std::max(count, kEndsCapacityMin));
  ends_capacity_ = 0;
  ends_ = std::make_unique_for_overwrite<std::uint32_t[]>(capacity);
  ends_capacity_ = capacity;
}

void Scanner::shrink(std::size_t bytes_max) {
  if (text_capacity_ <= capacity_for(bytes_max)) return;
  parser_.reset();
  text_capacity_ = 0;
  ends_.reset();
  ends_capacity_ = 0;
}

}  // namespace json
