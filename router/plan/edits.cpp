#include "router/plan/edits.hpp"

#include <algorithm>

#include "fast/checksum.hpp"

namespace router {

void Edits::clear() {
  edits_.clear();
  inserted_.clear();
  pieces_.clear();
}

void Edits::insert(std::size_t position, std::string_view text) {
  replace(position, position, text);
}

void Edits::erase(std::size_t begin, std::size_t end) { replace(begin, end, {}); }

void Edits::insert(std::size_t position, std::initializer_list<std::string_view> texts) {
  const std::size_t before = inserted_.size();
  for (const std::string_view text : texts)
    inserted_.insert(inserted_.end(), text.begin(), text.end());
  note(position, position, inserted_.size() - before);
}

void Edits::replace(std::size_t begin, std::size_t end, std::string_view text) {
  inserted_.insert(inserted_.end(), text.begin(), text.end());
  note(begin, end, text.size());
}

void Edits::note(std::size_t begin, std::size_t end, std::size_t text_bytes) {
  pieces_.clear();
  if (!edits_.empty() && edits_.back().end == begin) {  // right after the last one: one piece fewer
    edits_.back().end = end;
    edits_.back().text_bytes += text_bytes;
    return;
  }
  edits_.push_back({begin, end, inserted_.size() - text_bytes, text_bytes});
}

std::span<const std::string_view> Edits::pieces(std::string_view text) {
  const auto earlier = [](const Edit& a, const Edit& b) { return a.begin < b.begin; };
  if (!std::is_sorted(edits_.begin(), edits_.end(), earlier))
    std::stable_sort(edits_.begin(), edits_.end(), earlier);

  pieces_.clear();
  std::size_t done = 0;
  for (const Edit& edit : edits_) {
    if (edit.begin > done) pieces_.push_back(text.substr(done, edit.begin - done));
    if (edit.text_bytes > 0)
      pieces_.emplace_back(inserted_.data() + edit.text_begin, edit.text_bytes);
    done = std::max(done, edit.end);
  }
  if (done < text.size()) pieces_.push_back(text.substr(done));
  return {pieces_.data(), pieces_.size()};
}

std::optional<std::uint16_t> Edits::checksum(std::string_view text, std::uint16_t checksum) const {
  if (edits_.empty()) return checksum;
  if (pieces_.empty()) return std::nullopt;
  constexpr std::size_t kWorthwhileBytes =
      2048;  // short texts are summed faster than thought about
  const std::size_t begin = edits_.front().begin;
  const std::size_t old_end = text.size() - begin;
  if (text.size() < kWorthwhileBytes || old_end > text.size() / 4 ||
      inserted_.size() > text.size() / 4)
    return std::nullopt;
  return fast::checksum_v2_of_new_end(
      checksum, text.substr(begin),
      std::span(pieces_.data(), pieces_.size()).subspan(begin > 0 ? 1 : 0));
}

}  // namespace router
