#include "json/index.hpp"

#include <algorithm>

#include <simdjson.h>

namespace json {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

Document::Index::Index() = default;
Document::Index::~Index() = default;

std::optional<Problem> Document::Index::make(std::string_view given) {
  text = given;
  if (capacity_ < text.size() || stage_one_ == nullptr) {
    const std::size_t wanted = std::max<std::size_t>({text.size(), 2 * capacity_, 4096});
    stage_one_.reset();
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            wanted, kDepthMax, stage_one_) != simdjson::SUCCESS)
      throw std::bad_alloc();
    capacity_ = wanted;
  }
  // The first stage checks UTF-8, control characters in strings and unclosed strings.
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  if (text.empty() || stage_one_->stage1(bytes, text.size(), simdjson::stage1_mode::regular) !=
                          simdjson::SUCCESS)
    return Problem{Fault::not_json, text.size()};
  positions = stage_one_->structural_indexes.get();
  tokens = stage_one_->n_structural_indexes;
  if (partner.size() < tokens) partner.resize(std::max<std::size_t>(tokens, 2 * partner.size()));
  return check_grammar(*this);
}

void Document::Index::shrink(std::size_t bytes_max) {
  if (capacity_ <= bytes_max) return;
  stage_one_.reset();
  capacity_ = 0;
  std::vector<std::uint32_t>().swap(partner);
}

std::size_t Document::Index::scalar_end(std::uint32_t token) const {
  std::size_t end = token + 1 < tokens ? positions[token + 1] : text.size();
  while (is_space(text[end - 1])) --end;
  return end;
}

}  // namespace json
