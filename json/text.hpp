#pragma once

#include <string>
#include <string_view>

namespace json {

/// Unescapes what stands between a checked string's quotes; `out` is overwritten. A surrogate
/// escape without its other half becomes EF BF BD, as Node writes it when encoding. `raw` must not
/// be a part of `out`.
void unescape(std::string_view raw, std::string& out);

/// True when unescaping `raw` would give `wanted`. Nothing is allocated.
[[nodiscard]] bool unescaped_equals(std::string_view raw, std::string_view wanted);

/// Appends the escape of a byte that JSON strings can't hold: a quote, a backslash, a control
/// character.
void append_escape(std::string& out, char byte);

/// Appends `text`, which is UTF-8, as a JSON string, quotes included, escaped as JSON.stringify
/// does: `"`, `\` and control characters only.
void append_quoted(std::string& out, std::string_view text);

}  // namespace json
