#pragma once

#include <span>
#include <string_view>

namespace backends::postgres {

/// A setting that a session of ours has, whatever server, database, role or URL say.
struct SessionSetting {
  std::string_view name;
  std::string_view value;  ///< a tool's; as current_setting() shows it
  /// Of the router's connections, which carry clients' own SQL, too: it must mean there what the
  /// site has made it mean. Empty: they leave it as it is.
  std::string_view of_connections = {};
};

/// One table for all sessions: on which of them the meaning of a statement or the text of a value
/// depends, or whether a server ends or delays a statement for reasons that are not this program's.
/// A server that does not know one of them is older than it.
std::span<const SessionSetting> session_settings();

}  // namespace backends::postgres
