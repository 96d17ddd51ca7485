#pragma once

#include <string_view>

#include "json/document.hpp"
#include "router/plan/edits.hpp"

namespace router {

/// Where a value begins and ends in the text that it belongs to.
std::size_t begin_of(std::string_view text, json::Value value);
std::size_t end_of(std::string_view text, json::Value value);

/// Appends `member` (JSON text `"name":value`) as the object's last member. JSON.parse keeps the
/// last of doubled members, so this overwrites one of the same name too.
void append_member(Edits& edits, std::string_view text, json::Value object,
                   std::string_view member);

/// Cuts out every top-level member whose unescaped name is `name`, each with one neighbouring
/// comma. Returns how many.
std::size_t erase_members(Edits& edits, std::string_view text, json::Value object,
                          std::string_view name);

}  // namespace router
