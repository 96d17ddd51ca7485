#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fast {

/// The `d` of an ERROR frame. `context`, `info` and `ase_errors` are JSON texts.
struct Error {
  std::string name;     ///< the error's class, e.g. "BucketNotFoundError"; clients match on it
  std::string message;  ///< for people; some clients match on it
  std::string context = "{}";
  std::string info = "{}";
  std::string ase_errors;  ///< a JSON array of child errors; empty: left out

  bool operator==(const Error&) const = default;
};

/// Appends `{"m":{"uts":…,"name":…},"d":{"name":…,"message":…,"context":…,"info":…}}`.
/// `rpc` empty: `m.name` is null. `uts`: microseconds since the epoch.
void append_error_payload(std::string& out, std::string_view rpc, std::int64_t uts,
                          const Error& error);

/// Appends `{"m":{"uts":…,"name":…},"d":[` + elements + `]}`; `elements` is JSON text, or empty.
void append_values_payload(std::string& out, std::string_view rpc, std::int64_t uts,
                           std::string_view elements);

/// Appends `text` (UTF-8) as a JSON string with its quotes: only `"`, `\` and control characters
/// below U+0020 are escaped.
void append_json_string(std::string& out, std::string_view text);

}  // namespace fast
