#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace reshard {

/// PostgreSQL's own programs, of one directory.
struct PgTools {
  std::filesystem::path directory;
  int major = 0;  ///< pg_dump's version: 15
};

/// The first that can dump a server of version `server_major`; where none can, the newest. nullopt:
/// there are none. `directory`: where an operator says that they are. Empty: those of the system's
/// packages, the newest first, then those of the PATH. Runs `pg_dump --version` of each that it
/// looks at.
std::optional<PgTools> find_pg_tools(const std::string& directory, int server_major);

/// As one word of a shell's command.
std::string shell_quoted(const std::string& word);

}  // namespace reshard
