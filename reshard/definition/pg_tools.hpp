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

/// `directory`: where an operator says that they are. Empty: the newest of those of the system's
/// packages and of the PATH. nullopt: there are none. Runs `pg_dump --version` of each.
std::optional<PgTools> find_pg_tools(const std::string& directory);

/// As one word of a shell's command.
std::string shell_quoted(const std::string& word);

}  // namespace reshard
