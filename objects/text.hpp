#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Small works on UTF-8 texts, as JavaScript and PostgreSQL see them. Pure.
namespace objects::text {

/// Appends one code point; a surrogate as its three bytes ED xx xx.
void append_code_point(std::string& out, std::uint32_t code);

/// The text as PostgreSQL gets it: each unpaired surrogate (ED xx xx) becomes U+FFFD. O(bytes).
std::string well_formed(std::string_view text);

/// ASCII only, as PostgreSQL in the C locale.
std::string lower_ascii(std::string_view text);
/// Every letter's simple lower-case form, as JavaScript's toLowerCase but for U+0130 and final
/// sigmas.
std::string lower(std::string_view text);

/// JavaScript's order of strings: by UTF-16 code unit. Negative, 0, positive.
int compare_utf16(std::string_view a, std::string_view b);

}  // namespace objects::text
