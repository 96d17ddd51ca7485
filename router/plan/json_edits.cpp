#include "router/plan/json_edits.hpp"

#include <string>

namespace router {

std::size_t begin_of(std::string_view text, json::Value value) {
  return static_cast<std::size_t>(value.text().data() - text.data());
}

std::size_t end_of(std::string_view text, json::Value value) {
  return begin_of(text, value) + value.text().size();
}

void append_member(Edits& edits, std::string_view text, json::Value object,
                   std::string_view member) {
  const std::size_t bracket = end_of(text, object) - 1;
  if (!object.empty()) edits.insert(bracket, ",");
  edits.insert(bracket, member);
}

std::size_t erase_members(Edits& edits, std::string_view text, json::Value object,
                          std::string_view name) {
  std::size_t erased = 0;
  std::size_t previous_end = 0;
  bool kept_before = false;
  bool open = false;  // the last member was cut out up to the beginning of the next
  std::size_t open_begin = 0;
  for (const json::Member member : object.members()) {
    const std::size_t begin = begin_of(text, member.name);
    const std::size_t end = end_of(text, member.value);
    if (open) edits.erase(open_begin, begin);
    open = false;
    if (!member.named(name)) {
      kept_before = true;
    } else {
      ++erased;
      if (kept_before) {
        edits.erase(previous_end, end);
      } else {
        open = true;
        open_begin = begin;
      }
    }
    previous_end = end;
  }
  if (open) edits.erase(open_begin, previous_end);
  return erased;
}

}  // namespace router
