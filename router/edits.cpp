#include "router/edits.hpp"

#include <algorithm>

namespace router {

void Edits::clear() {
  edits_.clear();
  inserted_.clear();
}

void Edits::insert(std::size_t position, std::string_view text) {
  replace(position, position, text);
}

void Edits::erase(std::size_t begin, std::size_t end) { replace(begin, end, {}); }

void Edits::replace(std::size_t begin, std::size_t end, std::string_view text) {
  edits_.push_back({begin, end, inserted_.size(), text.size()});
  inserted_.append(text);
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
      pieces_.push_back(std::string_view(inserted_).substr(edit.text_begin, edit.text_bytes));
    done = std::max(done, edit.end);
  }
  if (done < text.size()) pieces_.push_back(text.substr(done));
  return pieces_;
}

}  // namespace router
