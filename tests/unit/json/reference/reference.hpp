#pragma once

#include <random>
#include <string>
#include <string_view>

/// What nlohmann_json says about a text, brought in line with JSON.parse.
namespace json_reference {

/// Whether JSON.parse takes `text`. nlohmann refuses unpaired surrogate escapes and numbers beyond
/// a double, and takes a BOM and whatever stands behind a NUL: all this is allowed for.
bool accepts(const std::string& text);

/// `text` with what nlohmann needlessly refuses replaced by what it takes: unpaired surrogate
/// escapes by \ufffd, long digit runs outside strings by short ones. As valid as `text` was.
std::string repaired(std::string_view text);

/// A random valid text, with escapes, duplicate members, white space and nesting.
std::string random_text(std::mt19937& random);

/// `text` after one to three random edits of a byte, biased towards bytes that mean something.
std::string mutated(std::string text, std::mt19937& random);

}  // namespace json_reference
